public import Database
import Foundation
public import Kit
public import Logging
import Synchronization

/// Carries events from every outbox to their handlers: at least once; in order within a batch, while nodes take batches side by side.
///
/// Killed at any line, nothing is lost: an event leaves its table only in a transaction that commits after its handlers.
public final class Relay: Sendable {
  public struct Source: Sendable {
    public let database: Database
    public let schema: Schema
    public let tenant: TenantID?
    public init(database: Database, schema: Schema, tenant: TenantID?) {
      self.database = database
      self.schema = schema
      self.tenant = tenant
    }
  }

  /// Says which outboxes may hold something; it may name too many, never too few. With thousands of schemas it spares
  /// a connection to each, again and again, only to find nothing.
  public typealias Survey = @Sendable () async throws -> Set<Schema>

  /// After so many failures an event waits for an operator.
  static let attemptsMost = 20
  private static let batch = 100
  /// Up to so many outboxes are all looked at in each round; of more, a few, round and round: each may need a connection of its
  /// own, to find nothing. What was written is said; this is for words that were lost.
  private static let roundMost = 32
  private static let roundOfMany = 8

  private struct State {
    var sources: [Source]
    var bySchema: [Schema: Source]
    /// Signalled, and not taken up yet.
    var waiting: Set<Schema> = []
    /// When events that failed here are due again.
    var retries: [Schema: ContinuousClock.Instant] = [:]
    /// Where the next round goes on.
    var place = 0

    init(_ sources: [Source]) {
      self.sources = sources
      bySchema = Dictionary(sources.map { ($0.schema, $0) }) { first, _ in first }
    }
  }

  private let handlers: [any EventHandler]
  private let survey: Survey?
  private let logger: Logger
  private let look: AsyncStream<Schema>
  private let signal: AsyncStream<Schema>.Continuation
  private let state: Mutex<State>
  private let counters = Mutex<(delivered: Int, failed: Int)>((0, 0))

  /// - Parameter survey: `nil`: every outbox is asked itself.
  public init(sources: [Source], handlers: [any EventHandler], survey: Survey? = nil, logger: Logger) {
    state = Mutex(State(sources))
    self.handlers = handlers
    self.survey = survey
    self.logger = logger
    (look, signal) = AsyncStream.makeStream()
  }

  /// The outboxes it empties now.
  var sources: [Source] { state.withLock { $0.sources } }

  /// Empties these outboxes from now on. What is under way in another ends as it would have.
  public func replace(_ sources: [Source]) {
    let added = state.withLock { state in
      let before = Set(state.bySchema.keys)
      let kept = (waiting: state.waiting, retries: state.retries)
      state = State(sources)
      state.waiting = kept.waiting
      state.retries = kept.retries.filter { state.bySchema[$0.key] != nil }
      return sources.map(\.schema).filter { !before.contains($0) }
    }
    for schema in added { wake(schema) }
  }

  /// Events delivered and deliveries that failed since start.
  public var delivered: (delivered: Int, failed: Int) { counters.withLock { $0 } }

  /// Says that a schema's outbox has something.
  public func wake(_ schema: Schema) {
    let isNew = state.withLock { $0.bySchema[schema] != nil && $0.waiting.insert(schema).inserted }
    if isNew { signal.yield(schema) }
  }

  /// Works until the task is cancelled.
  ///
  /// - Parameters:
  ///   - workers: outboxes emptied side by side.
  ///   - interval: how often it looks by itself, for what a dead node or a lost wake-up left behind: at all of them, or of
  ///     many at some, round and round.
  public func run(workers: Int = 4, interval: Duration = .seconds(2)) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        while !Task.isCancelled {
          await self.round()
          try? await Task.sleep(for: interval)
        }
        self.signal.finish()
      }
      group.addTask { await self.dispatch(workers: workers) }
    }
  }

  private func round() async {
    let names = (await candidates() ?? []).map(\.schema)
    let now = ContinuousClock.now
    let due = state.withLock { state -> [Schema] in
      let retries = state.retries.filter { $0.value <= now }.map(\.key)
      for schema in retries { state.retries[schema] = nil }
      guard names.count > Relay.roundMost else { return retries + names }
      let start = state.place % names.count
      state.place = start + Relay.roundOfMany
      return retries + (start..<start + Relay.roundOfMany).map { names[$0 % names.count] }
    }
    for schema in due { wake(schema) }
  }

  /// The outboxes that may hold something, in the order of the sources; `nil` when that could not be found out.
  func candidates() async -> [Source]? {
    let sources = sources
    guard let survey else { return sources }
    do {
      let found = try await survey()
      return sources.filter { found.contains($0.schema) }
    } catch {
      if !Task.isCancelled { logger.warning("outboxes not surveyed", metadata: ["error": "\(SafeError(error))"]) }
      return nil
    }
  }

  private func dispatch(workers: Int) async {
    await withTaskGroup(of: Void.self) { group in
      var busy = 0
      for await schema in look {
        if busy == workers {
          await group.next()
          busy -= 1
        }
        busy += 1
        group.addTask {
          // Taken off before the look: what is written during it wakes us again.
          let source = self.state.withLock { state in
            state.waiting.remove(schema)
            return state.bySchema[schema]
          }
          if let source { await self.empty(source) }
        }
      }
    }
  }

  /// Delivers what is due in every outbox, once round.
  public func drain() async {
    for source in await candidates() ?? [] { await empty(source) }
  }

  private func empty(_ source: Source) async {
    do {
      while try await deliver(source) == Relay.batch, !Task.isCancelled {}
    } catch is CancellationError {
    } catch {
      logger.warning("outbox not read", metadata: ["schema": "\(source.schema)", "error": "\(SafeError(error))"])
    }
  }

  private func deliver(_ source: Source) async throws -> Int {
    let schema = source.schema
    return try await source.database.transaction { transaction in
      let rows = try await transaction.query(
        """
        SELECT id, type, version, occurred, payload, attempts FROM \(schema).outbox
        WHERE due <= now() ORDER BY seq LIMIT \(Relay.batch) FOR UPDATE SKIP LOCKED
        """)
      if rows.isEmpty { return 0 }
      let events = try rows.map { row in
        Event(
          id: try row.get("id"), type: try row.get("type"), version: try row.get("version"), tenant: source.tenant,
          occurred: try row.get("occurred"), payload: try row.get("payload"))
      }
      let failures = await self.apply(events)
      let done = events.map(\.id).filter { failures[$0] == nil }
      try await transaction.execute("DELETE FROM \(schema).outbox WHERE id = ANY(\(done))")
      var soonest: Double?
      for (id, reason) in failures {
        let row = try await transaction.one(
          """
          UPDATE \(schema).outbox SET attempts = attempts + 1, last_error = \(reason),
            due = CASE WHEN attempts + 1 >= \(Relay.attemptsMost) THEN 'infinity'::timestamptz
                       ELSE now() + make_interval(secs => least(300, 0.5 * power(2, attempts))) END
          WHERE id = \(id)
          RETURNING CASE WHEN due < 'infinity' THEN extract(epoch FROM due - now())::float8 END AS wait
          """)
        if let wait: Double = try row?.getIfPresent("wait") { soonest = min(soonest ?? wait, wait) }
      }
      if let soonest {
        let due = ContinuousClock.now + .milliseconds(soonest * 1_000)
        transaction.afterCommit { self.state.withLock { $0.retries[schema] = min($0.retries[schema] ?? due, due) } }
      }
      self.counters.withLock { $0 = ($0.delivered + done.count, $0.failed + failures.count) }
      return rows.count
    }
  }

  /// - Returns: the events that some handler could not apply, and why.
  private func apply(_ events: [Event]) async -> [UUID: String] {
    var failures: [UUID: String] = [:]
    for handler in handlers {
      let its = events.filter { handler.types.contains($0.type) }
      if its.isEmpty { continue }
      do {
        try await handler.apply(its)
      } catch {
        // One bad event must not hold up the others: apply them one by one.
        for event in its {
          do {
            // It was alone already: to ask again at once would be no other question.
            if its.count == 1 { throw error }
            try await handler.apply([event])
          } catch {
            failures[event.id] = "\(handler.name): \(SafeError(error))"
            logger.warning(
              "event not applied",
              metadata: [
                "event": "\(event.id)", "type": "\(event.type)", "handler": "\(handler.name)", "error": "\(SafeError(error))",
              ])
          }
        }
      }
    }
    return failures
  }
}

/// An error as a log or a table may have it: without the values it may quote.
struct SafeError: CustomStringConvertible {
  let error: any Error
  init(_ error: any Error) { self.error = error }
  var description: String {
    switch error {
    case let known as DatabaseError: "\(known)"
    case let problem as Problem: problem.kind.slug
    default: "\(type(of: error))"
    }
  }
}
