import Database
import Foundation
import Kit

/// Buying for the first time: a quote, and the gateway's page to pay it on.
extension SubscriptionService {
  struct Order: Sendable {
    let plan: PlanID
    let every: BillingInterval
    let chosen: [TenantID]
    /// ISO 3166-1 alpha-2.
    let country: String
  }

  /// What an order comes to, before it is placed.
  struct OrderQuote: Sendable {
    let plan: Plan
    let terms: Terms
    /// Of the first period.
    let price: Money
    let split: TaxSplit
    let period: BillingPeriod
  }

  /// - Throws: ``SubscriptionRefusal``.
  func quote(_ order: Order) async throws -> OrderQuote {
    let (terms, plan, price) = try await terms(
      order.plan, every: order.every, chosen: order.chosen, in: BillingAccount.currency(in: order.country))
    let anchor = BillingAnchor(CivilDate(clock.now(), in: timeZone), every: order.every, billDay: plan.alignment.billDay)
    let (period, cycle) = (anchor.period(0), anchor.cycle(0))
    // The days to the first of a calendar month are a part of one.
    let due = period == cycle ? price : Proration.share(of: price, Int64(period.days), of: Int64(cycle.days))
    return OrderQuote(
      plan: plan, terms: terms, price: due, split: .inclusive(due, rate: .consumer(in: order.country)), period: period)
  }

  /// Writes the order down and gives the payment to make. The same order again, as a double click makes it, gives the same
  /// payment; another order takes its place.
  /// - Throws: ``SubscriptionRefusal``; ``GatewayFailure``, and the order stands and can be paid later.
  func start(
    _ order: Order, by person: PersonID, description: String, returnURL: @Sendable (UUID) -> String, language: Language
  ) async throws -> Payment? {
    let quote = try await quote(order)
    let now = clock.now()
    let (account, draft) = try await database.transaction { transaction in
      let account = try await accounts.open(for: person, country: order.country, timeZone: timeZone, at: now, in: transaction)
      guard account.currency == quote.price.currency else { throw SubscriptionRefusal.notSoldSo }
      if let current = try await current(of: account.id, in: transaction) {
        guard current.status == .incomplete else { throw SubscriptionRefusal.alreadySubscribed }
        let draft = try await invoices.draft(of: current.id, in: transaction)
        if let draft, current.terms == quote.terms, draft.total == quote.price { return (account, draft) }
        try await giveUp(current, draft: draft, as: .replaced, at: now, in: transaction)
      }
      return (account, try await place(quote, for: account, at: now, in: transaction))
    }
    if draft.payable.minorUnits == 0 {
      try await settleFromCredit(draft.id)
      return nil
    }
    return try await payments.checkout(
      invoice: draft.id, account: account.id, amount: draft.payable, description: description, returnURL: returnURL,
      language: language)
  }

  /// Takes back an order that was not paid.
  func giveUp(
    _ subscription: Subscription, draft: Invoice?, as reason: Subscription.End, at now: Instant, in transaction: Transaction
  ) async throws {
    if let draft {
      guard try await payments.abandon(invoice: draft.id, in: transaction) else { throw SubscriptionRefusal.paymentUnderWay }
      try await invoices.void(draft.id, in: transaction)
    }
    if subscription.status == .incomplete { try await end(subscription.id, reason, at: now, in: transaction) }
  }

  private func place(
    _ quote: OrderQuote, for account: BillingAccount, at now: Instant, in transaction: Transaction
  ) async throws -> Invoice {
    let id = UUID.v7(at: now)
    let terms = quote.terms
    try await transaction.execute(
      """
      INSERT INTO \(schema).subscription
        (id, account, status, plan, plan_version, every, currency, chosen, anchor, created_at)
      VALUES (\(id), \(account.id), 'incomplete', \(terms.plan.text), \(terms.version), \(terms.every.rawValue),
        \(account.currency.rawValue), \(terms.chosen.map(\.text)), \(quote.period.start), \(now))
      """)
    // Anchored on the day of the payment; by the calendar, it stays what was quoted.
    let isCalendar = quote.plan.alignment == .calendar
    let effect = InvoiceEffect(
      terms: terms, period: isCalendar ? quote.period : nil, resets: true, revision: 1,
      lines: [line(.plan, terms, quote.plan, period: quote.period, amount: quote.price, country: account.country)])
    let credit = try await credit(of: account, for: quote.price, in: transaction)
    return try await invoices.draft(
      for: account, subscription: id, reason: .start, effect: effect, credit: credit, now: now, in: transaction)
  }
}
