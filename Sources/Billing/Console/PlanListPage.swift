import Foundation
import Kit
import Web

/// A tenant's plans and those of the city that reach it.
extension OperatorConsole {
  static let planListEndpoints: [Endpoint<OperatorConsole>] = [
    .get(
      "/tenants/{id}/plans",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "listTenantPlans", "A tenant's own plans, drafts and withdrawn ones too, and the city's plans that reach it.",
          output: .object([
            ("plans", .array(StoredPlanView.shape)), ("cityPlans", .array(StoredPlanView.shape)),
          ]), problems: [.notFound]))
    ) { console, visit in try await console.planList(try console.desk(visit)) }
  ]

  private struct ListView: Encodable, Sendable {
    let plans: [StoredPlanView]
    let cityPlans: [StoredPlanView]
  }

  private func planList(_ desk: Desk) async throws -> Answer {
    let catalogue = billing.catalogue
    let own = try await billing.plans.plans(ownedBy: .tenant(desk.tenant))
    let holders = try await holders(at: desk.tenant)
    let numbers = TenantNumbers(holders: holders, earned: [], uses: [])
    // One that is sold no longer stays as long as somebody here has it.
    let ofCity = catalogue.plans.filter { plan in
      plan.owner == .city && catalogue.reach(of: plan, to: desk.tenant) != nil
        && (!catalogue.withdrawn.contains(plan.id) || !numbers.counts(of: plan.id).isEmpty)
    }
    let view = ListView(
      plans: own.map { StoredPlanView($0, numbers) },
      cityPlans: ofCity.map { StoredPlanView(ofCity: $0, in: catalogue, numbers) })
    let said = desk.visit.query("done").flatMap { ["discarded"].contains($0) ? $0 : nil }
    return .page(json: view) {
      func line(_ view: StoredPlanView, _ name: LocalizedText, _ prices: [Money], _ id: PlanID) -> [String: any Sendable] {
        [
          "name": name(desk.visit.language), "url": desk.path(of: id), "state": desk.text("plans.state.\(view.state.rawValue)"),
          "isSold": view.state == .sold, "isDraft": view.state == .draft, "hasDraft": view.draft != nil && view.state != .draft,
          "version": view.version.map { desk.text("plans.version", ["version": "\($0)"]) } ?? "–",
          "price": desk.prices(prices), "holders": desk.holders(view.subscribers),
        ]
      }
      return Page(
        "billing.operator-plans", title: desk.text("plans.title"),
        desk.frame("plans").merging([
          "own": zip(own, view.plans).map { stored, view in
            let shown = stored.current?.plan ?? stored.draft
            return line(view, shown?.name ?? LocalizedText(ko: stored.id.text), shown?.prices ?? [], stored.id)
          },
          "hasOwn": !own.isEmpty,
          "city": zip(ofCity, view.cityPlans).map { plan, view in line(view, plan.name, plan.prices, plan.id) },
          "hasCity": !ofCity.isEmpty, "canCreate": !catalogue.features(of: desk.tenant).isEmpty,
          "newURL": "\(desk.path)/plans/new", "said": said.map { desk.text("done.\($0)") } ?? "", "hasSaid": said != nil,
        ]) { $1 })
    }
  }
}

extension Desk {
  /// `v2 3명 · v1 12명`.
  func holders(_ subscribers: [StoredPlanView.Subscribers]) -> String {
    if subscribers.isEmpty { return text("plans.noHolders") }
    return subscribers.map { one in
      text("plans.holders", ["version": "\(one.version)", "count": number(one.count)])
    }.joined(separator: " · ")
  }
}

/// A plan as its operator's program gets it.
struct StoredPlanView: Encodable, Sendable {
  enum State: String, Encodable, Sendable, CaseIterable { case draft, sold, withdrawn }
  struct Subscribers: Encodable, Sendable {
    let version: Int
    let count: Int
  }

  let id: String
  let owner: String
  let origin: PlanStore.Origin
  /// Whether the desk's operator may change it.
  let editable: Bool
  let state: State
  /// The one published last.
  let version: Int?
  let plan: PlanView?
  /// What waits to be published.
  let draft: PlanView?
  let withdrawn: String?
  let subscribers: [Subscribers]

  init(_ stored: PlanStore.Stored, _ numbers: TenantNumbers) {
    id = stored.id.text
    owner = stored.current?.plan.owner.text ?? stored.draft?.owner.text ?? ""
    origin = stored.origin
    editable = true
    state = stored.current == nil ? .draft : stored.withdrawn == nil ? .sold : .withdrawn
    version = stored.current?.version
    plan = stored.current.map { PlanView($0.plan, version: $0.version, lifts: false) }
    draft = stored.draft.map { PlanView($0, version: nil, lifts: false) }
    withdrawn = stored.withdrawn?.rfc3339
    subscribers = numbers.counts(of: stored.id).map { Subscribers(version: $0.version, count: $0.count) }
  }

  init(ofCity plan: Plan, in catalogue: PlanCatalogue, _ numbers: TenantNumbers) {
    id = plan.id.text
    owner = plan.owner.text
    origin = .file
    editable = false
    state = catalogue.withdrawn.contains(plan.id) ? .withdrawn : .sold
    version = catalogue.versions[plan.id]
    self.plan = PlanView(plan, version: version, lifts: false)
    draft = nil
    withdrawn = nil
    subscribers = numbers.counts(of: plan.id).map { Subscribers(version: $0.version, count: $0.count) }
  }

  static let localized = Shape.object([("ko", .string), ("en?", .string)])
  static let price = Shape.object([("amount", .string), ("currency", .choice(["KRW", "USD"]))])
  static let members: [(String, Shape)] = [
    ("id", .string), ("owner", .string), ("origin", .choice(["file", "console"])), ("editable", .boolean),
    ("state", .choice(State.allCases.map(\.rawValue))), ("version?", .integer), ("plan?", PlanView.shape),
    ("draft?", PlanView.shape), ("withdrawn?", .instant),
    ("subscribers", .array(.object([("version", .integer), ("count", .integer)]))),
  ]
  static let shape = Shape.object(members)
}
