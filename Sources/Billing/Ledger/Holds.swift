public import Database
public import Foundation
public import Kit

/// A part of a balance that is set aside for something that may still fail, until it is captured, released or expired.
public struct Hold: Sendable, Hashable {
  public enum State: String, Sendable, SQLEncodable, SQLDecodable {
    case held, captured, released
  }

  public let id: UUID
  public let account: LedgerAccount
  public let amount: Money
  public let state: State
  public let expires: Instant
  /// The entry that captured it.
  public let entry: UUID?
}

extension Ledger {
  /// Sets an amount of an account aside. The same key with the same content gives the first hold back.
  ///
  /// - Throws: ``LedgerError/notCovered``, and the transaction is lost; ``Kit/Problem`` `idempotency-key-reused`.
  public func hold(
    _ amount: Money, of account: LedgerAccount, key: String, until expires: Instant, actor: String, in transaction: Transaction
  ) async throws -> Hold {
    guard amount.minorUnits > 0, amount.minorUnits <= Entry.amountMost, amount.currency == account.currency else {
      throw LedgerError.captureAmount
    }
    let now = clock.now()
    let id = UUID.v7(at: now)
    let content = "\(account.code) \(amount.minorUnits) \(amount.currency.rawValue)"
    try await releaseExpired(before: now, of: account, in: transaction)
    let inserted: Int
    do {
      inserted = try await transaction.execute(
        """
        INSERT INTO \(schema).ledger_hold (id, key, account, currency, amount, content, held_at, expires_at)
        SELECT \(id), \(key), a.id, a.currency, \(amount.minorUnits), sha256(convert_to(\(content), 'UTF8')), \(now), \(expires)
        FROM \(schema).ledger_account AS a WHERE a.code = \(account.code) AND a.currency = \(amount.currency.rawValue)
        ON CONFLICT (key) DO NOTHING
        """)
    } catch let error as DatabaseError where error.constraint == "ledger_hold_covered" {
      throw LedgerError.notCovered
    }
    let row = try await transaction.one(
      "SELECT id, content = sha256(convert_to(\(content), 'UTF8')) AS same FROM \(schema).ledger_hold WHERE key = \(key)")
    // No row at all: the account was never opened, so it holds nothing.
    guard let row else { throw LedgerError.notCovered }
    guard try row.get("same") else { throw Problem(.keyReused) }
    if inserted == 1 {
      try await audit.append(
        AuditLine(
          actor: actor, action: "ledger.hold", subject: id.text,
          details: ["account": .string(account.code), "amount": .integer(amount.minorUnits)]),
        at: now, in: transaction)
    }
    return try await hold(try row.get("id"), in: transaction)
  }

  /// Posts what was held, or a part of it, and frees the rest. Repeated, it gives the first entry back.
  ///
  /// - Parameters:
  ///   - amount: all of it when `nil`.
  ///   - destination: debited or credited against the held account, by what a move out of it means.
  /// - Throws: ``LedgerError/unknownHold``, ``LedgerError/holdSettled``, ``LedgerError/holdExpired``,
  ///   ``LedgerError/captureAmount``; ``Kit/Problem`` `idempotency-key-reused` when it was captured otherwise.
  @discardableResult
  public func capture(
    _ id: UUID, amount: Money? = nil, to destination: LedgerAccount, description: String,
    details: [String: JSONValue] = [:], actor: String, in transaction: Transaction
  ) async throws -> Posted {
    let held = try await hold(id, in: transaction, locking: true)
    let now = clock.now()
    let amount = amount ?? held.amount
    guard amount.currency == held.amount.currency, (1...held.amount.minorUnits).contains(amount.minorUnits) else {
      throw LedgerError.captureAmount
    }
    switch held.state {
    case .released: throw LedgerError.holdSettled
    case .held where held.expires <= now: throw LedgerError.holdExpired
    case .held, .captured: break
    }
    let taken = -held.account.natural(amount.minorUnits)
    let entry = try Entry(
      key: "hold:\(id.text)", kind: .capture, description: description, details: details, occurred: now,
      postings: [Entry.Posting(held.account, taken), Entry.Posting(destination, -taken)], reverses: nil)
    let posted = try await post(entry, in: transaction)
    guard held.state == .held else { return posted }
    try await settle(id, as: .captured, entry: posted.id, at: now, in: transaction)
    try await note("ledger.capture", of: id, actor: actor, at: now, in: transaction)
    return posted
  }

  /// Frees what was held. A hold that was released before is left as it is.
  /// - Throws: ``LedgerError/unknownHold``; ``LedgerError/holdSettled`` when it was captured.
  public func release(_ id: UUID, actor: String, in transaction: Transaction) async throws {
    switch try await hold(id, in: transaction, locking: true).state {
    case .captured: throw LedgerError.holdSettled
    case .released: return
    case .held:
      let now = clock.now()
      try await settle(id, as: .released, entry: nil, at: now, in: transaction)
      try await note("ledger.release", of: id, actor: actor, at: now, in: transaction)
    }
  }

  /// Frees what was held for longer than agreed.
  /// - Returns: how many holds.
  @discardableResult
  public func expireHolds() async throws -> Int {
    let now = clock.now()
    return try await database.transaction { try await releaseExpired(before: now, of: nil, in: $0) }
  }

  @discardableResult
  private func releaseExpired(before now: Instant, of account: LedgerAccount?, in transaction: Transaction) async throws -> Int {
    let code = account?.code
    return try await transaction.execute(
      """
      UPDATE \(schema).ledger_hold AS h SET state = 'released', settled_at = \(now)
      WHERE h.state = 'held' AND h.expires_at <= \(now)
        AND (\(code) IS NULL OR h.account = (SELECT a.id FROM \(schema).ledger_account AS a WHERE a.code = \(code)))
      """)
  }

  private func settle(
    _ id: UUID, as state: Hold.State, entry: UUID?, at now: Instant, in transaction: Transaction
  ) async throws {
    try await transaction.execute(
      """
      UPDATE \(schema).ledger_hold SET state = \(state), settled_at = \(now), entry = \(entry) WHERE id = \(id)
      """)
  }

  private func note(
    _ action: String, of hold: UUID, actor: String, at now: Instant, in transaction: Transaction
  ) async throws {
    try await audit.append(AuditLine(actor: actor, action: action, subject: hold.text), at: now, in: transaction)
  }

  private func hold(_ id: UUID, in transaction: Transaction, locking: Bool = false) async throws -> Hold {
    let lock: SQL = locking ? "FOR UPDATE OF h" : ""
    let row = try await transaction.one(
      """
      SELECT h.id, h.amount, h.state, h.expires_at, h.entry, a.code, a.kind, a.currency, a.keeps_balance
      FROM \(schema).ledger_hold AS h JOIN \(schema).ledger_account AS a ON a.id = h.account
      WHERE h.id = \(id) \(sql: lock)
      """)
    guard let row else { throw LedgerError.unknownHold }
    let account = try LedgerAccount(row: row)
    return Hold(
      id: try row.get("id"), account: account, amount: Money(try row.get("amount"), account.currency),
      state: try row.get("state"), expires: try row.get("expires_at"), entry: try row.getIfPresent("entry"))
  }
}
