import Database
import Foundation
import Kit
import Logging
import Support
import Synchronization
import Testing

@testable import Jobs

@Suite("What one node has seen of the tags") struct TagWatchTests {
  private func rows(_ rows: (Int64, String)...) -> [TagWatch.Touched] { rows.map { .init(version: $0.0, tag: $0.1) } }

  @Test("what was added since is news once, however often it is read")
  func once() {
    var watch = TagWatch(from: 100, seen: [])
    #expect(watch.take(rows((100, "a"), (102, "b")), oldest: 100) == ["a", "b"])
    #expect(watch.take(rows((100, "a"), (102, "b")), oldest: 103).isEmpty)
    #expect(watch == TagWatch(from: 103, seen: []))
  }

  @Test("a transaction that began early and committed late is not missed")
  func late() {
    var watch = TagWatch(from: 100, seen: [])
    #expect(watch.take(rows((105, "b")), oldest: 101) == ["b"])
    #expect(watch.take(rows((101, "a"), (105, "b")), oldest: 106) == ["a"])
  }

  @Test("one tag touched twice is news twice")
  func twice() {
    var watch = TagWatch(from: 100, seen: [])
    #expect(watch.take(rows((100, "a")), oldest: 100) == ["a"])
    #expect(watch.take(rows((100, "a"), (101, "a")), oldest: 102) == ["a"])
  }
}

@Suite("Freshness over nodes", .timeLimit(.minutes(2))) struct FreshnessTests {
  /// A node's cache, as far as its followers tell it.
  private final class Node: Sendable {
    private final class Sink: Sendable { let told = Mutex<[FreshnessFollower.News]>([]) }
    private let sink: Sink
    let follower: FreshnessFollower

    init(_ city: JobCity, database: Database, isOfInterest: @escaping @Sendable (Schema) -> Bool = { _ in true }) {
      let sink = Sink()
      self.sink = sink
      follower = FreshnessFollower(logger: city.logger, isOfInterest: isOfInterest) { _, news in
        sink.told.withLock { $0.append(news) }
      }
      follower.follow([.init(schema: JobCity.town, database: database)])
    }

    /// What a look says is news; `nil`: everything was lost.
    func look() async -> Set<String>? {
      let before = sink.told.withLock { $0.count }
      await follower.look(at: JobCity.town)
      let news = sink.told.withLock { Array($0.dropFirst(before)) }
      var tags: Set<String> = []
      for one in news {
        guard case .looked(let touched, _) = one else { return nil }
        tags.formUnion(touched)
      }
      return tags
    }

    var looks: Int { sink.told.withLock { $0.count } }
  }

  private func table(_ dropped: @escaping @Sendable (Set<String>) -> Void = { _ in }) -> TagTable {
    TagTable(schema: JobCity.town, drop: dropped, announce: {})
  }

  @Test("this node drops before the transaction returns, others with their next look, and each once")
  func touched() async throws {
    try await JobCity.open { city in
      let (a, b) = (Node(city, database: city.town), Node(city, database: city.town))
      #expect(await a.look() == nil)
      #expect(await b.look() == nil)
      let dropped = Mutex<Set<String>>([])
      let table = table { tags in dropped.withLock { $0.formUnion(tags) } }
      try await city.town.transaction { try table.touch(["questions", "question:1"], in: $0) }
      #expect(dropped.withLock { $0 } == ["questions", "question:1"])
      #expect(await a.look() == ["questions", "question:1"])
      #expect(await b.look() == ["questions", "question:1"])
      #expect(await a.look() == [])
      try await city.town.transaction { transaction in
        try table.touch(["questions"], in: transaction)
        try table.touch(["questions"], in: transaction)
        try table.touch([], in: transaction)
      }
      #expect(await b.look() == ["questions"])
    }
  }

  @Test("what a transaction took back was never touched, and nobody is told")
  func rollback() async throws {
    struct Stop: Error {}
    try await JobCity.open { city in
      let node = Node(city, database: city.town)
      _ = await node.look()
      let told = Mutex(0)
      let table = TagTable(
        schema: JobCity.town, drop: { _ in told.withLock { $0 += 1 } }, announce: { told.withLock { $0 += 1 } })
      await #expect(throws: Stop.self) {
        try await city.town.transaction { transaction in
          try table.touch(["questions"], in: transaction)
          throw Stop()
        }
      }
      #expect(told.withLock { $0 } == 0)
      #expect(await node.look() == [])
    }
  }

  @Test("a transaction that is long under way is seen when it commits, though others were seen before")
  func lateCommit() async throws {
    try await JobCity.open { city in
      let node = Node(city, database: city.town)
      _ = await node.look()
      let table = table()
      try await city.town.transaction { slow in
        try table.touch(["slow"], in: slow)
        _ = try await slow.query("SELECT 'the row is there'")
        try await city.town.transaction { try table.touch(["quick"], in: $0) }
        #expect(await node.look() == ["quick"])
        #expect(await node.look() == [])
      }
      #expect(await node.look() == ["slow"])
      #expect(await node.look() == [])
    }
  }

  @Test("two who touch one tag at once don't wait for each other")
  func contention() async throws {
    try await JobCity.open { city in
      let table = table()
      try await city.town.transaction { first in
        try table.touch(["questions"], in: first)
        _ = try await first.query("SELECT 'the row is there'")
        // Would wait for ever if the row were one.
        try await city.town.transaction { try table.touch(["questions"], in: $0) }
      }
    }
  }

  @Test("a schema nothing is kept of isn't looked at, and no other than those followed")
  func interest() async throws {
    try await JobCity.open { city in
      let node = Node(city, database: city.town, isOfInterest: { _ in false })
      await node.follower.look(at: JobCity.town)
      #expect(node.looks == 0)
      let other = Node(city, database: city.town)
      await other.follower.look(at: JobCity.prep)
      #expect(other.looks == 0)
      other.follower.follow([])
      await other.follower.look(at: JobCity.town)
      #expect(other.looks == 0)
    }
  }

  @Test("many looks at once become few, and none that comes after a change is swallowed")
  func coalesced() async throws {
    try await JobCity.open { city in
      let node = Node(city, database: city.town)
      _ = await node.look()
      let table = table()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<20 {
          group.addTask {
            try await city.town.transaction { try table.touch(["t\(number)"], in: $0) }
            await node.follower.look(at: JobCity.town)
          }
        }
        try await group.waitForAll()
      }
      // The last look may have been under way when the last caller left: it is over when the next one has come back.
      _ = await node.look()
      #expect(await node.look() == [])
    }
  }

  @Test("rounds look at what no word has come of")
  func rounds() async throws {
    try await JobCity.open { city in
      let node = Node(city, database: city.town)
      let rounds = Task { await node.follower.run(interval: .milliseconds(20)) }
      while node.looks < 3 { try await Task.sleep(for: .milliseconds(5)) }
      rounds.cancel()
      await rounds.value
    }
  }

  @Test("old rows are deleted by those who look; young ones and those of transactions under way stay")
  func purge() async throws {
    try await JobCity.open { city in
      let table = table()
      try await city.town.transaction { try table.touch(["old"], in: $0) }
      try await city.town.execute("UPDATE town.cache_tag SET touched = now() - interval '1 hour'")
      try await city.town.transaction { try table.touch(["young"], in: $0) }
      // Transactions of other tests on this server may be under way: what they might still see is left to a later node.
      var left: [String] = []
      repeat {
        _ = await Node(city, database: city.town).look()
        left = try await city.town.query("SELECT tag FROM town.cache_tag").map { try $0.get("tag", as: String.self) }
      } while left.contains("old")
      #expect(left == ["young"])
    }
  }
}
