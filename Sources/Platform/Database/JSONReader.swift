import Kit

/// Reads the JSON the server prints. It has checked the syntax, so a mistake is answered with no value and no words.
///
/// No value is written `.none`: the literal `nil` is a `JSONValue` too, the null.
struct JSONReader {
  /// Deeper documents are refused: the reader calls itself for each level.
  static let depthMax = 512

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var depth = 0

  static func read(_ bytes: UnsafeRawBufferPointer) -> JSONValue? {
    var reader = JSONReader(bytes: bytes)
    guard let value = reader.value() else { return .none }
    reader.skipSpace()
    guard reader.position == bytes.count else { return .none }
    return value
  }

  private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 32 || (9...13).contains(byte) { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func take(word: StaticString) -> Bool {
    let wanted = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    let end = position + wanted.count
    guard end <= bytes.count, bytes[position..<end].elementsEqual(wanted) else { return false }
    position = end
    return true
  }

  private mutating func value() -> JSONValue? {
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return nested { $0.object() }
    case UInt8(ascii: "["): return nested { $0.array() }
    case UInt8(ascii: "\""): return string().map(JSONValue.string)
    case UInt8(ascii: "t"): return take(word: "true") ? .some(.bool(true)) : .none
    case UInt8(ascii: "f"): return take(word: "false") ? .some(.bool(false)) : .none
    case UInt8(ascii: "n"): return take(word: "null") ? .some(.null) : .none
    default: return number()
    }
  }

  private mutating func nested(_ read: (inout JSONReader) -> JSONValue?) -> JSONValue? {
    guard depth < JSONReader.depthMax else { return .none }
    depth += 1
    defer { depth -= 1 }
    position += 1
    return read(&self)
  }

  private mutating func object() -> JSONValue? {
    var members: [String: JSONValue] = [:]
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\""), let name = string(), take(":"), let member = value() else { return .none }
      members[name] = member
    } while take(",")
    return take("}") ? .some(.object(members)) : .none
  }

  private mutating func array() -> JSONValue? {
    var elements: [JSONValue] = []
    if take("]") { return .array(elements) }
    repeat {
      guard let element = value() else { return .none }
      elements.append(element)
    } while take(",")
    return take("]") ? .some(.array(elements)) : .none
  }

  private mutating func number() -> JSONValue? {
    let start = position
    var isWhole = true
    while let byte = next {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
      case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"): isWhole = false
      default:
        return JSONReader.number(bytes[start..<position], isWhole: isWhole)
      }
      position += 1
    }
    return JSONReader.number(bytes[start..<position], isWhole: isWhole)
  }

  private static func number(_ digits: Slice<UnsafeRawBufferPointer>, isWhole: Bool) -> JSONValue? {
    let text = String(decoding: digits, as: UTF8.self)
    if isWhole, let integer = Int64(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else { return .none }
    return .number(number)
  }

  private mutating func string() -> String? {
    position += 1
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { position += 1 }
    if next == UInt8(ascii: "\"") {
      defer { position += 1 }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }
    var text = Array(bytes[start..<position])
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): guard escape(into: &text) else { return .none }
      default: text.append(byte)
      }
    }
    return .none
  }

  private mutating func escape(into text: inout [UInt8]) -> Bool {
    guard let byte = next else { return false }
    position += 1
    switch byte {
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "u"):
      guard let scalar = unicodeEscape() else { return false }
      text.append(contentsOf: String(Character(scalar)).utf8)
    default: text.append(byte)
    }
    return true
  }

  /// After `\u`: four hexadecimal digits, and for a high surrogate the escape of the low one.
  private mutating func unicodeEscape() -> Unicode.Scalar? {
    guard let high = hexadecimal() else { return .none }
    guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) }
    guard take(word: "\\u"), let low = hexadecimal(), (0xDC00..<0xE000).contains(low) else { return .none }
    return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
  }

  private mutating func hexadecimal() -> UInt32? {
    guard position + 4 <= bytes.count else { return .none }
    defer { position += 4 }
    return UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
  }
}
