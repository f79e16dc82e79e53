import Foundation
import Kit
import Testing

@Suite("JSON values") struct JSONValueTests {
  private func read(_ text: String) throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }

  @Test("each kind of value is read as what it is")
  func kinds() throws {
    let value = try read(#"{"a":null,"b":true,"c":1,"d":1.5,"e":"1","f":[0,false,"",{}],"g":-9223372036854775808}"#)
    #expect(
      value == [
        "a": nil, "b": true, "c": 1, "d": 1.5, "e": "1", "f": [0, false, "", .object([:])], "g": .integer(.min),
      ])
  }

  @Test("zero and one are numbers, and true and false are not")
  func booleans() throws {
    #expect(try read("[0,1,true,false]") == [.integer(0), .integer(1), .bool(true), .bool(false)])
  }

  @Test("a number beyond 64 bits is kept as far as a double can")
  func large() throws {
    #expect(try read("[1e300]") == [.number(1e300)])
    #expect(try read("[9223372036854775808]") == [.number(9_223_372_036_854_775_808)])
  }

  @Test("a value survives being written and read")
  func roundTrip() throws {
    let value: JSONValue = [
      "이름": "제주 \"바다\"\n\u{0}", "list": [1, 2.5, nil, true], "nested": ["deep": ["deeper": [.object([:]), .array([])]]],
    ]
    #expect(try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value)) == value)
  }

  @Test("members are reached by name, and what isn't there is nil")
  func access() {
    let value: JSONValue = ["a": ["b": "text"], "n": 3]
    #expect(value["a"]?["b"]?.string == "text")
    #expect(value["n"]?.integer == 3)
    #expect(value["n"]?.string == nil)
    #expect(value["x"] == nil)
    #expect(value["n"]?["x"] == nil)
  }
}
