import Database
import Foundation
import Kit
import TenantKit

/// Figures of a town, as old as the cache they come from allows.
struct TownCounts: Sendable {
  var categories: [Category: Int] = [:]
  var total: Int { categories.values.reduce(0, +) }
  /// Of the last 30 days: urgent questions somebody answered or had the time to, and those answered in time (R35).
  var urgentAsked = 0
  var urgentInTime = 0
}

extension Town {
  /// Cached for 5 minutes (R37).
  func currentCounts() async throws -> TownCounts {
    let (services, schema, clock, target) = (services, schema, services.clock, settings.answerTarget)
    return try await counts.value { isForgotten in
      let source = isForgotten ? services.database : services.reading
      var counts = TownCounts()
      let rows = try await source.query(
        "SELECT category, count(*) AS questions FROM \(schema).question WHERE state <> 'deleted' GROUP BY category")
      for row in rows { counts.categories[try row.get("category")] = try row.get("questions", as: Int.self) }
      let now = clock.now()
      let row = try await source.one(
        """
        SELECT count(*) AS asked, count(*) FILTER (WHERE first_answer_at <= created_at + \(target)) AS in_time
        FROM \(schema).question
        WHERE state <> 'deleted' AND urgency = 'urgent' AND created_at > \(now - .days(30))
          AND (first_answer_at IS NOT NULL OR created_at < \(now - target))
        """)
      if let row {
        counts.urgentAsked = try row.get("asked")
        counts.urgentInTime = try row.get("in_time")
      }
      return counts
    }
  }

  /// The most used hashtags of the last 24 hours (R34), 20 at most.
  func trendingTags() async throws -> [String] {
    let (services, schema, clock) = (services, schema, services.clock)
    return try await trending.value { isForgotten in
      let source = isForgotten ? services.database : services.reading
      return try await source.query(
        """
        SELECT tag FROM \(schema).question q, unnest(q.hashtags) AS tag
        WHERE q.state <> 'deleted' AND q.created_at > \(clock.now() - .days(1))
        GROUP BY tag ORDER BY count(*) DESC, max(q.created_at) DESC, tag LIMIT 20
        """
      ).map { try $0.get("tag") }
    }
  }
}
