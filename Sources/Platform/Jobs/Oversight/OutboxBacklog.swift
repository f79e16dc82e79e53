import Database
public import Foundation
public import Kit

/// What waits in one outbox.
public struct OutboxBacklog: Sendable, Hashable {
  public let schema: String
  /// Events on their way, dead ones not counted.
  public let waiting: Int
  public let dead: Int
  /// When the oldest that is on its way happened.
  public let oldest: Instant?
}

extension Relay {
  /// What waits in every outbox.
  /// - Returns: `nil` as backlog for an outbox that can't be read.
  public func backlogs() async -> [(schema: String, backlog: OutboxBacklog?)] {
    let sources = sources
    guard let asked = await candidates() else { return sources.map { ($0.schema.name, nil) } }
    let found = await withTaskGroup(of: (Schema, OutboxBacklog?).self) { group in
      for source in asked { group.addTask { (source.schema, try? await Relay.backlog(source)) } }
      return await group.reduce(into: [Schema: OutboxBacklog?]()) { $0[$1.0] = .some($1.1) }
    }
    return sources.map { source in
      // One that need not be asked is empty.
      let none = OutboxBacklog(schema: source.schema.name, waiting: 0, dead: 0, oldest: nil)
      return (source.schema.name, found[source.schema] ?? none)
    }
  }

  private static func backlog(_ source: Source) async throws -> OutboxBacklog {
    let row = try await source.database.one(
      """
      SELECT count(*) FILTER (WHERE due < 'infinity') AS waiting, count(*) FILTER (WHERE due = 'infinity') AS dead,
        min(occurred) FILTER (WHERE due < 'infinity') AS oldest FROM \(source.schema).outbox
      """)
    return OutboxBacklog(
      schema: source.schema.name, waiting: try row?.get("waiting") ?? 0, dead: try row?.get("dead") ?? 0,
      oldest: try row?.getIfPresent("oldest"))
  }

  /// Events that were given up, newest first. An outbox that can't be read has none here.
  public func dead(limit: Int) async -> [DeadLetter] {
    await withTaskGroup(of: [DeadLetter].self) { group in
      for source in await candidates() ?? [] {
        group.addTask { (try? await Relay.dead(source, limit: limit)) ?? [] }
      }
      let all = await group.reduce(into: []) { $0 += $1 }
      return Array(all.sorted { ($0.at, $0.id.uuidString) > ($1.at, $1.id.uuidString) }.prefix(limit))
    }
  }

  private static func dead(_ source: Source, limit: Int) async throws -> [DeadLetter] {
    let rows = try await source.database.query(
      """
      SELECT id, type, attempts, occurred, last_error FROM \(source.schema).outbox
      WHERE due = 'infinity' ORDER BY seq DESC LIMIT \(limit)
      """)
    return try rows.map { row in
      DeadLetter(
        id: try row.get("id"), source: source.schema.name, kind: try row.get("type"), attempts: try row.get("attempts"),
        at: try row.get("occurred"), lastError: try row.getIfPresent("last_error"))
    }
  }

  /// Sends a dead event on its way again, with all its tries. Twice is once.
  /// - Returns: its type; `nil` when there is no such dead event (any more).
  public func retry(_ id: UUID, in schema: String) async throws -> String? {
    guard let source = sources.first(where: { $0.schema.name == schema }) else { return nil }
    let row = try await source.database.one(
      """
      UPDATE \(source.schema).outbox SET attempts = 0, due = now() WHERE id = \(id) AND due = 'infinity' RETURNING type
      """)
    wake(source.schema)
    return try row?.get("type")
  }
}
