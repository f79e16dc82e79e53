import CPostgres
import Foundation

/// The rows a statement gave. They stay in libpq's memory and are decoded when asked for.
public struct Rows: RandomAccessCollection, Sendable {
  let result: StatementResult

  /// Of a COMMIT that had nothing to commit.
  static var empty: Rows {
    Rows(result: StatementResult(PQmakeEmptyPGresult(nil, PGRES_COMMAND_OK)))
  }

  /// How many rows the statement inserted, updated, deleted or selected.
  public var affected: Int { result.affected }

  public var startIndex: Int { 0 }
  public var endIndex: Int { result.count }
  public subscript(position: Int) -> Row {
    precondition(position >= 0 && position < result.count, "row \(position) of \(result.count)")
    return Row(result: result, index: position)
  }
}

/// One row of a result.
public struct Row: Sendable {
  let result: StatementResult
  let index: Int

  /// Reads a column. NULL is an error unless the type is an optional.
  /// - Throws: ``DatabaseError`` of kind `decoding`.
  public func get<Value: SQLDecodable>(
    _ column: String, as: Value.Type = Value.self
  ) throws
    -> Value
  {
    guard let position = result.position(of: column) else {
      throw DatabaseError(
        .decoding(column: column),
        explanation: "no column has this name; found \(result.columnNames)")
    }
    return try get(position)
  }

  /// Reads the column at a position, from 0. NULL is an error unless the type is an optional.
  /// - Throws: ``DatabaseError`` of kind `decoding`.
  public func get<Value: SQLDecodable>(_ position: Int, as: Value.Type = Value.self) throws -> Value {
    guard position >= 0, position < result.columnCount else {
      throw DatabaseError(
        .decoding(column: "\(position)"), explanation: "the row has \(result.columnCount) columns")
    }
    do {
      guard let bytes = result.value(row: index, column: position) else {
        return try Value.decodeNull()
      }
      return try withExtendedLifetime(result) {
        try Value.decode(bytes, as: result.type(of: position))
      }
    } catch let error as SQLDecodingError {
      throw DatabaseError(
        .decoding(column: result.name(of: position)), explanation: error.description)
    }
  }

  /// Reads a column that may be NULL.
  /// - Throws: ``DatabaseError`` of kind `decoding`.
  public func getIfPresent<Value: SQLDecodable>(
    _ column: String, as: Value.Type = Value.self
  )
    throws -> Value?
  {
    try get(column, as: Value?.self)
  }
}

/// A `PGresult`, freed with its last reader.
///
/// Unchecked: libpq fills a result before handing it out; from then on it is only read, which libpq allows from any thread.
final class StatementResult: @unchecked Sendable {
  private let pointer: OpaquePointer
  let count: Int
  let columnCount: Int

  /// Takes ownership.
  init(_ pointer: OpaquePointer) {
    self.pointer = pointer
    count = Int(PQntuples(pointer))
    columnCount = Int(PQnfields(pointer))
  }

  deinit { PQclear(pointer) }

  var affected: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }
  /// The first words of the command tag: `COMMIT`, `INSERT 0 1`.
  var commandTag: String { String(cString: PQcmdStatus(pointer)) }
  var columnNames: [String] { (0..<columnCount).map(name(of:)) }

  func name(of column: Int) -> String { String(cString: PQfname(pointer, Int32(column))) }
  func type(of column: Int) -> SQLType { SQLType(oid: PQftype(pointer, Int32(column))) }

  /// Not `PQfnumber`: that folds case unless the name is quoted.
  func position(of name: String) -> Int? {
    var name = name
    return name.withUTF8 { wanted in
      (0..<columnCount).first { column in
        guard let found = PQfname(pointer, Int32(column)), let base = wanted.baseAddress else {
          return false
        }
        return strncmp(found, base, wanted.count) == 0 && found[wanted.count] == 0
      }
    }
  }

  /// The bytes live as long as this object.
  func value(row: Int, column: Int) -> UnsafeRawBufferPointer? {
    guard PQgetisnull(pointer, Int32(row), Int32(column)) == 0 else { return nil }
    let length = Int(PQgetlength(pointer, Int32(row), Int32(column)))
    return UnsafeRawBufferPointer(
      start: PQgetvalue(pointer, Int32(row), Int32(column)), count: length)
  }
}
