import Database
import Foundation
import Kit
import Logging

/// What happens without anyone's asking: periods that end are renewed, unpaid ones are tried again, and given up at last.
extension SubscriptionService {
  /// What a round of renewing did.
  struct Round: Sendable, Hashable {
    var renewed = 0
    var ended = 0
    var charged = 0

    static func += (a: inout Round, b: Round) {
      a.renewed += b.renewed
      a.ended += b.ended
      a.charged += b.charged
    }
  }

  /// Works off everything that is due, some at a time. Any number of nodes may do so at once: each account is one transaction.
  @discardableResult
  func renewDue(most: Int = 10_000) async throws -> Round {
    var round = try await each(try await due("status = 'active'", "period_end", most: most)) { id in
      switch try await renew(id) {
      case .renewed(let invoice):
        guard let invoice, try await collect(invoice) else { return Round(renewed: 1) }
        return Round(renewed: 1, charged: 1)
      case .ended: return Round(ended: 1)
      case .notDue: return Round()
      }
    }
    round += try await each(try await due("status = 'past_due'", "retry_on", most: most)) { id in
      Round(charged: try await retry(id) ? 1 : 0)
    }
    round += try await each(try await uncollected(most: most)) { invoice in
      Round(charged: try await collect(invoice) ? 1 : 0)
    }
    for id in try await abandoned(most: most) { try await giveUpOrder(id) }
    return round
  }

  /// Does the same for all, a few at a time: one connection of the city's four is left to those who wait for a page.
  ///
  /// One that can't be done is logged and left for the next round: it must not hold up the others. When the database
  /// fails, nothing more is begun, and what is under way comes to its end.
  private func each<Item: Sendable>(
    _ items: [Item], _ act: @escaping @Sendable (Item) async throws -> Round
  ) async throws -> Round {
    try await withThrowingTaskGroup(of: Result<Round, any Error>.self) { group in
      var (round, failure) = (Round(), (any Error)?.none)
      var rest = items[...]
      func begin() {
        guard let item = rest.popFirst() else { return }
        group.addTask {
          do {
            return .success(try await act(item))
          } catch let error as DatabaseError {
            return .failure(error)
          } catch {
            logger.error("left for the next round", metadata: ["error": "\(error)"])
            return .success(Round())
          }
        }
      }
      for _ in 0..<3 { begin() }
      while let outcome = try await group.next() {
        switch outcome {
        case .success(let more):
          round += more
          if failure == nil { begin() }
        case .failure(let error): failure = failure ?? error
        }
      }
      if let failure { throw failure }
      return round
    }
  }

  enum Renewal: Sendable { case renewed(Invoice?), ended, notDue }

  /// Renews one subscription whose period is over: its next period is billed, once.
  func renew(_ id: UUID) async throws -> Renewal {
    try await database.transaction { transaction -> Renewal in
      // Asked anew when the transaction is run again: a day that was booked meanwhile takes no invoice.
      let now = clock.now()
      guard let account = try await accounts.lock(holding: id, in: transaction),
        let due = try await dueRenewal(id, in: transaction), due.subscription.status == .active,
        let period = due.subscription.period, period.end <= CivilDate(now, in: account.timeZone)
      else { return .notDue }
      let subscription = due.subscription
      // An upgrade that waits for its payment was quoted for the period that is over.
      if due.hasDraft, let draft = try await invoices.draft(of: id, in: transaction) {
        guard try await payments.abandon(invoice: draft.id, in: transaction) else { return .notDue }
        try await invoices.void(draft.id, in: transaction)
      }
      if subscription.cancels {
        try await end(id, .canceled, at: now, in: transaction)
        try await announce(id, of: account.id, at: now, in: transaction)
        return .ended
      }
      let (terms, plan, price) = try await renewedTerms(due, account)
      let anchor = terms.every == subscription.terms.every ? subscription.anchor : period.end
      let next = BillingAnchor(anchor, every: terms.every, billDay: plan.alignment.billDay).period(containing: period.end)
      let lines = [line(.plan, terms, plan, period: next, amount: price, country: account.country)]
      let credit = try await credit(of: account, for: price, in: transaction)
      let renewed = try await transaction.one(
        """
        UPDATE \(schema).subscription SET plan = \(terms.plan.text), plan_version = \(terms.version),
          every = \(terms.every.rawValue), chosen = \(terms.chosen.map(\.text)), anchor = \(anchor),
          period_start = \(next.start), period_end = \(next.end), next_plan = NULL, next_version = NULL, next_every = NULL,
          next_chosen = NULL, revision = revision + 1
        WHERE id = \(id) RETURNING *
        """
      ).map { try Subscription(row: $0) }
      guard let renewed else { return .notDue }
      try await announce(renewed, at: now, in: transaction)
      // Last: from its number to the COMMIT no other invoice of the seller is issued.
      let invoice = try await invoices.issue(
        for: account, subscription: id, reason: .renewal, lines: lines, credit: credit, now: now, in: transaction)
      try await transaction.execute(
        "INSERT INTO \(schema).renewal (subscription, period_start, invoice) VALUES (\(id), \(next.start), \(invoice.id))")
      if invoice.payable.minorUnits == 0 { try await invoices.markPaid(invoice.id, now: now, in: transaction) }
      return .renewed(invoice.payable.minorUnits == 0 ? nil : invoice)
    }
  }

  /// A subscription, and what decides how it renews, read at once.
  private struct DueRenewal {
    let subscription: Subscription
    let hasDraft: Bool
    /// The version its holders are moved to by the day its period ends (V19).
    let moved: Int?
  }

  private func dueRenewal(_ id: UUID, in transaction: Transaction) async throws -> DueRenewal? {
    try await transaction.one(
      """
      SELECT s.*,
        EXISTS (SELECT FROM \(schema).invoice AS i WHERE i.subscription = s.id AND i.status = 'draft') AS has_draft,
        (SELECT max(v.version) FROM \(schema).plan_version AS v
         WHERE v.plan = coalesce(s.next_plan, s.plan) AND v.version > coalesce(s.next_version, s.plan_version)
           AND v.holders_from <= s.period_end) AS moved
      FROM \(schema).subscription AS s WHERE s.id = \(id)
      """
    ).map {
      DueRenewal(
        subscription: try Subscription(row: $0), hasDraft: try $0.get("has_draft"), moved: try $0.getIfPresent("moved"))
    }
  }

  /// What it renews as: what was asked for, else what it is, in the version that holds for its holders that day (V19).
  private func renewedTerms(_ due: DueRenewal, _ account: BillingAccount) async throws -> (Terms, Plan, Money) {
    let wanted = due.subscription.next ?? due.subscription.terms
    let terms = Terms(plan: wanted.plan, version: due.moved ?? wanted.version, every: wanted.every, chosen: wanted.chosen)
    let plan = try await plan(terms)
    guard let price = plan.price(in: account.currency, every: terms.every) else { throw SubscriptionRefusal.notSoldSo }
    return (terms, plan, price)
  }

  /// Charges an open renewal. A card that isn't there is a card that declines.
  /// - Returns: whether it is paid.
  private func collect(_ invoice: Invoice) async throws -> Bool {
    do {
      if let payment = try await payments.charge(invoice: invoice.id, account: invoice.account, amount: invoice.payable) {
        return payment.state == .succeeded
      }
    } catch let failure as GatewayFailure {
      // The payment's row stands: the reconciler goes on with it.
      logger.warning("renewal not charged yet", metadata: ["invoice": "\(invoice.id.text)", "reason": "\(failure)"])
      return false
    }
    try await database.transaction { transaction in
      _ = try await accounts.lock(invoice.account, in: transaction)
      if let open = try await invoices.invoice(invoice.id, in: transaction, locking: true), open.status == .open {
        try await fellDue(open, in: transaction)
      }
    }
    return false
  }

  /// A charge of an open invoice failed: try again by the schedule, or give up after the last.
  func fellDue(_ invoice: Invoice, in transaction: Transaction) async throws {
    let now = clock.now()
    guard let account = try await accounts.account(invoice.account, in: transaction),
      let subscription = try await subscription(invoice.subscription, in: transaction), subscription.isLive
    else { return }
    let today = CivilDate(now, in: account.timeZone)
    let schedule = RetrySchedule.house
    guard subscription.retries < schedule.days.count else {
      try await invoices.credit(invoice, for: account, now: now, in: transaction)
      try await end(subscription.id, .unpaid, at: now, in: transaction)
      try await announce(subscription.id, of: account.id, at: now, in: transaction)
      return
    }
    let grace = schedule.dates(after: subscription.period?.start ?? today).last ?? today
    try await transaction.execute(
      """
      UPDATE \(schema).subscription SET status = 'past_due', retries = retries + 1,
        retry_on = \(today.adding(days: schedule.days[subscription.retries])),
        grace_until = coalesce(grace_until, \(max(grace, today.adding(days: 1)))), revision = revision + 1
      WHERE id = \(subscription.id)
      """)
    try await announce(subscription.id, of: account.id, at: now, in: transaction)
  }

  private func retry(_ id: UUID) async throws -> Bool {
    let today = CivilDate(clock.now(), in: timeZone)
    // Put off before the charge, so that two nodes don't both try; one that dies meanwhile leaves it for tomorrow.
    let invoice = try await database.transaction { transaction -> Invoice? in
      let taken = try await transaction.execute(
        """
        UPDATE \(schema).subscription SET retry_on = \(today.adding(days: 1))
        WHERE id = \(id) AND status = 'past_due' AND retry_on <= \(today)
        """)
      guard taken == 1 else { return nil }
      return try await transaction.one(
        "SELECT * FROM \(schema).invoice WHERE subscription = \(id) AND status = 'open' ORDER BY created_at DESC LIMIT 1"
      ).map { try Invoice(row: $0) }
    }
    guard let invoice else { return false }
    return try await collect(invoice)
  }

  /// Pays an open invoice when she asks for it: with a new card, on the gateway's page.
  func pay(
    _ id: UUID, by person: PersonID, description: String, returnURL: @Sendable (UUID) -> String, language: Language
  ) async throws -> Payment {
    guard let invoice = try await invoices.invoice(id, in: database),
      let account = try await accounts.account(ownedBy: person, in: database), account.id == invoice.account
    else { throw Problem(.notFound) }
    guard invoice.status == .open, invoice.payable.minorUnits > 0 else { throw SubscriptionRefusal.noChange }
    return try await payments.checkout(
      invoice: id, account: account.id, amount: invoice.payable, description: description, returnURL: returnURL,
      language: language)
  }

  // MARK: What is due

  private func due(_ status: SQL, _ column: SQL, most: Int) async throws -> [UUID] {
    // The earliest of all zones' days: an account's own day is looked at under its lock.
    let latest = CivilDate(clock.now() + .hours(14), in: .gmt)
    return try await database.query(
      """
      SELECT id FROM \(schema).subscription WHERE \(sql: status) AND \(sql: column) <= \(latest)
      ORDER BY \(sql: column), id LIMIT \(most)
      """
    ).map { try $0.get("id") }
  }

  /// Open invoices nobody is collecting: a process ended between the renewal and its charge.
  private func uncollected(most: Int) async throws -> [Invoice] {
    try await database.query(
      """
      SELECT i.* FROM \(schema).invoice AS i JOIN \(schema).subscription AS s ON s.id = i.subscription
      WHERE i.status = 'open' AND i.kind = 'invoice' AND s.status = 'active' AND i.created_at < \(clock.now() - .seconds(60))
        AND NOT EXISTS (
          SELECT FROM \(schema).payment AS p WHERE p.invoice = i.id AND p.state IN ('created', 'pending', 'succeeded'))
      LIMIT \(most)
      """
    ).map { try Invoice(row: $0) }.filter { $0.payable.minorUnits > 0 }
  }

  /// Orders nobody paid within a day.
  private func abandoned(most: Int) async throws -> [UUID] {
    try await database.query(
      """
      SELECT id FROM \(schema).subscription WHERE status = 'incomplete' AND created_at < \(clock.now() - .days(1)) LIMIT \(most)
      """
    ).map { try $0.get("id") }
  }

  private func giveUpOrder(_ id: UUID) async throws {
    let now = clock.now()
    try await database.transaction { transaction in
      guard let found = try await subscription(id, in: transaction) else { return }
      _ = try await accounts.lock(found.account, in: transaction)
      guard let order = try await subscription(id, in: transaction), order.status == .incomplete else { return }
      do {
        try await giveUp(
          order, draft: try await invoices.draft(of: id, in: transaction), as: .abandoned, at: now, in: transaction)
      } catch SubscriptionRefusal.paymentUnderWay {
        // The bank decides; whatever it says is applied then.
      }
    }
  }
}
