/// A PostgreSQL data type, by its object id in `pg_type`.
public struct SQLType: Hashable, Sendable, CustomStringConvertible {
  public let oid: UInt32
  public init(oid: UInt32) { self.oid = oid }

  public static let bool = SQLType(oid: 16)
  public static let bytea = SQLType(oid: 17)
  public static let name = SQLType(oid: 19)
  public static let int8 = SQLType(oid: 20)
  public static let int2 = SQLType(oid: 21)
  public static let int4 = SQLType(oid: 23)
  public static let text = SQLType(oid: 25)
  public static let oid = SQLType(oid: 26)
  public static let json = SQLType(oid: 114)
  public static let float4 = SQLType(oid: 700)
  public static let float8 = SQLType(oid: 701)
  public static let unknown = SQLType(oid: 705)
  public static let bpchar = SQLType(oid: 1042)
  public static let varchar = SQLType(oid: 1043)
  public static let date = SQLType(oid: 1082)
  public static let timestamp = SQLType(oid: 1114)
  public static let timestamptz = SQLType(oid: 1184)
  public static let interval = SQLType(oid: 1186)
  public static let numeric = SQLType(oid: 1700)
  public static let uuid = SQLType(oid: 2950)
  public static let jsonb = SQLType(oid: 3802)
  public static let nameArray = SQLType(oid: 1003)
  public static let textArray = SQLType(oid: 1009)
  public static let int4Array = SQLType(oid: 1007)
  public static let varcharArray = SQLType(oid: 1015)
  public static let int8Array = SQLType(oid: 1016)
  public static let uuidArray = SQLType(oid: 2951)

  /// Types made in the database (enums, citext, …) have ids from here on; they differ from database to database.
  var isUserDefined: Bool { oid >= 16_384 }

  public var description: String { SQLType.names[oid] ?? "type \(oid)" }

  private static let names: [UInt32: String] = [
    16: "bool", 17: "bytea", 19: "name", 20: "int8", 21: "int2", 23: "int4", 25: "text", 26: "oid", 114: "json",
    700: "float4", 701: "float8", 705: "unknown", 1042: "char", 1043: "varchar", 1082: "date", 1114: "timestamp",
    1184: "timestamptz", 1186: "interval", 1700: "numeric", 2950: "uuid", 3802: "jsonb", 1003: "name[]", 1009: "text[]",
    1007: "int4[]", 1015: "varchar[]", 1016: "int8[]", 2951: "uuid[]",
  ]
}

/// A value that can be bound to a statement.
public protocol SQLEncodable: Sendable {
  /// The type the parameter is declared with.
  static var sqlType: SQLType { get }
  /// Appends the value in PostgreSQL's binary format.
  func encode(into buffer: inout [UInt8])
}

/// A value that can be read from a column.
public protocol SQLDecodable: Sendable {
  /// Reads a value in PostgreSQL's binary format.
  /// - Throws: ``SQLDecodingError`` when a column of this type can't be read as this value.
  static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Self
  /// What NULL reads as. Only optionals have such a value; the default throws.
  static func decodeNull() throws -> Self
}

extension SQLDecodable {
  public static func decodeNull() throws -> Self { throw SQLDecodingError.null }
}

extension Optional: SQLDecodable where Wrapped: SQLDecodable {
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Wrapped? {
    try Wrapped.decode(bytes, as: type)
  }
  public static func decodeNull() throws -> Wrapped? { nil }
}

/// Why a column can't be read; ``Row`` wraps it in a ``DatabaseError`` that names the column. Quotes no values.
public enum SQLDecodingError: Error, Sendable, CustomStringConvertible {
  case null
  case typeMismatch(found: SQLType, expected: String)
  /// The value does not fit: an integer out of range, a time of infinity, an unknown case of an enumeration.
  case outOfRange(expected: String)
  case malformed(SQLType)

  public var description: String {
    switch self {
    case .null: "found NULL, expected a value; read it as an optional"
    case .typeMismatch(let found, let expected): "found \(found), expected a type that reads as \(expected)"
    case .outOfRange(let expected): "the value is not one of \(expected)"
    case .malformed(let type): "the bytes are not a \(type)"
    }
  }
}

// Big-endian integers, as all of PostgreSQL's binary formats have them.
extension [UInt8] {
  mutating func append<Integer: FixedWidthInteger>(bigEndian value: Integer) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }
}

extension UnsafeRawBufferPointer {
  func integer<Integer: FixedWidthInteger>(_: Integer.Type, at offset: Int = 0, of type: SQLType) throws -> Integer {
    guard offset >= 0, offset + MemoryLayout<Integer>.size <= count else { throw SQLDecodingError.malformed(type) }
    return Integer(bigEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
  }
}
