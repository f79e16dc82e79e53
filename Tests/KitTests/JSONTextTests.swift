import Foundation
import Kit
import Testing

/// Foundation's encoder is the oracle.
private func foundation(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

private func ours(_ value: some Encodable) throws -> String { String(decoding: try JSONText.encode(value), as: UTF8.self) }

private struct Everything: Encodable {
  struct Inner: Encodable {
    var zebra = "z"
    var apple: Int? = nil
    var nothing: String? = nil
  }
  enum Kind: String, Encodable { case one }

  var title = "제주 \"🌊\" \\ / \u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}"
  var body = ""
  var isTrue = true
  var small: Int8 = -128
  var big = UInt64.max
  var ratio = 0.1
  var whole = 3.0
  var tiny = 1e-9
  var huge = 1.5e300
  var single: Float = 0.25
  var list = [1, 2, 3]
  var empty: [String] = []
  var nested = [[1], [], [2, 3]]
  var inner = Inner()
  var inners = [Inner(apple: 1), Inner()]
  var byName = ["b": 1, "a": 2, "": 3]
  var kind = Kind.one
  var optional: [Int?] = [1, nil]
  var when = Instant(microseconds: 1_795_237_350_123_999)
  var day = CivilDate(year: 2026, month: 11, day: 21)!
  var person = PersonID(UUID(uuidString: "01020304-0506-0708-090A-0B0C0D0E0F10")!)
  var id = UUID(uuidString: "01020304-0506-0708-090A-0B0C0D0E0F10")!
  var address = URL(string: "https://jeju.example/질문?a=b")!
  var data = Data([1, 2, 3])
  var texts = LocalizedText(ko: "한", en: nil)
  var anything: JSONValue = ["b": [1, 2.5, .null, true, "x"], "a": [:]]
  var byLanguage: [Language: String] = [.ko: "가"]
}

/// Writes into nested containers after it has written elsewhere.
private struct Nested: Encodable {
  enum Keys: String, CodingKey { case z, inner, list, a, other }
  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Keys.self)
    try object.encode(1, forKey: .z)
    var inner = object.nestedContainer(keyedBy: Keys.self, forKey: .inner)
    var list = object.nestedUnkeyedContainer(forKey: .list)
    try object.encode(2, forKey: .a)
    try list.encode("x")
    try inner.encode("late", forKey: .z)
    var deep = list.nestedContainer(keyedBy: Keys.self)
    try inner.encode("later", forKey: .a)
    try deep.encode(true, forKey: .z)
    try list.encodeNil()
    try 7.encode(to: object.superEncoder(forKey: .other))
  }
}

private class Base: Encodable {
  var name = "base"
}

private final class Derived: Base {
  var age = 3
  enum Keys: CodingKey { case age }
  override func encode(to encoder: any Encoder) throws {
    try super.encode(to: encoder)
    var object = encoder.container(keyedBy: Keys.self)
    try object.encode(age, forKey: .age)
  }
}

@Suite("JSON text") struct JSONTextTests {
  @Test("what is written is what Foundation's encoder writes")
  func same() throws {
    #expect(try ours(Everything()) == foundation(Everything()))
    #expect(try ours(Nested()) == foundation(Nested()))
    #expect(try ours(Derived()) == foundation(Derived()))
    #expect(try ours([Everything(), Everything()]) == foundation([Everything(), Everything()]))
  }

  @Test("single values and empty ones", arguments: ["", "text", "\u{2028}"])
  func texts(text: String) throws {
    #expect(try ours(text) == foundation(text))
    #expect(try ours([text: text]) == foundation([text: text]))
  }

  @Test("numbers are written in their shortest form", arguments: [0, -0.0, 1, -1.5, 1e21, 1e-7, 123_456_789.123, .pi])
  func numbers(number: Double) throws { #expect(try ours(number) == foundation(number)) }

  @Test("numbers that JSON hasn't are refused", arguments: [Double.nan, .infinity])
  func refused(number: Double) { #expect(throws: EncodingError.self) { try JSONText.encode([number]) } }

  @Test("nothing at all is an empty object or null")
  func nothing() throws {
    struct Empty: Encodable {}
    #expect(try ours(Empty()) == foundation(Empty()))
    #expect(try ours([Empty()]) == foundation([Empty()]))
    #expect(try ours(Int?.none) == foundation(Int?.none))
  }
}
