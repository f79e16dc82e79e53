import Foundation
import HTTPTypes
import Kit
import Web

/// Writing a plan: a new one, or the next version of one. What is saved is a draft; nobody buys it yet.
extension OperatorConsole {
  static let planFormEndpoints: [Endpoint<OperatorConsole>] = [
    .get(
      "/tenants/{id}/plans/new",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "planVocabulary", "What a plan of the tenant may grant, and in which currencies it is sold.",
          output: .object([
            ("tenant", .string), ("currencies", .array(.string)),
            ("features", .array(.object([("feature", .string), ("title", StoredPlanView.localized)]))),
          ]), problems: [.notFound]))
    ) { console, visit in console.form(try console.desk(visit), of: nil) },
    .post(
      "/tenants/{id}/plans/new",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "draftTenantPlan", "Saves a new plan as a draft. The same again gives the same draft.",
          input: planInput([("id", .text(4...32))]), output: StoredPlanView.shape, status: 201, problems: [.notFound]))
    ) { console, visit in
      try await console.save(try console.desk(visit), over: nil)
    },
    .get("/tenants/{id}/plans/{plan}/edit", EndpointRules(access: .signedIn)) { console, visit in
      let desk = try console.desk(visit)
      return console.form(desk, of: try await console.changeablePlan(desk))
    },
    .post(
      "/tenants/{id}/plans/{plan}",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "draftTenantPlanVersion", "Saves what the next version of a plan is to be, in place of an earlier draft.",
          input: planInput([]), output: StoredPlanView.shape, problems: [.notFound, .forbidden]))
    ) { console, visit in
      let desk = try console.desk(visit)
      return try await console.save(desk, over: try await console.changeablePlan(desk))
    },
  ]

  private static func planInput(_ first: [(String, Shape)]) -> Shape {
    let prices = Shape.array(StoredPlanView.price)
    let grant = Shape.object([("feature", .string), ("unlimited?", .boolean), ("limit?", .integer)])
    return .object(
      first + [
        ("name", StoredPlanView.localized), ("summary?", StoredPlanView.localized), ("prices", prices), ("yearly?", prices),
        ("grants", .array(grant)),
      ])
  }

  private func save(_ desk: Desk, over stored: PlanStore.Stored?) async throws -> Answer {
    let isProgram = desk.visit.wantsJSON
    let catalogue = billing.catalogue
    var reading = PlanReading(
      try await desk.visit.input(), base: stored.flatMap { $0.draft ?? $0.current?.plan }, tenant: desk.tenant,
      catalogue: catalogue, expectedID: desk.text("form.expectedID"))
    let saved: Plan
    do {
      saved = try reading.plan(isProgram: isProgram)
      if stored == nil { try await refuseTaken(saved, &reading, isProgram: isProgram) }
      try await keep(saved, desk, &reading, isProgram: isProgram)
    } catch let problem as Problem where problem.kind == .invalidInput && !isProgram {
      return form(desk, of: stored, input: reading.input, problem: problem)
    }
    guard isProgram else { return .redirect("\(desk.path(of: saved.id))?done=saved") }
    guard let kept = try await billing.plans.plans(ownedBy: .tenant(desk.tenant)).first(where: { $0.id == saved.id }) else {
      throw Problem(.notFound)
    }
    let numbers = TenantNumbers(holders: try await holders(at: desk.tenant), earned: [], uses: [])
    return .json(StoredPlanView(kept, numbers), status: stored == nil ? .created : .ok)
  }

  /// The same draft again is a second click; anything else under an id that is taken would overwrite what is there.
  private func refuseTaken(_ plan: Plan, _ reading: inout PlanReading, isProgram: Bool) async throws {
    let there = try await billing.plans.plans(ownedBy: plan.owner).first { $0.id == plan.id }
    guard let there, there.current != nil || there.draft != plan else { return }
    reading.input.refuse(isProgram ? "id" : "suffix", "taken")
    try reading.input.check()
  }

  private func keep(_ plan: Plan, _ desk: Desk, _ reading: inout PlanReading, isProgram: Bool) async throws {
    do {
      try await billing.plans.draft(plan, by: desk.actor, in: reading.catalogue, now: desk.visit.now)
    } catch let problem as Problem where problem.kind == .conflict {
      reading.input.refuse(isProgram ? "id" : "suffix", "taken")
      try reading.input.check()
    }
  }

  // MARK: The form

  private static let fields = [
    "suffix", "name_ko", "name_en", "summary_ko", "summary_en", "price_krw", "price_usd", "yearly_krw", "yearly_usd", "grants",
  ]

  private struct Vocabulary: Encodable, Sendable {
    struct Feature: Encodable, Sendable {
      let feature: String
      let title: LocalizedText
    }
    let tenant: String
    let currencies: [String]
    let features: [Feature]
  }

  private func form(
    _ desk: Desk, of stored: PlanStore.Stored?, input: Input? = nil, problem: Problem? = nil
  ) -> Answer {
    let catalogue = billing.catalogue
    let features = catalogue.features(of: desk.tenant)
    let base = stored.flatMap { $0.draft ?? $0.current?.plan }
    let json = Vocabulary(
      tenant: desk.tenant.text, currencies: PlanReading.currencies.map(\.rawValue),
      features: features.map { .init(feature: $0, title: catalogue.features[$0] ?? LocalizedText(ko: $0)) })
    return .page(json: json, status: problem == nil ? .ok : .unprocessableContent) {
      let visit = desk.visit
      let form = FormState(
        OperatorConsole.fields, input: input, problem: problem, initial: base.map(OperatorConsole.typed) ?? [:], visit: visit)
      let holders = stored?.current != nil
      let title =
        base.map { desk.text("form.changeTitle", ["plan": $0.name(visit.language)]) } ?? desk.text("form.newTitle")
      return Page(
        "billing.operator-plan-form", title: title,
        desk.frame("plans").merging([
          "field": form.fields, "isRefused": problem != nil, "isNew": stored == nil, "keepsHolders": holders,
          "prefix": "\(desk.tenant)-", "action": stored.map { desk.path(of: $0.id) } ?? "\(desk.path)/plans/new",
          "back": stored.map { desk.path(of: $0.id) } ?? "\(desk.path)/plans",
          "crumb": base?.name(visit.language) ?? desk.text("form.newTitle"), "hasFeatures": !features.isEmpty,
          "features": features.enumerated().map { index, feature in
            grantField(feature, index, of: features.count, base: base, input: input, problem: problem, desk)
          },
        ]) { $1 })
    }
  }

  /// What the form of a plan says before anything is typed.
  private static func typed(_ plan: Plan) -> [String: String] {
    var typed = ["name_ko": plan.name.ko, "name_en": plan.name.en ?? ""]
    typed["summary_ko"] = plan.summary?.ko
    typed["summary_en"] = plan.summary?.en
    for currency in PlanReading.currencies {
      let code = currency.rawValue.lowercased()
      typed["price_\(code)"] = plan.prices.first { $0.currency == currency }?.decimal
      typed["yearly_\(code)"] = plan.yearly.first { $0.currency == currency }?.decimal
    }
    return typed
  }

  private func grantField(
    _ feature: String, _ index: Int, of count: Int, base: Plan?, input: Input?, problem: Problem?, _ desk: Desk
  ) -> [String: any Sendable] {
    var (chosen, limit) = (base == nil && count == 1 ? "unlimited" : "none", "")
    for grant in base?.grants ?? [] {
      guard case .feature(feature, at: _, let quantity) = grant else { continue }
      switch quantity {
      case .unlimited: chosen = "unlimited"
      case .limited(let most, _): (chosen, limit) = ("limited", "\(most)")
      }
    }
    if let input {
      chosen = input.typed("grant.\(feature)")
      limit = input.typed("limit.\(feature)")
    }
    var field: [String: any Sendable] = [
      "feature": feature, "index": index, "title": billing.catalogue.features[feature]?(desk.visit.language) ?? feature,
      "limit": limit, "isUnlimited": chosen == "unlimited", "isLimited": chosen == "limited",
      "isNone": chosen == "none" || chosen.isEmpty, "canBeNone": count > 1,
    ]
    if let refused = problem?.fields.first(where: { $0.name == "limit.\(feature)" }) {
      field["error"] = desk.visit.text("web.field.\(refused.code)", refused.arguments)
    }
    return field
  }
}
