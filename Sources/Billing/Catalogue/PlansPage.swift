import Foundation
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
          Operation.Parameter("every", "month or year: the prices the page shows; programs get all"),
        ], output: .object([("plans", .array(PlanView.shape))]))
    )
  ) { billing, visit in
    let catalogue = billing.catalogue
    var lifting: [PlanID] = []
    if let feature = visit.query("feature"), let tenant = visit.query("tenant").flatMap({ TenantID($0) }) {
      lifting = catalogue.plans(lifting: feature, at: tenant).map(\.plan.id)
    }
    let every = visit.query("every").flatMap(BillingInterval.init(rawValue:)) ?? .month
    var held: PlanID?
    if let person = visit.session?.person {
      let current = try await billing.subscriptions.held(by: person)?.subscription
      held = current.flatMap { $0.isLive ? $0.terms.plan : nil } ?? catalogue.onSale.first(where: \.isFree)?.id
    }
    let cards = PlanCards(catalogue: catalogue, every: every, best: lifting.first, held: held, visit: visit)
    let page = Page(
      "billing.plans", title: visit.text("billing.plans.title"),
      [
        "groups": cards.groups, "isEmpty": catalogue.onSale.isEmpty, "intervals": cards.intervals,
        "hasIntervals": !cards.intervals.isEmpty,
      ])
    let views = catalogue.onSale.map { plan in
      PlanView(plan, version: catalogue.versions[plan.id], lifts: lifting.contains(plan.id))
    }
    return .page(page, json: ["plans": views])
  }
}

/// The cards of the page.
struct PlanCards {
  let catalogue: PlanCatalogue
  /// The interval whose prices are shown, where a plan has them.
  let every: BillingInterval
  let best: PlanID?
  /// What the reader has.
  var held: PlanID?
  let visit: Visit
  /// Shown to who sells it: the button is only shown.
  var isPreview = false

  /// The city's plans, then those of each tenant under its name.
  var groups: [[String: any Sendable]] {
    let owners = [PlanOwner.city] + catalogue.tenants.map { .tenant($0.id) }
    return owners.compactMap { owner in
      let plans = catalogue.onSale.filter { $0.owner == owner }
      guard !plans.isEmpty else { return nil }
      guard case .tenant(let tenant) = owner else { return ["plans": plans.map { card($0, isNested: false) }] }
      let site = visit.cities.tenants.first { $0.tenant == tenant }
      return [
        "heading": visit.text("billing.plans.of", ["tenant": site?.name(visit.language) ?? tenant.text]),
        "plans": plans.map { card($0, isNested: true) },
      ]
    }
  }

  /// Links between the intervals; none where there is but one.
  var intervals: [[String: any Sendable]] {
    let sold = Set(catalogue.onSale.flatMap(\.intervals))
    guard sold.count > 1 else { return [] }
    // What was asked for stays asked for.
    let kept = ["feature", "tenant"].compactMap { name in visit.query(name).map { "&\(name)=\(PlanCards.escaped($0))" } }.joined()
    return BillingInterval.allCases.map { interval in
      [
        "url": "/plans?every=\(interval.rawValue)\(kept)", "here": interval == every,
        "name": visit.text("billing.plans.pay.\(interval.rawValue)"),
      ]
    }
  }

  /// Where the reader comes from: what the order proposes as her choice.
  private var place: String { visit.query("tenant").flatMap { TenantID($0) }.map { "&tenant=\($0.text)" } ?? "" }

  func card(_ plan: Plan, isNested: Bool) -> [String: any Sendable] {
    let words = GrantWords(catalogue: catalogue, visit: visit)
    let name = plan.name(visit.language)
    let every = plan.intervals.contains(every) ? every : plan.every
    // Readers of Korean see won first, others dollars; what is left stands beside it.
    let order: [Currency] = visit.language == .ko ? [.krw, .usd] : [.usd, .krw]
    let prices = order.compactMap { plan.price(in: $0, every: every) }
    let grants = words.lines(of: plan)
    var card: [String: any Sendable] = [
      "id": plan.id.text, "name": name, "isFree": plan.isFree, "isBest": best == plan.id, "isNested": isNested,
      "isPreview": isPreview, "isHeld": held == plan.id, "isPaid": !plan.isFree,
      "price": visit.format.money(prices.first ?? Money(0, order[0])),
      "every": visit.text("billing.every.\(every.rawValue)"), "grants": grants, "hasGrants": !grants.isEmpty,
      "url": "/subscribe?plan=\(plan.id)&every=\(every.rawValue)\(place)",
      "start": visit.text("billing.plans.start", ["plan": name]),
    ]
    if let summary = plan.summary { card["summary"] = summary(visit.language) }
    if prices.count > 1 {
      card["otherPrice"] = visit.text("billing.plans.elsewhere", ["amount": visit.format.money(prices[1])])
    }
    if every == .year, let price = prices.first, let month = plan.price(in: price.currency, every: .month) {
      let saved = month.minorUnits * 12 - price.minorUnits
      if saved > 0 {
        card["saves"] = visit.text("billing.plans.saves", ["amount": visit.format.money(Money(saved, price.currency))])
      }
    }
    return card
  }

  /// RFC 3986 §2.3: all but unreserved characters are escaped.
  private static func escaped(_ text: String) -> String {
    let unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    return text.addingPercentEncoding(withAllowedCharacters: CharacterSet(charactersIn: unreserved)) ?? ""
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
  /// For one `every`.
  let prices: [Price]
  let every: String
  /// For a year, where it may be paid so too.
  let yearly: [Price]
  let seats: Int
  /// By what a change within a period is measured: day or second.
  let proration: String
  /// Where its periods begin: anniversary or calendar.
  let alignment: String
  let grants: [Grant]
  /// Whether it lifts the limit that was asked about.
  let lifts: Bool
  /// The version that is sold.
  let version: Int?

  init(_ plan: Plan, version: Int?, lifts: Bool) {
    func written(_ prices: [Money]) -> [Price] {
      prices.map { Price(amount: $0.decimal, currency: $0.currency.rawValue) }
    }
    id = plan.id.text
    name = plan.name
    summary = plan.summary
    owner = plan.owner.text
    prices = written(plan.prices)
    every = plan.every.rawValue
    yearly = written(plan.yearly)
    seats = plan.seats
    proration = plan.proration.rawValue
    alignment = plan.alignment.rawValue
    self.version = version
    grants = plan.grants
    self.lifts = lifts
  }

  private static let price = Shape.object([("amount", .string), ("currency", .choice(["KRW", "USD"]))])
  static let shape = Shape.object([
    ("id", .string), ("name", .object([("ko", .string), ("en?", .string)])),
    ("summary?", .object([("ko", .string), ("en?", .string)])), ("owner", .string),
    ("prices", .array(price)), ("every", .choice(["month", "year"])), ("yearly", .array(price)), ("seats", .integer),
    ("proration", .choice(["day", "second"])), ("alignment", .choice(["anniversary", "calendar"])), ("lifts", .boolean),
    ("version?", .integer),
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
