import Database
import Foundation
import Kit
import Synchronization

/// The tables of the record store.
final class StatementStore: Sendable {
  /// Months made at once: the running one and those ahead.
  static let monthsAhead = 3

  let database: Database
  /// For statistics: may show what was some seconds ago.
  let reading: any SQLExecutor
  let schema: Schema
  /// First days of months whose partitions are known to be there.
  private let months = Mutex<Set<CivilDate>>([])

  init(database: Database, reading: any SQLExecutor, schema: Schema) {
    self.database = database
    self.reading = reading
    self.schema = schema
  }

  /// Stores what is not there yet; a statement whose id is taken is left as it is.
  ///
  /// Nothing is written for a person who was erased, but that the id is taken.
  /// - Parameter stored: the same that stands in the documents.
  /// - Returns: how many were new.
  @discardableResult
  func append(_ statements: [Statement], stored: Instant) async throws -> Int {
    var seen: Set<Key> = []
    let fresh = statements.filter { seen.insert(Key(tenant: $0.tenant, id: $0.id)).inserted }
    guard !fresh.isEmpty else { return 0 }
    try await ensurePartition(of: stored)
    let insert = insertion(of: fresh, stored: stored)
    return try await database.transaction { transaction in
      // Side by side with other writers, never with an erasure: one or the other is first. In a statement of its own, so
      // that the next one sees what was committed while this one waited.
      try await transaction.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(\(self.lockName), 0))")
      return try await transaction.execute(insert)
    }
  }

  private struct Key: Hashable {
    let tenant: String
    let id: UUID
  }

  private func insertion(of statements: [Statement], stored: Instant) -> SQL {
    // Arrays of one length and one statement text, whatever the number of rows: it is prepared once. NULLs travel as ''.
    let (tenants, ids, people) = (statements.map(\.tenant), statements.map(\.id), statements.map(\.person.uuid))
    let (verbs, objects) = (statements.map(\.verb), statements.map(\.object))
    let times = statements.map(\.timestamp.statementText)
    let successes = statements.map { $0.success.map { $0 ? "t" : "f" } ?? "" }
    let scores = statements.map { $0.score.map { "\($0)" } ?? "" }
    let payloads = statements.map(\.payload)
    return """
      WITH incoming AS (
        SELECT * FROM unnest(
          \(tenants), \(ids), \(people), \(verbs), \(objects), \(times), \(successes), \(scores), \(payloads)
        ) WITH ORDINALITY AS i(tenant, id, person, verb, object, time, success, score, payload, position)
      ), taken AS (
        INSERT INTO \(schema).statement_key (tenant, id, seq, stored)
        SELECT i.tenant, i.id,
          CASE WHEN e.person IS NULL THEN nextval('\(schema).statement_seq') END, \(stored)
        FROM incoming i LEFT JOIN \(schema).erasure e ON e.person = i.person
        ORDER BY i.position
        ON CONFLICT (tenant, id) DO NOTHING
        RETURNING tenant, id, seq
      )
      INSERT INTO \(schema).statement
        (tenant, seq, id, person, verb, object, timestamp, stored, success, score, payload)
      SELECT i.tenant, t.seq, i.id, i.person, i.verb, i.object, i.time::timestamptz, \(stored),
        nullif(i.success, '')::boolean, nullif(i.score, '')::double precision, i.payload
      FROM incoming i JOIN taken t ON t.tenant = i.tenant AND t.id = i.id
      WHERE t.seq IS NOT NULL
      ORDER BY t.seq
      """
  }

  // MARK: Reading

  /// A person's statements over all tenants by statement time, then id, newest first.
  func statements(of person: PersonID, before cursor: TimelineCursor?, limit: Int) async throws -> Rows {
    let older: SQL = cursor.map { "AND (s.timestamp, s.id) < (\($0.timestamp), \($0.id))" } ?? ""
    return try await database.query(
      """
      SELECT s.tenant, s.id, s.verb, s.object, s.timestamp, s.stored, s.success, s.score, s.payload
      FROM \(schema).statement s WHERE s.person = \(person) \(sql: older)
      ORDER BY s.timestamp DESC, s.id DESC LIMIT \(limit)
      """)
  }

  /// Different people by tenant, of what was stored since a time.
  func activePeople(since: Instant) async throws -> [String: Int] {
    let rows = try await reading.query(
      "SELECT tenant, count(DISTINCT person) AS people FROM \(schema).statement WHERE stored >= \(since) GROUP BY tenant")
    return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.get("tenant"), try $0.get("people")) })
  }

  // MARK: Erasure

  /// Deletes a person's statements; their ids stay taken.
  /// - Returns: how many there were.
  func erase(_ person: PersonID, at now: Instant) async throws -> Int {
    try await database.transaction { transaction in
      try await transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended(\(self.lockName), 0))")
      try await transaction.execute(
        """
        INSERT INTO \(self.schema).erasure (person, erased) VALUES (\(person), \(now)) ON CONFLICT (person) DO NOTHING
        """)
      return try await transaction.execute(
        """
        WITH erased AS (DELETE FROM \(self.schema).statement WHERE person = \(person) RETURNING tenant, id)
        UPDATE \(self.schema).statement_key k SET seq = NULL FROM erased e WHERE k.tenant = e.tenant AND k.id = e.id
        """)
    }
  }

  private var lockName: String { "\(schema).erasure" }

  // MARK: Partitions

  /// Makes the partitions of a time's month and of those after it.
  /// - Returns: how many were missing.
  @discardableResult
  func ensurePartitions(from time: Instant, months count: Int) async throws -> Int {
    let first = StatementStore.month(of: time)
    let made = try await database.one("SELECT \(schema).ensure_partitions(\(first), \(count)::integer)")
    months.withLock { known in
      for ahead in 0..<count { known.insert(first.adding(months: ahead)) }
    }
    return Int(try made?.get(0, as: Int32.self) ?? 0)
  }

  /// There is no default partition to catch a statement of a month that nobody prepared.
  private func ensurePartition(of time: Instant) async throws {
    let month = StatementStore.month(of: time)
    guard !months.withLock({ $0.contains(month) }) else { return }
    try await ensurePartitions(from: time, months: StatementStore.monthsAhead)
  }

  static func month(of time: Instant) -> CivilDate {
    CivilDate(time, in: TimeZone(secondsFromGMT: 0)!).firstOfMonth  // offset 0 always exists
  }
}
