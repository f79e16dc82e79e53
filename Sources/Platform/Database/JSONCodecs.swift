public import Kit

/// A JSON document the caller wrote; sent as `jsonb`, read from `jsonb` or `json` as the server prints it.
public struct JSONText: Hashable, Sendable, SQLEncodable, SQLDecodable {
  public var text: String
  public init(_ text: String) { self.text = text }

  public static var sqlType: SQLType { .jsonb }
  public func encode(into buffer: inout [UInt8]) {
    buffer.append(JSONBinary.version)
    buffer.append(contentsOf: text.utf8)
  }
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> JSONText {
    JSONText(String(decoding: try JSONBinary.document(in: bytes, as: type, for: "JSONText"), as: UTF8.self))
  }
}

extension JSONValue: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .jsonb }
  public func encode(into buffer: inout [UInt8]) {
    buffer.append(JSONBinary.version)
    JSONWriter.append(self, to: &buffer)
  }
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> JSONValue {
    let document = try JSONBinary.document(in: bytes, as: type, for: "JSONValue")
    guard let value = JSONReader.read(document) else { throw SQLDecodingError.malformed(type) }
    return value
  }
}

/// The binary format of `jsonb`: a version byte, then the document's text.
enum JSONBinary {
  static let version: UInt8 = 1

  static func text(of bytes: UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer {
    guard bytes.first == version else { throw SQLDecodingError.malformed(.jsonb) }
    return UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
  }

  static func document(
    in bytes: UnsafeRawBufferPointer, as type: SQLType, for wanted: String
  ) throws -> UnsafeRawBufferPointer {
    switch type {
    case .jsonb: try text(of: bytes)
    case .json: bytes
    default: throw SQLDecodingError.typeMismatch(found: type, expected: wanted)
    }
  }
}

/// Appends JSON (RFC 8259). Foundation's encoder is ten times slower, and every JSON document we store passes here.
enum JSONWriter {
  static func append(_ value: JSONValue, to buffer: inout [UInt8]) {
    switch value {
    case .null: buffer.append(contentsOf: "null".utf8)
    case .bool(let value): buffer.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): buffer.append(contentsOf: String(value).utf8)
    // JSON has neither infinities nor NaN.
    case .number(let value): buffer.append(contentsOf: (value.isFinite ? "\(value)" : "null").utf8)
    case .string(let value): append(value, to: &buffer)
    case .array(let elements):
      buffer.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { buffer.append(UInt8(ascii: ",")) }
        append(element, to: &buffer)
      }
      buffer.append(UInt8(ascii: "]"))
    case .object(let members):
      buffer.append(UInt8(ascii: "{"))
      for (index, (name, member)) in members.enumerated() {
        if index > 0 { buffer.append(UInt8(ascii: ",")) }
        append(name, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        append(member, to: &buffer)
      }
      buffer.append(UInt8(ascii: "}"))
    }
  }

  private static func append(_ text: String, to buffer: inout [UInt8]) {
    buffer.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        buffer.append(UInt8(ascii: "\\"))
        buffer.append(byte)
      case 0..<32:
        let hexadecimal = Array("0123456789abcdef".utf8)
        buffer.append(contentsOf: "\\u00".utf8)
        buffer.append(hexadecimal[Int(byte >> 4)])
        buffer.append(hexadecimal[Int(byte & 15)])
      default: buffer.append(byte)
      }
    }
    buffer.append(UInt8(ascii: "\""))
  }
}
