import Crypto
import Database
import Foundation
import Kit

/// One posting on its way out, in the database's memory.
struct PostingRow {
  /// Days since 1970-01-01.
  let booked: Int
  let entry: Field
  let line: Int32
  /// Whether its entry begins with it.
  let isFirst: Bool
  /// Its place in ``MonthBooks/lines``.
  let account: Int
  let code: Field
  /// Minor units; positive is debit.
  let amount: Int64
  let description: Field
  /// The row itself, for the columns from ``PostingPages/detail`` on.
  let row: Row
}

/// Renders postings that come one after the other.
protocol LedgerRenderer: SendableMetatype {
  /// Whether it reads ``PostingRow/row``: these columns cost time.
  static var wantsDetails: Bool { get }
  mutating func begin(into bytes: inout [UInt8]) throws
  mutating func add(_ posting: borrowing PostingRow, into bytes: inout [UInt8]) throws
  mutating func end(into bytes: inout [UInt8]) throws
}

/// Reads for the figures alone.
struct SilentRenderer: LedgerRenderer {
  static let wantsDetails = false
  mutating func begin(into bytes: inout [UInt8]) {}
  mutating func add(_ posting: borrowing PostingRow, into bytes: inout [UInt8]) {}
  mutating func end(into bytes: inout [UInt8]) {}
}

/// A month's postings in pages by key, so that only two pages are in memory: one is rendered while the next is read.
struct PostingPages {
  static let size = 16_384
  /// The first column of ``PostingRow/row`` that only some renderers want.
  static let detail = 6

  let schema: Schema
  let month: Month
  let wantsDetails: Bool

  /// Behind which posting a page begins.
  struct Key: Sendable {
    var booked: CivilDate
    var entry: UUID
    var line: Int32
  }

  var start: Key { Key(booked: month.first, entry: UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), line: -1) }

  func page(after key: Key, in transaction: Transaction) async throws -> Rows {
    // The entry of the key comes again, for the lines of it that the page before had no room for.
    let details: SQL =
      wantsDetails
      ? """
      , e.occurred_at, e.key, e.details ->> 'invoice', e.details ->> 'payment', e.details ->> 'tenant', e.reverses
      """ : ""
    return try await transaction.query(
      """
      SELECT e.booked_on, e.id, p.line, a.code, p.amount, e.description\(sql: details)
      FROM \(schema).ledger_entry AS e JOIN \(schema).ledger_posting AS p ON p.entry = e.id
      JOIN \(schema).ledger_account AS a ON a.id = p.account
      WHERE (e.booked_on, e.id) >= (\(key.booked), \(key.entry)) AND e.booked_on < \(month.next)
        AND (e.id <> \(key.entry) OR p.line > \(key.line))
      ORDER BY e.booked_on, e.id, p.line LIMIT \(PostingPages.size)
      """)
  }
}

extension LedgerExport {
  /// Renders a month's postings, and holds them against every sum there is.
  func read<Renderer: LedgerRenderer>(
    _ month: Month, in transaction: Transaction, digests: Bool = false, to sink: Sink,
    _ make: (MonthBooks) throws -> Renderer
  ) async throws -> (summary: Summary, renderer: Renderer) {
    let books = try await MonthBooks(month, of: self, in: transaction)
    var renderer = try make(books)
    var isClosed = false
    if case .closed = books.state { isClosed = true }
    var tally = Tally(books, digests: digests || isClosed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(LedgerExport.chunk + LedgerExport.chunk / 4)
    try renderer.begin(into: &bytes)

    let pages = PostingPages(schema: schema, month: month, wantsDetails: Renderer.wantsDetails)
    var rows = try await pages.page(after: pages.start, in: transaction)
    while let last = rows.last {
      let key = PostingPages.Key(booked: try last.get(0), entry: try last.get(1), line: try last.get(2))
      let isFull = rows.count == PostingPages.size
      async let following = isFull ? pages.page(after: key, in: transaction) : nil
      for row in rows {
        try tally.add(row, to: &renderer, &bytes)
        if bytes.count >= LedgerExport.chunk {
          try await sink(bytes)
          bytes.removeAll(keepingCapacity: true)
        }
      }
      guard let next = try await following else { break }
      rows = next
    }
    let figures = try tally.end()
    try renderer.end(into: &bytes)
    try await sink(bytes)
    return (Summary(month: month, state: books.state, figures: figures), renderer)
  }

  private static let chunk = 256 * 1024
}

/// Counts while the postings pass, and compares at the end.
private struct Tally {
  private let books: MonthBooks
  private var figures = LedgerExport.Figures()
  private var moved: [(debit: Int64, credit: Int64)]
  /// The open entry's sums, by the place of the currency.
  private var sums: [Int64]
  private let currencies: [Int]
  private var entry = (UInt64(0), UInt64(0))
  private var digest: PostingDigest?

  init(_ books: MonthBooks, digests: Bool) {
    self.books = books
    moved = Array(repeating: (0, 0), count: books.lines.count)
    sums = Array(repeating: 0, count: Currency.allCases.count)
    currencies = books.lines.map { line in Currency.allCases.firstIndex(of: line.account.currency) ?? 0 }
    digest = digests ? PostingDigest(books) : nil
  }

  mutating func add(_ row: Row, to renderer: inout some LedgerRenderer, _ bytes: inout [UInt8]) throws {
    let entry = try row.get(1, as: Field.self)
    let code = try row.get(3, as: Field.self)
    guard let account = books.index.account(of: code.bytes) else { throw LedgerExport.Refusal.unknownAccount(code: code.text) }
    precondition(entry.bytes.count == 16, "the column is no uuid")
    let id = (
      entry.bytes.loadUnaligned(as: UInt64.self), entry.bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    )
    let isFirst = figures.postings == 0 || id != self.entry
    if isFirst {
      try closeEntry()
      self.entry = id
      figures.entries += 1
    }
    let amount = try row.get(4, as: Field.self).integer(Int64.self)
    // The database has refused amounts whose sum would not fit: these are parts of it.
    if amount > 0 { moved[account].debit += amount } else { moved[account].credit -= amount }
    sums[currencies[account]] += amount
    figures.postings += 1
    let posting = PostingRow(
      booked: Int(try row.get(0, as: Field.self).integer(Int32.self)) + 10_957, entry: entry,
      line: try row.get(2, as: Field.self).integer(Int32.self), isFirst: isFirst, account: account, code: code,
      amount: amount, description: try row.get(5, as: Field.self), row: row)
    digest?.add(posting)
    try renderer.add(posting, into: &bytes)
  }

  private func closeEntry() throws {
    for sum in sums where sum != 0 {
      let (high, low) = entry
      throw LedgerExport.Refusal.unbalancedEntry(
        withUnsafeBytes(of: (high, low)) { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) })
    }
  }

  mutating func end() throws -> LedgerExport.Figures {
    try closeEntry()
    for (line, moved) in zip(books.lines, moved) {
      for (found, expected) in [(moved.debit, line.debit), (moved.credit, line.credit)] where found != expected {
        throw LedgerExport.Refusal.sumsDiffer(account: line.account.name, found: found, expected: expected)
      }
    }
    figures.debits = books.debits.filter { $0.value != 0 }
    figures.digest = digest?.end()
    if case .closed(let closed) = books.state {
      for currency in Currency.allCases {
        let (found, expected) = (figures.debits[currency] ?? 0, closed.totals[currency] ?? 0)
        guard found == expected else {
          throw LedgerExport.Refusal.closedTotalsDiffer(books.month, currency, found: found, expected: expected)
        }
      }
      guard figures.digest == closed.digest else {
        throw LedgerExport.Refusal.closedDigestDiffers(
          books.month, found: (figures.digest ?? []).hex, expected: closed.digest.hex)
      }
    }
    return figures
  }
}

/// SHA-256 of postings in order, in the form of ``LedgerExport/Figures/digest``.
private struct PostingDigest {
  private static let chunk = 64 * 1024
  private var hash = SHA256()
  private var bytes: [UInt8] = []
  private var day: (number: Int, text: [UInt8]) = (.min, [])
  private let currencies: [[UInt8]]

  init(_ books: MonthBooks) {
    currencies = books.lines.map { Array(" \($0.account.currency.rawValue)\n".utf8) }
    bytes.reserveCapacity(PostingDigest.chunk + 1024)
  }

  mutating func add(_ posting: borrowing PostingRow) {
    if day.number != posting.booked {
      day = (posting.booked, Array(CivilDate(daysSinceEpoch: posting.booked).description.utf8))
    }
    bytes.append(contentsOf: day.text)
    bytes.append(32)
    bytes.append(uuid: posting.entry.bytes)
    bytes.append(32)
    bytes.append(amount: Int64(posting.line), places: 0)
    bytes.append(32)
    bytes.append(contentsOf: posting.code.bytes)
    bytes.append(32)
    bytes.append(amount: posting.amount, places: 0)
    bytes.append(contentsOf: currencies[posting.account])
    if bytes.count >= PostingDigest.chunk { flush() }
  }

  private mutating func flush() {
    hash.update(data: bytes)
    bytes.removeAll(keepingCapacity: true)
  }

  mutating func end() -> [UInt8] {
    flush()
    return Array(hash.finalize())
  }
}

extension [UInt8] {
  /// As `sha256sum` writes it.
  var hex: String {
    reduce(into: "") { text, byte in
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
  }
}
