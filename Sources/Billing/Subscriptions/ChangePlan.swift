import Database
import Foundation
import Kit

/// Another plan: more at once, less with the next period.
extension SubscriptionService {
  /// A change before it is made. What is shown is what is billed, to the minor unit, while nothing else has happened.
  struct ChangePreview: Sendable {
    enum Moment: Sendable, Hashable {
      /// Paid and in force at once.
      case now(ChangeQuote)
      /// From this day on.
      case atPeriodEnd(CivilDate)
    }

    let subscription: Subscription
    let account: BillingAccount
    let terms: Terms
    let plan: Plan
    /// Of a whole period from then on.
    let price: Money
    let moment: Moment
    /// What the account's credit pays of it.
    let credit: Money
    /// What is to be paid now.
    let payable: Money
  }

  /// - Throws: ``SubscriptionRefusal``.
  func preview(
    of person: PersonID, to plan: PlanID, every: BillingInterval, chosen: [TenantID]
  ) async throws -> ChangePreview {
    try await database.transaction { transaction in
      guard let account = try await accounts.account(ownedBy: person, in: transaction) else {
        throw SubscriptionRefusal.notSubscribed
      }
      return try await preview(account, to: plan, every: every, chosen: chosen, in: transaction)
    }
  }

  private func preview(
    _ account: BillingAccount, to id: PlanID, every: BillingInterval, chosen: [TenantID], in transaction: Transaction
  ) async throws -> ChangePreview {
    guard let subscription = try await current(of: account.id, in: transaction), subscription.isLive,
      let period = subscription.period
    else { throw SubscriptionRefusal.notSubscribed }
    guard subscription.status == .active else { throw SubscriptionRefusal.pastDue }
    let (terms, plan, price) = try await terms(id, every: every, chosen: chosen, in: account.currency)
    guard terms != subscription.terms else { throw SubscriptionRefusal.noChange }
    let held = try await self.plan(subscription.terms)
    guard let heldPrice = held.price(in: account.currency, every: subscription.terms.every) else {
      throw SubscriptionRefusal.notSoldSo
    }
    guard try await accounts.seats(at: account.id, in: transaction).count <= max(plan.seats, 1) else {
      throw SubscriptionRefusal.tooManySeats
    }
    let zero = Money(0, account.currency)
    // Only another choice of the same plan: that is not a change of plan.
    guard
      terms.plan != subscription.terms.plan || terms.every != subscription.terms.every
        || terms.version != subscription.terms.version
    else { throw SubscriptionRefusal.noChange }
    guard SubscriptionService.isMore(price, terms.every, than: heldPrice, subscription.terms.every) else {
      return ChangePreview(
        subscription: subscription, account: account, terms: terms, plan: plan, price: price,
        moment: .atPeriodEnd(period.end), credit: zero, payable: zero)
    }
    let quote = ChangeQuote.upgrade(
      from: PricedPlan(
        plan: subscription.terms.plan, version: subscription.terms.version, every: subscription.terms.every, price: heldPrice),
      to: PricedPlan(plan: terms.plan, version: terms.version, every: terms.every, price: price), in: period,
      cycle: cycle(of: subscription, held, containing: period.start), at: clock.now(), zone: account.timeZone,
      unit: plan.proration, billDay: plan.alignment.billDay)
    let credit = try await credit(of: account, for: quote.total, in: transaction)
    return ChangePreview(
      subscription: subscription, account: account, terms: terms, plan: plan, price: price, moment: .now(quote),
      credit: credit, payable: quote.total.minorUnits > 0 ? quote.total - credit : zero)
  }

  /// The span the held price is asked for, where the running period is a part of it.
  private func cycle(of subscription: Subscription, _ held: Plan, containing day: CivilDate) -> BillingPeriod {
    let anchor = BillingAnchor(subscription.anchor, every: subscription.terms.every, billDay: held.alignment.billDay)
    return anchor.cycle(anchor.index(containing: day))
  }

  /// Whether a price is higher by the day: what one pays more for is had at once.
  static func isMore(_ price: Money, _ every: BillingInterval, than held: Money, _ heldEvery: BillingInterval) -> Bool {
    let (a, b) = (price.minorUnits * Int64(heldEvery.months), held.minorUnits * Int64(every.months))
    // The same plan paid for a year at once is less a month, and wanted at once nevertheless.
    return a > b || every.months > heldEvery.months
  }

  /// What came of a change.
  enum ChangeOutcome: Sendable {
    case done
    case scheduled(CivilDate)
    /// The gateway's page has to be visited, or the bank has not decided.
    case payment(Payment)
  }

  /// Makes a change that was previewed.
  ///
  /// - Parameter revision: that of the preview: a subscription that has changed meanwhile is left as it is.
  /// - Throws: ``SubscriptionRefusal``, ``GatewayFailure``.
  func change(
    of person: PersonID, to plan: PlanID, every: BillingInterval, chosen: [TenantID], revision: Int64, description: String,
    returnURL: @Sendable (UUID) -> String, language: Language
  ) async throws -> ChangeOutcome {
    let now = clock.now()
    let (preview, draft) = try await database.transaction { transaction -> (ChangePreview, Invoice?) in
      guard let account = try await accounts.account(ownedBy: person, in: transaction) else {
        throw SubscriptionRefusal.notSubscribed
      }
      _ = try await accounts.lock(account.id, in: transaction)
      let preview = try await self.preview(account, to: plan, every: every, chosen: chosen, in: transaction)
      guard preview.subscription.revision == revision else { throw SubscriptionRefusal.changedMeanwhile }
      let earlier = try await invoices.draft(of: preview.subscription.id, in: transaction)
      if let earlier { try await giveUp(preview.subscription, draft: earlier, as: .replaced, at: now, in: transaction) }
      switch preview.moment {
      case .atPeriodEnd:
        try await schedule(preview, by: person, at: now, in: transaction)
        return (preview, nil)
      case .now(let quote): return (preview, try await self.draft(quote, preview, at: now, in: transaction))
      }
    }
    guard let draft else {
      guard case .atPeriodEnd(let day) = preview.moment else { return .done }
      return .scheduled(day)
    }
    if draft.payable.minorUnits == 0 {
      try await settleFromCredit(draft.id)
      return .done
    }
    if let payment = try await payments.charge(invoice: draft.id, account: preview.account.id, amount: draft.payable) {
      switch payment.state {
      case .succeeded: return .done
      case .created, .pending: return .payment(payment)
      case .failed, .abandoned, .mismatched: throw SubscriptionRefusal.declined
      }
    }
    return .payment(
      try await payments.checkout(
        invoice: draft.id, account: preview.account.id, amount: draft.payable, description: description, returnURL: returnURL,
        language: language))
  }

  private func draft(
    _ quote: ChangeQuote, _ preview: ChangePreview, at now: Instant, in transaction: Transaction
  ) async throws -> Invoice {
    let (account, subscription) = (preview.account, preview.subscription)
    let held = try await plan(subscription.terms)
    let lines = quote.lines.map { part in
      switch part.kind {
      case .credit: line(.credit, subscription.terms, held, period: part.period, amount: part.amount, country: account.country)
      case .charge: line(.plan, preview.terms, preview.plan, period: part.period, amount: part.amount, country: account.country)
      }
    }
    let effect = InvoiceEffect(
      terms: preview.terms, period: quote.newPeriod, resets: quote.resetsPeriod, revision: subscription.revision, lines: lines)
    return try await invoices.draft(
      for: account, subscription: subscription.id, reason: .change, effect: effect, credit: preview.credit, now: now,
      in: transaction)
  }

  private func schedule(_ preview: ChangePreview, by person: PersonID, at now: Instant, in transaction: Transaction) async throws
  {
    let terms = preview.terms
    try await transaction.execute(
      """
      UPDATE \(schema).subscription SET next_plan = \(terms.plan.text), next_version = \(terms.version),
        next_every = \(terms.every.rawValue), next_chosen = \(terms.chosen.map(\.text)), cancels = false, revision = revision + 1
      WHERE id = \(preview.subscription.id)
      """)
    try await announce(preview.subscription.id, of: preview.account.id, at: now, in: transaction)
    try await audit.append(
      AuditLine(
        actor: person.description, action: "subscription.schedule", subject: preview.subscription.id.text,
        details: ["plan": .string(terms.plan.text), "version": .integer(Int64(terms.version))]),
      at: now, in: transaction)
  }
}
