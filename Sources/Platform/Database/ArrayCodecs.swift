public import Foundation

/// What an array sent to or read from PostgreSQL can hold.
public protocol SQLArrayElement: SQLEncodable, SQLDecodable {
  static var sqlArrayType: SQLType { get }
  static func encode(array: [Self], into buffer: inout [UInt8])
  static func decode(array bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> [Self]
}

extension Array: SQLEncodable where Element: SQLArrayElement {
  public static var sqlType: SQLType { Element.sqlArrayType }
  public func encode(into buffer: inout [UInt8]) { Element.encode(array: self, into: &buffer) }
}

extension Array: SQLDecodable where Element: SQLArrayElement {
  /// Reads an array of one dimension, without NULLs.
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> [Element] {
    try Element.decode(array: bytes, as: type)
  }
}

// `array_send` in the server's source: dimensions, has-null flag, element type; length and lower bound of each dimension;
// then every element with its length before it.
extension SQLArrayElement {
  public static func encode(array: [Self], into buffer: inout [UInt8]) {
    buffer.append(bigEndian: Int32(array.isEmpty ? 0 : 1))
    buffer.append(bigEndian: Int32(0))
    buffer.append(bigEndian: sqlType.oid)
    guard !array.isEmpty else { return }
    buffer.append(bigEndian: Int32(array.count))
    buffer.append(bigEndian: Int32(1))
    for element in array {
      let lengthAt = buffer.count
      buffer.append(bigEndian: Int32(0))
      element.encode(into: &buffer)
      let length = Int32(buffer.count - lengthAt - 4)
      withUnsafeBytes(of: length.bigEndian) { buffer.replaceSubrange(lengthAt..<lengthAt + 4, with: $0) }
    }
  }

  public static func decode(array bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> [Self] {
    guard bytes.count >= 12 else { throw SQLDecodingError.malformed(type) }
    let dimensions = try bytes.integer(Int32.self, at: 0, of: type)
    let elementType = SQLType(oid: try bytes.integer(UInt32.self, at: 8, of: type))
    guard dimensions > 0 else { return [] }
    guard dimensions == 1 else { throw SQLDecodingError.outOfRange(expected: "the arrays of one dimension") }
    let count = Int(try bytes.integer(Int32.self, at: 12, of: type))
    var result: [Self] = []
    result.reserveCapacity(count)
    var position = 20
    for _ in 0..<count {
      let length = Int(try bytes.integer(Int32.self, at: position, of: type))
      position += 4
      guard length >= 0 else { throw SQLDecodingError.null }
      guard position + length <= bytes.count else { throw SQLDecodingError.malformed(type) }
      result.append(try decode(UnsafeRawBufferPointer(rebasing: bytes[position..<position + length]), as: elementType))
      position += length
    }
    return result
  }
}

extension String: SQLArrayElement { public static var sqlArrayType: SQLType { .textArray } }
extension UUID: SQLArrayElement { public static var sqlArrayType: SQLType { .uuidArray } }
extension Int64: SQLArrayElement { public static var sqlArrayType: SQLType { .int8Array } }
extension Int: SQLArrayElement { public static var sqlArrayType: SQLType { .int8Array } }

/// An array of bytes is a `bytea`.
extension UInt8: SQLArrayElement {
  public static var sqlType: SQLType { .int2 }
  public static var sqlArrayType: SQLType { .bytea }
  public func encode(into buffer: inout [UInt8]) { buffer.append(bigEndian: Int16(self)) }
  public static func encode(array: [UInt8], into buffer: inout [UInt8]) { buffer.append(contentsOf: array) }
  public static func decode(array bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> [UInt8] {
    guard type == .bytea else { throw SQLDecodingError.typeMismatch(found: type, expected: "[UInt8]") }
    return Array(bytes)
  }
}
