import Database
import Foundation
public import Kit
import Web

/// What happened at a tenant on one day, for its operator.
public struct DayFigures: Sendable, Hashable {
  /// In the city's time zone.
  public let day: CivilDate
  /// How many were active.
  public let people: Int
  public let activities: Int
}

extension RecordsService {
  /// A tenant's last days, today included, the oldest first; a day without activity is there with zeros.
  ///
  /// - Parameter days: from 1 to 366; what lies outside is taken as the nearest.
  public func figures(at tenant: TenantID, days: Int) async throws -> [DayFigures] {
    let span = LastDays(days, now: clock.now(), zone: city().city.timeZone)
    let found = Dictionary(uniqueKeysWithValues: try await store.figures(at: tenant, span).map { ($0.day, $0) })
    return span.days.map { found[$0] ?? DayFigures(day: $0, people: 0, activities: 0) }
  }
}

extension StatementStore {
  func figures(at tenant: TenantID, _ span: LastDays) async throws -> [DayFigures] {
    let rows = try await reading.query(
      """
      SELECT day, count(DISTINCT person) AS people, count(*) AS activities
      FROM (
        SELECT person, (timestamp AT TIME ZONE \(span.zone.identifier))::date AS day FROM \(schema).statement
        WHERE tenant = \(tenant) AND stored >= \(span.storedFrom)
          AND timestamp >= \(span.times.lowerBound) AND timestamp < \(span.times.upperBound)
      ) s
      GROUP BY day
      """)
    return try rows.map {
      DayFigures(day: try $0.get("day"), people: try $0.get("people"), activities: try $0.get("activities"))
    }
  }
}
