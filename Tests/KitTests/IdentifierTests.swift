import Foundation
import Kit
import Testing

@Suite("Identifiers") struct IdentifierTests {
  @Test("a UUIDv7 is laid out as RFC 9562 §5.7 draws it: time, version 7, variant 10")
  func layout() {
    // The instant of the test vector in RFC 9562, appendix A.6: 2022-02-22T14:22:22.00-05:00 is 0x017F22E279B0.
    let text = UUID.v7(at: Instant(microseconds: 0x017F_22E2_79B0 * 1_000)).text
    #expect(text.hasPrefix("017f22e2-79b0-7"))
    #expect("89ab".contains(text.dropFirst(19).first ?? "?"))
    #expect(text == text.lowercased())
  }

  @Test("UUIDs made in later milliseconds sort later, as values of bytes and as text")
  func order() {
    let start = Instant(seconds: 1_795_000_000)
    let texts = (0..<500).map { UUID.v7(at: start + .milliseconds($0)).text }
    #expect(texts == texts.sorted())
    let bytes = texts.map { text in Array(text.utf8) }
    #expect(zip(bytes, bytes.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
  }

  @Test("UUIDs of one millisecond share their time and nothing else")
  func uniqueness() {
    let instant = Instant(seconds: 1_795_000_000)
    let made = (0..<1_000).map { _ in UUID.v7(at: instant) }
    #expect(Set(made).count == 1_000)
    #expect(Set(made.map { $0.text.prefix(13) }).count == 1)
    #expect(made.allSatisfy { Array($0.text)[14] == "7" && "89ab".contains(Array($0.text)[19]) })
  }

  @Test("an instant before 1970 gives the earliest UUID rather than one of the far future")
  func beforeTheEpoch() {
    #expect(UUID.v7(at: Instant(seconds: -1)).text.hasPrefix("00000000-0000-7"))
  }

  @Test(
    "tenant ids of the narrow form are taken", arguments: ["jeju", "my-ktube", "a1", "b-2-c", String(repeating: "a", count: 32)])
  func tenantIDs(text: String) throws {
    #expect(try #require(TenantID(text)).text == text)
  }

  @Test(
    "tenant ids of any other form are refused",
    arguments: [
      "", "a", "1a", "-a", "a-", "a--b", "Jeju", "je_ju", "제주", "je ju", "jeju\n", "jeju.", String(repeating: "a", count: 33),
    ])
  func refusedTenantIDs(text: String) {
    #expect(TenantID(text) == nil)
  }

  @Test("ids are coded as plain lower-case text, and a tenant id is checked when read")
  func coding() throws {
    let person = PersonID(try #require(UUID(uuidString: "017F22E2-79B0-7CC3-98C4-DC0C0C07398F")))
    #expect(String(decoding: try JSONEncoder().encode([person]), as: UTF8.self) == #"["017f22e2-79b0-7cc3-98c4-dc0c0c07398f"]"#)
    #expect(try JSONDecoder().decode([PersonID].self, from: JSONEncoder().encode([person])) == [person])
    #expect(try JSONDecoder().decode([TenantID].self, from: Data(#"["jeju"]"#.utf8)).map(\.text) == ["jeju"])
    #expect(throws: DecodingError.self) { try JSONDecoder().decode([TenantID].self, from: Data(#"["Jeju!"]"#.utf8)) }
  }
}
