import Support
import Testing

@testable import Database

@Suite struct TransactionTests {
  private struct Refusal: Error {}

  @Test func `What a transaction did is there after it, and gone when its body throws`()
    async throws
  {
    try await withDatabase { test in
      let database = test.database
      try await database.execute("CREATE TABLE t (x bigint)")
      let committed = Shared(0)
      try await database.transaction { transaction in
        try await transaction.execute("INSERT INTO t VALUES (\(1))")
        transaction.afterCommit { committed.withLock { $0 += 1 } }
        #expect(committed.withLock { $0 } == 0)
      }
      #expect(committed.withLock { $0 } == 1)
      await #expect(throws: Refusal.self) {
        try await database.transaction { transaction in
          try await transaction.execute("INSERT INTO t VALUES (\(2))")
          transaction.afterCommit { committed.withLock { $0 += 1 } }
          throw Refusal()
        }
      }
      #expect(committed.withLock { $0 } == 1)
      #expect(try await database.one("SELECT array_agg(x) AS all FROM t")?.get("all") == [1])
      #expect(await eventually { database.status.leased == 0 })
    }
  }

  @Test func `A serialization failure runs the whole again`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 4, waitTimeout: .seconds(60)))
      try await database.execute("CREATE TABLE counter (n bigint)")
      try await database.execute("INSERT INTO counter VALUES (0)")
      let runs = Shared(0)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 1...8 {
          group.addTask {
            try await database.transaction(.serializable, attempts: 50) { transaction in
              runs.withLock { $0 += 1 }
              let n: Int = try await transaction.one("SELECT n FROM counter")?.get("n") ?? 0
              _ = try await transaction.query("SELECT pg_sleep(0.02)")
              try await transaction.execute("UPDATE counter SET n = \(n + 1)")
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await database.one("SELECT n FROM counter")?.get("n") == 8)
      #expect(runs.withLock { $0 } > 8)
    }
  }

  @Test func `After its attempts the serialization failure is the caller's`() async throws {
    try await withDatabase { test in
      let runs = Shared(0)
      let error = await #expect(throws: DatabaseError.self) {
        try await test.database.transaction(attempts: 3) { transaction in
          runs.withLock { $0 += 1 }
          try await transaction.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
        }
      }
      #expect(error?.state == .serializationFailure)
      #expect(runs.withLock { $0 } == 3)
    }
  }

  @Test func `A COMMIT that rolled back is not taken for one`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (x int PRIMARY KEY)")
      let committed = Shared(false)
      let error = await #expect(throws: DatabaseError.self) {
        try await test.database.transaction { transaction in
          transaction.afterCommit { committed.withLock { $0 = true } }
          try await transaction.execute("INSERT INTO t VALUES (1)")
          _ = try? await transaction.execute("INSERT INTO t VALUES (1)")
        }
      }
      #expect(error?.isUniqueViolation == true)
      #expect(!committed.withLock { $0 })
      #expect(try await test.database.one("SELECT count(*) AS n FROM t")?.get("n") == 0)
    }
  }

  @Test func `A constraint that is checked at COMMIT fails there`() async throws {
    try await withDatabase { test in
      try await test.database.execute(
        "CREATE TABLE t (x int CONSTRAINT late UNIQUE DEFERRABLE INITIALLY DEFERRED)")
      let error = await #expect(throws: DatabaseError.self) {
        try await test.database.transaction { transaction in
          try await transaction.execute("INSERT INTO t VALUES (1), (1)")
        }
      }
      #expect(error?.constraint == "late")
      #expect(try await test.database.one("SELECT 1 AS x")?.get("x") == 1)
    }
  }

  @Test func `A transaction is closed when its body has ended`() async throws {
    try await withDatabase { test in
      let escaped = try await test.database.transaction { $0 }
      let error = await #expect(throws: DatabaseError.self) { try await escaped.query("SELECT 1") }
      #expect(error?.kind == .closed)
    }
  }

  @Test func `Statements sent at once in a transaction run one after the other`() async throws {
    try await withDatabase { test in
      let sum = try await test.database.transaction { transaction in
        try await withThrowingTaskGroup(of: Int.self) { group in
          for value in 1...50 {
            group.addTask { try await transaction.one("SELECT \(value) AS x")?.get("x") ?? 0 }
          }
          return try await group.reduce(0, +)
        }
      }
      #expect(sum == 1_275)
    }
  }

  @Test func `A cancelled transaction is rolled back and its connection used again`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (x bigint)")
      let task = Task {
        try await database.transaction { transaction in
          try await transaction.execute("INSERT INTO t VALUES (1)")
          _ = try await transaction.query("SELECT pg_sleep(30)")
        }
      }
      try await Task.sleep(for: .milliseconds(200))
      task.cancel()
      let error = await #expect(throws: DatabaseError.self) { try await task.value }
      #expect(error?.kind == .cancelled)
      #expect(try await database.one("SELECT count(*) AS n FROM t")?.get("n") == 0)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }
}
