import Foundation

/// Writes values as JSON (RFC 8259): what `JSONEncoder` writes with sorted keys and slashes as they are, several times faster.
///
/// It appends to one buffer; Foundation's builds a tree of boxes first.
public enum JSONText {
  /// - Throws: ``Swift/EncodingError`` for a number that JSON hasn't (infinity), and what the value itself throws.
  public static func encode(_ value: some Encodable) throws -> [UInt8] {
    let output = JSONOutput()
    try output.write(value, at: [])
    return output.bytes
  }
}

/// The text so far.
private final class JSONOutput {
  var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(512) }

  func write(_ value: some Encodable, at path: [any CodingKey]) throws {
    switch value {
    case let text as String: write(text)
    case let number as Int: write(number)
    case let flag as Bool: write(flag)
    case let instant as Instant: write(instant.rfc3339)
    case let json as JSONValue: try write(json, at: path)
    case let date as Date: try write(date.timeIntervalSinceReferenceDate, at: path)
    case let data as Data: write(data.base64EncodedString())
    case let url as URL: write(url.absoluteString)
    case let decimal as Decimal: bytes += decimal.description.utf8
    default:
      let encoder = JSONTextEncoder(self, path: path)
      try value.encode(to: encoder)
      try encoder.finish()
    }
  }

  func write(_ json: JSONValue, at path: [any CodingKey]) throws {
    switch json {
    case .null: writeNull()
    case .bool(let flag): write(flag)
    case .integer(let number): write(number)
    case .number(let number): try write(number, at: path)
    case .string(let text): write(text)
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        try write(element, at: path)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        write(member.key)
        bytes.append(UInt8(ascii: ":"))
        try write(member.value, at: path)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  func writeNull() { bytes += "null".utf8 }
  func write(_ flag: Bool) { bytes += (flag ? "true" : "false").utf8 }
  func write(_ number: some BinaryInteger) { bytes += String(number).utf8 }

  func write(_ number: Double, at path: [any CodingKey]) throws {
    guard number.isFinite else {
      throw EncodingError.invalidValue(number, .init(codingPath: path, debugDescription: "JSON has no \(number)"))
    }
    try write(shortest: number.description)
  }

  func write(_ number: Float, at path: [any CodingKey]) throws {
    guard number.isFinite else {
      throw EncodingError.invalidValue(number, .init(codingPath: path, debugDescription: "JSON has no \(number)"))
    }
    try write(shortest: number.description)
  }

  /// `1.0` is `1`.
  private func write(shortest text: String) throws { bytes += (text.hasSuffix(".0") ? text.dropLast(2) : text[...]).utf8 }

  func write(_ text: String) {
    var text = text
    bytes.append(UInt8(ascii: "\""))
    text.withUTF8 { utf8 in
      var start = 0
      for (index, byte) in utf8.enumerated() where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        bytes.append(contentsOf: utf8[start..<index])
        start = index + 1
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0..<0x20: bytes += "u00\(byte < 0x10 ? "0" : "1")\(String(byte & 0x0F, radix: 16))".utf8
        default: bytes.append(byte)
        }
      }
      bytes.append(contentsOf: utf8[start...])
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

/// Writes one value: an object, an array, or a single value.
private final class JSONTextEncoder: Encoder {
  private enum Form { case none, single, array, object }

  let output: JSONOutput
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }
  private var form = Form.none
  private var start = 0
  /// Where each member begins, its key first.
  private var members: [(key: String, start: Int)] = []
  private var isSorted = true
  fileprivate var count = 0
  /// Containers that were handed out and may still be written to: their text is put in at the end, at its place.
  private var pending: [(at: Int, encoder: JSONTextEncoder)] = []

  init(_ output: JSONOutput, path: [any CodingKey]) {
    self.output = output
    codingPath = path
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    begin(.object)
    return KeyedEncodingContainer(JSONObject<Key>(encoder: self))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    begin(.array)
    return JSONArray(encoder: self)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    if form == .none { form = .single }
    return JSONSingle(encoder: self)
  }

  private func begin(_ form: Form) {
    // An encoder may be asked twice for its container: by a class and by what it inherits from.
    guard self.form == .none || self.form == .single else { return }
    self.form = form
    start = output.bytes.count
    output.bytes.append(UInt8(ascii: form == .object ? "{" : "["))
  }

  func member(_ key: String) {
    if let last = members.last {
      output.bytes.append(UInt8(ascii: ","))
      if !(last.key < key) { isSorted = false }
    }
    members.append((key, output.bytes.count))
    output.write(key)
    output.bytes.append(UInt8(ascii: ":"))
  }

  func element() {
    if count > 0 { output.bytes.append(UInt8(ascii: ",")) }
    count += 1
  }

  /// An encoder whose text comes here, however late it is written.
  func later(_ key: (any CodingKey)?) -> JSONTextEncoder {
    let encoder = JSONTextEncoder(JSONOutput(), path: key.map { codingPath + [$0] } ?? codingPath)
    pending.append((output.bytes.count, encoder))
    return encoder
  }

  /// Ends the value. Called once, when it has been encoded.
  func finish() throws {
    for (at, encoder) in pending.reversed() {
      try encoder.finish()
      let text = encoder.output.bytes.isEmpty ? Array("{}".utf8) : encoder.output.bytes
      output.bytes.insert(contentsOf: text, at: at)
      for index in members.indices where members[index].start > at { members[index].start += text.count }
    }
    switch form {
    case .none: output.bytes += "{}".utf8
    case .single: break
    case .array: output.bytes.append(UInt8(ascii: "]"))
    case .object:
      if !isSorted { sort() }
      output.bytes.append(UInt8(ascii: "}"))
    }
  }

  /// Puts the members into the order of their keys. Of two with one key the last holds, as in a dictionary.
  private func sort() {
    let text = Array(output.bytes[start...])
    let ends = members.dropFirst().map { $0.start - 1 } + [output.bytes.count]
    var latest: [String: Int] = [:]
    for (index, member) in members.enumerated() { latest[member.key] = index }
    let order = latest.values.sorted { members[$0].key < members[$1].key }
    output.bytes.removeSubrange((start + 1)...)
    for (place, index) in order.enumerated() {
      if place > 0 { output.bytes.append(UInt8(ascii: ",")) }
      output.bytes += text[(members[index].start - start)..<(ends[index] - start)]
    }
  }
}

private struct JSONObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let encoder: JSONTextEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  private var output: JSONOutput { encoder.output }

  init(encoder: JSONTextEncoder) { self.encoder = encoder }

  private func member(_ key: Key) { encoder.member(key.stringValue) }

  func encodeNil(forKey key: Key) {
    member(key)
    output.writeNull()
  }
  func encode(_ value: Bool, forKey key: Key) {
    member(key)
    output.write(value)
  }
  func encode(_ value: String, forKey key: Key) {
    member(key)
    output.write(value)
  }
  func encode(_ value: Double, forKey key: Key) throws {
    member(key)
    try output.write(value, at: codingPath + [key])
  }
  func encode(_ value: Float, forKey key: Key) throws {
    member(key)
    try output.write(value, at: codingPath + [key])
  }
  private func number(_ value: some BinaryInteger, _ key: Key) {
    member(key)
    output.write(value)
  }
  func encode(_ value: Int, forKey key: Key) { number(value, key) }
  func encode(_ value: Int8, forKey key: Key) { number(value, key) }
  func encode(_ value: Int16, forKey key: Key) { number(value, key) }
  func encode(_ value: Int32, forKey key: Key) { number(value, key) }
  func encode(_ value: Int64, forKey key: Key) { number(value, key) }
  func encode(_ value: UInt, forKey key: Key) { number(value, key) }
  func encode(_ value: UInt8, forKey key: Key) { number(value, key) }
  func encode(_ value: UInt16, forKey key: Key) { number(value, key) }
  func encode(_ value: UInt32, forKey key: Key) { number(value, key) }
  func encode(_ value: UInt64, forKey key: Key) { number(value, key) }

  func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
    member(key)
    try output.write(value, at: codingPath + [key])
  }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
    member(key)
    return encoder.later(key).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    member(key)
    return encoder.later(key).unkeyedContainer()
  }
  func superEncoder() -> any Encoder {
    encoder.member("super")
    return encoder.later(nil)
  }
  func superEncoder(forKey key: Key) -> any Encoder {
    member(key)
    return encoder.later(key)
  }
}

private struct JSONArray: UnkeyedEncodingContainer {
  let encoder: JSONTextEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  var count: Int { encoder.count }

  func encodeNil() {
    encoder.element()
    encoder.output.writeNull()
  }
  func encode<Value: Encodable>(_ value: Value) throws {
    encoder.element()
    try encoder.output.write(value, at: codingPath)
  }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    encoder.element()
    return encoder.later(nil).container(keyedBy: type)
  }
  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    encoder.element()
    return encoder.later(nil).unkeyedContainer()
  }
  func superEncoder() -> any Encoder {
    encoder.element()
    return encoder.later(nil)
  }
}

private struct JSONSingle: SingleValueEncodingContainer {
  let encoder: JSONTextEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  private var output: JSONOutput { encoder.output }

  init(encoder: JSONTextEncoder) { self.encoder = encoder }

  func encodeNil() { output.writeNull() }
  func encode(_ value: Bool) { output.write(value) }
  func encode(_ value: String) { output.write(value) }
  func encode(_ value: Double) throws { try output.write(value, at: codingPath) }
  func encode(_ value: Float) throws { try output.write(value, at: codingPath) }
  func encode(_ value: Int) { output.write(value) }
  func encode(_ value: Int8) { output.write(value) }
  func encode(_ value: Int16) { output.write(value) }
  func encode(_ value: Int32) { output.write(value) }
  func encode(_ value: Int64) { output.write(value) }
  func encode(_ value: UInt) { output.write(value) }
  func encode(_ value: UInt8) { output.write(value) }
  func encode(_ value: UInt16) { output.write(value) }
  func encode(_ value: UInt32) { output.write(value) }
  func encode(_ value: UInt64) { output.write(value) }
  func encode<Value: Encodable>(_ value: Value) throws { try output.write(value, at: codingPath) }
}
