public import Database
public import Foundation
public import Kit

/// Work to be done later, kept in the database: taken with `SKIP LOCKED`, leased by the database's clock, tried again with
/// growing pauses, and put aside as a dead letter after its last try.
public struct JobQueue: Sendable {
  /// One named queue and how it is worked off.
  public struct Settings: Sendable {
    public let name: String
    /// Jobs worked on side by side on one node.
    public let concurrency: Int
    public let attempts: Int
    /// How long a worker may take before the job goes to another.
    public let lease: Duration
    public init(_ name: String, concurrency: Int, attempts: Int, lease: Duration = .seconds(60)) {
      self.name = name
      self.concurrency = concurrency
      self.attempts = attempts
      self.lease = lease
    }
  }

  public struct Job: Sendable {
    public let id: UUID
    public let kind: String
    public let payload: JSONValue
    public let attempt: Int
  }

  let database: Database
  let schema: Schema

  public init(database: Database, schema: Schema) {
    self.database = database
    self.schema = schema
  }

  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.inFolder("Queue")) }
  }

  /// Queues a job.
  /// - Parameter key: the same key is queued once, also after it was done.
  public func add(
    _ kind: String, _ payload: JSONValue, to queue: Settings, key: String? = nil, priority: Int = 0,
    in executor: (any SQLExecutor)? = nil
  ) async throws {
    try await (executor ?? database).execute(
      """
      INSERT INTO \(schema).job (id, queue, kind, payload, key, priority, attempts_max)
      VALUES (\(UUID.v7()), \(queue.name), \(kind), \(payload), \(key), \(priority), \(queue.attempts))
      ON CONFLICT (key) DO NOTHING
      """)
  }

  /// Takes jobs that are due. A lease is a later `due`: a worker that dies gives its job back by doing nothing. One that
  /// comes back so after its last try has taken its workers with it, and is put aside.
  func take(_ queue: Settings, most count: Int) async throws -> [Job] {
    let rows = try await database.query(
      """
      UPDATE \(schema).job SET
        attempts = CASE WHEN attempts < attempts_max THEN attempts + 1 ELSE attempts END,
        state = CASE WHEN attempts < attempts_max THEN state ELSE 'dead' END,
        ended = CASE WHEN attempts < attempts_max THEN ended ELSE now() END,
        last_error = CASE WHEN attempts < attempts_max THEN last_error ELSE 'the lease of the last try ran out' END,
        due = now() + make_interval(secs => \(Double(queue.lease.microseconds) / 1_000_000))
      WHERE id IN (
        SELECT id FROM \(schema).job WHERE queue = \(queue.name) AND state = 'waiting' AND due <= now()
        ORDER BY priority DESC, due LIMIT \(count) FOR UPDATE SKIP LOCKED)
      RETURNING id, kind, payload, attempts, state
      """)
    return try rows.filter { try $0.get("state") == "waiting" }.map {
      Job(id: try $0.get("id"), kind: try $0.get("kind"), payload: try $0.get("payload"), attempt: try $0.get("attempts"))
    }
  }

  func done(_ job: Job) async throws {
    try await database.execute("UPDATE \(schema).job SET state = 'done', ended = now(), payload = 'null' WHERE id = \(job.id)")
  }

  /// Tries again after 1 s, 2 s, 4 s … up to ten minutes, or gives up. From a worker whose lease ran out meanwhile it is no
  /// word on the job: another has it now, or has done it.
  func failed(_ job: Job, reason: String) async throws {
    try await database.execute(
      """
      UPDATE \(schema).job SET last_error = \(reason),
        state = CASE WHEN attempts >= attempts_max THEN 'dead' ELSE 'waiting' END,
        ended = CASE WHEN attempts >= attempts_max THEN now() END,
        due = now() + make_interval(secs => least(600, power(2, attempts - 1)))
      WHERE id = \(job.id) AND state = 'waiting' AND attempts = \(job.attempt)
      """)
  }

  /// Keeps the last 100 done and 50 failed jobs of a queue.
  public func trim(_ queue: Settings) async throws {
    for (state, keep) in [("done", 100), ("dead", 50)] {
      try await database.execute(
        """
        DELETE FROM \(schema).job WHERE id IN (
          SELECT id FROM \(schema).job WHERE queue = \(queue.name) AND state = \(state) ORDER BY ended DESC OFFSET \(keep))
        """)
    }
  }

  /// Jobs by queue and state, for the metrics.
  public func depth() async throws -> [(queue: String, state: String, count: Int)] {
    try await database.query("SELECT queue, state, count(*) AS count FROM \(schema).job GROUP BY queue, state").map {
      (try $0.get("queue"), try $0.get("state"), try $0.get("count"))
    }
  }
}
