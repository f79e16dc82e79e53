import Foundation
import Kit
import Testing

@Suite("Civil dates") struct CivilDateTests {
  private func day(_ text: String) throws -> CivilDate { try #require(CivilDate(text)) }
  private func zone(_ name: String) throws -> TimeZone { try #require(TimeZone(identifier: name)) }
  private func instant(_ text: String) throws -> Instant { try #require(Instant(rfc3339: text)) }

  @Test("a month without the anchor's day clamps, and the next one returns to the anchor (V2)")
  func anchorOfThirty() throws {
    let anchor = try day("2024-01-30")
    let starts = (0...3).map { anchor.adding(months: $0) }
    #expect(starts.map(\.description) == ["2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30"])
    let ends = starts.dropFirst().map { $0.adding(days: -1).description }
    #expect(ends == ["2024-02-28", "2024-03-29", "2024-04-29"])
  }

  @Test("an anchor on the 31st bills on the last day of shorter months (V3)")
  func anchorOfThirtyOne() throws {
    let anchor = try day("2017-01-31")
    #expect(
      (0...3).map { anchor.adding(months: $0).description } == ["2017-01-31", "2017-02-28", "2017-03-31", "2017-04-30"])
  }

  @Test("months are counted over the turn of a year, forward and back")
  func monthsOverYears() throws {
    #expect(try day("2023-11-30").adding(months: 3) == day("2024-02-29"))
    #expect(try day("2024-01-31").adding(months: -2) == day("2023-11-30"))
    #expect(try day("2024-03-31").adding(months: -13) == day("2023-02-28"))
    #expect(try day("2024-02-29").adding(months: 12) == day("2025-02-28"))
    #expect(try day("2024-02-29").firstOfMonth == day("2024-02-01"))
  }

  @Test(
    "a year is a leap year by fours, not by hundreds, but by four hundreds",
    arguments: [(2024, 29), (2023, 28), (1900, 28), (2000, 29), (2100, 28), (2400, 29)])
  func leapYears(year: Int, days: Int) {
    #expect(CivilDate.length(ofMonth: 2, year: year) == days)
    #expect((CivilDate(year: year, month: 2, day: 29) != nil) == (days == 29))
  }

  @Test("days count up by one through 400 years, and come back as the date they were")
  func roundTrip() throws {
    let first = try day("1799-12-27")
    // Steps of 13 days meet every day of the year; the turn of each year and each February is looked at whole.
    for offset in stride(from: 0, to: 146_097 + 30, by: 13) {
      let date = first.adding(days: offset)
      #expect(CivilDate(date.description) == date)
      #expect(date.daysSinceEpoch - first.daysSinceEpoch == offset)
    }
    for year in 1800...2200 {
      let newYear = try #require(CivilDate(year: year, month: 1, day: 1))
      #expect(newYear.adding(days: -1) == CivilDate(year: year - 1, month: 12, day: 31))
      let march = try #require(CivilDate(year: year, month: 3, day: 1))
      #expect(march.adding(days: -1).day == CivilDate.length(ofMonth: 2, year: year))
    }
    #expect(try day("1970-01-01").daysSinceEpoch == 0)
    #expect(try day("2000-03-01").daysSinceEpoch == 11_017)
    #expect(try day("0001-01-01").daysSinceEpoch == -719_162)
    #expect(try day("9999-12-31").daysSinceEpoch == 2_932_896)
  }

  @Test(
    "a text that is no day of the calendar is refused",
    arguments: [
      "", "2024-2-1", "2024-13-01", "2024-00-10", "2023-02-29", "2024-04-31", "2024-01-00", "24-01-01", "2024/01/01",
      "2024-01-1x",
      "+024-01-01", "2024-01-01T", "０２４-01-01", "0000-01-01",
    ])
  func refused(text: String) {
    #expect(CivilDate(text) == nil)
  }

  @Test("dates are ordered by the calendar and written with four digits of year")
  func orderAndText() throws {
    #expect(try day("2024-02-29") < day("2024-03-01"))
    #expect(try day("0987-06-05").description == "0987-06-05")
    #expect(String(decoding: try JSONEncoder().encode([day("2024-02-29")]), as: UTF8.self) == #"["2024-02-29"]"#)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode([CivilDate].self, from: Data(#"["2023-02-29"]"#.utf8)) }
  }

  @Test("a day in Seoul begins at 15:00 UTC of the day before")
  func seoul() throws {
    let seoul = try zone("Asia/Seoul")
    #expect(try day("2026-11-21").start(in: seoul) == instant("2026-11-20T15:00:00Z"))
    #expect(try CivilDate(instant("2026-11-20T14:59:59.999999Z"), in: seoul) == day("2026-11-20"))
    #expect(try CivilDate(instant("2026-11-20T15:00:00Z"), in: seoul) == day("2026-11-21"))
    #expect(try CivilDate(instant("1969-12-31T15:00:00Z"), in: seoul) == day("1970-01-01"))
  }

  @Test("a customer's March ends an hour earlier in UTC where the clocks change in it (V4)")
  func marchAbroad() throws {
    let kolkata = try zone("Asia/Kolkata")
    let newYork = try zone("America/New_York")
    #expect(try day("2024-03-01").start(in: kolkata) == instant("2024-02-29T18:30:00Z"))
    #expect(try day("2024-04-01").start(in: kolkata) == instant("2024-03-31T18:30:00Z"))
    #expect(try day("2024-03-01").start(in: newYork) == instant("2024-03-01T05:00:00Z"))
    #expect(try day("2024-04-01").start(in: newYork) == instant("2024-04-01T04:00:00Z"))
  }

  @Test("a day whose midnight the clocks skip begins with the jump, and belongs to itself")
  func skippedMidnight() throws {
    let saoPaulo = try zone("America/Sao_Paulo")
    let start = try day("2018-11-04").start(in: saoPaulo)
    #expect(start == (try instant("2018-11-04T03:00:00Z")))
    #expect(CivilDate(start, in: saoPaulo) == (try day("2018-11-04")))
    #expect(CivilDate(start - .microseconds(1), in: saoPaulo) == (try day("2018-11-03")))
  }

  @Test("of a midnight that comes twice, the first begins the day")
  func doubledMidnight() throws {
    // Havana's clocks go from 01:00 back to 00:00 on 2024-11-03.
    let start = try day("2024-11-03").start(in: zone("America/Havana"))
    #expect(start == (try instant("2024-11-03T04:00:00Z")))
  }

  @Test(
    "every day of two years begins on itself and right after the day before, in zones of all kinds",
    arguments: [
      "Asia/Seoul", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Asia/Kathmandu", "Australia/Lord_Howe",
      "Pacific/Apia",
    ])
  func starts(name: String) throws {
    let zone = try zone(name)
    let first = try day("2018-01-01")
    for offset in 0..<730 {
      let date = first.adding(days: offset)
      let start = date.start(in: zone)
      #expect(CivilDate(start, in: zone) == date)
      #expect(CivilDate(start - .microseconds(1), in: zone) == date.adding(days: -1))
    }
  }

  @Test("a time of day follows the clock on the wall, on days of changing clocks too")
  func timeOfDay() throws {
    let newYork = try zone("America/New_York")
    #expect(try day("2024-03-10").instant(hour: 1, minute: 30, in: newYork) == instant("2024-03-10T01:30:00-05:00"))
    #expect(try day("2024-03-10").instant(hour: 2, minute: 30, in: newYork) == instant("2024-03-10T03:30:00-04:00"))
    #expect(try day("2024-03-10").instant(hour: 4, minute: 0, in: newYork) == instant("2024-03-10T04:00:00-04:00"))
    #expect(try day("2024-11-03").instant(hour: 1, minute: 30, in: newYork) == instant("2024-11-03T01:30:00-04:00"))
    #expect(try day("2024-11-03").instant(hour: 2, minute: 0, in: newYork) == instant("2024-11-03T02:00:00-05:00"))
  }
}
