import Database
import Foundation
import Kit
import Logging
import Support
import Synchronization
import Testing

@testable import Jobs

/// Two schemas with an outbox, and the platform's with queue and timetable.
struct JobCity: Sendable {
  static let town = Schema("town")!
  static let prep = Schema("prep")!
  static let platform = Schema("platform")!

  let test: TestDatabase
  let town: Database
  let prep: Database
  let platform: Database
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// Gives the body a city of its own.
  static func open(_ body: (JobCity) async throws -> Void) async throws {
    try await withDatabase { test in
      let city = JobCity(
        test: test, town: try await test.makeSchema(town, migrations: OutboxTable.migrations),
        prep: try await test.makeSchema(prep, migrations: OutboxTable.migrations),
        platform: try await test.makeSchema(platform, migrations: JobQueue.migrations))
      try await body(city)
    }
  }

  // MARK: Outboxes

  var sources: [Relay.Source] {
    [
      Relay.Source(database: town, schema: JobCity.town, tenant: TenantID("town")),
      Relay.Source(database: prep, schema: JobCity.prep, tenant: TenantID("prep")),
    ]
  }

  func relay(_ handlers: any EventHandler...) -> Relay { Relay(sources: sources, handlers: handlers, logger: logger) }

  /// Writes events of one transaction into the town's outbox.
  func emit(_ events: [Event], wake: @escaping @Sendable () -> Void = {}) async throws {
    let outbox = OutboxTable(schema: JobCity.town, tenant: TenantID("town"), wake: wake)
    try await town.transaction { transaction in
      for event in events { try outbox.write(event, in: transaction) }
    }
  }

  func waiting() async throws -> Int {
    try await town.one("SELECT count(*) AS n FROM \(JobCity.town).outbox")?.get("n") ?? -1
  }

  // MARK: Queue

  var queue: JobQueue { JobQueue(database: platform, schema: JobCity.platform) }

  func state(of id: UUID) async throws -> String {
    try await platform.one("SELECT state FROM \(JobCity.platform).job WHERE id = \(id)")?.get("state") ?? "gone"
  }

  /// How long after `body` the one job there is will be due, in seconds by the database's clock. The bounds are as far apart
  /// as `body` took.
  func delay(after body: () async throws -> Void) async throws -> ClosedRange<Double> {
    let before: Instant = try #require(try await platform.one("SELECT clock_timestamp() AS now")).get("now")
    try await body()
    let row = try #require(try await platform.one("SELECT due, clock_timestamp() AS now FROM \(JobCity.platform).job"))
    let (due, after): (Instant, Instant) = (try row.get("due"), try row.get("now"))
    return (due - after).milliseconds / 1_000...(due - before).milliseconds / 1_000
  }

  /// As when the time of the lease, or of the pause after a failure, had passed.
  func makeDue() async throws {
    try await platform.execute("UPDATE \(JobCity.platform).job SET due = now() WHERE state = 'waiting'")
  }

  func count(_ state: String) async throws -> Int {
    try await platform.one("SELECT count(*) AS n FROM \(JobCity.platform).job WHERE state = \(state)")?.get("n") ?? -1
  }
}

extension Event {
  /// An event of nobody's, at a fixed time.
  static func sample(_ type: String = "answer.accepted", _ payload: JSONValue = [:]) -> Event {
    Event(
      id: .v7(), type: type, tenant: TenantID("town"), occurred: Instant(microseconds: 1_795_237_350_123_456), payload: payload)
  }
}

struct Fault: Error { let secret = "mina@example.com" }

/// Notes what it is given, and can't apply some of it until it is healed. It applies all of a call or nothing.
final class Recorder: EventHandler {
  let name: String
  let types: Set<String>
  private let state: Mutex<(applied: [Event], failing: Set<UUID>, calls: Int)>
  private let signal: AsyncStream<Event>.Continuation
  private let arrivals: AsyncStream<Event>

  init(_ types: Set<String> = ["answer.accepted"], name: String = "recorder", failing: Set<UUID> = []) {
    self.name = name
    self.types = types
    state = Mutex(([], failing, 0))
    (arrivals, signal) = AsyncStream.makeStream()
  }

  var applied: [Event] { state.withLock { $0.applied } }
  var calls: Int { state.withLock { $0.calls } }
  func heal() { state.withLock { $0.failing = [] } }

  func apply(_ events: [Event]) async throws {
    try state.withLock { state in
      state.calls += 1
      if events.contains(where: { state.failing.contains($0.id) }) { throw Fault() }
      state.applied += events
    }
    for event in events { signal.yield(event) }
  }

  /// Waits for the next event that is applied; for one reader.
  func next() async -> Event? {
    for await event in arrivals { return event }
    return nil
  }
}
