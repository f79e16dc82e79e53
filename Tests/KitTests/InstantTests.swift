import Foundation
import Kit
import Testing

@Suite("Instants") struct InstantTests {
  @Test(
    "RFC 3339 is read with any offset and up to six digits of a second",
    arguments: [
      ("1970-01-01T00:00:00Z", 0),
      ("1985-04-12T23:20:50.52Z", 482_196_050_520_000),
      ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
      ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000),
      ("2026-11-21T14:02:30.123456+09:00", 1_795_237_350_123_456),
      ("2026-11-21t05:02:30z", 1_795_237_350_000_000),
      ("2026-11-21 05:02:30Z", 1_795_237_350_000_000),
      ("2026-11-21T05:02:30.1Z", 1_795_237_350_100_000),
      ("2026-11-21T05:02:30.123456789Z", 1_795_237_350_123_456),
      ("2026-11-21T05:02:30-00:00", 1_795_237_350_000_000),
      ("1969-12-31T23:59:59.999999Z", -1),
      ("1990-12-31T23:59:60Z", 662_688_000_000_000),
    ])
  func reading(text: String, microseconds: Int) {
    #expect(Instant(rfc3339: text)?.microseconds == Int64(microseconds))
  }

  @Test(
    "what is not RFC 3339 is refused",
    arguments: [
      "", "2026-11-21", "2026-11-21T05:02:30", "2026-11-21T05:02Z", "2026-11-21T24:00:00Z", "2026-11-21T05:60:00Z",
      "2026-11-21T05:02:61Z", "2026-02-30T05:02:30Z", "2026-11-21T05:02:30.Z", "2026-11-21T05:02:30.12",
      "2026-11-21T05:02:30+0900",
      "2026-11-21T05:02:30+09", "2026-11-21T05:02:30+24:00", "2026-11-21T05:02:30+09:60", "2026-11-21T05:02:30Zx",
      "2026-11-21X05:02:30Z", "2026-11-21T5:02:30ZZZ", "2026-11-21T-5:02:30Z", "２026-11-21T05:02:30Z", "Z",
      "2026-11-21T05:02:30,5Z",
    ])
  func refusing(text: String) {
    #expect(Instant(rfc3339: text) == nil)
  }

  @Test("an instant is written in UTC with milliseconds, and never rounded into the future")
  func writing() {
    #expect(Instant(microseconds: 1_795_237_350_123_999).rfc3339 == "2026-11-21T05:02:30.123Z")
    #expect(Instant(microseconds: -1).rfc3339 == "1969-12-31T23:59:59.999Z")
    #expect(Instant(seconds: 0).rfc3339 == "1970-01-01T00:00:00.000Z")
  }

  @Test("what is written is read back, at the resolution it is written with")
  func roundTrip() throws {
    var generator = SeededGenerator(1)
    for _ in 0..<500 {
      let instant = Instant(
        microseconds: Int64.random(in: -60_000_000_000...250_000_000_000, using: &generator) * 1_000_000 + 250_000)
      #expect(Instant(rfc3339: instant.rfc3339) == instant)
    }
    let instant = Instant(microseconds: 1_795_237_350_123_000)
    #expect(try JSONDecoder().decode([Instant].self, from: JSONEncoder().encode([instant])) == [instant])
    #expect(throws: DecodingError.self) { try JSONDecoder().decode([Instant].self, from: Data(#"["yesterday"]"#.utf8)) }
  }

  @Test("instants and durations add, subtract and compare to the microsecond")
  func arithmetic() {
    let start = Instant(seconds: 100)
    #expect(start + .milliseconds(1) - .microseconds(1_000) == start)
    #expect((start + .days(1)) - start == .hours(24))
    #expect(start - .microseconds(1) < start)
    #expect((start - .microseconds(1)).seconds == 99)
    #expect(Instant(microseconds: -1).seconds == -1)
    #expect(Duration.seconds(90).milliseconds == 90_000)
    #expect(Instant(Date(timeIntervalSince1970: 1_795_237_350.5)).microseconds == 1_795_237_350_500_000)
  }
}
