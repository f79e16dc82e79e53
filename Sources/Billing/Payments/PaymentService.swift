public import Database
public import Foundation
public import Kit
public import Logging
import Synchronization

/// Gets the money for invoices, once: payments, saved methods, refunds.
///
/// A payment's row is committed before the gateway is called, and its id is the key of every call about it. Whatever is
/// lost on the way, the gateway is asked what became of it (``look(at:)``, ``reconcile()``), and what it says is applied
/// in one transaction with the ledger's entry and the invoice's settlement.
public final class PaymentService: Sendable {
  let database: Database
  let schema: Schema
  let ledger: Ledger
  let gateway: any PaymentGateway
  let entity: String
  let clock: DomainClock
  let wallClock: DomainClock
  let logger: Logger
  private let settling = Mutex<(any InvoiceSettling)?>(nil)

  /// - Parameters:
  ///   - entity: the legal entity that sells, in whose books the cash is.
  ///   - wallClock: the clock webhooks are signed by; a gateway knows nothing of the domain's days.
  public init(
    database: Database, schema: Schema, ledger: Ledger, gateway: any PaymentGateway, entity: String, clock: DomainClock,
    wallClock: DomainClock = .system, logger: Logger
  ) {
    self.database = database
    self.schema = schema
    self.ledger = ledger
    self.gateway = gateway
    self.entity = entity
    self.clock = clock
    self.wallClock = wallClock
    self.logger = logger
  }

  /// Says who settles invoices. Before the first payment.
  func connect(_ settling: any InvoiceSettling) { self.settling.withLock { $0 = settling } }

  var settler: any InvoiceSettling {
    get throws(PaymentError) {
      guard let settling = settling.withLock({ $0 }) else { throw .notConnected }
      return settling
    }
  }

  // MARK: Starting

  /// Commits a payment, makes the gateway's page for it, and says where to send the payer.
  ///
  /// For an invoice that is being paid already: the same page again, also when its address was lost on the way.
  /// - Parameter returnURL: where the gateway sends the payer back to, by the payment's id.
  /// - Throws: ``Kit/Problem`` `conflict` when the invoice is paid, or being paid otherwise or with another amount;
  ///   `unavailable` when the gateway gave no page: asking again gives the page of the same payment.
  public func checkout(
    invoice: UUID, account: UUID, amount: Money, description: String, returnURL: (UUID) -> String, language: Language
  ) async throws -> Payment {
    for _ in 0..<3 {
      let (payment, isNew) = try await open(.checkout, invoice: invoice, account: account, amount: amount, method: nil)
      guard payment.kind == .checkout, payment.state.isOpen else { throw PaymentError.underWay.problem }
      if payment.checkoutURL != nil { return payment }
      let request = CheckoutRequest(
        reference: payment.id, amount: amount, description: description, returnURL: returnURL(payment.id),
        language: language)
      do {
        let page = try await gateway.checkout(request)
        return try await keep(page, of: payment.id)
      } catch let failure as GatewayFailure {
        log("checkout not made", payment.id, failure)
        // The page was asked for in other words before; nobody has its address, so nobody can pay there.
        if !isNew, case .notDone = failure, !failure.mayPass, try await giveUp(payment.id) { continue }
        throw Problem(.unavailable, retryAfter: 5)
      }
    }
    throw PaymentError.underWay.problem
  }

  /// Charges the account's saved method; `nil` when there is none.
  ///
  /// - Returns: the payment: settled, failed, or left open for the reconciler. When the invoice is being paid already, that
  ///   payment, after a look at it.
  /// - Throws: ``Kit/Problem`` `conflict` when it is being paid with another amount.
  public func charge(invoice: UUID, account: UUID, amount: Money) async throws -> Payment? {
    guard let method = try await method(of: account), method.gateway == gateway.name else { return nil }
    let (payment, isNew) = try await open(.charge, invoice: invoice, account: account, amount: amount, method: method.id)
    if isNew { return try await carryOut(payment) }
    return payment.state.isOpen ? try await look(at: payment.id) : payment
  }

  /// The invoice's one open or succeeded payment, or a new one. Committed when this returns.
  private func open(
    _ kind: Payment.Kind, invoice: UUID, account: UUID, amount: Money, method: UUID?
  ) async throws -> (payment: Payment, isNew: Bool) {
    guard amount.minorUnits > 0, amount.minorUnits <= Entry.amountMost, amount.currency != .points else {
      throw PaymentError.amount.problem
    }
    // Between the two statements another device may begin or end a payment; then once more.
    for _ in 0..<5 {
      let now = clock.now()
      let row = try await database.one(
        """
        INSERT INTO \(schema).payment
          (id, account, invoice, gateway, kind, amount, currency, method, state, look_at, created_at)
        SELECT \(UUID.v7(at: now)), \(account), \(invoice), \(gateway.name), \(kind.rawValue), \(amount.minorUnits),
          \(amount.currency.rawValue), \(method)::uuid, 'created', \(now + LookSchedule.first), \(now)
        WHERE EXISTS (
          -- Waits for who is giving it up, who waits for us in abandon: one of the two sees the other.
          SELECT FROM \(schema).invoice AS i WHERE i.id = \(invoice) AND i.status IN ('draft', 'open') FOR SHARE)
        ON CONFLICT (invoice) WHERE state IN ('created', 'pending', 'succeeded') DO NOTHING
        RETURNING \(sql: Payment.columns)
        """)
      if let row { return (try Payment(row: row), true) }
      let standing = try await database.one(
        """
        SELECT \(sql: Payment.columns) FROM \(schema).payment
        WHERE invoice = \(invoice) AND state IN ('created', 'pending', 'succeeded')
        """)
      guard let standing = try standing.map({ try Payment(row: $0) }) else { continue }
      guard standing.amount == amount, standing.account == account else { throw PaymentError.otherAmount.problem }
      return (standing, false)
    }
    throw PaymentError.underWay.problem
  }

  private func keep(_ page: GatewayCheckout, of payment: UUID) async throws -> Payment {
    let row = try await database.one(
      """
      UPDATE \(schema).payment SET gateway_checkout = \(page.id), checkout_url = \(page.url)
      WHERE id = \(payment) RETURNING \(sql: Payment.columns)
      """)
    guard let row else { throw Problem(.notFound) }
    return try Payment(row: row)
  }

  private func giveUp(_ payment: UUID) async throws -> Bool {
    let now = clock.now()
    return try await database.execute(
      """
      UPDATE \(schema).payment
      SET state = 'abandoned', settled_at = \(now), look_at = \(now + LookSchedule.late)
      WHERE id = \(payment) AND state = 'created' AND checkout_url IS NULL
      """) == 1
  }

  /// Calls the gateway for a charge that stands in the table: the first time, and again when it never heard of it.
  func carryOut(_ payment: Payment) async throws -> Payment {
    let token = try await database.one(
      "SELECT token FROM \(schema).payment_method WHERE id = \(payment.method) AND gateway = \(gateway.name)")
    guard let token else { return try await settle(payment.id, by: .refused("method_gone")) }
    let request = ChargeRequest(reference: payment.id, amount: payment.amount, method: try token.get("token"))
    do {
      let answer = try await gateway.charge(request)
      return try await settle(payment.id, by: GatewayWord([answer], about: payment.id))
    } catch let failure as GatewayFailure {
      log("charge not answered", payment.id, failure)
      if case .notDone(let code) = failure, !failure.mayPass { return try await settle(payment.id, by: .refused(code)) }
      try await lookSoon(payment.id)
      return try await self.payment(payment.id)
    }
  }

  // MARK: Reading

  /// - Throws: ``Kit/Problem`` `not-found`.
  public func payment(_ id: UUID) async throws -> Payment {
    guard let payment = try await find(id) else { throw Problem(.notFound) }
    return payment
  }

  /// All attempts to pay an invoice, the first one first.
  public func payments(of invoice: UUID) async throws -> [Payment] {
    try await database.query(
      """
      SELECT \(sql: Payment.columns) FROM \(schema).payment WHERE invoice = \(invoice) ORDER BY created_at, id
      """
    ).map { try Payment(row: $0) }
  }

  /// The saved method that is charged.
  public func method(of account: UUID) async throws -> PaymentMethod? {
    try await database.one(
      """
      SELECT \(sql: PaymentMethod.columns) FROM \(schema).payment_method WHERE account = \(account) AND removed_at IS NULL
      """
    ).map { try PaymentMethod(row: $0) }
  }

  func find(_ id: UUID) async throws -> Payment? {
    try await database.one("SELECT \(sql: Payment.columns) FROM \(schema).payment WHERE id = \(id)")
      .map { try Payment(row: $0) }
  }

  // MARK: Giving up, giving back

  /// Gives up the unpaid checkouts of an invoice. Money that comes for one all the same is booked and given back.
  ///
  /// - Returns: `false`, and nothing changed, when the invoice is paid or may be: a charge is under way, or the gateway is
  ///   deciding.
  public func abandon(invoice: UUID, in transaction: Transaction) async throws -> Bool {
    // The invoice first: whoever is beginning to pay it is waited for, and then seen.
    try await transaction.execute("SELECT id FROM \(schema).invoice WHERE id = \(invoice) FOR UPDATE")
    let standing = try await transaction.query(
      """
      SELECT \(sql: Payment.columns) FROM \(schema).payment
      WHERE invoice = \(invoice) AND state IN ('created', 'pending', 'succeeded') FOR UPDATE
      """
    ).map { try Payment(row: $0) }
    guard standing.allSatisfy({ $0.kind == .checkout && $0.state == .created }) else { return false }
    let now = clock.now()
    for payment in standing {
      try await transaction.execute(
        """
        UPDATE \(schema).payment
        SET state = 'abandoned', settled_at = \(now), look_at = \(now + LookSchedule.late) WHERE id = \(payment.id)
        """)
    }
    return true
  }

  /// Commits the wish to give money back; the reconciler carries it out, and the ledger has it once the gateway confirms.
  ///
  /// - Parameter reason: `orphaned`, `correction`.
  /// - Returns: the refund's id.
  /// - Throws: ``Kit/Problem`` `conflict` when the payment did not succeed, or less is left of it.
  public func refund(
    payment id: UUID, amount: Money, reason: String, creditNote: UUID?, in transaction: Transaction
  ) async throws -> UUID {
    let row = try await transaction.one(
      "SELECT \(sql: Payment.columns) FROM \(schema).payment WHERE id = \(id) FOR UPDATE")
    guard let payment = try row.map({ try Payment(row: $0) }) else { throw Problem(.notFound) }
    guard payment.state == .succeeded, amount.currency == payment.amount.currency, amount.minorUnits > 0 else {
      throw PaymentError.notRefundable.problem
    }
    let given = try await transaction.one(
      """
      SELECT coalesce(sum(amount), 0)::bigint AS amount FROM \(schema).refund WHERE payment = \(id) AND state <> 'failed'
      """)
    guard try (given?.get("amount") ?? 0) + amount.minorUnits <= payment.amount.minorUnits else {
      throw PaymentError.notRefundable.problem
    }
    return try await wishRefund(of: id, amount.minorUnits, reason: reason, creditNote: creditNote, in: transaction)
  }

  func wishRefund(
    of payment: UUID, _ amount: Int64, reason: String, creditNote: UUID?, in transaction: Transaction
  ) async throws -> UUID {
    let now = clock.now()
    let id = UUID.v7(at: now)
    try await transaction.execute(
      """
      INSERT INTO \(schema).refund (id, payment, amount, reason, credit_note, look_at, created_at)
      VALUES (\(id), \(payment), \(amount), \(reason), \(creditNote), \(now), \(now))
      """)
    return id
  }

  func log(_ message: Logger.Message, _ id: UUID, _ failure: GatewayFailure) {
    logger.warning(
      message, metadata: ["reference": "\(id.text)", "gateway": "\(gateway.name)", "reason": "\(failure.code)"])
  }
}
