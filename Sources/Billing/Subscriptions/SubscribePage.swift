import Foundation
import HTTPTypes
import Kit
import Web

/// The order page: a plan, its choice, where she buys, what it comes to; and on to the payment.
extension BillingService {
  static let subscribeEndpoints: [Endpoint<BillingService>] = [
    .get("/subscribe", EndpointRules(access: .signedIn)) { billing, visit in
      try await billing.orderPage(visit, Input(billing.orderQuery(visit)), problem: nil)
    },
    .post(
      "/subscribe",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "startSubscription", "Orders a plan. The answer says where to pay; the same order again gives the same payment.",
          input: .object([
            ("plan", .string), ("every?", .choice(["month", "year"])), ("chosen?", .array(.string)), ("country?", .string),
          ]), output: PaymentDue.shape, status: 201, problems: [.invalidInput, .conflict, .unavailable]))
    ) { billing, visit in
      let input = try await visit.input()
      do {
        return try await billing.order(input, visit)
      } catch let problem as Problem where problem.kind == .invalidInput && !visit.wantsJSON {
        return try await billing.orderPage(visit, input, problem: problem)
      }
    },
  ]

  private func orderQuery(_ visit: Visit) -> [String: JSONValue] {
    var values: [String: JSONValue] = [:]
    for name in ["plan", "every", "chosen", "country"] { values[name] = visit.query(name).map { .string($0) } }
    return values
  }

  /// Reads an order. What is missing is what most people mean: monthly, and a country by the reader's language.
  func readOrder(_ input: inout Input, _ visit: Visit, account: BillingAccount?) -> SubscriptionService.Order? {
    let text = input.text("plan", length: 1...64)
    let plan = PlanID(text).flatMap { id in catalogue.onSale.first { $0.id == id && !$0.isFree } }
    if plan == nil, !text.isEmpty {
      input.refuse("plan", "choice", ["allowed": paidPlans.map(\.id.text).joined(separator: ", ")])
    }
    let every = input.choice("every", BillingInterval.self, default: .month) ?? .month
    let country = input.text("country", length: 2...2, default: account?.country ?? (visit.language == .ko ? "KR" : "US"))
    if !Countries.codes.contains(country), country.count == 2 {
      input.refuse("country", "choice", ["allowed": Countries.codes.joined(separator: ", ")])
    }
    let chosen = BillingService.readChosen(&input, plan?.choice)
    guard let plan else { return nil }
    if plan.price(in: BillingAccount.currency(in: country), every: every) == nil {
      input.refuse("every", "choice", ["allowed": plan.intervals.map(\.rawValue).joined(separator: ", ")])
    }
    return SubscriptionService.Order(plan: plan.id, every: every, chosen: chosen, country: country)
  }

  var paidPlans: [Plan] { catalogue.onSale.filter { !$0.isFree } }

  /// The tenants chosen, from a JSON list, or from a form's one radio button.
  static func readChosen(_ input: inout Input, _ choice: (count: Int, of: [TenantID])?) -> [TenantID] {
    var texts: [String] = []
    switch input.values["chosen"] {
    case .array(let values): texts = values.compactMap(\.string)
    case .string(let text) where !text.isEmpty: texts = text.split(separator: ",").map(String.init)
    default: break
    }
    let chosen = texts.compactMap { TenantID($0) }
    if let choice {
      let fits = chosen.count == choice.count && Set(chosen).count == chosen.count && chosen.allSatisfy(choice.of.contains)
      if texts.isEmpty {
        input.refuse("chosen", "required")
      } else if !fits {
        input.refuse("chosen", "choice", ["allowed": choice.of.map(\.text).joined(separator: ", ")])
      }
    } else if !texts.isEmpty {
      input.refuse("chosen", "choice", ["allowed": "–"])
    }
    return chosen
  }

  private func order(_ read: Input, _ visit: Visit) async throws -> Answer {
    var input = read
    let person = try visit.requireSession().person
    let account = try await subscriptions.account(of: person)
    let order = readOrder(&input, visit, account: account)
    try input.check()
    guard let order else { throw Problem(.notFound) }
    return try await refusing(visit) {
      let payment = try await subscriptions.start(
        order, by: person, description: orderDescription(order.plan, order.every, visit),
        returnURL: { visit.cities.city.origin.url("/payments/\($0.text)/return") }, language: visit.language)
      guard let payment else { return visit.wantsJSON ? .json(PaymentDue(nil)) : .redirect("/subscription?started=1") }
      if visit.wantsJSON { return .json(PaymentDue(payment), status: .created) }
      return .redirect(payment.checkoutURL ?? "/payments/\(payment.id.text)/return")
    }
  }

  /// What the gateway's page names the purchase.
  func orderDescription(_ plan: PlanID, _ every: BillingInterval, _ visit: Visit) -> String {
    let name = catalogue.plans.first { $0.id == plan }?.name(visit.language) ?? plan.text
    return visit.text(
      "billing.order.description",
      ["city": visit.cities.city.name(visit.language), "plan": name, "every": visit.text("billing.every.\(every.rawValue)")])
  }

  private func orderPage(_ visit: Visit, _ read: Input, problem: Problem?) async throws -> Answer {
    let person = try visit.requireSession().person
    let account = try await subscriptions.account(of: person)
    if let account, let current = try await subscriptions.current(of: account.id, in: database), current.isLive {
      let to = PlanID(visit.query("plan") ?? read.typed("plan"))
      return .redirect(to.map { "/subscription/change?plan=\($0)" } ?? "/subscription")
    }
    let asked = PlanID(read.typed("plan"))
    guard let plan = paidPlans.first(where: { $0.id == asked }) else { return .redirect("/plans") }
    let every = BillingInterval(rawValue: read.typed("every")) ?? .month
    let typed = read.typed("country")
    let country = Countries.codes.contains(typed) ? typed : account?.country ?? (visit.language == .ko ? "KR" : "US")
    var model: [String: any Sendable] = [
      "plan": plan.id.text, "planName": plan.name(visit.language), "every": every.rawValue,
      "grants": GrantWords(catalogue: catalogue, visit: visit).lines(of: plan),
      "intervals": plan.intervals.map { interval -> [String: any Sendable] in
        [
          "value": interval.rawValue, "checked": interval == every,
          "name": visit.text("billing.order.interval.\(interval.rawValue)"),
          "prices": prices(of: plan, every: interval).map {
            ["currency": $0.currency.rawValue, "price": visit.format.money($0)]
          },
        ]
      },
      "hasIntervals": plan.intervals.count > 1,
      "countries": Countries.options(visit.language, selected: country),
      "field": orderFields(read, problem, visit), "refused": problem != nil,
      "totals": plan.intervals.flatMap { totals(of: plan, every: $0, country: country, visit) },
    ]
    if let choice = plan.choice {
      let chosen = read.typed("chosen").isEmpty ? visit.query("tenant") ?? "" : read.typed("chosen")
      model["choice"] =
        ["options": tenantOptions(choice.of, chosen: [chosen], visit), "count": choice.count] as [String: any Sendable]
    }
    let page = Page("billing.subscribe", title: visit.text("billing.order.title", ["plan": plan.name(visit.language)]), model)
    return .page(page.allowingForms(to: paymentOrigins), status: problem == nil ? .ok : .unprocessableContent)
  }

  private func prices(of plan: Plan, every: BillingInterval) -> [Money] {
    Currency.allCases.compactMap { plan.price(in: $0, every: every) }
  }

  /// What an order comes to, in each currency; the page shows the one of what is checked.
  private func totals(
    of plan: Plan, every: BillingInterval, country: String, _ visit: Visit
  ) -> [[String: any Sendable]] {
    prices(of: plan, every: every).map { price in
      let place = BillingAccount.currency(in: country) == price.currency ? country : price.currency == .krw ? "KR" : "US"
      let tax = TaxSplit.inclusive(price, rate: .consumer(in: place)).tax
      let period = BillingAnchor(CivilDate(visit.now, in: visit.site.timeZone), every: every).period(0)
      var total: [String: any Sendable] = [
        "every": every.rawValue, "everyName": visit.text("billing.every.\(every.rawValue)"),
        "currency": price.currency.rawValue, "price": visit.format.money(price), "renews": visit.format.date(period.end),
      ]
      if tax.minorUnits != 0 { total["tax"] = visit.format.money(tax) }
      return total
    }
  }

  /// A choice that is missing is said in the words of the choice.
  private func orderFields(_ read: Input, _ problem: Problem?, _ visit: Visit) -> [String: any Sendable] {
    var fields = FormState(["chosen", "country", "every"], input: read, problem: problem, visit: visit).fields
    if let refused = problem?.fields.first(where: { $0.name == "chosen" }) {
      let reason = refused.code == "required" ? "choiceMissing" : "choiceOutsideOffer"
      fields["chosen"] = ["error": visit.text("billing.refusal.\(reason)")]
    }
    return fields
  }

  func tenantOptions(_ tenants: [TenantID], chosen: [String], _ visit: Visit) -> [[String: any Sendable]] {
    tenants.map { id in
      let site = visit.cities.tenants.first { $0.tenant == id }
      return [
        "value": id.text, "name": site?.name(visit.language) ?? id.text, "summary": site?.summary(visit.language) ?? "",
        "checked": chosen.contains(id.text),
      ]
    }
  }

  /// Runs an act; why it was refused is said in the reader's language.
  func refusing(_ visit: Visit, _ act: () async throws -> Answer) async throws -> Answer {
    do {
      return try await act()
    } catch let refusal as SubscriptionRefusal {
      throw Problem(
        .conflict, ["reason": visit.text("billing.refusal.\(refusal.rawValue)")], members: ["code": .string(refusal.rawValue)])
    } catch let problem as Problem where problem.kind == .conflict {
      // Payments say in code why; here it gets its words.
      let key = "billing.payment.refusal.\(problem.members["code"]?.string ?? "")"
      guard visit.catalogue.has(key) else { throw problem }
      throw Problem(.conflict, ["reason": visit.text(key)], members: problem.members)
    } catch is GatewayFailure {
      throw Problem(.unavailable, members: ["code": "gateway"], retryAfter: 10)
    }
  }
}

/// A payment that waits for its payer.
struct PaymentDue: Encodable, Sendable {
  let payment: String?
  /// Where the payer enters her card.
  let checkout: String?
  let state: String

  init(_ payment: Payment?) {
    self.payment = payment?.id.text
    checkout = payment?.checkoutURL
    state = payment?.state.rawValue ?? "succeeded"
  }

  static let shape = Shape.object([("payment?", .uuid), ("checkout?", .string), ("state", .string)])
}

/// Countries one can buy from, by ISO 3166-1 alpha-2.
enum Countries {
  static let codes = [
    "KR", "US", "JP", "CN", "TW", "HK", "SG", "MY", "TH", "VN", "ID", "PH", "IN", "AU", "NZ", "CA", "GB", "DE", "FR", "ES", "IT",
    "NL", "SE", "PL", "TR", "AE", "BR", "MX", "AR", "CL",
  ]

  static func name(_ code: String, _ language: Language) -> String {
    Locale(identifier: language.rawValue).localizedString(forRegionCode: code) ?? code
  }

  static func options(_ language: Language, selected: String) -> [[String: any Sendable]] {
    codes.map { ["value": $0, "name": name($0, language), "selected": $0 == selected] }
  }
}
