/// One row for a COPY … FROM STDIN (FORMAT binary) (PostgreSQL manual, COPY, "Binary Format").
///
/// Each value has to be of its column's type to the letter: `Int` is for `bigint`, `Int32` for `int`.
///
///     let rows = people.lazy.map { CopyRow($0.id, $0.name, $0.age) }
///     try await database.copy(into: "COPY \(schema).person (id, name, age) FROM STDIN (FORMAT binary)", rows: rows)
public struct CopyRow: Sendable {
  let bytes: [UInt8]

  /// The values of the row's columns, in the order the statement names them.
  public init<each Value: SQLEncodable>(_ value: repeat (each Value)?) {
    var bytes: [UInt8] = [0, 0]
    var count: Int16 = 0
    for value in repeat each value {
      count += 1
      let start = bytes.count
      bytes.append(bigEndian: Int32(-1))
      guard let value else { continue }
      value.encode(into: &bytes)
      let length = Int32(bytes.count - start - 4)
      withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(start..<start + 4, with: $0) }
    }
    withUnsafeBytes(of: count.bigEndian) { bytes.replaceSubrange(0..<2, with: $0) }
    self.bytes = bytes
  }

  static let header: [UInt8] =
    Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + [UInt8](repeating: 0, count: 8)
  static let trailer: [UInt8] = [0xFF, 0xFF]
}

/// Rows as chunks of a fit size, between header and trailer.
struct CopyRowChunks<Rows: AsyncSequence>: AsyncSequence where Rows.Element == CopyRow {
  typealias Element = [UInt8]
  let rows: Rows

  struct AsyncIterator: AsyncIteratorProtocol {
    var rows: Rows.AsyncIterator
    var pending = CopyRow.header
    var hasEnded = false

    mutating func next() async throws -> [UInt8]? {
      if hasEnded { return nil }
      while pending.count < 32 * 1_024 {
        guard let row = try await rows.next() else {
          hasEnded = true
          return pending + CopyRow.trailer
        }
        pending += row.bytes
      }
      defer { pending = [] }
      return pending
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rows: rows.makeAsyncIterator()) }
}

extension Database {
  /// Stores rows of values in bulk; the statement ends in `FROM STDIN (FORMAT binary)`.
  /// - Returns: how many rows were stored.
  /// - Throws: what `rows` throws, or ``DatabaseError``.
  @discardableResult
  public func copy<Rows: AsyncSequence>(into sql: SQL, rows: Rows) async throws -> Int
  where Rows.Element == CopyRow {
    try await copy(into: sql, from: CopyRowChunks(rows: rows))
  }

  /// Stores rows of values in bulk; the statement ends in `FROM STDIN (FORMAT binary)`.
  /// - Returns: how many rows were stored.
  /// - Throws: ``DatabaseError``.
  @discardableResult
  public func copy(into sql: SQL, rows: some Sequence<CopyRow>) async throws -> Int {
    try await copy(into: sql, rows: InTurn(rows))
  }
}

extension Transaction {
  /// Stores rows of values in bulk; the statement ends in `FROM STDIN (FORMAT binary)`.
  /// - Returns: how many rows were stored.
  /// - Throws: what `rows` throws, or ``DatabaseError``.
  @discardableResult
  public func copy<Rows: AsyncSequence>(into sql: SQL, rows: Rows) async throws -> Int
  where Rows.Element == CopyRow {
    try await copy(into: sql, from: CopyRowChunks(rows: rows))
  }

  /// Stores rows of values in bulk; the statement ends in `FROM STDIN (FORMAT binary)`.
  /// - Returns: how many rows were stored.
  /// - Throws: ``DatabaseError``.
  @discardableResult
  public func copy(into sql: SQL, rows: some Sequence<CopyRow>) async throws -> Int {
    try await copy(into: sql, rows: InTurn(rows))
  }
}
