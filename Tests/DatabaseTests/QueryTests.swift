import Kit
import Support
import Testing

@testable import Database

@Suite struct QueryTests {
  private func failure(_ run: () async throws -> Void) async -> DatabaseError? {
    do { try await run() } catch { return error as? DatabaseError }
    return nil
  }

  private func expectRefusal(of text: SQL, by database: Database) async {
    let error = await failure { _ = try await database.query(text) }
    #expect(error?.kind == .unsupported)
  }

  @Test func `What would be an injection stays data`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE note (text text)")
      let text = "'); DROP TABLE note; --"
      try await test.database.execute("INSERT INTO note VALUES (\(text))")
      #expect(
        try await test.database.one("SELECT text FROM note WHERE text = \(text)")?.get("text")
          == text)
    }
  }

  @Test func `A statement tells how many rows it touched`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (x bigint)")
      #expect(try await test.database.execute("INSERT INTO t SELECT generate_series(1, 7)") == 7)
      #expect(try await test.database.execute("UPDATE t SET x = x WHERE x > \(5)") == 2)
      #expect(try await test.database.execute("DELETE FROM t") == 7)
      #expect(try await test.database.one("SELECT * FROM t") == nil)
    }
  }

  @Test func `An error carries code and constraint, and quotes no value`() async throws {
    try await withDatabase { test in
      try await test.database.execute(
        "CREATE TABLE person (email text CONSTRAINT person_email_key UNIQUE)")
      try await test.database.execute("INSERT INTO person VALUES (\("mina@example.kr"))")
      let error = try #require(
        await failure {
          try await test.database.execute("INSERT INTO person VALUES (\("mina@example.kr"))")
        })
      #expect(error.isUniqueViolation && error.state == .uniqueViolation)
      #expect(error.constraint == "person_email_key" && error.table == "person")
      #expect(!"\(error)".contains("mina") && "\(error)".contains("person_email_key"))
      let cast = try #require(
        await failure {
          _ = try await test.database.query("SELECT \("mina@example.kr")::text::int")
        })
      #expect(cast.state?.rawValue == "22P02")
      #expect(!"\(cast)".contains("mina") && cast.message?.contains("mina") == true)
      let unknown = try #require(
        await failure { _ = try await test.database.query("SELECT nonsense FROM person") })
      #expect("\(unknown)".contains("nonsense"))
    }
  }

  @Test func `A statement run again and again is prepared once and stays right`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      for value in 1...5 {
        #expect(try await database.one("SELECT \(value) * 2 AS x")?.get("x") == value * 2)
      }
      let prepared = try await database.one("SELECT count(*) AS n FROM pg_prepared_statements")
      #expect(try prepared?.get("n") == 1)
    }
  }

  @Test func `More texts than the cache holds are deallocated on the server`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      for number in 1...300 {
        for _ in 1...2 { _ = try await database.query("SELECT \(literal: "\(number)") AS x") }
      }
      let count = try #require(
        try await database.one("SELECT count(*) AS n FROM pg_prepared_statements")?.get(
          "n", as: Int.self))
      #expect((240...272).contains(count))
    }
  }

  @Test func `A prepared statement survives a change of its table`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await test.database.execute("CREATE TABLE t (a int)")
      try await test.database.execute("INSERT INTO t VALUES (1)")
      for _ in 1...3 { _ = try await database.query("SELECT * FROM t") }
      try await test.database.execute("ALTER TABLE t ADD b text DEFAULT 'new'")
      #expect(try await database.one("SELECT * FROM t")?.get("b") == "new")
      try await test.database.execute("ALTER TABLE t ADD c text DEFAULT 'newer'")
      for _ in 1...2 { _ = try await database.query("SELECT * FROM t") }
      try await test.database.execute("ALTER TABLE t ADD d text DEFAULT 'newest'")
      let inTransaction: String? = try await database.transaction {
        try await $0.one("SELECT * FROM t")?.get("d")
      }
      #expect(inTransaction == "newest")
    }
  }

  @Test func `Statements at once share the bounded connections`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 3))
      try await withThrowingTaskGroup(of: Int.self) { group in
        for value in 1...500 {
          group.addTask { try await database.one("SELECT \(value) AS x")?.get("x") ?? 0 }
        }
        var sum = 0
        for try await value in group { sum += value }
        #expect(sum == 125_250)
      }
      #expect(await eventually { database.status.leased == 0 && database.status.waiting == 0 })
      let status = database.status
      #expect(status.size <= 3 && status.connectionsOpened <= 3 && status.statements == 500)
    }
  }

  @Test func `Those in line are served in order`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      let order = Shared<[Int]>([])
      try await withThrowingTaskGroup(of: Void.self) { group in
        let isAnswered = Shared(false)
        group.addTask {
          try await database.transaction { transaction in
            _ = try await transaction.query("SELECT 1")
            while !isAnswered.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
          }
        }
        #expect(await eventually { database.status.leased == 1 && database.status.waiting == 0 })
        for number in 1...3 {
          group.addTask {
            _ = try await database.query("SELECT pg_sleep(0.02)")
            order.withLock { $0.append(number) }
          }
          #expect(await eventually { database.status.waiting == number })
        }
        isAnswered.withLock { $0 = true }
        try await group.waitForAll()
      }
      #expect(order.withLock { $0 } == [1, 2, 3])
    }
  }

  @Test func `Who finds no connection in time is told so`() async throws {
    try await withDatabase { test in
      let database = test.connect(
        pool: PoolSettings(connections: 1, waitTimeout: .milliseconds(300)))
      try await database.transaction { transaction in
        _ = try await transaction.query("SELECT 1")
        let error = await failure { _ = try await database.query("SELECT 1") }
        #expect(error?.kind == .poolExhausted && error?.isUnavailable == true)
      }
      let next: Int? = try await database.one("SELECT 1 AS x")?.get("x")
      #expect(next == 1)
      #expect(await eventually { database.status.waitTimeouts == 1 })
    }
  }

  @Test func `A statement beyond the statement timeout is ended by the server`() async throws {
    try await withDatabase { test in
      let database = test.connect(
        pool: PoolSettings(connections: 1, statementTimeout: .seconds(1)))
      #expect(
        await failure { _ = try await database.query("SELECT pg_sleep(5)") }?.kind == .timeout)
      let next: Int? = try await database.one("SELECT 1 AS x")?.get("x")
      #expect(next == 1)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `Cancelling the task cancels the statement on the server`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      let task = Task { try await database.query("SELECT pg_sleep(30) /* victim */") }
      let running: SQL = """
        SELECT count(*) AS n FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'active' AND query LIKE '%victim%' AND pid <> pg_backend_pid()
        """
      func countRunning() async throws -> Int? { try await test.database.one(running)?.get("n") }
      let hasStarted = try await eventually { try await countRunning() == 1 }
      #expect(hasStarted)
      let start = ContinuousClock.now
      task.cancel()
      let error = await failure { _ = try await task.value }
      #expect(error?.kind == .cancelled)
      #expect(ContinuousClock.now - start < .seconds(10))
      let left = try await countRunning()
      #expect(left == 0)
      let next: Int? = try await database.one("SELECT 1 AS x")?.get("x")
      #expect(next == 1)
      #expect(
        await eventually {
          database.status.connectionsOpened == 1 && database.status.cancellations == 1
        })
    }
  }

  @Test func `Cancelling hits nobody else's statement`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 2, waitTimeout: .seconds(20)))
      for _ in 1...40 {
        let victim = Task { try await database.query("SELECT pg_sleep(0.005)") }
        let others = (1...4).map { number in
          Task { try await database.one("SELECT \(number) AS x")?.get("x", as: Int.self) }
        }
        try await Task.sleep(for: .microseconds(Int.random(in: 0...6_000)))
        victim.cancel()
        for (index, other) in others.enumerated() { #expect(try await other.value == index + 1) }
        _ = try? await victim.value
      }
    }
  }

  @Test func `A task cancelled before its turn sends nothing`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      try await database.transaction { transaction in
        _ = try await transaction.query("SELECT 1")
        let waiting = Task { try await database.query("CREATE TABLE never ()") }
        #expect(await eventually { database.status.waiting == 1 })
        waiting.cancel()
        #expect(await failure { _ = try await waiting.value }?.kind == .cancelled)
      }
      #expect(try await database.one("SELECT to_regclass('never') IS NULL AS x")?.get("x") == true)
    }
  }

  @Test func `COPY and a loose BEGIN are refused, and leave nothing behind`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      #expect(
        await failure { _ = try await database.query("COPY pg_class TO STDOUT") }?.kind
          == .unsupported)
      let texts: [SQL] = [
        "BEGIN", "  /* a /* b */ */ -- c\n start transaction", "COMMIT", "rollback", "SAVEPOINT a",
        "; Copy x FROM STDIN",
      ]
      for text in texts { await expectRefusal(of: text, by: database) }
      let isOutside: Bool? = try await database.one(
        "SELECT pg_current_xact_id_if_assigned() IS NULL AS x")?.get("x")
      #expect(isOutside == true)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `A closed database refuses work and keeps no connection`() async throws {
    try await withDatabase { test in
      let database = test.connect()
      async let last = database.one("SELECT pg_sleep(0.2), 1 AS x")
      #expect(await eventually { database.status.leased == 1 && database.status.waiting == 0 })
      await database.close()
      let x: Int? = try await last?.get("x")
      #expect(x == 1)
      #expect(await failure { _ = try await database.query("SELECT 1") }?.kind == .closed)
      #expect(await eventually { database.status.size == 0 })
      await database.close()
    }
  }
}
