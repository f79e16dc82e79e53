import Kit
import Testing

@Suite("Configuration documents") struct ConfigDocumentTests {
  private enum Phase: String, CaseIterable { case pilot, growth }

  /// What `read` finds wrong with a text, as `metropolis check` prints it.
  private func mistakes(_ yaml: String, _ read: (ConfigSection) -> Void) -> [String] {
    do {
      let document = try ConfigDocument(yaml: yaml, file: "t.yaml")
      read(document.root)
      try document.finish()
      return []
    } catch {
      return error.mistakes.map(\.description)
    }
  }

  @Test("a document without mistakes gives its values")
  func values() throws {
    let document = try ConfigDocument(
      yaml: """
        name: {ko: 제주, en: Jeju}
        title: 동네
        count: 12
        share: 0.25
        open: true
        wait: 10m
        phase: growth
        tags: [a, 한글]
        rules:
          - {to: x}
          - {to: y}
        stanzas:
          b: {v: 1}
          a: {v: 2}
        free: {anything: goes}
        """, file: "t.yaml")
    let root = document.root
    #expect(root.localized("name") == LocalizedText(ko: "제주", en: "Jeju"))
    #expect(root.localized("title") == LocalizedText(ko: "동네"))
    #expect(root.int("count", in: 1...20) == 12)
    #expect(root.number("share", in: 0...1) == 0.25)
    #expect(root.bool("open") == true)
    #expect(root.duration("wait") == .minutes(10))
    #expect(root.choice("phase", Phase.self) == .growth)
    #expect(root.strings("tags") == ["a", "한글"])
    #expect(root.list("rules").compactMap { $0.string("to") } == ["x", "y"])
    #expect(root.stanzas("stanzas").map(\.key) == ["b", "a"])
    for (_, section) in root.stanzas("stanzas") { #expect(section.int("v", in: 1...2) != nil) }
    root.section("free")?.leaveOpen()
    #expect(root.optionalString("absent") == nil)
    #expect(root.int("absent2", in: 0...9, default: 3) == 3)
    #expect(root.section("absent3", required: false) == nil)
    try document.finish()
  }

  @Test("all mistakes are told at once, each with its line, key, what was found and what was expected")
  func allAtOnce() {
    let found = mistakes(
      """
      # The city.
      count: twelve
      share: 7
      open: yes

      wait: 10 minutes
      phase: metro
      tags: {a: b}
      inner:
        port: 99999
        list:
          - {to: x}
          - plain
      """
    ) { root in
      _ = root.int("count", in: 1...20)
      _ = root.number("share", in: 0...1)
      _ = root.bool("open")
      _ = root.duration("wait")
      _ = root.choice("phase", Phase.self)
      _ = root.strings("tags")
      let inner = root.section("inner")
      _ = inner?.int("port", in: 1...65_535)
      for item in inner?.list("list") ?? [] { _ = item.string("to") }
      _ = root.string("missing")
    }
    #expect(
      found == [
        "t.yaml:2: count: found “twelve”, expected a whole number from 1 to 20",
        "t.yaml:2: missing: found nothing, expected a text",
        "t.yaml:3: share: found “7”, expected a number from 0.0 to 1.0",
        "t.yaml:4: open: found “yes”, expected true or false",
        "t.yaml:6: wait: found “10 minutes”, expected a duration like 250ms, 30s, 10m, 2h or 7d",
        "t.yaml:7: phase: found “metro”, expected one of pilot, growth",
        "t.yaml:8: tags: found a mapping, expected a list of texts",
        "t.yaml:10: inner.port: found “99999”, expected a whole number from 1 to 65535",
        "t.yaml:13: inner.list[1]: found “plain”, expected a mapping",
      ])
  }

  @Test("a key that nobody asked for is a mistake, at its own line, wherever it stands")
  func unknownKeys() {
    let found = mistakes(
      """
      city:
        name: a
        nmae: b
      tenats: {}
      """
    ) { root in
      _ = root.section("city")?.string("name")
      _ = root.section("tenants", required: false)
    }
    #expect(
      found == [
        "t.yaml:3: city.nmae: found an unknown key, expected one of name",
        "t.yaml:4: tenats: found an unknown key, expected one of city, tenants",
      ])
  }

  @Test("a section left open may hold anything, and what was read of it counts as asked for")
  func openSections() {
    let found = mistakes("a: {x: 1, y: 2}") { $0.section("a")?.leaveOpen() }
    #expect(found.isEmpty)
  }

  @Test("a section read twice, by two services, is one section")
  func sharedSections() {
    let found = mistakes("a: {x: 1, y: 2}") { root in
      _ = root.section("a")?.int("x", in: 0...9)
      _ = root.section("a")?.int("y", in: 0...9)
    }
    #expect(found.isEmpty)
  }

  @Test("a key written twice stops the reading at its line")
  func duplicateKeys() {
    #expect(
      mistakes("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n") { _ in } == [
        "t.yaml:3: found the key “c” twice, expected well-formed YAML"
      ])
  }

  @Test("text that is no YAML is refused at the line the parser stopped at")
  func syntaxErrors() throws {
    let error = #expect(throws: ConfigMistakes.self) {
      try ConfigDocument(yaml: "city:\n  name: a\n  list: [1, 2\ntenants:\n  x: y\n", file: "t.yaml")
    }
    let mistake = try #require(error?.mistakes.first)
    #expect(error?.mistakes.count == 1)
    #expect((3...5).contains(mistake.line))
    #expect(mistake.expected == "well-formed YAML")
    let tab = #expect(throws: ConfigMistakes.self) { try ConfigDocument(yaml: "a: 1\nb:\n\tc: 1\n", file: "t.yaml") }
    #expect(tab?.mistakes.first?.line == 3)
  }

  @Test(
    "a document that is no mapping is refused",
    arguments: [("", "nothing"), ("# only a comment\n", "nothing"), ("- a", "a list"), ("text", "“text”")])
  func noMapping(yaml: String, found: String) {
    #expect(mistakes(yaml) { _ in } == ["t.yaml:1: found \(found), expected a mapping"])
  }

  @Test("a value of the wrong shape is told as the shape it has")
  func wrongShapes() {
    let found = mistakes("a: [1]\nb: {c: d}\nc: x\nd: ''\ne: [ok, {k: v}]\nf: {en: x}\n") { root in
      _ = root.string("a")
      _ = root.int("b", in: 0...1)
      root.section("b")?.leaveOpen()
      _ = root.section("c")
      _ = root.string("d")
      _ = root.strings("e")
      _ = root.localized("f")
    }
    #expect(
      found == [
        "t.yaml:1: a: found a list, expected a text",
        "t.yaml:2: b: found a mapping, expected a whole number from 0 to 1",
        "t.yaml:3: c: found “x”, expected a mapping",
        "t.yaml:4: d: found nothing, expected a text",
        "t.yaml:5: e[1]: found a mapping, expected a text",
        "t.yaml:6: f.en: found an unknown key, expected one of ko",
        "t.yaml:6: f.ko: found nothing, expected a text",
      ])
  }

  @Test("a reader's own mistake stands at the line of the key")
  func ownMistakes() {
    let found = mistakes("a: 1\nhost: b c\n") { root in
      _ = root.int("a", in: 0...9)
      _ = root.string("host")
      root.note("host", expected: "a host name")
      #expect(root.line(of: "host") == 2)
    }
    #expect(found == ["t.yaml:2: host: found “b c”, expected a host name"])
  }

  @Test(
    "durations are a whole number and one unit",
    arguments: [
      ("250ms", Duration.milliseconds(250)), ("30s", .seconds(30)), ("10m", .minutes(10)), ("2h", .hours(2)), ("7d", .days(7)),
      ("0s", .zero),
    ])
  func durations(text: String, expected: Duration) {
    #expect(Duration(configured: text) == expected)
  }

  @Test(
    "anything else is no duration",
    arguments: ["", "s", "10", "10 m", "-1s", "1.5h", "1w", "1h30m", "٣s", "10M", "99999999999999999999s", "1000000001d"])
  func noDurations(text: String) {
    #expect(Duration(configured: text) == nil)
  }
}
