import Database
import Kit

/// The buckets all nodes share.
struct BucketTable: Sendable {
  /// What a node got of a limit.
  struct Portion: Sendable, Equatable {
    let granted: Int
    /// Microseconds until one unit more is there; 0 when there is.
    let wait: Int64
  }

  let database: Database
  let schema: Schema

  /// Takes up to `wanted` units, in one statement by one clock: whatever the nodes' clocks say, no more is given than the limit.
  func take(_ wanted: Int, of limit: RateLimit, class name: String, subject: String) async throws -> Portion {
    let (step, period) = (limit.step, limit.period.microseconds)
    // A limit that changes begins anew: how full a bucket is says nothing in another measure.
    let name = "\(name) \(limit.count)/\(period)"
    // A burst as large as the limit finds a full bucket empty, however step and period are rounded.
    let depth = max(period, step)
    let now: SQL = "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
    let free: SQL =
      """
      greatest(0, least(\(Int64(wanted)), (\(sql: now) + \(depth) - greatest(b.full_at, \(sql: now))) / \(step)))
      """
    let row = try await database.one(
      """
      INSERT INTO \(schema).rate_bucket AS b (class, subject, full_at, granted)
      VALUES (\(name), \(subject), \(sql: now) + \(step) * least(\(Int64(wanted)), \(depth) / \(step)),
        least(\(Int64(wanted)), \(depth) / \(step)))
      ON CONFLICT ON CONSTRAINT rate_bucket_once DO UPDATE SET
        full_at = greatest(b.full_at, \(sql: now)) + \(step) * \(sql: free), granted = \(sql: free)
      RETURNING granted, greatest(0, full_at + \(step) - \(depth) - \(sql: now)) AS wait
      """)
    guard let row else { return Portion(granted: 0, wait: step) }
    return Portion(granted: try row.get("granted"), wait: try row.get("wait"))
  }

  /// Deletes buckets that are full again.
  func purge() async throws {
    try await database.execute(
      """
      DELETE FROM \(schema).rate_bucket
      WHERE full_at < (extract(epoch FROM statement_timestamp()) * 1000000)::bigint - 60000000
      """)
  }
}
