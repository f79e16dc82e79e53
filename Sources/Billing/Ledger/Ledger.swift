public import Database
public import Foundation
public import Kit

/// The double-entry ledger: the only place where money and points move.
///
/// What it promises, its tables keep against any client (`001-ledger.sql`): entries balance at COMMIT, are never changed,
/// and a key has one entry.
public struct Ledger: Sendable {
  let database: Database
  let schema: Schema
  let clock: DomainClock
  let audit: AuditTrail
  /// The books' own: an entry is booked on its civil day.
  let timeZone: TimeZone

  public init(database: Database, schema: Schema, clock: DomainClock, timeZone: TimeZone, audit: AuditTrail) {
    self.database = database
    self.schema = schema
    self.clock = clock
    self.audit = audit
    self.timeZone = timeZone
  }

  /// An entry that stands in the ledger.
  public struct Posted: Sendable, Hashable {
    public let id: UUID
    /// `false` when its key had been posted before.
    public let isNew: Bool
  }

  /// Posts an entry in a transaction of its own.
  /// - Throws: as ``post(_:in:)``.
  @discardableResult
  public func post(_ entry: Entry) async throws -> Posted {
    // One statement is a transaction too, when nothing has to be opened first.
    if case .posted(let posted)? = try await attempt(entry) { return posted }
    return try await database.transaction { try await post(entry, in: $0) }
  }

  /// Posts an entry with its effect's transaction. The same key with the same content gives the first entry back.
  /// - Throws: ``Kit/Problem`` `idempotency-key-reused` for the same key with another content;
  ///   ``LedgerError/accountDiffers(code:)``; ``Database/DatabaseError``.
  @discardableResult
  public func post(_ entry: Entry, in transaction: Transaction) async throws -> Posted {
    let (now, content) = (clock.now(), try entry.content())
    var outcome = try await write(entry, content: content, at: now, in: transaction)
    if case .accountsMissing = outcome {
      try await open(Set(entry.postings.map(\.account)), at: now, in: transaction)
      outcome = try await write(entry, content: content, at: now, in: transaction)
    }
    if case .posted(let posted) = outcome { return posted }
    if let posted = try await first(entry.key, content: content, in: transaction) { return posted }
    throw LedgerError.accountDiffers(code: entry.postings.map(\.account.code).joined(separator: ", "))
  }

  private enum Written {
    case posted(Posted)
    case keyKnown
    /// Nothing was written: not all accounts are there, or one is of another kind or currency.
    case accountsMissing
  }

  /// - Returns: `nil` when the server gave the statement up because of others beside it.
  private func attempt(_ entry: Entry) async throws -> Written? {
    do {
      return try await write(entry, content: try entry.content(), at: clock.now(), in: database)
    } catch let error as DatabaseError where error.isRetryable {
      return nil
    }
  }

  /// Writes an entry with its postings in one statement: all of them, or nothing.
  private func write(_ entry: Entry, content: String, at now: Instant, in executor: any SQLExecutor) async throws -> Written {
    let id = UUID.v7(at: now)
    let accounts = entry.postings.map(\.account)
    let row = try await executor.one(
      """
      WITH wanted AS MATERIALIZED (
        SELECT p.line, a.id, p.amount, a.currency
        FROM unnest(\(accounts.map(\.code)), \(accounts.map(\.kind.rawValue)), \(accounts.map(\.currency.rawValue)),
          \(entry.postings.map(\.amount))) WITH ORDINALITY AS p (code, kind, currency, amount, line)
        JOIN \(schema).ledger_account AS a ON a.code = p.code AND a.kind = p.kind AND a.currency = p.currency
      ), entry AS (
        INSERT INTO \(schema).ledger_entry
          (id, key, kind, description, details, occurred_at, posted_at, booked_on, content, reverses)
        SELECT \(id), \(entry.key), \(entry.kind.rawValue), \(entry.description), \(JSONValue.object(entry.details)),
          \(entry.occurred), \(now), \(entry.booked ?? CivilDate(now, in: timeZone)),
          sha256(convert_to(\(content), 'UTF8')), \(entry.reverses)
        WHERE (SELECT count(*) FROM wanted) = \(entry.postings.count)
        ON CONFLICT (key) DO NOTHING RETURNING id
      ), posting AS (
        INSERT INTO \(schema).ledger_posting (entry, line, account, amount, currency)
        SELECT e.id, w.line, w.id, w.amount, w.currency FROM entry AS e CROSS JOIN wanted AS w
      )
      SELECT EXISTS (SELECT FROM entry) AS is_new, (SELECT count(*) FROM wanted) AS accounts
      """)
    guard let row else { return .accountsMissing }
    if try row.get("is_new") { return .posted(Posted(id: id, isNew: true)) }
    return try row.get("accounts", as: Int.self) == entry.postings.count ? .keyKnown : .accountsMissing
  }

  /// The entry a key was posted with before; `nil` when it was not.
  private func first(_ key: String, content: String, in transaction: Transaction) async throws -> Posted? {
    let row = try await transaction.one(
      """
      SELECT id, content = sha256(convert_to(\(content), 'UTF8')) AS same FROM \(schema).ledger_entry WHERE key = \(key)
      """)
    guard let row else { return nil }
    guard try row.get("same") else { throw Problem(.keyReused) }
    return Posted(id: try row.get("id"), isNew: false)
  }

  /// Makes the accounts that are not there, in the order of their codes, so that two entries wait instead of deadlock.
  func open(_ accounts: Set<LedgerAccount>, at now: Instant, in transaction: Transaction) async throws {
    let accounts = accounts.sorted { $0.code < $1.code }
    try await transaction.execute(
      """
      INSERT INTO \(schema).ledger_account (id, code, kind, currency, keeps_balance, opened_at)
      SELECT a.id, a.code, a.kind, a.currency, a.keeps = 1, \(now)
      FROM unnest(\(accounts.map { _ in UUID.v7(at: now) }), \(accounts.map(\.code)), \(accounts.map(\.kind.rawValue)),
        \(accounts.map(\.currency.rawValue)), \(accounts.map { Int64($0.keepsBalance ? 1 : 0) }))
        AS a (id, code, kind, currency, keeps)
      ON CONFLICT (code) DO NOTHING
      """)
  }

  /// Takes an entry back by posting its opposite. An entry can be taken back once.
  ///
  /// - Parameter actor: who decided it, for the audit: an opaque id, or the name of a service.
  /// - Throws: ``LedgerError/unknownEntry``, ``LedgerError/alreadyReversed``; as ``post(_:in:)``.
  @discardableResult
  public func reverse(
    _ id: UUID, key: String, description: String, occurred: Instant, actor: String, in transaction: Transaction
  ) async throws -> Posted {
    let rows = try await transaction.query(
      """
      SELECT a.code, a.kind, a.currency, a.keeps_balance, p.amount, e.details,
        (SELECT r.key FROM \(schema).ledger_entry AS r WHERE r.reverses = e.id) AS reversed_by
      FROM \(schema).ledger_entry AS e
      JOIN \(schema).ledger_posting AS p ON p.entry = e.id
      JOIN \(schema).ledger_account AS a ON a.id = p.account
      WHERE e.id = \(id) ORDER BY p.line
      """)
    guard let row = rows.first else { throw LedgerError.unknownEntry }
    if let earlier = try row.getIfPresent("reversed_by", as: String.self), earlier != key { throw LedgerError.alreadyReversed }
    guard case .object(let details) = try row.get("details", as: JSONValue.self) else { throw LedgerError.unknownEntry }
    let postings = try rows.map { row in Entry.Posting(try LedgerAccount(row: row), -(try row.get("amount", as: Int64.self))) }
    let entry = try Entry(
      key: key, kind: .reversal, description: description, details: details, occurred: occurred, postings: postings,
      reverses: id)
    let posted: Posted
    do {
      posted = try await post(entry, in: transaction)
    } catch let error as DatabaseError where error.constraint == "ledger_entry_reverses_key" {
      throw LedgerError.alreadyReversed
    }
    if posted.isNew {
      try await audit.append(
        AuditLine(actor: actor, action: "ledger.reverse", subject: id.text, details: ["entry": .string(posted.id.text)]),
        at: clock.now(), in: transaction)
    }
    return posted
  }
}

extension LedgerAccount {
  /// From columns `code`, `kind`, `currency`, `keeps_balance`.
  init(row: Row) throws {
    guard let kind = Kind(rawValue: try row.get("kind", as: String.self)),
      let currency = Currency(rawValue: try row.get("currency", as: String.self))
    else { throw LedgerError.accountDiffers(code: try row.get("code")) }
    self.init(try row.get("code"), kind, currency, keepsBalance: try row.get("keeps_balance"))
  }
}

/// What the ledger refuses. None of these is a mistake of the person who asks: her requests are checked before.
public enum LedgerError: Error, Hashable, Sendable, ProblemConvertible, CustomStringConvertible {
  case unknownEntry
  case alreadyReversed
  /// An account of this code has another kind or currency.
  case accountDiffers(code: String)
  case unknownHold
  /// The account has less than the hold wants. The transaction is lost.
  case notCovered
  /// The hold was captured otherwise, or released.
  case holdSettled
  case holdExpired
  /// A capture takes from one minor unit to all of what is held.
  case captureAmount

  public var problem: Problem { Problem(.conflict, ["reason": description]) }

  /// Quotes no values but codes of accounts.
  public var description: String {
    switch self {
    case .unknownEntry: "there is no such entry"
    case .alreadyReversed: "the entry has been reversed before"
    case .accountDiffers(let code): "the account has another kind or currency: \(code)"
    case .unknownHold: "there is no such hold"
    case .notCovered: "the account does not cover the hold"
    case .holdSettled: "the hold has been settled"
    case .holdExpired: "the hold has expired"
    case .captureAmount: "the amount is not within the hold"
    }
  }
}
