import Database
import Foundation
import Kit
import Logging

/// Applying what the gateway said: once, in one transaction with everything that follows from it.
extension PaymentService {
  /// - Returns: the payment as it stands then.
  func settle(_ id: UUID, by word: GatewayWord) async throws -> Payment {
    let settler = try settler
    return try await database.transaction { transaction in
      // The account first, as everyone locks who changes what it has: so that they wait for each other and don't deadlock.
      try await transaction.execute(
        """
        SELECT a.id FROM \(schema).billing_account AS a
        WHERE a.id = (SELECT p.account FROM \(schema).payment AS p WHERE p.id = \(id)) FOR NO KEY UPDATE OF a
        """)
      let row = try await transaction.one(
        "SELECT \(sql: Payment.columns) FROM \(schema).payment WHERE id = \(id) FOR UPDATE")
      guard let row else { throw Problem(.notFound) }
      let payment = try Payment(row: row)
      switch (payment.state, word) {
      case (.succeeded, _), (.mismatched, _):
        return payment
      case (_, .succeeded(let paid)) where paid.amount != payment.amount:
        return try await mismatch(payment, paid, in: transaction)
      case (.created, .succeeded(let paid)), (.pending, .succeeded(let paid)):
        return try await succeed(payment, paid, settler, in: transaction)
      case (.abandoned, .succeeded(let paid)), (.failed, .succeeded(let paid)):
        return try await giveBack(payment, paid, in: transaction)
      case (.abandoned, _), (.failed, _):
        return payment
      case (_, .pending(let pending)):
        return try await wait(payment, pending, in: transaction)
      case (_, .failed(let attempt)):
        return try await fail(payment, attempt.failure ?? "declined", attempt.id, settler, in: transaction)
      case (_, .refused(let code)):
        return try await fail(payment, code, nil, settler, in: transaction)
      case (_, .unheard):
        return try await lapse(payment, settler, in: transaction)
      }
    }
  }

  private func succeed(
    _ payment: Payment, _ paid: GatewayPayment, _ settler: any InvoiceSettling, in transaction: Transaction
  ) async throws -> Payment {
    try await book(payment, in: transaction)
    var method = payment.method
    // A charge was made with the saved method; another may have taken its place meanwhile.
    if payment.kind == .checkout, let card = paid.method { method = try await save(card, of: payment.account, in: transaction) }
    let settled = try await update(
      payment,
      """
      state = 'succeeded', gateway_payment = \(paid.id), method = \(method), failure = NULL, settled_at = \(clock.now()),
      look_at = NULL
      """, in: transaction)
    switch try await settler.paid(payment.invoice, by: settled, in: transaction) {
    case .settled: break
    case .unwanted: _ = try await orphan(settled, in: transaction)
    }
    return settled
  }

  /// Money for a payment that was given up: it is there, so it is booked; it is not wanted, so it goes back.
  ///
  /// The payment keeps its state, for the invoice may be paid by another one by now.
  private func giveBack(_ payment: Payment, _ paid: GatewayPayment, in transaction: Transaction) async throws -> Payment {
    guard try await book(payment, in: transaction) else { return payment }
    _ = try await orphan(payment, in: transaction)
    transaction.afterCommit { [logger] in
      logger.notice("late payment is given back", metadata: ["payment": "\(payment.id.text)"])
    }
    return try await update(payment, "gateway_payment = \(paid.id), look_at = NULL", in: transaction)
  }

  private func orphan(_ payment: Payment, in transaction: Transaction) async throws -> UUID {
    try await wishRefund(
      of: payment.id, payment.amount.minorUnits, reason: "orphaned", creditNote: nil, in: transaction)
  }

  /// - Returns: whether it was not booked before.
  @discardableResult
  private func book(_ payment: Payment, in transaction: Transaction) async throws -> Bool {
    let currency = payment.amount.currency
    let entry = try Entry(
      key: "payment:\(payment.id.text)", description: "payment.received", details: payment.details,
      occurred: clock.now(), amount: payment.amount,
      debit: .cash(at: payment.gateway, entity: entity, currency), credit: .receivable(of: payment.account, currency))
    return try await ledger.post(entry, in: transaction).isNew
  }

  private func mismatch(_ payment: Payment, _ paid: GatewayPayment, in transaction: Transaction) async throws -> Payment {
    transaction.afterCommit { [logger] in
      logger.error(
        "the gateway took another amount; nothing is booked",
        metadata: [
          "payment": "\(payment.id.text)", "expected": "\(payment.amount.decimal) \(payment.amount.currency.rawValue)",
          "found": "\(paid.amount.decimal) \(paid.amount.currency.rawValue)",
        ])
    }
    return try await update(
      payment,
      """
      state = 'mismatched', gateway_payment = \(paid.id), settled_at = coalesce(settled_at, \(clock.now())), look_at = NULL
      """, in: transaction)
  }

  private func wait(_ payment: Payment, _ pending: GatewayPayment, in transaction: Transaction) async throws -> Payment {
    try await update(payment, "state = 'pending', gateway_payment = \(pending.id)", in: transaction)
  }

  /// A charge has failed for good. A checkout stays open: the payer may try another card on the same page, for a day.
  private func fail(
    _ payment: Payment, _ code: String, _ attempt: String?, _ settler: any InvoiceSettling, in transaction: Transaction
  ) async throws -> Payment {
    switch payment.kind {
    case .checkout:
      let open = try await update(
        payment, "state = 'created', failure = \(code), gateway_payment = NULL", in: transaction)
      return try await lapse(open, settler, in: transaction)
    case .charge:
      let failed = try await update(
        payment,
        """
        state = 'failed', failure = \(code), gateway_payment = \(attempt), settled_at = \(clock.now()), look_at = NULL
        """, in: transaction)
      try await settler.failed(payment.invoice, payment: failed, in: transaction)
      return failed
    }
  }

  /// Nothing was paid: after a day it is given up. Called with the gateway's word only, never because it was silent.
  private func lapse(
    _ payment: Payment, _ settler: any InvoiceSettling, in transaction: Transaction
  ) async throws -> Payment {
    let now = clock.now()
    guard payment.state == .created, now >= payment.created + LookSchedule.patience else { return payment }
    switch payment.kind {
    case .checkout:
      let abandoned = try await update(
        payment, "state = 'abandoned', settled_at = \(now), look_at = \(now + LookSchedule.late)", in: transaction)
      try await settler.abandoned(payment.invoice, payment: abandoned, in: transaction)
      return abandoned
    case .charge:
      let failed = try await update(
        payment, "state = 'failed', failure = 'not_made', settled_at = \(now), look_at = \(now + LookSchedule.late)",
        in: transaction)
      try await settler.failed(payment.invoice, payment: failed, in: transaction)
      return failed
    }
  }

  private func update(_ payment: Payment, _ columns: SQL, in transaction: Transaction) async throws -> Payment {
    let row = try await transaction.one(
      """
      UPDATE \(schema).payment SET \(sql: columns) WHERE id = \(payment.id) RETURNING \(sql: Payment.columns)
      """)
    guard let row else { throw Problem(.notFound) }
    return try Payment(row: row)
  }

  // MARK: Saved methods

  /// Makes a card the one that is charged. The one before is kept as removed: payments name it. The account is locked.
  /// - Returns: its id; `nil` for a card described in a form we can't keep. That must not undo a payment.
  private func save(_ card: GatewayPayment.Method, of account: UUID, in transaction: Transaction) async throws -> UUID? {
    guard !card.token.isEmpty, card.last4.utf8.count == 4, card.last4.utf8.allSatisfy({ (48...57).contains($0) }),
      (1...12).contains(card.expiryMonth), (2000...2999).contains(card.expiryYear)
    else { return nil }
    let now = clock.now()
    let owner = try await transaction.one(
      """
      SELECT account FROM \(schema).payment_method WHERE gateway = \(gateway.name) AND token = \(card.token)
      """)
    guard try owner.map({ try $0.get("account") == account }) ?? true else { return nil }
    try await transaction.execute(
      """
      UPDATE \(schema).payment_method SET removed_at = \(now)
      WHERE account = \(account) AND removed_at IS NULL AND (gateway, token) <> (\(gateway.name), \(card.token))
      """)
    return try await transaction.one(
      """
      INSERT INTO \(schema).payment_method AS m
        (id, account, gateway, token, brand, last4, exp_month, exp_year, added_at)
      VALUES (\(UUID.v7(at: now)), \(account), \(gateway.name), \(card.token), \(card.brand), \(card.last4),
        \(card.expiryMonth), \(card.expiryYear), \(now))
      ON CONFLICT (gateway, token) DO UPDATE
        SET exp_month = excluded.exp_month, exp_year = excluded.exp_year, removed_at = NULL
      RETURNING m.id
      """)?.get("id")
  }
}

extension Payment {
  static let columns: SQL = """
    id, account, invoice, gateway, kind, amount, currency, method, state, checkout_url, failure, created_at, settled_at
    """

  init(row: Row) throws {
    guard let kind = Kind(rawValue: try row.get("kind", as: String.self)),
      let state = State(rawValue: try row.get("state", as: String.self)),
      let currency = Currency(rawValue: try row.get("currency", as: String.self))
    else { throw DatabaseError(.decoding(column: "kind, state, currency"), explanation: "a value this version doesn't know") }
    self.init(
      id: try row.get("id"), account: try row.get("account"), invoice: try row.get("invoice"),
      gateway: try row.get("gateway"), kind: kind, amount: Money(try row.get("amount"), currency), state: state,
      method: try row.get("method"), checkoutURL: try row.get("checkout_url"), failure: try row.get("failure"),
      created: try row.get("created_at"), settled: try row.get("settled_at"))
  }

  /// What its entries in the ledger say: ids only, and the same each time.
  var details: [String: JSONValue] {
    ["payment": .string(id.text), "invoice": .string(invoice.text), "account": .string(account.text)]
  }
}

extension PaymentMethod {
  static let columns: SQL = "id, account, gateway, brand, last4, exp_month, exp_year, added_at"

  init(row: Row) throws {
    self.init(
      id: try row.get("id"), account: try row.get("account"), gateway: try row.get("gateway"), brand: try row.get("brand"),
      last4: try row.get("last4"), expiryMonth: try row.get("exp_month"), expiryYear: try row.get("exp_year"),
      added: try row.get("added_at"))
  }
}
