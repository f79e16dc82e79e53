import Database
import Foundation
import Kit
import Support
import Synchronization
import Testing

@testable import Jobs

@Suite("The scheduler", .timeLimit(.minutes(2))) struct SchedulerTests {
  private static let housekeeping = JobQueue.Settings("housekeeping", concurrency: 1, attempts: 3)

  /// A clock that stands until it is set.
  private final class Hands: Sendable {
    private let now: Mutex<Instant>
    init(_ text: String) { now = Mutex(Instant(rfc3339: text)!) }
    func set(_ text: String) { now.withLock { $0 = Instant(rfc3339: text)! } }
    var clock: DomainClock { DomainClock { self.now.withLock { $0 } } }
  }

  private func scheduler(_ city: JobCity, _ node: String, _ hands: Hands) throws -> Scheduler {
    Scheduler(
      queue: city.queue,
      entries: [.init("sessions.purge", .daily(hour: 2, minute: 0), queue: SchedulerTests.housekeeping)],
      zone: try #require(TimeZone(identifier: "Asia/Seoul")), clock: hands.clock, node: node, logger: city.logger)
  }

  private func queued(_ city: JobCity) async throws -> [String] {
    try await city.platform.query("SELECT payload FROM \(JobCity.platform).job ORDER BY payload->>'tick'").map {
      try $0.get("payload", as: JSONValue.self)["tick"]?.string ?? "?"
    }
  }

  @Test("of two schedulers one leads, and keeps leading")
  func leader() async throws {
    try await JobCity.open { city in
      let hands = Hands("2026-11-21T03:00:00+09:00")
      let (a, b) = (try scheduler(city, "a", hands), try scheduler(city, "b", hands))
      #expect(try await a.lead())
      #expect(try await !b.lead())
      #expect(try await a.lead())
      #expect(try await !b.lead())
    }
  }

  @Test("when the leader is gone and its lease has run out, the other one leads")
  func succession() async throws {
    try await JobCity.open { city in
      let hands = Hands("2026-11-21T03:00:00+09:00")
      let (a, b) = (try scheduler(city, "a", hands), try scheduler(city, "b", hands))
      #expect(try await a.lead())
      try await city.platform.execute("UPDATE \(JobCity.platform).lease SET until = now() - interval '1 second'")
      #expect(try await b.lead())
      #expect(try await !a.lead())
    }
  }

  @Test("many nodes that start at once make one leader")
  func election() async throws {
    try await JobCity.open { city in
      let hands = Hands("2026-11-21T03:00:00+09:00")
      let nodes = try (0..<8).map { try scheduler(city, "node \($0)", hands) }
      let leaders = try await withThrowingTaskGroup(of: Bool.self) { group in
        for node in nodes { group.addTask { try await node.lead() } }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(leaders == 1)
    }
  }

  @Test("a tick is queued once, whoever looks and however often, even when two believe they lead")
  func once() async throws {
    try await JobCity.open { city in
      let hands = Hands("2026-11-21T02:00:00+09:00")
      let (a, b) = (try scheduler(city, "a", hands), try scheduler(city, "b", hands))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for scheduler in [a, b, a, b] { group.addTask { try await scheduler.tick() } }
        try await group.waitForAll()
      }
      #expect(try await queued(city) == ["2026-11-20T17:00:00.000Z"])
      hands.set("2026-11-22T01:59:59+09:00")
      try await a.tick()
      #expect(try await queued(city).count == 1)
      hands.set("2026-11-22T02:00:00+09:00")
      try await b.tick()
      #expect(try await queued(city) == ["2026-11-20T17:00:00.000Z", "2026-11-21T17:00:00.000Z"])
    }
  }

  @Test("ticks missed while nobody ran are made up for by the last of them")
  func missed() async throws {
    try await JobCity.open { city in
      let hands = Hands("2026-11-21T12:00:00+09:00")
      let node = try scheduler(city, "a", hands)
      try await node.tick()
      hands.set("2026-11-28T12:00:00+09:00")
      try await node.tick()
      #expect(try await queued(city) == ["2026-11-20T17:00:00.000Z", "2026-11-27T17:00:00.000Z"])
    }
  }

  @Test("a tick that was done is not queued again after its job is trimmed away")
  func trimmed() async throws {
    try await JobCity.open { city in
      let hands = Hands("2026-11-21T12:00:00+09:00")
      let node = try scheduler(city, "a", hands)
      try await node.tick()
      try await city.platform.execute("DELETE FROM \(JobCity.platform).job")
      try await node.tick()
      #expect(try await queued(city).isEmpty)
    }
  }
}
