public import Foundation

extension Bool: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .bool }
  public func encode(into buffer: inout [UInt8]) { buffer.append(self ? 1 : 0) }
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Bool {
    guard type == .bool else { throw SQLDecodingError.typeMismatch(found: type, expected: "Bool") }
    return try bytes.integer(UInt8.self, of: type) != 0
  }
}

extension SQLDecodable where Self: FixedWidthInteger {
  /// Reads any integer type, and `numeric` when it is integral (what `sum(bigint)` gives).
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Self {
    let wide: Int64
    switch type {
    case .int8: wide = try bytes.integer(Int64.self, of: type)
    case .int4: wide = Int64(try bytes.integer(Int32.self, of: type))
    case .int2: wide = Int64(try bytes.integer(Int16.self, of: type))
    case .oid: wide = Int64(try bytes.integer(UInt32.self, of: type))
    case .numeric:
      guard let integer = try Numeric(bytes).integer else {
        throw SQLDecodingError.outOfRange(expected: "the whole numbers of 64 bits")
      }
      wide = integer
    default: throw SQLDecodingError.typeMismatch(found: type, expected: "\(Self.self)")
    }
    guard let value = Self(exactly: wide) else { throw SQLDecodingError.outOfRange(expected: "the range of \(Self.self)") }
    return value
  }
}

extension Int: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .int8 }
  public func encode(into buffer: inout [UInt8]) { buffer.append(bigEndian: Int64(self)) }
}

extension Int64: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .int8 }
  public func encode(into buffer: inout [UInt8]) { buffer.append(bigEndian: self) }
}

extension Int32: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .int4 }
  public func encode(into buffer: inout [UInt8]) { buffer.append(bigEndian: self) }
}

extension Int16: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .int2 }
  public func encode(into buffer: inout [UInt8]) { buffer.append(bigEndian: self) }
}

extension Double: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .float8 }
  public func encode(into buffer: inout [UInt8]) { buffer.append(bigEndian: bitPattern) }

  /// Reads any number; a `numeric` or an `int8` to the nearest `Double`.
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Double {
    switch type {
    case .float8: return Double(bitPattern: try bytes.integer(UInt64.self, of: type))
    case .float4: return Double(Float(bitPattern: try bytes.integer(UInt32.self, of: type)))
    case .int8: return Double(try bytes.integer(Int64.self, of: type))
    case .int4: return Double(try bytes.integer(Int32.self, of: type))
    case .int2: return Double(try bytes.integer(Int16.self, of: type))
    case .numeric: return try Numeric(bytes).double
    default: throw SQLDecodingError.typeMismatch(found: type, expected: "Double")
    }
  }
}

extension String: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .text }
  public func encode(into buffer: inout [UInt8]) { buffer.append(contentsOf: utf8) }

  /// Reads every type whose binary format is its text, enums and citext among them, and the text of `uuid`, `jsonb` and
  /// `numeric`.
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> String {
    switch type {
    case .text, .varchar, .bpchar, .name, .unknown, .json: return String(decoding: bytes, as: UTF8.self)
    case .jsonb: return String(decoding: try JSONBinary.text(of: bytes), as: UTF8.self)
    case .uuid: return try UUID.decode(bytes, as: type).uuidString.lowercased()
    case .numeric: return try Numeric(bytes).text
    case _ where type.isUserDefined: return String(decoding: bytes, as: UTF8.self)
    default: throw SQLDecodingError.typeMismatch(found: type, expected: "String")
    }
  }
}

extension UUID: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .uuid }
  public func encode(into buffer: inout [UInt8]) {
    withUnsafeBytes(of: uuid) { buffer.append(contentsOf: $0) }
  }
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> UUID {
    guard type == .uuid else { throw SQLDecodingError.typeMismatch(found: type, expected: "UUID") }
    guard bytes.count == 16 else { throw SQLDecodingError.malformed(type) }
    return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
  }
}

/// An enumeration of strings needs no more than to declare the conformance; its column is `text`, or an enum of SQL.
extension SQLEncodable where Self: RawRepresentable, RawValue == String {
  public static var sqlType: SQLType { .text }
  public func encode(into buffer: inout [UInt8]) { rawValue.encode(into: &buffer) }
}

extension SQLDecodable where Self: RawRepresentable, RawValue == String {
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Self {
    guard let value = Self(rawValue: try String.decode(bytes, as: type)) else {
      throw SQLDecodingError.outOfRange(expected: "the cases of \(Self.self)")
    }
    return value
  }
}
