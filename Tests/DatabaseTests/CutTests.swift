import Database
import Support
import Testing

/// The line is cut at every message of the protocol, in both directions: before it, within it and behind it.
@Suite struct CutTests {
  private static let insert: @Sendable (Database, Int) async throws -> Int = { database, key in
    try await database.execute("INSERT INTO t VALUES (\(key), 1)")
  }

  @Test func `A query cut at any message is lost, or was answered`() async throws {
    try await withDatabase { test in
      let (course, cuts) = try await Cutting(
        warmUp: { _ = try await $0.query("SELECT 1") },
        call: { try await $0.execute("INSERT INTO t VALUES (\($1), 1) /* run once \(identifier: "\($1)") */") }
      ).sweep(test)
      judge(cuts, of: course, "INSERT", rows: 1)
      #expect(cuts.allSatisfy { $0.ending.hasSucceeded || $0.ending.kind == .connectionLost })
    }
  }

  @Test func `A prepared query cut at any message is lost, or was answered`() async throws {
    try await withDatabase { test in
      let (course, cuts) = try await Cutting(
        warmUp: { database in for _ in 1...3 { _ = try await CutTests.insert(database, -1) } }, call: CutTests.insert
      ).sweep(test)
      #expect(!course.passages.contains { $0.message.contains("INSERT INTO") })
      judge(cuts, of: course, "INSERT", rows: 1)
      #expect(cuts.allSatisfy { $0.ending.hasSucceeded || $0.ending.kind == .connectionLost })
    }
  }

  @Test func `While the connection is made, a cut is ridden out and the statement runs once`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint, part bigint)")
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      func connect() -> Database {
        Database(
          proxy.settings(test.settings), pool: .patient(connections: 1), name: "cut",
          logger: test.logger, loop: test.loop)
      }
      let first = connect()
      proxy.arm(nil)
      #expect(try await CutTests.insert(first, 0) == 1)
      await first.close()
      let passages = proxy.passages
      let ready = try #require(passages.first { $0.direction == .toClient && $0.message.type == "Z" }).number
      // The startup message, and those that prove the password.
      let sent = passages.prefix { !($0.direction == .toClient && $0.number == ready) }.count { $0.direction == .toServer }
      #expect(sent >= 3)
      let faults = Course(passages: passages).faults([.before, .within]).filter {
        $0.message <= ($0.direction == .toServer ? sent : ready)
      }
      for (index, fault) in faults.enumerated() {
        let (key, comment) = (index + 1, Comment(rawValue: "\(fault)"))
        let database = connect()
        // The farewell of the one before is no message of this one.
        #expect(await eventually(within: .seconds(20)) { proxy.lines == 0 })
        proxy.arm(fault)
        let outcome = await ending { try await CutTests.insert(database, key) }
        #expect(outcome.value == 1 && proxy.hasFired, comment)
        #expect(
          await eventually(within: .seconds(20)) {
            database.status.connectionsFailed == 1 && database.status.connectionsOpened == 1
          }, comment)
        #expect(try await test.database.one("SELECT count(*) AS n FROM t WHERE key = \(key)")?.get("n") == 1, comment)
        await database.close()
      }
      #expect(await eventually(within: .seconds(20)) { proxy.lines == 0 })
    }
  }

  @Test func `No line at all is a failed connection, and nothing was sent`() async throws {
    try await withDatabase { test in
      let proxy = try LineProxy(to: test.settings)
      let database = Database(
        proxy.settings(test.settings), pool: PoolSettings(connections: 1), name: "cut", logger: test.logger, loop: test.loop)
      #expect(await ending { try await database.one("SELECT 1 AS x")?.get("x", as: Int.self) }.value == 1)
      proxy.close()
      #expect(await eventually(within: .seconds(20)) { database.status.connectionsLost == 1 })
      #expect(await ending { try await database.query("SELECT 1") }.kind == .connectionFailed)
      #expect(await isAtRest(database, connections: 1))
    }
  }

  @Test func `A transaction cut before COMMIT has done nothing; cut at COMMIT its outcome is unknown`() async throws {
    try await withDatabase { test in
      let transaction: @Sendable (Database, Int) async throws -> Int = { database, key in
        try await database.transaction { transaction in
          try await transaction.execute("INSERT INTO t VALUES (\(key), 1)")
          return 1 + (try await transaction.execute("INSERT INTO t VALUES (\(key), 2)"))
        }
      }
      let (course, cuts) = try await Cutting(warmUp: { _ = try await transaction($0, -1) }, call: transaction).sweep(test)
      judgeTransaction(cuts, of: course, "INSERT", rows: 2)
    }
  }

  @Test func `Of neighbours on one connection each ends once, and what was acknowledged is there`() async throws {
    try await withDatabase { test in
      let count = 12
      let ends = Shared<[Int: [Ending<Int>]]>([:])
      let cutting = Cutting(
        moments: [.before, .within], isRegular: false,
        warmUp: { database in for _ in 1...2 { _ = try await CutTests.insert(database, -1) } },
        call: { database, key in
          await withTaskGroup { group in
            for part in 1...count {
              group.addTask {
                let outcome = await ending { try await database.execute("INSERT INTO t VALUES (\(key), \(part))") }
                ends.withLock { $0[key, default: []].append(outcome) }
              }
            }
          }
          return count
        })
      let (_, cuts) = try await cutting.sweep(test)
      #expect(cuts.count > count)
      var hasLost = false
      for (index, outcomes) in ends.withLock({ $0 }) {
        #expect(outcomes.count == count)
        let acknowledged = outcomes.count { $0.hasSucceeded }
        let lost = outcomes.count { $0.kind == .connectionLost }
        let notSent = outcomes.count { $0.kind == .connectionFailed }
        #expect(acknowledged + lost + notSent == count, "call \(index): \(outcomes)")
        guard let cut = cuts.first(where: { $0.key == index }) else { continue }
        #expect((acknowledged...acknowledged + lost).contains(cut.rows), cut.comment)
        hasLost = hasLost || lost > 0
      }
      #expect(hasLost)
    }
  }
}
