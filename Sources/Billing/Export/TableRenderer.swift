import Database
import Kit

/// One row for each posting (RFC 4180).
struct TableRenderer: LedgerRenderer {
  static let wantsDetails = true
  static let columns = [
    "booked_on", "occurred_at", "entry", "line", "key", "description", "account", "control_account", "debit", "credit",
    "currency", "entity", "tenant", "invoice", "payment", "reverses", "state",
  ]

  private let books: MonthBooks
  /// For each account: fields that don't change.
  private let controls: [[UInt8]]
  private let currencies: [[UInt8]]
  private let tenants: [[UInt8]]
  private let places: [Int]
  private let state: [UInt8]
  private var day: (number: Int, text: [UInt8]) = (.min, [])
  private var occurredDay: (number: Int64, text: [UInt8]) = (.min, [])

  init(_ books: MonthBooks) {
    self.books = books
    controls = books.lines.map { Array(",\($0.account.name),".utf8) }
    currencies = books.lines.map { line in
      var bytes = Array("\(line.account.currency.rawValue),".utf8)
      Array(line.account.entity.utf8).withUnsafeBytes { TableRenderer.append($0, into: &bytes) }
      return bytes + [44]
    }
    tenants = books.lines.map { Array($0.account.tenant.utf8) }
    places = books.lines.map(\.account.currency.exponent)
    state = Array(",\(books.state.name)\r\n".utf8)
  }

  mutating func begin(into bytes: inout [UInt8]) {
    bytes.append(text: TableRenderer.columns.joined(separator: ",") + "\r\n")
  }

  mutating func add(_ posting: borrowing PostingRow, into bytes: inout [UInt8]) throws {
    if day.number != posting.booked {
      day = (posting.booked, Array("\(CivilDate(daysSinceEpoch: posting.booked)),".utf8))
    }
    let (row, first) = (posting.row, PostingPages.detail)
    bytes.append(contentsOf: day.text)
    append(instant: try row.get(first, as: Field.self).integer(Int64.self), into: &bytes)
    bytes.append(44)
    bytes.append(uuid: posting.entry.bytes)
    bytes.append(44)
    bytes.append(amount: Int64(posting.line), places: 0)
    bytes.append(44)
    TableRenderer.append(try row.get(first + 1, as: Field.self).bytes, into: &bytes)
    bytes.append(44)
    TableRenderer.append(posting.description.bytes, into: &bytes)
    bytes.append(44)
    TableRenderer.append(posting.code.bytes, into: &bytes)
    bytes.append(contentsOf: controls[posting.account])
    if posting.amount > 0 {
      bytes.append(magnitude: posting.amount.magnitude, places: places[posting.account])
      bytes.append(44)
    } else {
      bytes.append(44)
      bytes.append(magnitude: posting.amount.magnitude, places: places[posting.account])
    }
    bytes.append(44)
    bytes.append(contentsOf: currencies[posting.account])
    if tenants[posting.account].isEmpty, let tenant = try row.get(first + 4, as: Field?.self) {
      TableRenderer.append(tenant.bytes, into: &bytes)
    } else {
      bytes.append(contentsOf: tenants[posting.account])
    }
    for column in [first + 2, first + 3] {
      bytes.append(44)
      if let id = try row.get(column, as: Field?.self) { TableRenderer.append(id.bytes, into: &bytes) }
    }
    bytes.append(44)
    if let reversed = try row.get(first + 5, as: Field?.self) { bytes.append(uuid: reversed.bytes) }
    bytes.append(contentsOf: state)
  }

  func end(into bytes: inout [UInt8]) {}

  /// RFC 3339 of what `timestamptz` holds: microseconds since 2000-01-01T00:00:00Z.
  private mutating func append(instant: Int64, into bytes: inout [UInt8]) {
    let perDay: Int64 = 86_400_000_000
    let days = instant >= 0 ? instant / perDay : (instant - perDay + 1) / perDay
    if occurredDay.number != days {
      occurredDay = (days, Array("\(CivilDate(daysSinceEpoch: Int(days) + 10_957))T".utf8))
    }
    let rest = UInt64(instant - days * perDay) / 1_000
    bytes.append(contentsOf: occurredDay.text)
    for (value, mark) in [(rest / 3_600_000, UInt8(58)), (rest / 60_000 % 60, 58), (rest / 1_000 % 60, 46)] {
      bytes.append(48 + UInt8(value / 10))
      bytes.append(48 + UInt8(value % 10))
      bytes.append(mark)
    }
    let milliseconds = rest % 1_000
    bytes.append(48 + UInt8(milliseconds / 100))
    bytes.append(48 + UInt8(milliseconds / 10 % 10))
    bytes.append(48 + UInt8(milliseconds % 10))
    bytes.append(90)
  }

  /// A field, in quotes when it needs them.
  static func append(_ field: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
    guard field.contains(where: { $0 == 34 || $0 == 44 || $0 == 10 || $0 == 13 }) else {
      return bytes.append(contentsOf: field)
    }
    bytes.append(34)
    for byte in field {
      if byte == 34 { bytes.append(34) }
      bytes.append(byte)
    }
    bytes.append(34)
  }
}
