public import Database
public import Foundation
public import Kit

/// A month's postings for the programs finance works with. What leaves here balances to the minor unit, or nothing leaves.
///
/// One snapshot, read in pages: a million postings need no more memory than a thousand.
public struct LedgerExport: Sendable {
  let database: Database
  let schema: Schema
  let clock: DomainClock
  /// The books' own.
  let timeZone: TimeZone
  /// The entity that invoices: receivables and credit are in its books.
  let seller: String

  public init(database: Database, schema: Schema, clock: DomainClock, timeZone: TimeZone, seller: String) {
    self.database = database
    self.schema = schema
    self.clock = clock
    self.timeZone = timeZone
    self.seller = seller
  }

  public enum Format: String, CaseIterable, Sendable {
    case hledger, beancount, csv, xlsx

    public var contentType: String {
      switch self {
      case .hledger, .beancount: "text/plain; charset=utf-8"
      case .csv: "text/csv; charset=utf-8; header=present"
      case .xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
      }
    }

    public var fileExtension: String { self == .hledger ? "journal" : rawValue }
  }

  /// How final a month is.
  public enum State: Sendable, Hashable {
    /// Not over.
    case provisional
    /// Over, not closed: something may still be booked in it.
    case open
    case closed(Closed)

    public var name: String {
      switch self {
      case .provisional: "provisional"
      case .open: "open"
      case .closed: "closed"
      }
    }
  }

  /// What a month's postings come to.
  public struct Figures: Sendable, Hashable {
    public internal(set) var entries = 0
    public internal(set) var postings = 0
    /// Minor units; the credits are the same.
    public internal(set) var debits: [Currency: Int64] = [:]
    /// SHA-256 of the postings in order, a line `booked_on entry line account amount currency` for each: `2026-11-21
    /// 019ab… 1 vat:dreamseed-kr:KRW -1809 KRW`, ended by a line feed: as
    /// closing a month seals it. `nil` unless asked for, and in a closed month.
    public internal(set) var digest: [UInt8]?
    /// The digest as `sha256sum` writes it; empty when there is none.
    public var digestText: String { (digest ?? []).hex }
  }

  public struct Summary: Sendable, Hashable {
    public let month: Month
    public let state: State
    public let figures: Figures

    /// What a file of it is called.
    public func fileName(_ format: Format) -> String { "\(stem).\(format.fileExtension)" }
    var stem: String { "ledger-\(month)" + (state == .provisional ? "-provisional" : "") }
  }

  /// Takes the next bytes of an export, a quarter of a megabyte or so.
  public typealias Sink = @Sendable (_ bytes: [UInt8]) async throws -> Void

  /// Writes a month's postings in their order: by accounting day, entry and line.
  ///
  /// What was given to the sink is no export until this returns: that the figures agree is known at the end.
  /// - Throws: ``Refusal``; what the sink throws; ``Database/DatabaseError``.
  public func write(_ month: Month, _ format: Format, to sink: @escaping Sink) async throws -> Summary {
    switch format {
    case .hledger: try await write(month, to: sink) { JournalRenderer($0, .hledger) }
    case .beancount: try await write(month, to: sink) { JournalRenderer($0, .beancount) }
    case .csv: try await write(month, to: sink) { TableRenderer($0) }
    case .xlsx: try await writeWorkbook(month, to: sink)
    }
  }

  /// Reads a month again and compares everything with everything: postings with their entries, with the sums the database
  /// makes, with the kept balances, and with what was sealed when the month was closed.
  /// - Throws: ``Refusal``; ``Database/DatabaseError``.
  public func check(_ month: Month) async throws -> Summary {
    try await snapshot { transaction in
      try await checkBalances(in: transaction)
      return try await read(month, in: transaction, digests: true, to: { _ in }) { _ in SilentRenderer() }.summary
    }
  }

  func write<Renderer: LedgerRenderer>(
    _ month: Month, to sink: @escaping Sink, _ make: @escaping @Sendable (MonthBooks) throws -> Renderer
  ) async throws -> Summary {
    try await snapshot { transaction in
      try await read(month, in: transaction, to: sink, make).summary
    }
  }

  /// Runs `body` in one snapshot that changes nothing. It has effects outside, so it is not repeated.
  func snapshot<R: Sendable>(_ body: @Sendable (Transaction) async throws -> R) async throws -> R {
    try await database.transaction(.repeatableRead, attempts: 1) { transaction in
      try await transaction.execute("SET TRANSACTION READ ONLY")
      // The sums of all years take longer than a request's statement may; compiling them takes longer than it wins.
      try await transaction.execute("SET LOCAL statement_timeout = '15min'")
      try await transaction.execute("SET LOCAL jit = off")
      // The sums join a month of a million postings with its entries without spilling to a disk.
      try await transaction.execute("SET LOCAL work_mem = '64MB'")
      // A page by key is planned for where it is: a plan for any page would start workers for it.
      try await transaction.execute("SET LOCAL plan_cache_mode = force_custom_plan")
      return try await body(transaction)
    }
  }

  private func checkBalances(in transaction: Transaction) async throws {
    let row = try await transaction.one(
      """
      SELECT min(a.code) FROM \(schema).ledger_account AS a
      LEFT JOIN (SELECT account, sum(amount) AS amount FROM \(schema).ledger_posting GROUP BY account) AS p ON p.account = a.id
      LEFT JOIN \(schema).ledger_balance AS b ON b.account = a.id
      WHERE a.keeps_balance AND coalesce(b.balance, 0) <> coalesce(p.amount, 0)
      """)
    if let code = try row?.get(0, as: String?.self) { throw Refusal.balanceAdrift(account: code) }
  }
}

extension LedgerExport {
  /// Why a month can't be exported. Each means that the books are not what they should be, or the machine isn't.
  public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible, ProblemConvertible {
    /// The postings of an entry don't add up to zero.
    case unbalancedEntry(UUID)
    case unbalancedOpening(Currency, Int64)
    case unbalancedMonth(Currency, Int64)
    /// The postings read one by one and the sums of the database differ.
    case sumsDiffer(account: String, found: Int64, expected: Int64)
    case unknownAccount(code: String)
    case balanceAdrift(account: String)
    case closedTotalsUnreadable
    case closedTotalsDiffer(Month, Currency, found: Int64, expected: Int64)
    case closedDigestDiffers(Month, found: String, expected: String)
    case unwritable(path: String, reason: String)

    public var problem: Problem { Problem(.internalError) }

    /// Quotes ids, codes and sums of accounts, never a person.
    public var description: String {
      switch self {
      case .unbalancedEntry(let id): "the postings of entry \(id.text) don't add up: nothing was exported"
      case .unbalancedOpening(let currency, let sum):
        "the balances before the month don't add up: found \(Money(sum, currency).decimal) \(currency.rawValue), expected 0"
      case .unbalancedMonth(let currency, let sum):
        "the month's postings don't add up: found \(Money(sum, currency).decimal) \(currency.rawValue), expected 0"
      case .sumsDiffer(let account, let found, let expected):
        "the postings of \(account) come to \(found) minor units, expected \(expected) by the database's own sum"
      case .unknownAccount(let code): "a posting names the account \(code), which the month's accounts don't have"
      case .balanceAdrift(let account): "the kept balance of \(account) is not the sum of its postings"
      case .closedTotalsUnreadable: "the totals of the closed month can't be read: expected minor units by currency"
      case .closedTotalsDiffer(let month, let currency, let found, let expected):
        """
        the closed month \(month) has changed: found debits of \(Money(found, currency).decimal) \(currency.rawValue), \
        expected \(Money(expected, currency).decimal)
        """
      case .closedDigestDiffers(let month, let found, let expected):
        "the closed month \(month) has changed: found postings of digest \(found), expected \(expected)"
      case .unwritable(let path, let reason): "\(path) can't be written: \(reason)"
      }
    }
  }
}

extension BillingService {
  /// The books of the month, for finance's own programs.
  public var ledgerExport: LedgerExport {
    LedgerExport(database: heavy, schema: schema, clock: clock, timeZone: timeZone, seller: selling.seller)
  }
}
