import Database
import Foundation
public import Kit
import Web

/// What a person did over some days, for herself and for her guardian: figures only, no statement.
public struct Progress: Sendable {
  public struct AtTenant: Sendable {
    /// The tenant's id, or the id of the city's own site.
    public let tenant: String
    public let activities: Int
    /// Items answered, each time anew.
    public let answered: Int
    /// Of those answered, the right ones.
    public let correct: Int
    /// Different lessons brought to their end.
    public let lessonsCompleted: Int
    /// Days with an activity.
    public let activeDays: Int
    public let lastActivity: Instant
  }

  public struct OnDay: Sendable, Hashable {
    public let day: CivilDate
    public let activities: Int
  }

  /// Where she was active, the latest first.
  public let tenants: [AtTenant]
  /// Every day of the time, the oldest first, in the city's time zone; a day without activity has none.
  public let days: [OnDay]

  public var activities: Int { days.reduce(0) { $0 + $1.activities } }
  /// Days with an activity anywhere.
  public var activeDays: Int { days.count { $0.activities > 0 } }
}

extension RecordsService {
  /// What a person did in the last days, today included.
  ///
  /// - Parameter days: from 1 to 366; what lies outside is taken as the nearest.
  public func progress(of person: PersonID, days: Int) async throws -> Progress {
    let span = LastDays(days, now: clock.now(), zone: city().city.timeZone)
    return Progress(try await store.progress(of: person, span), over: span)
  }
}

/// The last days of a time zone, today included.
struct LastDays: Sendable {
  let days: [CivilDate]
  let zone: TimeZone
  /// From the first midnight to the last.
  let times: Range<Instant>
  /// Nothing is stored before it happened, a clock that goes wrong within a day apart: what older partitions hold is older.
  var storedFrom: Instant { times.lowerBound - .days(1) }

  init(_ count: Int, now: Instant, zone: TimeZone) {
    let (today, count) = (CivilDate(now, in: zone), min(max(count, 1), 366))
    days = (0..<count).map { today.adding(days: $0 - count + 1) }
    self.zone = zone
    times = days[0].start(in: zone)..<today.adding(days: 1).start(in: zone)
  }
}

extension Progress {
  init(_ rows: [StatementStore.ProgressRow], over span: LastDays) {
    var byDay: [CivilDate: Int] = [:]
    var daysAt: [String: Int] = [:]
    for row in rows {
      guard let day = row.day else { continue }
      byDay[day, default: 0] += row.activities
      daysAt[row.tenant, default: 0] += 1
    }
    days = span.days.map { OnDay(day: $0, activities: byDay[$0] ?? 0) }
    tenants = rows.filter { $0.day == nil }.map {
      AtTenant(
        tenant: $0.tenant, activities: $0.activities, answered: $0.answered, correct: $0.correct, lessonsCompleted: $0.lessons,
        activeDays: daysAt[$0.tenant] ?? 0, lastActivity: $0.last)
    }.sorted { ($1.lastActivity, $0.tenant) < ($0.lastActivity, $1.tenant) }
  }
}

extension StatementStore {
  /// The sums of a tenant and a day, or of a tenant over all days.
  struct ProgressRow: Sendable {
    let tenant: String
    let day: CivilDate?
    let activities: Int
    let answered: Int
    let correct: Int
    let lessons: Int
    let last: Instant
  }

  func progress(of person: PersonID, _ span: LastDays) async throws -> [ProgressRow] {
    let rows = try await database.query(
      """
      SELECT tenant, day, count(*) AS activities, max(timestamp) AS last,
        count(*) FILTER (WHERE verb = \(Vocabulary.answered)) AS answered,
        count(*) FILTER (WHERE verb = \(Vocabulary.answered) AND success) AS correct,
        count(DISTINCT object) FILTER (WHERE verb = \(Vocabulary.completed)) AS lessons
      FROM (
        SELECT tenant, verb, object, success, timestamp, (timestamp AT TIME ZONE \(span.zone.identifier))::date AS day
        FROM \(schema).statement
        WHERE person = \(person) AND timestamp >= \(span.times.lowerBound) AND timestamp < \(span.times.upperBound)
          AND stored >= \(span.storedFrom)
      ) s
      GROUP BY GROUPING SETS ((tenant, day), (tenant))
      """)
    return try rows.map {
      ProgressRow(
        tenant: try $0.get("tenant"), day: try $0.getIfPresent("day"), activities: try $0.get("activities"),
        answered: try $0.get("answered"), correct: try $0.get("correct"), lessons: try $0.get("lessons"),
        last: try $0.get("last"))
    }
  }
}
