import Kit
import Web

extension BillingService {
  /// GET /plans: what is on sale. With `feature` and `tenant`, the cheapest plan that lifts that limit stands out.
  static let plansPage = Endpoint<BillingService>.get(
    "/plans",
    EndpointRules(
      operation: Operation(
        "listPlans", "All plans on sale, with prices and what each grants",
        query: [
          Operation.Parameter("feature", "A feature whose limit is to be lifted: prep.item"),
          Operation.Parameter("tenant", "Where: the tenant's id"),
        ], output: .object([("plans", .array(PlanView.shape))]))
    )
  ) { billing, visit in
    let catalogue = billing.catalogue
    var lifting: [PlanID] = []
    if let feature = visit.query("feature"), let tenant = visit.query("tenant").flatMap({ TenantID($0) }) {
      lifting = catalogue.plans(lifting: feature, at: tenant).map(\.plan.id)
    }
    let views = catalogue.plans.map { PlanView($0, lifts: lifting.contains($0.id)) }
    let cards = catalogue.plans.map { card($0, isBest: lifting.first == $0.id, catalogue, visit) }
    let page = Page(
      "billing.plans", title: visit.text("billing.plans.title"), ["plans": cards, "isEmpty": cards.isEmpty])
    return .page(page, json: ["plans": views])
  }

  private static func card(_ plan: Plan, isBest: Bool, _ catalogue: PlanCatalogue, _ visit: Visit) -> [String: any Sendable] {
    let words = GrantWords(catalogue: catalogue, visit: visit)
    // Readers of Korean see won first, others dollars; what is left stands beside it.
    let order: [Currency] = visit.language == .ko ? [.krw, .usd] : [.usd, .krw]
    let grants = words.lines(of: plan)
    let prices = order.compactMap { plan.price(in: $0) }.map(visit.format.money)
    var card: [String: any Sendable] = [
      "id": plan.id.text, "name": plan.name(visit.language), "isFree": plan.isFree, "isBest": isBest,
      "price": prices.first ?? visit.format.money(Money(0, order[0])),
      "every": visit.text("billing.every.\(plan.every.rawValue)"),
      "grants": grants, "hasGrants": !grants.isEmpty,
    ]
    if let summary = plan.summary { card["summary"] = summary(visit.language) }
    if prices.count > 1 { card["otherPrice"] = prices.dropFirst().joined(separator: " · ") }
    return card
  }
}

/// What a plan grants, in the words of its card.
struct GrantWords {
  let catalogue: PlanCatalogue
  let visit: Visit

  func lines(of plan: Plan) -> [String] {
    var lines = plan.grants.map(line)
    if plan.seats > 1 { lines.append(visit.text("billing.grant.seats", ["count": "\(plan.seats)"])) }
    return lines
  }

  private func line(_ grant: Grant) -> String {
    switch grant {
    case .feature(let feature, at: let selection, .unlimited):
      return visit.text("billing.grant.unlimited", ["feature": title(feature), "tenants": place(selection)])
    case .feature(let feature, at: let selection, .limited(let limit, let pool)):
      let shares = pool == .shared && catalogue.tenants(in: selection).count > 1
      return visit.text(
        shares ? "billing.grant.shared" : "billing.grant.limited",
        ["feature": title(feature), "tenants": place(selection), "limit": visit.format.number(Int64(limit))])
    case .choice(let count, of: let tenants, let features):
      return visit.text(
        "billing.grant.choice",
        [
          "count": "\(count)", "tenants": names(tenants, or: true),
          "feature": features.map(title).joined(separator: ", "),
        ])
    }
  }

  private func title(_ feature: String) -> String { catalogue.features[feature]?(visit.language) ?? feature }

  /// Few tenants are named; all of a kind are counted.
  private func place(_ selection: TenantSelection) -> String {
    let ids = catalogue.tenants(in: selection)
    guard ids.count > 3 else { return names(ids, or: false) }
    return visit.text("billing.grant.places", ["count": "\(ids.count)"])
  }

  private func names(_ ids: [TenantID], or isChoice: Bool) -> String {
    let names = ids.map { id in visit.cities.tenants.first { $0.tenant == id }?.name(visit.language) ?? id.text }
    return names.joined(separator: isChoice ? visit.text("billing.grant.or") : ", ")
  }
}

/// What programs get of a plan.
struct PlanView: Encodable, Sendable {
  struct Price: Encodable, Sendable {
    /// Decimal, as it is written: `14.99`.
    let amount: String
    let currency: String
  }

  let id: String
  let name: LocalizedText
  let summary: LocalizedText?
  let owner: String
  let prices: [Price]
  let every: String
  let seats: Int
  let grants: [Grant]
  /// Whether it lifts the limit that was asked about.
  let lifts: Bool

  init(_ plan: Plan, lifts: Bool) {
    id = plan.id.text
    name = plan.name
    summary = plan.summary
    owner = plan.owner.text
    prices = plan.prices.map { Price(amount: $0.decimal, currency: $0.currency.rawValue) }
    every = plan.every.rawValue
    seats = plan.seats
    grants = plan.grants
    self.lifts = lifts
  }

  static let shape = Shape.object([
    ("id", .string), ("name", .object([("ko", .string), ("en?", .string)])),
    ("summary?", .object([("ko", .string), ("en?", .string)])), ("owner", .string),
    ("prices", .array(.object([("amount", .string), ("currency", .choice(["KRW", "USD"]))]))),
    ("every", .choice(["month", "year"])), ("seats", .integer), ("lifts", .boolean),
    (
      "grants",
      .array(
        .object([
          ("feature?", .string), ("tenants?", .any), ("unlimited?", .boolean), ("limit?", .integer),
          ("per?", .choice(["month"])), ("pool?", .choice(["shared", "tenant"])), ("choose?", .integer),
          ("of?", .array(.string)), ("features?", .array(.string)),
        ]))
    ),
  ])
}
