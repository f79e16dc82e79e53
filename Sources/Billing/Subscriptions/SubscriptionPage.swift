import Foundation
import Kit
import Web

/// The subscription as its payer sees it: what she has, what it costs, and every way to change it.
extension BillingService {
  static let subscriptionEndpoints: [Endpoint<BillingService>] = [
    .get(
      "/subscription",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "subscription", "The subscription of the account the person pays with, or sits at.",
          output: .object([("subscription?", SubscriptionView.shape)])))
    ) { billing, visit in try await billing.subscriptionPage(visit) },
    .post("/subscription/cancel", act("cancelSubscription", "Ends it with the period; until then everything stays.")) {
      billing, visit in
      try await billing.changed(visit) { person, input in
        try await billing.subscriptions.cancel(by: person, revision: input.int("revision", in: 1...Int.max).map(Int64.init))
      }
    },
    .post("/subscription/undo", act("undoSubscriptionChange", "Takes back a cancellation, or a change that was to come.")) {
      billing, visit in
      try await billing.changed(visit) { person, input in
        try await billing.subscriptions.undo(by: person, revision: input.int("revision", in: 1...Int.max).map(Int64.init))
      }
    },
    .post(
      "/subscription/choice",
      act("chooseTenants", "Chooses other tenants of those the plan offers; once a period.", [("chosen", .array(.string))])
    ) { billing, visit in
      try await billing.changed(visit) { person, input in
        guard let account = try await billing.subscriptions.account(of: person),
          let current = try await billing.subscriptions.current(of: account.id, in: billing.database)
        else { throw SubscriptionRefusal.notSubscribed }
        let chosen = BillingService.readChosen(&input, try await billing.subscriptions.plan(current.terms).choice)
        let revision = input.int("revision", in: 1...Int.max).map(Int64.init)
        try input.check()
        return try await billing.subscriptions.choose(chosen, by: person, revision: revision)
      }
    },
  ]

  private static func act(_ id: String, _ summary: String, _ input: [(String, Shape)] = []) -> EndpointRules {
    EndpointRules(
      access: .signedIn, limit: "post",
      operation: Operation(
        id, summary, input: .object(input + [("revision?", .integer)]),
        output: .object([("subscription?", SubscriptionView.shape)]), problems: [.conflict, .invalidInput]))
  }

  private func changed(
    _ visit: Visit, _ act: (PersonID, inout Input) async throws -> Subscription
  ) async throws -> Answer {
    var input = try await visit.input()
    let person = try visit.requireSession().person
    return try await refusing(visit) {
      let subscription: Subscription
      do {
        subscription = try await act(person, &input)
      } catch SubscriptionRefusal.noChange where !visit.wantsJSON {
        // It is as she wants it already.
        return .redirect("/subscription")
      }
      guard visit.wantsJSON else { return .redirect("/subscription?changed=1") }
      return .json(["subscription": try await SubscriptionView(subscription, isOwner: true, billing: self, visit)])
    }
  }

  private func subscriptionPage(_ visit: Visit) async throws -> Answer {
    let person = try visit.requireSession().person
    guard let (subscription, isOwner) = try await subscriptions.held(by: person) else {
      let page = Page(
        "billing.subscription-none", title: visit.text("billing.subscription.title"), ["plansURL": "/plans"])
      return .page(page, json: [String: SubscriptionView]())
    }
    let view = try await SubscriptionView(subscription, isOwner: isOwner, billing: self, visit)
    let model = try await subscriptionModel(subscription, view, isOwner: isOwner, visit)
    return .page(
      Page("billing.subscription", title: visit.text("billing.subscription.title"), model), json: ["subscription": view])
  }

  private func subscriptionModel(
    _ subscription: Subscription, _ view: SubscriptionView, isOwner: Bool, _ visit: Visit
  ) async throws -> [String: any Sendable] {
    let plan = try await subscriptions.plan(subscription.terms)
    var model: [String: any Sendable] = [
      "planName": plan.name(visit.language), "isOwner": isOwner, "revision": "\(subscription.revision)",
      "grants": GrantWords(catalogue: catalogue, visit: visit).lines(of: plan),
      "state": [
        "text": visit.text("billing.subscription.state.\(view.state)"),
        "isGood": view.state == "active", "isWarn": view.state == "ends" || view.state == "changes" || view.state == "incomplete",
        "isBad": view.state == "past_due",
      ] as [String: any Sendable],
      "isPastDue": subscription.status == .pastDue, "isIncomplete": subscription.status == .incomplete,
      "cancels": subscription.cancels, "canUndo": subscription.cancels || subscription.next != nil,
      "canCancel": subscription.isLive && !subscription.cancels,
      "started": visit.query("started") == "1", "isFamily": plan.seats > 1,
    ]
    if let price = plan.price(in: subscription.currency, every: subscription.terms.every) {
      model["price"] = visit.format.money(price)
      model["every"] = visit.text("billing.every.\(subscription.terms.every.rawValue)")
    }
    if let period = subscription.period {
      model["until"] = visit.format.date(period.end)
      // What is unpaid is charged again on the day of the next retry; after the last there is none.
      let due = subscription.status == .pastDue && !subscription.cancels ? subscription.retryOn : period.end
      if let due { model["due"] = visit.format.date(due) }
      model["period"] = "\(visit.format.date(period.start)) – \(visit.format.date(period.lastDay))"
    }
    if visit.query("changed") == "1" {
      let said = subscription.cancels ? "cancelledTitle" : subscription.next == nil ? "changedTitle" : "plannedTitle"
      model["changed"] = visit.text(
        "billing.subscription.\(said)", ["day": subscription.period.map { visit.format.date($0.end) } ?? ""])
    }
    if let next = subscription.next { model["nextName"] = try await subscriptions.plan(next).name(visit.language) }
    if let grace = subscription.graceUntil { model["grace"] = visit.format.date(grace) }
    let chosen = subscription.terms.chosen
    model["chosen"] = chosen.compactMap { id -> [String: any Sendable]? in
      visit.cities.tenants.first { $0.tenant == id }.map {
        [
          "url": $0.origin.url(), "goThere": visit.text("billing.subscription.goThere", ["name": $0.name(visit.language)]),
        ]
      }
    }
    guard isOwner else { return model }
    if subscription.isLive, let choice = plan.choice, choice.count < choice.of.count {
      let isFree = subscription.chosenIn != subscription.period?.start
      model["choice"] =
        [
          "options": tenantOptions(choice.of, chosen: chosen.map(\.text), visit), "canChange": isFree,
        ] as [String: any Sendable]
    }
    if subscription.isLive {
      let (near, far) = otherPlans(of: subscription, visit)
      model["others"] = near
      model["hasOthers"] = !near.isEmpty
      model["more"] = far
      model["hasMore"] = !far.isEmpty
      let other: BillingInterval = subscription.terms.every == .month ? .year : .month
      model["moreTitle"] = visit.text("billing.subscription.paid.\(other.rawValue)")
    }
    if let method = try await payments.method(of: subscription.account) {
      model["method"] = [
        "brand": method.brand.capitalized, "last4": method.last4, "expiry": "\(method.expiryMonth)/\(method.expiryYear)",
      ]
    }
    if let open = try await subscriptions.openInvoice(of: subscription) {
      model["open"] =
        ["id": open.id.text, "amount": visit.format.money(open.payable), "isDraft": open.status == .draft]
        as [String: any Sendable]
    }
    let credit = try await ledger.balance(.credit(of: subscription.account, subscription.currency)).available
    if credit.minorUnits > 0 { model["credit"] = visit.format.money(credit) }
    return model
  }
}

extension BillingService {
  /// What she can change to: her own plan by the other interval and all paid as hers is; then the rest.
  private func otherPlans(
    of subscription: Subscription, _ visit: Visit
  ) -> (near: [[String: any Sendable]], far: [[String: any Sendable]]) {
    let terms = subscription.terms
    var (near, far): ([[String: any Sendable]], [[String: any Sendable]]) = ([], [])
    for other in paidPlans {
      for every in other.intervals where other.id != terms.plan || every != terms.every {
        guard let price = other.price(in: subscription.currency, every: every) else { continue }
        let line: [String: any Sendable] = [
          "name": other.name(visit.language), "price": visit.format.money(price),
          "every": visit.text("billing.every.\(every.rawValue)"),
          "url": "/subscription/change?plan=\(other.id)&every=\(every.rawValue)",
        ]
        if other.id == terms.plan || every == terms.every { near.append(line) } else { far.append(line) }
      }
    }
    return (near, far)
  }
}

/// What programs get of a subscription.
struct SubscriptionView: Encodable, Sendable {
  struct Part: Encodable, Sendable {
    let plan: String
    let version: Int
    let every: String
    let chosen: [String]
    init(_ terms: Terms) {
      (plan, version, every, chosen) = (terms.plan.text, terms.version, terms.every.rawValue, terms.chosen.map(\.text))
    }
    static let shape = Shape.object([
      ("plan", .string), ("version", .integer), ("every", .choice(["month", "year"])), ("chosen", .array(.string)),
    ])
  }

  let id: String
  /// `incomplete`, `active`, `ends`, `changes`, `past_due`.
  let state: String
  let terms: Part
  let name: LocalizedText
  let price: String?
  let currency: String
  let periodStart: CivilDate?
  /// The first day that is not paid for.
  let periodEnd: CivilDate?
  let cancels: Bool
  let next: Part?
  let graceUntil: CivilDate?
  /// To be sent with a change: it is refused when something else changed meanwhile.
  let revision: Int64
  let isOwner: Bool

  init(_ subscription: Subscription, isOwner: Bool, billing: BillingService, _ visit: Visit) async throws {
    id = subscription.id.text
    state =
      if subscription.isLive, subscription.cancels {
        "ends"
      } else if subscription.status == .active, subscription.next != nil {
        "changes"
      } else {
        subscription.status.rawValue
      }
    terms = Part(subscription.terms)
    let plan = try await billing.subscriptions.plan(subscription.terms)
    name = plan.name
    price = plan.price(in: subscription.currency, every: subscription.terms.every)?.decimal
    currency = subscription.currency.rawValue
    periodStart = subscription.period?.start
    periodEnd = subscription.period?.end
    cancels = subscription.cancels
    next = subscription.next.map { Part($0) }
    graceUntil = subscription.graceUntil
    revision = subscription.revision
    self.isOwner = isOwner
  }

  static let shape = Shape.object([
    ("id", .uuid), ("state", .choice(["incomplete", "active", "ends", "changes", "past_due"])), ("terms", Part.shape),
    ("name", .object([("ko", .string), ("en?", .string)])), ("price?", .string), ("currency", .choice(["KRW", "USD"])),
    ("periodStart?", .string), ("periodEnd?", .string), ("cancels", .boolean), ("next?", Part.shape), ("graceUntil?", .string),
    ("revision", .integer), ("isOwner", .boolean),
  ])
}
