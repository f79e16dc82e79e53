import Foundation
import Kit
import Testing

@testable import Web

@Suite("Fields of a body") struct InputTests {
  private enum Urgency: String, CaseIterable { case calm, urgent }

  private func refusal(_ values: [String: JSONValue], _ read: (inout Input) -> Void) -> [Problem.Field] {
    var input = Input(values)
    read(&input)
    return input.fields
  }

  @Test("a text is taken without the space around it, in NFC, and counted in characters people see")
  func text() {
    var input = Input(["a": "  \u{1112}\u{1161}\u{11AB} \n", "b": "👩‍👩‍👧‍👦👩‍👩‍👧‍👦", "c": "line\nline\ttab"])
    #expect(input.text("a", length: 1...1).unicodeScalars.map(\.value) == [0xD55C])
    #expect(input.text("b", length: 2...2) == "👩‍👩‍👧‍👦👩‍👩‍👧‍👦")
    #expect(input.text("c", length: 1...20) == "line\nline\ttab")
    #expect(input.fields.isEmpty)
  }

  @Test("each mistake in a text has its own code and figures")
  func textRefusals() {
    #expect(refusal([:]) { _ = $0.text("a", length: 1...5) } == [.init("a", "required")])
    #expect(refusal(["a": nil]) { _ = $0.text("a", length: 1...5) } == [.init("a", "required")])
    #expect(refusal(["a": " \n"]) { _ = $0.text("a", length: 1...5) } == [.init("a", "required")])
    #expect(refusal(["a": 5]) { _ = $0.text("a", length: 1...5) } == [.init("a", "type", ["expected": "string"])])
    #expect(refusal(["a": "가"]) { _ = $0.text("a", length: 2...5) } == [.init("a", "tooShort", ["min": "2", "found": "1"])])
    #expect(refusal(["a": "가나다"]) { _ = $0.text("a", length: 1...2) } == [.init("a", "tooLong", ["max": "2", "found": "3"])])
    #expect(refusal(["a": "a\u{0}b"]) { _ = $0.text("a", length: 1...5) } == [.init("a", "controlCharacters")])
    #expect(refusal(["a": "a\u{1b}[31m"]) { _ = $0.text("a", length: 1...9) } == [.init("a", "controlCharacters")])
  }

  @Test("a text that may be left out may also be null or empty, and then has its default")
  func optionalText() {
    for values: [String: JSONValue] in [[:], ["a": nil], ["a": ""]] {
      var input = Input(values)
      #expect(input.text("a", length: 0...5) == "")
      #expect(input.text("a", length: 1...5, default: "x") == "x")
      #expect(input.fields.isEmpty)
    }
  }

  @Test("a secret is taken exactly as typed, and bounded in bytes")
  func secret() {
    var input = Input(["p": " 비밀 ", "n": 12345678])
    #expect(input.secret("p", length: 2...20) == " 비밀 ")
    #expect(input.fields.isEmpty)
    #expect(refusal([:]) { _ = $0.secret("p", length: 8...20) } == [.init("p", "required")])
    #expect(refusal(["p": 12_345_678]) { _ = $0.secret("p", length: 8...20) } == [.init("p", "required")])
    #expect(
      refusal(["p": "short"]) { _ = $0.secret("p", length: 8...20) } == [.init("p", "tooShort", ["min": "8", "found": "5"])])
    #expect(refusal(["p": "가나다"]) { _ = $0.secret("p", length: 1...8) } == [.init("p", "tooLong", ["max": "8", "found": "9"])])
  }

  @Test("a number is read from JSON and from what a form sends, within its range")
  func number() {
    var input = Input(["a": 1, "b": 1.5, "c": " 33.45 ", "d": ""])
    #expect(input.number("a", in: 0...2) == 1)
    #expect(input.number("b", in: 0...2) == 1.5)
    #expect(input.number("c", in: 0...90) == 33.45)
    #expect(input.number("d", in: 0...2) == nil)
    #expect(input.number("e", in: 0...2) == nil)
    #expect(input.fields.isEmpty)
    for bad: JSONValue in ["x", "nan", "inf", true, [1], "1,5"] {
      #expect(refusal(["a": bad]) { _ = $0.number("a", in: 0...2) } == [.init("a", "type", ["expected": "number"])])
    }
    #expect(
      refusal(["a": 91]) { _ = $0.number("a", in: -90...90) } == [.init("a", "outOfRange", ["min": "-90.0", "max": "90.0"])])
  }

  @Test("a whole number is whole")
  func int() {
    var input = Input(["a": 3, "b": "4"])
    #expect(input.int("a", in: 1...5) == 3)
    #expect(input.int("b", in: 1...5) == 4)
    #expect(input.int("c", in: 1...5) == nil)
    #expect(input.fields.isEmpty)
    for bad: JSONValue in [1.5, "1.5", "x", true, "99999999999999999999"] {
      #expect(refusal(["a": bad]) { _ = $0.int("a", in: 1...5) } == [.init("a", "type", ["expected": "integer"])])
    }
    #expect(refusal(["a": 6]) { _ = $0.int("a", in: 1...5) } == [.init("a", "outOfRange", ["min": "1", "max": "5"])])
  }

  @Test("a choice is one of the few there are")
  func choice() {
    var input = Input(["a": "urgent"])
    #expect(input.choice("a", Urgency.self) == .urgent)
    #expect(input.choice("b", Urgency.self, default: .calm) == .calm)
    #expect(input.fields.isEmpty)
    #expect(refusal([:]) { _ = $0.choice("a", Urgency.self) } == [.init("a", "required")])
    for bad: JSONValue in ["Urgent", 1, ["urgent"]] {
      #expect(refusal(["a": bad]) { _ = $0.choice("a", Urgency.self) } == [.init("a", "choice", ["allowed": "calm, urgent"])])
    }
  }

  @Test("a UUID is a UUID")
  func uuid() {
    var input = Input(["a": "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"])
    #expect(input.uuid("a")?.text == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    #expect(input.uuid("b") == nil)
    #expect(input.fields.isEmpty)
    for bad: JSONValue in ["x", 5, "017f22e279b07cc398c4dc0c0c07398f"] {
      #expect(refusal(["a": bad]) { _ = $0.uuid("a") } == [.init("a", "type", ["expected": "uuid"])])
    }
  }

  @Test("words come as a list, or as one text parted by spaces and commas of either width")
  func words() {
    var input = Input(["a": ["제주", " 맛집 ", ""], "b": "제주, 맛집，바다  섬"])
    #expect(input.words("a", most: 5, length: 1...20) == ["제주", "맛집"])
    #expect(input.words("b", most: 5, length: 1...20) == ["제주", "맛집", "바다", "섬"])
    #expect(input.words("c", most: 5, length: 1...20) == [])
    #expect(input.fields.isEmpty)
  }

  @Test("too many words, and words too long, too short or unprintable, are told as such")
  func wordRefusals() {
    #expect(
      refusal(["a": "a b c"]) { _ = $0.words("a", most: 2, length: 1...9) } == [
        .init("a", "tooMany", ["max": "2", "found": "3"])
      ])
    #expect(
      refusal(["a": "abc"]) { _ = $0.words("a", most: 2, length: 1...2) } == [.init("a", "tooLong", ["max": "2", "found": "3"])])
    #expect(
      refusal(["a": "a bc"]) { _ = $0.words("a", most: 2, length: 2...9) } == [
        .init("a", "tooShort", ["min": "2", "found": "1"])
      ])
    #expect(refusal(["a": ["a\u{0}b"]]) { _ = $0.words("a", most: 2, length: 1...9) } == [.init("a", "controlCharacters")])
    for bad: JSONValue in [5, ["a", 5], true] {
      #expect(
        refusal(["a": bad]) { _ = $0.words("a", most: 2, length: 1...9) } == [
          .init("a", "type", ["expected": "array of strings"])
        ])
    }
  }

  @Test("all mistakes are thrown at once")
  func check() throws {
    var input = Input(["b": 9])
    _ = input.text("a", length: 1...5)
    _ = input.int("b", in: 1...5)
    input.refuse("c", "mismatch")
    let problem = #expect(throws: Problem.self) { try input.check() }
    #expect(problem?.kind == .invalidInput)
    #expect(problem?.fields.map(\.name) == ["a", "b", "c"])
    try Input([:]).check()
  }

  @Test("what was typed is shown again as it was typed")
  func typed() {
    let input = Input(["a": " x ", "b": 5, "c": 1.5, "d": true])
    #expect(["a", "b", "c", "d", "e"].map { input.typed($0) } == [" x ", "5", "1.5", "", ""])
  }
}

@Suite("Forms") struct FormTests {
  @Test("a form is decoded as WHATWG URL §5.1 says")
  func decoding() throws {
    #expect(
      try RequestBodyBytes.form("title=%EC%A0%9C%EC%A3%BC+%EB%B0%94%EB%8B%A4&a%3Db=1%2B1&empty=&bare&&x=a=b") == [
        "title": "제주 바다", "a=b": "1+1", "empty": "", "bare": "", "x": "a=b",
      ])
    #expect(try RequestBodyBytes.form("") == [:])
  }

  @Test("a field given twice is refused: nobody can say which holds")
  func doubled() {
    let problem = #expect(throws: Problem.self) { try RequestBodyBytes.form("a=1&b=2&%61=3") }
    #expect(problem?.kind == .malformedRequest)
    #expect(problem?.arguments["reason"] == "the form has the field a twice")
  }

  @Test(
    "percent signs that encode nothing, or no UTF-8, are refused",
    arguments: ["a=%", "a=%4", "a=%zz", "%=1", "a=%FF", "a=%ED%A0%80"])
  func badPercent(text: String) {
    let problem = #expect(throws: Problem.self) { try RequestBodyBytes.form(text) }
    #expect(problem?.kind == .malformedRequest)
  }

  @Test("a form that is no UTF-8 is refused")
  func badBytes() {
    let problem = #expect(throws: Problem.self) {
      try RequestBodyBytes.fields(Data([0x61, 0x3D, 0xFF]), contentType: "application/x-www-form-urlencoded")
    }
    #expect(problem?.kind == .malformedRequest)
  }
}
