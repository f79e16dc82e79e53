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

  /// After so many failures an event waits for an operator.
  static let attemptsMost = 20
  private static let batch = 100

  let sources: [Source]
  private let handlers: [any EventHandler]
  private let logger: Logger
  private let look: AsyncStream<Int>
  private let signal: AsyncStream<Int>.Continuation
  private let waiting = Mutex<Set<Int>>([])
  private let counters = Mutex<(delivered: Int, failed: Int)>((0, 0))

  public init(sources: [Source], handlers: [any EventHandler], logger: Logger) {
    self.sources = sources
    self.handlers = handlers
    self.logger = logger
    (look, signal) = AsyncStream.makeStream()
  }

  /// Events delivered and deliveries that failed since start.
  public var delivered: (delivered: Int, failed: Int) { counters.withLock { $0 } }

  /// Says that a schema's outbox has something.
  public func wake(_ schema: Schema) {
    guard let index = sources.firstIndex(where: { $0.schema == schema }) else { return }
    wake(index)
  }

  private func wake(_ index: Int) {
    if waiting.withLock({ $0.insert(index).inserted }) { signal.yield(index) }
  }

  /// Works until the task is cancelled.
  ///
  /// - Parameters:
  ///   - workers: outboxes emptied side by side.
  ///   - interval: how often all are looked at, for what a dead node or a lost wake-up left behind.
  public func run(workers: Int = 4, interval: Duration = .seconds(2)) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        while !Task.isCancelled {
          for index in self.sources.indices { self.wake(index) }
          try? await Task.sleep(for: interval)
        }
        self.signal.finish()
      }
      group.addTask { await self.dispatch(workers: workers) }
    }
  }

  private func dispatch(workers: Int) async {
    await withTaskGroup(of: Void.self) { group in
      var busy = 0
      for await index in look {
        if busy == workers {
          await group.next()
          busy -= 1
        }
        busy += 1
        group.addTask {
          // Taken off before the look: what is written during it wakes us again.
          self.waiting.withLock { _ = $0.remove(index) }
          await self.empty(self.sources[index])
        }
      }
    }
  }

  /// Delivers what is due in every outbox, once round.
  public func drain() async {
    for source in sources { await empty(source) }
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
      for (id, reason) in failures {
        try await transaction.execute(
          """
          UPDATE \(schema).outbox SET attempts = attempts + 1, last_error = \(reason),
            due = CASE WHEN attempts + 1 >= \(Relay.attemptsMost) THEN 'infinity'::timestamptz
                       ELSE now() + make_interval(secs => least(300, 0.5 * power(2, attempts))) END
          WHERE id = \(id)
          """)
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
