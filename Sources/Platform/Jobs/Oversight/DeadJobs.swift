import Database
public import Foundation
public import Kit

/// Work that was given up: a job after its last try, or an event after its twentieth.
public struct DeadLetter: Sendable, Hashable {
  public let id: UUID
  /// The queue's name, or the schema whose outbox holds the event.
  public let source: String
  /// The job's kind, or the event's type.
  public let kind: String
  public let attempts: Int
  /// When it was given up; of an event, when it happened.
  public let at: Instant
  /// Without the values it may have quoted.
  public let lastError: String?
}

extension JobQueue {
  /// Jobs that were given up, newest first.
  public func dead(limit: Int) async throws -> [DeadLetter] {
    let rows = try await database.query(
      """
      SELECT id, queue, kind, attempts, coalesce(ended, made) AS at, last_error FROM \(schema).job
      WHERE state = 'dead' ORDER BY ended DESC, id LIMIT \(limit)
      """)
    return try rows.map { row in
      DeadLetter(
        id: try row.get("id"), source: try row.get("queue"), kind: try row.get("kind"), attempts: try row.get("attempts"),
        at: try row.get("at"), lastError: try row.getIfPresent("last_error"))
    }
  }

  /// Gives a dead job all its tries again, from now on. Twice is once.
  /// - Returns: its kind; `nil` when there is no such dead job (any more).
  public func retry(_ id: UUID) async throws -> String? {
    try await database.one(
      """
      UPDATE \(schema).job SET state = 'waiting', attempts = 0, due = now(), ended = NULL
      WHERE id = \(id) AND state = 'dead' RETURNING kind
      """
    )?.get("kind")
  }

  /// When each timetable last came due and was queued.
  public func lastRuns() async throws -> [(name: String, tick: Instant, started: Instant)] {
    try await database.query(
      """
      SELECT DISTINCT ON (name) name, tick, started FROM \(schema).schedule_run ORDER BY name, tick DESC
      """
    ).map { (try $0.get("name"), try $0.get("tick"), try $0.get("started")) }
  }
}
