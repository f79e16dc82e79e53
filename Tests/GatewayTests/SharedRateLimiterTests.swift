import Database
import Foundation
import Kit
import Logging
import Support
import Synchronization
import Testing
import Web

@testable import Gateway

@Suite("Limits over several nodes") struct SharedRateLimiterTests {
  private static let platform = Schema("platform")!

  private func asking(_ person: String = "mina", network: String = "192.0.2.1", site: String = "jeju") -> Asking {
    Asking(person: KeptCity.person(person), network: network, site: site, now: .now)
  }

  private func nodes(
    _ count: Int = 3, on test: TestDatabase, _ limits: [String: RateLimit], patience: Duration = .seconds(600)
  ) async throws -> [SharedRateLimiter] {
    let first = try await test.makeSchema(
      SharedRateLimiterTests.platform, migrations: SharedRateLimiter.migrations, pool: PoolSettings(connections: 2))
    return (0..<count).map { number in
      let database =
        number == 0
        ? first
        : test.connect(user: first.settings.user, password: "test", pool: PoolSettings(connections: 2), name: "node \(number)")
      return SharedRateLimiter(
        database: database, schema: SharedRateLimiterTests.platform, limits: limits, patience: patience, logger: test.logger)
    }
  }

  /// Seconds to wait, or `nil` when admitted.
  private func admit(_ node: SharedRateLimiter, _ rule: String, _ asking: Asking) async throws -> Int? {
    do {
      try await node.admit(rule, asking)
      return nil
    } catch let problem as Problem {
      #expect(problem.kind == .tooManyRequests)
      return problem.retryAfter
    }
  }

  @Test("three nodes asked at once by many admit the limit, within five in a hundred", arguments: [5, 50, 100, 1_000])
  func exact(count: Int) async throws {
    try await withDatabase { test in
      // A period so long that nothing comes back while the test runs.
      let limits = ["list": RateLimit(per: .network, count: count, period: .hours(10))]
      let nodes = try await nodes(on: test, limits)
      let admitted = try await withThrowingTaskGroup(of: Int.self) { group in
        for worker in 0..<24 {
          group.addTask {
            var admitted = 0
            for _ in 0..<(count / 8 + 5) where try await admit(nodes[worker % 3], "list", asking()) == nil { admitted += 1 }
            return admitted
          }
        }
        return try await group.reduce(0, +)
      }
      #expect(abs(Double(admitted - count)) <= Double(count) * 0.05)
    }
  }

  @Test("a burst is served wherever it comes; the next is told when, and every node knows")
  func burst() async throws {
    try await withDatabase { test in
      let nodes = try await nodes(on: test, ["post": RateLimit(per: .person, count: 5, period: .seconds(60_000))])
      for number in 0..<5 { #expect(try await admit(nodes[number % 3], "post", asking()) == nil) }
      for node in nodes {
        let wait = try #require(try await admit(node, "post", asking()))
        #expect((11_800...12_000).contains(wait))
      }
      #expect(try await admit(nodes[0], "post", asking("hana")) == nil)
      #expect(try await admit(nodes[0], "unnamed", asking()) == nil)
    }
  }

  @Test("what was refused is remembered: knocking asks the database nothing")
  func knocking() async throws {
    try await withDatabase { test in
      let nodes = try await nodes(1, on: test, ["post": RateLimit(per: .person, count: 1, period: .hours(1))])
      #expect(try await admit(nodes[0], "post", asking()) == nil)
      #expect(try await admit(nodes[0], "post", asking()) != nil)
      let before = try await test.database.one("SELECT xmin::text AS x FROM platform.rate_bucket")?.get("x", as: String.self)
      for _ in 0..<100 { #expect(try await admit(nodes[0], "post", asking()) != nil) }
      let after = try await test.database.one("SELECT xmin::text AS x FROM platform.rate_bucket")?.get("x", as: String.self)
      #expect(before == after)
      #expect(nodes[0].figures["post"] == .init(admitted: 1, refused: 101, alone: 0))
    }
  }

  @Test("the rate comes back by the database's clock")
  func refill() async throws {
    try await withDatabase { test in
      let nodes = try await nodes(2, on: test, ["list": RateLimit(per: .network, count: 2, period: .seconds(60))])
      for node in nodes { #expect(try await admit(node, "list", asking()) == nil) }
      #expect(try await admit(nodes[0], "list", asking()) != nil)
      // Thirty seconds pass.
      try await test.database.execute("UPDATE platform.rate_bucket SET full_at = full_at - 30000000")
      #expect(try await admit(nodes[1], "list", asking()) == nil)
      #expect(try await admit(nodes[1], "list", asking()) != nil)
    }
  }

  @Test("of a large limit a node takes a portion, and then admits from memory")
  func portions() async throws {
    try await withDatabase { test in
      let nodes = try await nodes(1, on: test, ["list": RateLimit(per: .network, count: 1_000, period: .hours(10))])
      #expect(!nodes[0].admitsAtOnce("list", asking()))
      #expect(try await admit(nodes[0], "list", asking()) == nil)
      for _ in 0..<9 { #expect(nodes[0].admitsAtOnce("list", asking())) }
      #expect(!nodes[0].admitsAtOnce("list", asking()))
      #expect(nodes[0].admitsAtOnce("unnamed", asking()))
    }
  }

  @Test("a tenant's limit is shared by all who come there")
  func tenants() async throws {
    try await withDatabase { test in
      let nodes = try await nodes(2, on: test, ["list": RateLimit(per: .tenant, count: 2, period: .hours(1))])
      #expect(try await admit(nodes[0], "list", asking("mina", network: "192.0.2.1")) == nil)
      #expect(try await admit(nodes[1], "list", asking("hana", network: "192.0.2.2")) == nil)
      #expect(try await admit(nodes[0], "list", asking("sora", network: "192.0.2.3")) != nil)
      #expect(try await admit(nodes[0], "list", asking(site: "busan")) == nil)
    }
  }

  @Test("other limits hold from the next request on")
  func replaced() async throws {
    try await withDatabase { test in
      let nodes = try await nodes(1, on: test, ["post": RateLimit(per: .person, count: 1, period: .hours(1))])
      #expect(try await admit(nodes[0], "post", asking()) == nil)
      #expect(try await admit(nodes[0], "post", asking()) != nil)
      // The hour that is used up stays used up: of ten units it is one in ten hours.
      nodes[0].replace(limits: ["post": RateLimit(per: .person, count: 10, period: .hours(10))])
      #expect(try await admit(nodes[0], "post", asking()) == nil)
      nodes[0].replace(limits: [:])
      #expect(try await admit(nodes[0], "post", asking()) == nil)
    }
  }

  @Test("when the table is away each node counts for itself; when it is back they share again, and both are said once")
  func away() async throws {
    try await withDatabase { test in
      let lines = Shared<[String]>([])
      let logger = Logger(label: "test") { _ in NotingLogHandler { line in lines.withLock { $0.append(line) } } }
      let database = try await test.makeSchema(SharedRateLimiterTests.platform, migrations: SharedRateLimiter.migrations)
      let node = SharedRateLimiter(
        database: database, schema: SharedRateLimiterTests.platform,
        limits: ["post": RateLimit(per: .person, count: 2, period: .hours(1))], patience: .seconds(600), logger: logger)
      try await test.database.execute("ALTER TABLE platform.rate_bucket RENAME TO hidden")
      for _ in 0..<2 { #expect(try await admit(node, "post", asking()) == nil) }
      #expect(try await admit(node, "post", asking()) != nil)
      #expect(node.isAlone)
      #expect(node.figures["post"]?.alone == 3)
      try await test.database.execute("ALTER TABLE platform.hidden RENAME TO rate_bucket")
      while node.isAlone {
        _ = try await admit(node, "post", asking("hana"))
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try await admit(node, "post", asking()) == nil)
      #expect(lines.withLock { $0.count } == 2)
    }
  }

  @Test("a table that doesn't answer is not waited for", .timeLimit(.minutes(1)))
  func patience() async throws {
    try await withDatabase { test in
      let nodes = try await nodes(
        1, on: test, ["post": RateLimit(per: .person, count: 2, period: .hours(1))], patience: .milliseconds(100))
      try await test.database.transaction { transaction in
        try await transaction.execute("LOCK TABLE platform.rate_bucket IN ACCESS EXCLUSIVE MODE")
        #expect(try await admit(nodes[0], "post", asking()) == nil)
        #expect(nodes[0].isAlone)
      }
    }
  }

  @Test("buckets that are full again are deleted")
  func purge() async throws {
    try await withDatabase { test in
      let database = try await test.makeSchema(SharedRateLimiterTests.platform, migrations: SharedRateLimiter.migrations)
      let table = BucketTable(database: database, schema: SharedRateLimiterTests.platform)
      let (short, long) = (
        RateLimit(per: .person, count: 1, period: .seconds(1)), RateLimit(per: .person, count: 1, period: .hours(1))
      )
      #expect(try await table.take(1, of: short, class: "a", subject: "p:1") == .init(granted: 1, wait: 1_000_000))
      #expect(try await table.take(3, of: long, class: "b", subject: "p:1").granted == 1)
      try await test.database.execute("UPDATE platform.rate_bucket SET full_at = full_at - 120000000")
      try await table.purge()
      #expect(try await test.database.one("SELECT count(*) AS n FROM platform.rate_bucket")?.get("n", as: Int.self) == 1)
    }
  }
}

/// Hands each line to a closure.
struct NotingLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  let note: @Sendable (String) -> Void

  init(_ note: @escaping @Sendable (String) -> Void) { self.note = note }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { note(event.message.description) }
}
