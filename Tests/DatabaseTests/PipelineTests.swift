import Foundation
import Logging
import Support
import Testing

@testable import Database

@Suite struct PipelineTests {
  private func failure(_ run: () async throws -> Void) async -> DatabaseError? {
    do { try await run() } catch { return error as? DatabaseError }
    return nil
  }

  private func expectRefusal(of text: SQL, by transaction: Transaction) async {
    let error = await failure { _ = try await transaction.query(text) }
    #expect(error?.kind == .unsupported)
  }

  @Test func `Statements of different callers share one connection, each answered its own`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for caller in 1...40 {
          group.addTask {
            for round in 1...25 {
              let x: Int? = try await database.one("SELECT \(caller * 1_000 + round) AS x")?.get(
                "x")
              #expect(x == caller * 1_000 + round)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(await eventually { database.status.inFlight == 0 && database.status.answered == 1_000 })
      let status = database.status
      #expect(status.pipelined > 0 && status.connectionsOpened == 1 && status.retries == 0)
      #expect(status.roundTripTime > .zero)
    }
  }

  @Test func `A statement that fails touches none of its neighbours`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      try await database.execute("CREATE TABLE t (x int PRIMARY KEY)")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<300 {
          group.addTask {
            let kind = number % 5
            switch kind {
            case 0: try await database.execute("INSERT INTO t VALUES (\(Int32(number)))")
            case 1:
              let error = await self.failure {
                _ = try await database.query("SELECT 1 / \(Int32(0))")
              }
              #expect(error?.state?.rawValue == "22012")
            case 2:
              let error = await self.failure {
                _ = try await database.query("SELECT no_such_column")
              }
              #expect(error?.state?.rawValue == "42703")
            case 3:
              let error = await self.failure {
                try await database.execute(
                  "INSERT INTO t VALUES (\(Int32(number))), (\(Int32(number)))")
              }
              #expect(error?.isUniqueViolation == true)
            default:
              let x: Int? = try await database.one("SELECT \(number) AS x")?.get("x")
              #expect(x == number)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await database.one("SELECT count(*) AS n FROM t")?.get("n") == 60)
      #expect(
        await eventually { database.status.connectionsOpened == 1 && database.status.pipelined > 0 }
      )
    }
  }

  @Test func `A constraint that is checked at the end of a statement of its own fails it, not the next`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      try await database.execute(
        "CREATE TABLE t (x int CONSTRAINT late UNIQUE DEFERRABLE INITIALLY DEFERRED)")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 1...60 {
          group.addTask {
            let isEven = number % 2 == 0
            if isEven {
              let error = await self.failure {
                try await database.execute("INSERT INTO t VALUES (0), (0)")
              }
              #expect(error?.constraint == "late")
            } else {
              let count = try await database.execute("INSERT INTO t VALUES (\(Int32(number)))")
              #expect(count == 1)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await database.one("SELECT count(*) AS n FROM t")?.get("n") == 30)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `A statement of its own may be one that no transaction takes`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (x int)")
      for _ in 1...3 { try await database.execute("VACUUM t") }
      async let one = database.one("SELECT 1 AS x")
      async let index = database.execute("CREATE INDEX CONCURRENTLY t_x ON t (x)")
      async let two = database.one("SELECT 2 AS x")
      let (first, _, second) = try await (one, index, two)
      #expect(try first?.get("x") == 1)
      #expect(try second?.get("x") == 2)
    }
  }

  @Test func `Nobody waits behind a long statement while another connection is free`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 2, waitTimeout: .seconds(20)))
      let long = Task { try await database.query("SELECT pg_sleep(30)") }
      #expect(await eventually { database.status.inFlight == 1 && database.status.waiting == 0 })
      try await Task.sleep(for: .milliseconds(30))
      for number in 1...20 {
        #expect(try await database.one("SELECT \(number) AS x")?.get("x") == number)
      }
      long.cancel()
      #expect(await failure { _ = try await long.value }?.kind == .cancelled)
    }
  }

  @Test func `Who gives up on a shared connection is answered at once, and the others undisturbed`() async throws {
    let others = Shared<(Task<Rows, any Error>, Task<Int?, any Error>)?>(nil)
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      _ = try await database.query("SELECT 1")
      try await test.database.transaction { transaction in
        _ = try await transaction.query("SELECT pg_advisory_xact_lock(1)")
        // Behind each other on the one connection, or in line for it.
        let slow = Task { try await database.query("SELECT pg_advisory_xact_lock(1)") }
        let victim = Task { try await database.query("SELECT pg_sleep(30)") }
        let last = Task { try await database.one("SELECT 3 AS x")?.get("x", as: Int.self) }
        #expect(await eventually { database.status.inFlight + database.status.waiting == 3 })
        victim.cancel()
        #expect(await failure { _ = try await victim.value }?.kind == .cancelled)
        others.withLock { $0 = (slow, last) }
      }
      let (slow, last) = try #require(others.withLock { $0 })
      _ = try await slow.value
      let x = try await last.value
      #expect(x == 3)
      #expect(
        await eventually { database.status.connectionsOpened == 1 && database.status.inFlight == 0 }
      )
    }
  }

  @Test func `Transactions and statements of their own go on side by side on few connections`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 2, waitTimeout: .seconds(60)))
      try await database.execute("CREATE TABLE account (id int PRIMARY KEY, n bigint NOT NULL)")
      try await database.execute("INSERT INTO account SELECT g, 0 FROM generate_series(1, 4) g")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          group.addTask {
            let isEven = number % 2 == 0
            if isEven {
              _ = try await database.transaction { transaction in
                try await transaction.execute(
                  "UPDATE account SET n = n + 1 WHERE id = \(Int32(number / 2 % 4 + 1))")
              }
            } else {
              let x: Int? = try await database.one("SELECT \(number) AS x")?.get("x")
              #expect(x == number)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await database.one("SELECT sum(n) AS n FROM account")?.get("n") == 100)
      #expect(await eventually { database.status.leased == 0 && database.status.waiting == 0 })
    }
  }

  @Test func `An empty transaction sends nothing, and takes no connection`() async throws {
    try await withDatabase { test in
      let database = test.connect()
      let isCommitted = Shared(false)
      let value = try await database.transaction { transaction in
        transaction.afterCommit { isCommitted.withLock { $0 = true } }
        return 7
      }
      #expect(value == 7 && isCommitted.withLock { $0 })
      #expect(await eventually { database.status == PoolStatus() })
    }
  }

  @Test func `BEGIN goes out with the first statement, isolation and all`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      for _ in 1...4 {
        let level: String? = try await database.transaction(.serializable) { transaction in
          let level: String? = try await transaction.one(
            "SELECT current_setting('transaction_isolation') AS x")?.get("x")
          let first: Int64? = try await transaction.one(
            "SELECT pg_current_xact_id()::text::bigint AS x")?.get("x")
          let second: Int64? = try await transaction.one(
            "SELECT pg_current_xact_id()::text::bigint AS x")?.get("x")
          #expect(first == second)
          return level
        }
        #expect(level == "serializable")
      }
      let plain: String? = try await database.one(
        "SELECT current_setting('transaction_isolation') AS x")?.get("x")
      #expect(plain == "read committed")
    }
  }

  @Test func `When the first statement fails the transaction has failed, and nothing runs outside of it`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (x int)")
      for _ in 1...3 {
        let error = await failure {
          try await database.transaction { transaction in
            async let a: Void = { _ = try? await transaction.query("SELECT nonsense") }()
            async let b: Void = { _ = try? await transaction.execute("INSERT INTO t VALUES (1)") }()
            async let c: Void = { _ = try? await transaction.execute("INSERT INTO t VALUES (2)") }()
            _ = await (a, b, c)
            _ = try? await transaction.execute("INSERT INTO t VALUES (3)")
          }
        }
        #expect(error?.state != nil)
        #expect(try await database.one("SELECT count(*) AS n FROM t")?.get("n") == 0)
      }
    }
  }

  @Test func `A transaction can't be ended from within`() async throws {
    try await withDatabase { test in
      try await test.database.transaction { transaction in
        let texts: [SQL] = [
          "COMMIT", "ROLLBACK", "/* */ begin", "COPY pg_class TO STDOUT", "ABORT", "END",
        ]
        for text in texts { await expectRefusal(of: text, by: transaction) }
        try await transaction.execute("SAVEPOINT a")
        #expect(
          await failure { _ = try await transaction.query("SELECT nonsense") }?.state?.rawValue
            == "42703")
        try await transaction.execute("ROLLBACK TO a")
        #expect(try await transaction.one("SELECT 1 AS x")?.get("x") == 1)
      }
    }
  }

  @Test func `A script within a transaction leaves pipeline mode and comes back`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      for round in 1...3 {
        try await database.transaction { transaction in
          try await transaction.run(
            script: "CREATE TABLE IF NOT EXISTS t (x int); INSERT INTO t VALUES (1), (2);")
          #expect(try await transaction.one("SELECT count(*) AS n FROM t")?.get("n") == 2 * round)
          try await transaction.run(script: "SET LOCAL lock_timeout = '1s'")
        }
        #expect(try await database.one("SELECT count(*) AS n FROM t")?.get("n") == 2 * round)
      }
      let error = await failure {
        try await database.transaction { try await $0.run(script: "SELECT 1; SELECT nonsense") }
      }
      #expect(error?.position != nil)
      #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `The rows of a great answer and the bytes of a great question pass in pipeline`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(60)))
      let big = String(repeating: "한", count: 700_000)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 1...16 {
          group.addTask {
            let isEven = number % 2 == 0
            if isEven {
              let text: String? = try await database.one("SELECT \(big) AS x, \(number) AS n")?.get(
                "x")
              #expect(text == big)
            } else {
              let x: Int? = try await database.one("SELECT \(number) AS x")?.get("x")
              #expect(x == number)
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func `More parameters than the protocol can carry are refused, beside others that are not`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      var many: SQL = "SELECT 1"
      for number in 0..<65_536 { many += " + \(Int32(number))" }
      let refused = many
      async let error = failure { _ = try await database.query(refused) }
      async let row = database.one("SELECT 1 AS x")
      let (kind, found) = try await (error?.kind, row)
      #expect(kind == .unsupported)
      #expect(try found?.get("x") == 1)
    }
  }

  @Test func `A connection that breaks ends what was sent on it, once, and no more`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(30)))
      _ = try await database.query("SELECT 1")
      let outcomes = Shared<[DatabaseError.Kind?]>([])
      await withTaskGroup(of: Void.self) { group in
        for number in 1...50 {
          group.addTask {
            let error = await self.failure {
              let isKiller = number == 25
              if isKiller {
                _ = try await database.query("SELECT pg_terminate_backend(pg_backend_pid())")
              } else {
                _ = try await database.query("SELECT \(number)")
              }
            }
            outcomes.withLock { $0.append(error?.kind) }
          }
        }
      }
      let kinds = outcomes.withLock { $0 }
      #expect(kinds.count == 50)
      #expect(kinds.contains(.connectionLost))
      #expect(kinds.allSatisfy { $0 == nil || $0 == .connectionLost })
      #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1)
    }
  }

  @Test func `A time-out ends the one statement, and those behind it go on`() async throws {
    try await withDatabase { test in
      let database = test.connect(
        pool: PoolSettings(
          connections: 1, waitTimeout: .seconds(30), statementTimeout: .seconds(1)))
      _ = try await database.query("SELECT 1")
      async let slow = failure { _ = try await database.query("SELECT pg_sleep(20)") }
      async let next = database.one("SELECT 2 AS x")
      let (kind, found) = try await (slow?.kind, next)
      #expect(kind == .timeout)
      #expect(try found?.get("x") == 2)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `Statements that come again are prepared while others stream, and evicted ones dropped`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(60)))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for caller in 0..<8 {
          group.addTask {
            for number in 0..<400 {
              let x: Int? = try await database.one(
                "SELECT \(literal: "\(number % 330)")::bigint + \(caller) AS x")?.get("x")
              #expect(x == number % 330 + caller)
            }
          }
        }
        try await group.waitForAll()
      }
      let count: Int? = try await database.one("SELECT count(*) AS n FROM pg_prepared_statements")?
        .get("n")
      #expect(count.map { $0 <= 272 } == true)
    }
  }
}
