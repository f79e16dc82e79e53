public import Foundation
public import Kit

/// When something is due again and again. Civil times are those of a time zone.
public enum Timetable: Sendable, Hashable {
  case every(Duration)
  case daily(hour: Int, minute: Int)
  /// 1 is Monday, 7 is Sunday (ISO 8601).
  case weekly(weekday: Int, hour: Int, minute: Int)
  case monthly(day: Int, hour: Int, minute: Int)

  /// The last tick at or before an instant.
  public func tick(before now: Instant, in zone: TimeZone) -> Instant {
    switch self {
    case .every(let period):
      let length = max(1, period.microseconds)
      return Instant(microseconds: now.microseconds - (now.microseconds % length))
    case .daily(let hour, let minute):
      return last(before: now, in: zone, hour, minute) { _ in true }
    case .weekly(let weekday, let hour, let minute):
      // 1970-01-01 was a Thursday.
      return last(before: now, in: zone, hour, minute) { ($0.daysSinceEpoch + 3) % 7 + 1 == weekday }
    case .monthly(let day, let hour, let minute):
      return last(before: now, in: zone, hour, minute) {
        $0.day == min(day, CivilDate.length(ofMonth: $0.month, year: $0.year))
      }
    }
  }

  private func last(
    before now: Instant, in zone: TimeZone, _ hour: Int, _ minute: Int, _ holds: (CivilDate) -> Bool
  ) -> Instant {
    var day = CivilDate(now, in: zone)
    while true {
      let tick = day.instant(hour: hour, minute: minute, in: zone)
      if holds(day), tick <= now { return tick }
      day = day.adding(days: -1)
    }
  }
}
