import Database
import Foundation
import Kit

/// What a payment brings: the invoice gets its number, the subscription becomes what was paid for, in one transaction.
extension SubscriptionService: InvoiceSettling {
  func paid(_ invoice: UUID, by payment: Payment, in transaction: Transaction) async throws -> Settlement {
    guard let found = try await invoices.invoice(invoice, in: transaction, locking: true), found.payable == payment.amount else {
      return .unwanted
    }
    return try await settle(found, in: transaction) ? .settled : .unwanted
  }

  func failed(_ invoice: UUID, payment: Payment, in transaction: Transaction) async throws {
    guard let found = try await invoices.invoice(invoice, in: transaction, locking: true) else { return }
    switch found.status {
    case .open: try await fellDue(found, in: transaction)
    // A change whose charge was declined is not made; the quote is void, and she may try again.
    case .draft where found.reason == .change: try await invoices.void(found.id, in: transaction)
    case .draft, .paid, .void: break
    }
  }

  /// Settles a draft or an open invoice that the account's credit pays whole.
  func settleFromCredit(_ id: UUID) async throws {
    try await database.transaction { transaction in
      guard let invoice = try await invoices.invoice(id, in: transaction) else { throw Problem(.notFound) }
      _ = try await accounts.lock(invoice.account, in: transaction)
      guard let found = try await invoices.invoice(id, in: transaction, locking: true), found.payable.minorUnits == 0 else {
        throw SubscriptionRefusal.changedMeanwhile
      }
      if found.status == .paid { return }
      guard try await settle(found, in: transaction) else { throw SubscriptionRefusal.changedMeanwhile }
    }
  }

  /// - Returns: `false` when the invoice is for something that is not wanted any more.
  private func settle(_ invoice: Invoice, in transaction: Transaction) async throws -> Bool {
    let now = clock.now()
    guard let account = try await accounts.account(invoice.account, in: transaction),
      let subscription = try await subscription(invoice.subscription, in: transaction)
    else { return false }
    switch invoice.status {
    case .paid, .void: return false
    case .open:
      try await invoices.markPaid(invoice.id, now: now, in: transaction)
      if subscription.status == .pastDue { try await recover(subscription, at: now, in: transaction) }
      return true
    case .draft:
      guard let effect = invoice.effect, wants(effect, invoice.reason, subscription),
        try await credit(of: account, for: invoice.total, in: transaction) >= invoice.credit
      else {
        try await invoices.void(invoice.id, in: transaction)
        return false
      }
      try await take(effect, of: invoice, account, subscription, at: now, in: transaction)
      return true
    }
  }

  private func wants(_ effect: InvoiceEffect, _ reason: Invoice.Reason, _ subscription: Subscription) -> Bool {
    switch reason {
    case .start: subscription.status == .incomplete
    case .change: subscription.isLive && subscription.revision == effect.revision
    case .renewal, .correction: false
    }
  }

  private func take(
    _ effect: InvoiceEffect, of draft: Invoice, _ account: BillingAccount, _ subscription: Subscription, at now: Instant,
    in transaction: Transaction
  ) async throws {
    let today = CivilDate(now, in: account.timeZone)
    let terms = effect.terms
    // A first period begins on the day it was paid, which may be later than that of the order.
    let period = effect.period ?? BillingAnchor(today, every: terms.every).period(0)
    let lines = effect.period == nil ? effect.lines.map { $0.moved(to: period) } : effect.lines
    let issued = try await invoices.issue(draft, lines: lines, now: now, in: transaction)
    try await invoices.markPaid(issued.id, now: now, in: transaction)
    let anchor = effect.resets ? period.start : subscription.anchor
    try await transaction.execute(
      """
      UPDATE \(schema).subscription SET status = 'active', plan = \(terms.plan.text), plan_version = \(terms.version),
        every = \(terms.every.rawValue), chosen = \(terms.chosen.map(\.text)), anchor = \(anchor),
        period_start = \(period.start), period_end = \(period.end), cancels = false, next_plan = NULL, next_version = NULL,
        next_every = NULL, next_chosen = NULL, started_at = coalesce(started_at, \(now)), revision = revision + 1
      WHERE id = \(subscription.id)
      """)
    try await announce(subscription.id, of: account.id, at: now, in: transaction)
    try await audit.append(
      AuditLine(
        actor: account.owner.description, action: "subscription.\(draft.reason.rawValue)", subject: subscription.id.text,
        details: [
          "invoice": .string(issued.id.text), "plan": .string(terms.plan.text), "version": .integer(Int64(terms.version)),
        ]),
      at: now, in: transaction)
  }

  private func recover(_ subscription: Subscription, at now: Instant, in transaction: Transaction) async throws {
    try await transaction.execute(
      """
      UPDATE \(schema).subscription
      SET status = 'active', retries = 0, retry_on = NULL, grace_until = NULL, revision = revision + 1
      WHERE id = \(subscription.id)
      """)
    try await announce(subscription.id, of: subscription.account, at: now, in: transaction)
  }
}

extension Money {
  static func >= (a: Money, b: Money) -> Bool {
    precondition(a.currency == b.currency, "amounts of different currencies")
    return a.minorUnits >= b.minorUnits
  }
}
