import Foundation
import Kit
import Web

/// A change of plan: first what it comes to, then the change itself, with the same figures.
extension BillingService {
  static let changeEndpoints: [Endpoint<BillingService>] = [
    .get(
      "/subscription/change",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "previewSubscriptionChange", "What a change of plan comes to, to the minor unit, and when it takes effect.",
          query: [
            Operation.Parameter("plan", "The plan's id"), Operation.Parameter("every", "month or year"),
            Operation.Parameter("chosen", "Tenants, with commas, where the plan asks for a choice"),
          ], output: ChangeView.shape, problems: [.invalidInput, .conflict]))
    ) { billing, visit in
      var values: [String: JSONValue] = [:]
      for name in ["plan", "every", "chosen"] { values[name] = visit.query(name).map { .string($0) } }
      return try await billing.changePage(visit, Input(values))
    },
    .post(
      "/subscription/change",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "changeSubscription", "Changes the plan as it was previewed: more at once, less with the next period.",
          input: .object([
            ("plan", .string), ("every?", .choice(["month", "year"])), ("chosen?", .array(.string)), ("revision", .integer),
          ]), output: .object([("outcome", .choice(["done", "scheduled", "payment"])), ("payment?", PaymentDue.shape)]),
          problems: [.invalidInput, .conflict, .unavailable]))
    ) { billing, visit in
      let input = try await visit.input()
      return try await billing.changePlan(visit, input)
    },
  ]

  private struct Wish {
    let plan: Plan
    let every: BillingInterval
    let chosen: [TenantID]
  }

  private func readWish(_ input: inout Input) -> Wish? {
    let text = input.text("plan", length: 1...64)
    guard let plan = PlanID(text).flatMap({ id in paidPlans.first { $0.id == id } }) else {
      if !text.isEmpty { input.refuse("plan", "choice", ["allowed": paidPlans.map(\.id.text).joined(separator: ", ")]) }
      return nil
    }
    let every = input.choice("every", BillingInterval.self, default: .month) ?? .month
    return Wish(plan: plan, every: every, chosen: BillingService.readChosen(&input, plan.choice))
  }

  private func changePage(_ visit: Visit, _ read: Input) async throws -> Answer {
    var input = read
    let person = try visit.requireSession().person
    guard let wish = readWish(&input) else {
      try input.check()
      throw Problem(.notFound)
    }
    // A choice is asked for first, on the same page.
    if wish.plan.choice != nil, !input.has("chosen"), !visit.wantsJSON {
      let chosen = try await subscriptions.held(by: person)?.subscription.terms.chosen ?? []
      return choicePage(wish, chosen: chosen, visit)
    }
    try input.check()
    return try await refusing(visit) {
      let preview = try await subscriptions.preview(of: person, to: wish.plan.id, every: wish.every, chosen: wish.chosen)
      let view = ChangeView(preview)
      return .page(
        Page("billing.change", title: visit.text("billing.change.title"), changeModel(preview, visit)).allowingForms(
          to: paymentOrigins), json: view)
    }
  }

  private func choicePage(_ wish: Wish, chosen: [TenantID], _ visit: Visit) -> Answer {
    .page(
      Page(
        "billing.change-choice", title: visit.text("billing.change.title"),
        [
          "plan": wish.plan.id.text, "planName": wish.plan.name(visit.language), "every": wish.every.rawValue,
          "options": tenantOptions(wish.plan.choice?.of ?? [], chosen: chosen.map(\.text), visit),
        ]))
  }

  private func changeModel(_ preview: SubscriptionService.ChangePreview, _ visit: Visit) -> [String: any Sendable] {
    var model: [String: any Sendable] = [
      "plan": preview.terms.plan.text, "planName": preview.plan.name(visit.language), "every": preview.terms.every.rawValue,
      "everyName": visit.text("billing.every.\(preview.terms.every.rawValue)"),
      "chosen": preview.terms.chosen.map(\.text).joined(separator: ","), "revision": "\(preview.subscription.revision)",
      "price": visit.format.money(preview.price), "payable": visit.format.money(preview.payable),
      "grants": GrantWords(catalogue: catalogue, visit: visit).lines(of: preview.plan),
    ]
    switch preview.moment {
    case .atPeriodEnd(let day): model["later"] = ["day": visit.format.date(day)]
    case .now(let quote):
      var lines = quote.lines.map { line -> [String: any Sendable] in
        let name = catalogue.plans.first { $0.id == line.plan }?.name(visit.language) ?? line.plan.text
        return [
          "title": visit.text("billing.invoice.line.\(line.kind == .credit ? "credit" : "plan")", ["plan": name]),
          "period": "\(visit.format.date(line.period.start)) – \(visit.format.date(line.period.lastDay))",
          "amount": visit.format.money(line.amount),
        ]
      }
      if preview.credit.minorUnits > 0 {
        lines.append(["title": visit.text("billing.invoice.creditApplied"), "amount": visit.format.money(-preview.credit)])
      }
      model["now"] =
        [
          "lines": lines, "renews": visit.format.date(quote.newPeriod.end), "leavesCredit": quote.total.minorUnits < 0,
          "surplus": visit.format.money(Money(max(0, -quote.total.minorUnits), quote.total.currency)),
        ] as [String: any Sendable]
    }
    return model
  }

  private func changePlan(_ visit: Visit, _ read: Input) async throws -> Answer {
    var input = read
    let person = try visit.requireSession().person
    let wish = readWish(&input)
    let revision = input.int("revision", in: 1...Int.max)
    if revision == nil, !input.has("revision") { input.refuse("revision", "required") }
    try input.check()
    guard let wish, let revision else { throw Problem(.notFound) }
    return try await refusing(visit) {
      let outcome = try await subscriptions.change(
        of: person, to: wish.plan.id, every: wish.every, chosen: wish.chosen, revision: Int64(revision),
        description: orderDescription(wish.plan.id, wish.every, visit),
        returnURL: { visit.cities.city.origin.url("/payments/\($0.text)/return") }, language: visit.language)
      switch outcome {
      case .done: return visit.wantsJSON ? .json(["outcome": "done"]) : .redirect("/subscription?changed=1")
      case .scheduled: return visit.wantsJSON ? .json(["outcome": "scheduled"]) : .redirect("/subscription?changed=1")
      case .payment(let payment):
        if visit.wantsJSON { return .json(ChangeOutcomeView(outcome: "payment", payment: PaymentDue(payment))) }
        return .redirect(payment.checkoutURL ?? "/payments/\(payment.id.text)/return")
      }
    }
  }
}

private struct ChangeOutcomeView: Encodable, Sendable {
  let outcome: String
  let payment: PaymentDue
}

/// What programs get of a change before it is made.
struct ChangeView: Encodable, Sendable {
  struct Line: Encodable, Sendable {
    let kind: String
    let plan: String
    let version: Int
    let periodStart: CivilDate
    let periodEnd: CivilDate
    let amount: String
  }

  let plan: String
  let version: Int
  let every: String
  let currency: String
  /// `now`, or `period-end`.
  let takesEffect: String
  let day: CivilDate?
  let lines: [Line]
  let total: String
  let credit: String
  let payable: String
  let price: String
  let revision: Int64

  init(_ preview: SubscriptionService.ChangePreview) {
    plan = preview.terms.plan.text
    version = preview.terms.version
    every = preview.terms.every.rawValue
    currency = preview.account.currency.rawValue
    price = preview.price.decimal
    credit = preview.credit.decimal
    payable = preview.payable.decimal
    revision = preview.subscription.revision
    switch preview.moment {
    case .now(let quote):
      takesEffect = "now"
      day = nil
      total = quote.total.decimal
      lines = quote.lines.map {
        Line(
          kind: $0.kind.rawValue, plan: $0.plan.text, version: $0.version, periodStart: $0.period.start, periodEnd: $0.period.end,
          amount: $0.amount.decimal)
      }
    case .atPeriodEnd(let end):
      takesEffect = "period-end"
      day = end
      total = Money(0, preview.account.currency).decimal
      lines = []
    }
  }

  static let shape = Shape.object([
    ("plan", .string), ("version", .integer), ("every", .choice(["month", "year"])), ("currency", .choice(["KRW", "USD"])),
    ("takesEffect", .choice(["now", "period-end"])), ("day?", .string),
    (
      "lines",
      .array(
        .object([
          ("kind", .choice(["credit", "charge"])), ("plan", .string), ("version", .integer), ("periodStart", .string),
          ("periodEnd", .string), ("amount", .string),
        ]))
    ), ("total", .string), ("credit", .string), ("payable", .string), ("price", .string), ("revision", .integer),
  ])
}
