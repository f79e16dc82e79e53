import Database
import Foundation
import Jobs
public import Kit
import Logging

/// What accounts buy, keep, change and leave. Every act locks the account first, so two devices take turns.
struct SubscriptionService: Sendable {
  let database: Database
  let schema: Schema
  let clock: DomainClock
  /// The books' own, and that of new accounts.
  let timeZone: TimeZone
  let catalogue: LiveCatalogue
  let plans: PlanStore
  let accounts: AccountStore
  let invoices: InvoiceStore
  let ledger: Ledger
  let payments: PaymentService
  let audit: AuditTrail
  let outbox: OutboxTable?
  let logger: Logger
  /// Told after the commit that what these persons hold has changed.
  let changed: @Sendable ([PersonID]) -> Void

  // MARK: Reading

  func subscription(_ id: UUID, in executor: any SQLExecutor) async throws -> Subscription? {
    try await executor.one("SELECT * FROM \(schema).subscription WHERE id = \(id)").map { try Subscription(row: $0) }
  }

  /// What an account has now: awaited, running, or past due.
  func current(of account: UUID, in executor: any SQLExecutor) async throws -> Subscription? {
    try await executor.one("SELECT * FROM \(schema).subscription WHERE account = \(account) AND status <> 'ended'")
      .map { try Subscription(row: $0) }
  }

  /// A plan as it was sold.
  func plan(_ terms: Terms) async throws -> Plan {
    guard let plan = try await plans.plan(terms.plan, version: terms.version) else { throw SubscriptionRefusal.unknownPlan }
    return plan
  }

  // MARK: Parts that all acts share

  /// What is asked for: a plan on sale in its newest version, with a choice that fits it.
  /// - Throws: ``SubscriptionRefusal``.
  func terms(
    _ id: PlanID, every: BillingInterval, chosen: [TenantID], in currency: Currency
  ) async throws -> (terms: Terms, plan: Plan, price: Money) {
    let sold = catalogue.current()
    guard let plan = sold.onSale.first(where: { $0.id == id }), !plan.isFree, let version = sold.versions[id]
    else { throw SubscriptionRefusal.unknownPlan }
    guard let price = plan.price(in: currency, every: every) else { throw SubscriptionRefusal.notSoldSo }
    try SubscriptionService.check(chosen, against: plan)
    return (Terms(plan: id, version: version, every: every, chosen: chosen), plan, price)
  }

  /// A choice has as many tenants as the plan says, of those it offers.
  static func check(_ chosen: [TenantID], against plan: Plan) throws(SubscriptionRefusal) {
    guard let choice = plan.choice else {
      if !chosen.isEmpty { throw .choiceNotOffered }
      return
    }
    guard chosen.count == choice.count, Set(chosen).count == chosen.count else { throw .choiceMissing }
    guard chosen.allSatisfy(choice.of.contains) else { throw .choiceOutsideOffer }
  }

  func line(
    _ kind: InvoiceLine.Kind, _ terms: Terms, _ plan: Plan, period: BillingPeriod, amount: Money, country: String
  ) -> InvoiceLine {
    InvoiceLine(
      kind: kind, plan: terms.plan, version: terms.version, period: period,
      split: .inclusive(amount, rate: .consumer(in: country)),
      tenants: catalogue.current().tenants(of: plan, chosen: terms.chosen))
  }

  /// What the account's credit pays of an amount.
  func credit(of account: BillingAccount, for total: Money, in transaction: Transaction) async throws -> Money {
    guard total.minorUnits > 0 else { return Money(0, account.currency) }
    let available = try await ledger.balance(.credit(of: account.id, account.currency), in: transaction).available
    return Money(min(max(0, available.minorUnits), total.minorUnits), account.currency)
  }

  /// Says to the rest of the city that a subscription is another now.
  func announce(_ subscription: UUID, of account: UUID, at now: Instant, in transaction: Transaction) async throws {
    guard let found = try await self.subscription(subscription, in: transaction) else { return }
    try await announce(found, at: now, in: transaction)
  }

  /// The same of one that was just read, as it is now.
  func announce(_ subscription: Subscription, at now: Instant, in transaction: Transaction) async throws {
    let persons = try await accounts.seats(at: subscription.account, in: transaction).map(\.person)
    let changed = self.changed
    transaction.afterCommit { changed(persons) }
    try await Look.atHoldings.announce(of: schema, in: transaction)
    try outbox?.write(
      Event(
        id: UUID.v7(at: now), type: "subscription.changed", tenant: nil, occurred: now,
        payload: [
          "account": .string(subscription.account.text), "subscription": .string(subscription.id.text),
          "status": .string(subscription.status.rawValue), "plan": .string(subscription.terms.plan.text),
          "version": .integer(Int64(subscription.terms.version)),
        ]), in: transaction)
  }

  /// Ends a subscription.
  func end(_ id: UUID, _ reason: Subscription.End, at now: Instant, in transaction: Transaction) async throws {
    try await transaction.execute(
      """
      UPDATE \(schema).subscription SET status = 'ended', ended_at = \(now), end_reason = \(reason.rawValue),
        grace_until = NULL, retry_on = NULL, next_plan = NULL, next_version = NULL, next_every = NULL, next_chosen = NULL,
        revision = revision + 1
      WHERE id = \(id) AND status <> 'ended'
      """)
  }
}

extension Plan {
  /// The choice it asks for, when it asks for one.
  public var choice: (count: Int, of: [TenantID])? {
    for case .choice(let count, of: let tenants, features: _) in grants { return (count, tenants) }
    return nil
  }
}

extension PlanCatalogue {
  /// The tenants whose features a plan grants with this choice: revenue is split between them.
  func tenants(of plan: Plan, chosen: [TenantID]) -> [TenantID] {
    var reached: Set<TenantID> = Set(chosen)
    for case .feature(_, at: let selection, _) in plan.grants { reached.formUnion(tenants(in: selection)) }
    return reached.sorted()
  }
}

/// Why a subscription can't be had or changed so. Each has a text under `billing.refusal`.
public enum SubscriptionRefusal: String, Error, Hashable, Sendable, ProblemConvertible {
  /// No plan of this id is on sale.
  case unknownPlan
  /// Not in this currency, or not by this interval.
  case notSoldSo
  case choiceMissing
  case choiceOutsideOffer
  case choiceNotOffered
  /// She has one: it is changed, not bought again.
  case alreadySubscribed
  /// There is none to change.
  case notSubscribed
  /// It is not what she saw any more: another device, or a renewal.
  case changedMeanwhile
  /// A payment is under way.
  case paymentUnderWay
  /// The choice was changed in this period before.
  case choiceChangedBefore
  case nothingToUndo
  /// It is that already.
  case noChange
  /// A renewal is unpaid: that comes first.
  case pastDue
  /// More persons sit there than the plan has seats for.
  case tooManySeats
  /// The card was declined.
  case declined

  public var problem: Problem { Problem(.conflict, ["reason": rawValue], members: ["code": .string(rawValue)]) }
}
