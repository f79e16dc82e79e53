import Testing

@testable import Kit

@Suite("A document as a value") struct ConfigValueTests {
  private func value(_ yaml: String) throws -> ConfigValue { try ConfigValue(yaml: yaml, file: "test.yaml") }

  @Test("quotes, order of members and style make no difference; the order of a list does")
  func equality() throws {
    let a = try value("city: {name: Jeju, share: 10}\nlist: [a, b]")
    #expect(try a == value("list:\n  - a\n  - 'b'\ncity:\n  share: \"10\"\n  name: Jeju"))
    #expect(try a != value("city: {name: Jeju, share: 10}\nlist: [b, a]"))
    #expect(try a != value("city: {name: Jeju}\nlist: [a, b]"))
    #expect(try Set([a, value("list: [a, b]\ncity: {share: 10, name: Jeju}")]).count == 1)
  }

  @Test("what is at a path is read, set, added and removed")
  func paths() throws {
    var value = try value("tenants: {jeju: {host: a.example, look: {mark: 제}}}")
    #expect(value[["tenants", "jeju", "look", "mark"]] == .scalar("제"))
    #expect(value[["tenants", "busan", "host"]] == nil)
    value[["tenants", "jeju", "host"]] = .scalar("b.example")
    value[["tenants", "busan", "host"]] = .scalar("c.example")
    value[["tenants", "jeju", "look"]] = nil
    value[["flags", "none", "share"]] = nil
    #expect(value.description == "{tenants: {jeju: {host: b.example}, busan: {host: c.example}}}")
  }

  @Test(
    "what is written reads as the same, whatever a text holds",
    arguments: [
      "plain", "10", "", " ", " leading", "trailing ", "true", "null", "~", "a: b", "a:b", "#comment", "a #b", "- a", "[a]",
      "{a}",
      "\"quoted\"", "it's", "back\\slash", "line\nbreak", "tab\there", "색채와 미술사, 한국 미술까지", "#E8590C", "&a", "*a", "!t", "|", ">",
      "%", "@", "`", "?", "a, b", "\u{7F}\u{1}", "ends:", "10m", "5/1m", "<= 18", "emoji 🎓", "é", "2027-03-01", "1.10",
      "korean | culture", "\u{85}\u{2028}",
    ])
  func roundTrip(text: String) throws {
    let value = ConfigValue.mapping([
      .init("block", .mapping([.init(text.isEmpty ? "key" : text, .scalar(text)), .init("list", .list([.scalar(text)]))])),
      .init("long", .list((0..<40).map { .scalar("\(text) \($0)") })), .init("none", .mapping([])), .init("empty", .list([])),
    ])
    #expect(try self.value(value.yaml) == value)
    // A value on one line is YAML, too.
    #expect(try self.value("a: \(value)") == .mapping([.init("a", value)]))
  }

  @Test("blocks where they are sections or long, one line where they are short")
  func style() throws {
    let text = """
      city:
        name: {ko: 드림시드, en: DreamSeed}
      tenants:
        jeju: {host: jeju.example.com, accent: "#E8590C"}

      """
    #expect(try value(text).yaml == text)
  }

  @Test("a mistake about a stanza's own key names the stanza") func key() throws {
    let document = try ConfigDocument(yaml: "tenants: {x: {a: 1}}", file: "test.yaml")
    let stanza = try #require(document.root.stanzas("tenants").first)
    #expect(stanza.section.int("a", in: 1...2) == 1)
    stanza.section.note("", found: "“x”", expected: "two letters")
    #expect(throws: ConfigMistakes.self) { try document.finish() }
    #expect("\(document.mistakes[0])" == "test.yaml:1: tenants.x: found “x”, expected two letters")
  }
}
