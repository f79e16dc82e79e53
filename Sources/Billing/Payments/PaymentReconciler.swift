import Database
public import Foundation
import Kit
import Logging

/// Asking the gateway what became of things.
extension PaymentService {
  /// Asks the gateway about a payment and applies what it says, once. For the return page, the webhook and the reconciler
  /// alike; may be called at any time, any number of times.
  ///
  /// A charge the gateway never heard of is sent again under the same key.
  /// - Returns: the payment as it stands then; unchanged when the gateway can't be asked.
  /// - Throws: ``Kit/Problem`` `not-found`; what settling the invoice throws, and then nothing has changed.
  public func look(at id: UUID) async throws -> Payment {
    let standing = try await payment(id)
    if standing.state == .succeeded || standing.state == .mismatched { return standing }
    let attempts: [GatewayPayment]
    do {
      attempts = try await gateway.payments(reference: id)
    } catch {
      log("gateway can't be asked", id, error)
      return standing
    }
    let word = GatewayWord(attempts, about: id)
    let payment = try await settle(id, by: word)
    if word == .unheard, payment.kind == .charge, payment.state == .created { return try await carryOut(payment) }
    return payment
  }

  /// Looks at every payment and refund whose time has come. To be called every minute, on any number of nodes.
  /// - Throws: ``Database/DatabaseError`` when the list can't be read; what goes wrong with one of them is logged, and
  ///   the others go on.
  public func reconcile() async throws {
    while !Task.isCancelled {
      let due = try await claim("payment") + claimGivenUp()
      let refunds = try await claim("refund")
      guard !due.isEmpty || !refunds.isEmpty else { return }
      await withTaskGroup(of: Void.self) { group in
        var tasks: [@Sendable () async -> Void] = due.map { id in { await self.attempt(id) { _ = try await self.look(at: id) } } }
        tasks += refunds.map { id in { await self.attempt(id) { try await self.carryOut(refund: id) } } }
        for (number, task) in tasks.enumerated() {
          // A few at a time: one that waits for a slow gateway must not hold up the rest.
          if number >= 8 { await group.next() }
          group.addTask(operation: task)
        }
      }
    }
  }

  func attempt(_ id: UUID, _ action: @Sendable () async throws -> Void) async {
    do {
      try await action()
    } catch {
      // Whoever waited has stopped waiting; the row says when the next look is due.
      if Task.isCancelled { return }
      let reason = (error as? any ProblemConvertible).map { "\($0)" } ?? (error as? Problem)?.kind.slug ?? "\(type(of: error))"
      logger.error("payment not reconciled", metadata: ["reference": "\(id.text)", "reason": "\(reason)"])
    }
  }

  /// Takes what is due and sets the next look first: whatever happens to this one, there will be another.
  private func claim(_ table: String) async throws -> [UUID] {
    let now = clock.now()
    return try await database.query(
      """
      WITH due AS (
        SELECT id FROM \(schema).\(identifier: table) WHERE settled_at IS NULL AND look_at <= \(now)
        ORDER BY look_at LIMIT 64 FOR UPDATE SKIP LOCKED
      )
      UPDATE \(schema).\(identifier: table) AS t
      SET looks = t.looks + 1, look_at = \(now) + interval '1 minute' * least(60, 1 << least(t.looks, 6))
      FROM due WHERE t.id = due.id RETURNING t.id
      """
    ).map { try $0.get("id") }
  }

  /// Those that were given up of late: the payer may have paid all the same, and the webhook may be lost.
  private func claimGivenUp() async throws -> [UUID] {
    let now = clock.now()
    // Ids are in the order of time, so this reads the last days' rows only.
    return try await database.query(
      """
      UPDATE \(schema).payment SET looks = looks + 1, look_at = \(now + LookSchedule.late)
      WHERE id >= \(UUID.v7(at: now - LookSchedule.memory)) AND state IN ('abandoned', 'failed') AND look_at <= \(now)
      RETURNING id
      """
    ).map { try $0.get("id") }
  }

  func lookSoon(_ id: UUID) async throws {
    try await database.execute(
      """
      UPDATE \(schema).payment SET look_at = \(clock.now() + LookSchedule.soon) WHERE id = \(id) AND settled_at IS NULL
      """)
  }

  // MARK: Refunds

  /// Calls the gateway for a refund that is wished. Every call has the refund's id as its key, so it may be repeated.
  func carryOut(refund id: UUID) async throws {
    let row = try await database.one(
      """
      SELECT r.amount, r.created_at, p.currency, p.gateway_payment
      FROM \(schema).refund AS r JOIN \(schema).payment AS p ON p.id = r.payment WHERE r.id = \(id) AND r.state = 'created'
      """)
    guard let row else { return }
    guard let currency = Currency(rawValue: try row.get("currency", as: String.self)),
      let paid = try row.getIfPresent("gateway_payment", as: String.self)
    else { return try await refuse(refund: id, "no payment of the gateway's") }
    let amount = Money(try row.get("amount"), currency)
    do {
      let answer = try await gateway.refund(paid, amount: amount, reference: id)
      guard answer.amount == amount else { return try await refuse(refund: id, "another amount") }
      try await confirm(refund: id, answer)
    } catch let failure as GatewayFailure {
      log("refund not made", id, failure)
      guard case .notDone(let code) = failure, !failure.mayPass,
        clock.now() >= (try row.get("created_at", as: Instant.self)) + LookSchedule.patience
      else { return }
      try await refuse(refund: id, code)
    }
  }

  private func confirm(refund id: UUID, _ answer: GatewayRefund) async throws {
    try await database.transaction { transaction in
      let now = clock.now()
      let row = try await transaction.one(
        """
        UPDATE \(schema).refund SET state = 'succeeded', gateway_refund = \(answer.id), settled_at = \(now), look_at = NULL
        WHERE id = \(id) AND state = 'created' RETURNING payment
        """)
      guard let row else { return }
      let of = try await transaction.one(
        "SELECT \(sql: Payment.columns) FROM \(schema).payment WHERE id = \(try row.get("payment", as: UUID.self))")
      guard let payment = try of.map({ try Payment(row: $0) }) else { throw Problem(.notFound) }
      var details = payment.details
      details["refund"] = .string(id.text)
      try await ledger.post(
        Entry(
          key: "refund:\(id.text)", description: "payment.refunded", details: details, occurred: now, amount: answer.amount,
          debit: .receivable(of: payment.account, answer.amount.currency),
          credit: .cash(at: payment.gateway, entity: entity, answer.amount.currency)), in: transaction)
    }
  }

  /// Someone has to look: the money is still ours, and the ledger says so.
  private func refuse(refund id: UUID, _ reason: String) async throws {
    logger.error("refund refused", metadata: ["refund": "\(id.text)", "reason": "\(reason)"])
    try await database.execute(
      """
      UPDATE \(schema).refund SET state = 'failed', settled_at = \(clock.now()), look_at = NULL
      WHERE id = \(id) AND state = 'created'
      """)
  }
}
