import Foundation
import Jobs
import Kit
import Testing

@Suite("Timetables") struct TimetableTests {
  private let seoul: TimeZone
  init() throws { seoul = try #require(TimeZone(identifier: "Asia/Seoul")) }

  /// The last tick at or before a time; both as RFC 3339 with an offset.
  private func expect(
    _ timetable: Timetable, at now: String, is tick: String, in zone: TimeZone? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let now = try #require(Instant(rfc3339: now))
    let expected = try #require(Instant(rfc3339: tick))
    #expect(timetable.tick(before: now, in: zone ?? seoul) == expected, sourceLocation: sourceLocation)
  }

  @Test("daily at 02:00 in Seoul is 17:00 UTC of the day before, whatever the server's zone")
  func daily() throws {
    let timetable = Timetable.daily(hour: 2, minute: 0)
    try expect(timetable, at: "2026-11-21T01:59:59.999999+09:00", is: "2026-11-20T02:00:00+09:00")
    try expect(timetable, at: "2026-11-21T02:00:00+09:00", is: "2026-11-20T17:00:00Z")
    try expect(timetable, at: "2026-11-21T23:59:59+09:00", is: "2026-11-21T02:00:00+09:00")
    try expect(timetable, at: "2026-01-01T00:00:00+09:00", is: "2025-12-31T02:00:00+09:00")
  }

  @Test("weekly on Sunday at 03:00 is the last Sunday that has reached it")
  func weekly() throws {
    let timetable = Timetable.weekly(weekday: 7, hour: 3, minute: 0)
    // 2026-11-22 is a Sunday.
    try expect(timetable, at: "2026-11-22T02:59:59+09:00", is: "2026-11-15T03:00:00+09:00")
    try expect(timetable, at: "2026-11-22T03:00:00+09:00", is: "2026-11-22T03:00:00+09:00")
    try expect(timetable, at: "2026-11-28T23:00:00+09:00", is: "2026-11-22T03:00:00+09:00")
    try expect(.weekly(weekday: 1, hour: 0, minute: 0), at: "2026-11-22T12:00:00+09:00", is: "2026-11-16T00:00:00+09:00")
    // 1970-01-01 was a Thursday.
    try expect(.weekly(weekday: 4, hour: 9, minute: 0), at: "1970-01-01T09:00:00+09:00", is: "1970-01-01T09:00:00+09:00")
  }

  @Test("monthly on the 1st at 04:00 waits for the 1st")
  func monthly() throws {
    let timetable = Timetable.monthly(day: 1, hour: 4, minute: 0)
    try expect(timetable, at: "2026-12-01T03:59:00+09:00", is: "2026-11-01T04:00:00+09:00")
    try expect(timetable, at: "2026-12-01T04:00:00+09:00", is: "2026-12-01T04:00:00+09:00")
    try expect(timetable, at: "2026-01-01T00:00:00+09:00", is: "2025-12-01T04:00:00+09:00")
  }

  @Test("monthly on the 31st is the last day of shorter months, and never two days of one")
  func lastOfMonth() throws {
    let timetable = Timetable.monthly(day: 31, hour: 4, minute: 0)
    try expect(timetable, at: "2026-02-28T04:00:00+09:00", is: "2026-02-28T04:00:00+09:00")
    try expect(timetable, at: "2026-02-28T03:00:00+09:00", is: "2026-01-31T04:00:00+09:00")
    try expect(timetable, at: "2028-02-29T12:00:00+09:00", is: "2028-02-29T04:00:00+09:00")
    try expect(timetable, at: "2028-02-28T12:00:00+09:00", is: "2028-01-31T04:00:00+09:00")
    try expect(timetable, at: "2026-03-30T12:00:00+09:00", is: "2026-02-28T04:00:00+09:00")
    try expect(timetable, at: "2026-05-01T00:00:00+09:00", is: "2026-04-30T04:00:00+09:00")
  }

  @Test("every so often is counted from the epoch, so that all nodes mean the same tick")
  func every() throws {
    try expect(.every(.minutes(10)), at: "2026-11-21T05:09:59.999999Z", is: "2026-11-21T05:00:00Z")
    try expect(.every(.minutes(10)), at: "2026-11-21T05:10:00Z", is: "2026-11-21T05:10:00Z")
    try expect(.every(.seconds(1)), at: "2026-11-21T05:10:00.5Z", is: "2026-11-21T05:10:00Z")
  }

  @Test("a tick follows the clock on the wall through the days clocks change; an hour that is skipped is made up for")
  func changingClocks() throws {
    let newYork = try #require(TimeZone(identifier: "America/New_York"))
    let timetable = Timetable.daily(hour: 2, minute: 30)
    try expect(timetable, at: "2024-03-10T12:00:00-04:00", is: "2024-03-10T03:30:00-04:00", in: newYork)
    try expect(timetable, at: "2024-03-11T12:00:00-04:00", is: "2024-03-11T02:30:00-04:00", in: newYork)
    try expect(timetable, at: "2024-11-03T12:00:00-05:00", is: "2024-11-03T02:30:00-05:00", in: newYork)
    try expect(.daily(hour: 1, minute: 30), at: "2024-11-03T12:00:00-05:00", is: "2024-11-03T01:30:00-04:00", in: newYork)
  }

  @Test("a year of looking every half hour finds each daily tick once, and none early")
  func year() throws {
    let start = try #require(Instant(rfc3339: "2026-01-01T00:00:00+09:00"))
    var ticks: Set<Instant> = []
    for step in 0..<(365 * 48) {
      let now = start + .minutes(30 * step)
      let tick = Timetable.daily(hour: 2, minute: 0).tick(before: now, in: seoul)
      #expect(tick <= now)
      ticks.insert(tick)
    }
    #expect(ticks.count == 366)
  }
}
