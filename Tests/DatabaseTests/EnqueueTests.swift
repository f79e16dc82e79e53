import Support
import Testing

@testable import Database

/// Statements of a transaction that nobody waits for.
@Suite struct EnqueueTests {
  private func withTable(_ body: (TestDatabase) async throws -> Void) async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint, part bigint, CONSTRAINT once UNIQUE (key, part))")
      try await body(test)
    }
  }

  private func rows(_ test: TestDatabase) async throws -> Int? {
    try await test.database.one("SELECT count(*) AS n FROM t")?.get("n")
  }

  @Test func `They run in their order, before COMMIT and before what is waited for`() async throws {
    try await withTable { test in
      let seen: Int? = try await test.database.transaction { transaction in
        for part in 1...40 { try transaction.enqueue("INSERT INTO t VALUES (1, \(part))") }
        let seen: Int? = try await transaction.one("SELECT count(*) AS n FROM t")?.get("n")
        try transaction.enqueue("DELETE FROM t WHERE part > 10")
        try transaction.enqueue("UPDATE t SET key = 2")
        return seen
      }
      #expect(seen == 40)
      #expect(try await test.database.one("SELECT count(*) AS n FROM t WHERE key = 2")?.get("n") == 10)
    }
  }

  @Test func `One alone is a transaction`() async throws {
    try await withTable { test in
      let committed = Shared(false)
      try await test.database.transaction { transaction in
        try transaction.enqueue("INSERT INTO t VALUES (1, 1)")
        transaction.afterCommit { committed.withLock { $0 = true } }
      }
      #expect(committed.withLock { $0 })
      #expect(try await rows(test) == 1)
    }
  }

  @Test(arguments: [false, true])
  func `Its failure is the transaction's, whatever the body makes of it`(isLooked: Bool) async throws {
    try await withTable { test in
      let committed = Shared(false)
      let error = await #expect(throws: DatabaseError.self) {
        try await test.database.transaction { transaction in
          transaction.afterCommit { committed.withLock { $0 = true } }
          try transaction.enqueue("INSERT INTO t VALUES (1, 1)")
          try transaction.enqueue("INSERT INTO t VALUES (1, 1)")
          guard isLooked else { return }
          let met = await ending { try await transaction.query("SELECT 1") }
          #expect(met.kind == .server(.uniqueViolation))
        }
      }
      #expect(error?.constraint == "once")
      #expect(!committed.withLock { $0 })
      let left = try await rows(test)
      #expect(left == 0)
      #expect(await isAtRest(test.database, connections: 4))
    }
  }

  @Test func `What can't be sent is refused where it is said`() async throws {
    try await withTable { test in
      for sql in ["COMMIT", "BEGIN", "COPY t TO STDOUT"] as [SQL] {
        let error = await #expect(throws: DatabaseError.self) {
          try await test.database.transaction { try $0.enqueue(sql) }
        }
        #expect(error?.kind == .unsupported)
      }
      let escaped = try await test.database.transaction { $0 }
      let error = #expect(throws: DatabaseError.self) { try escaped.enqueue("SELECT 1") }
      #expect(error?.kind == .closed)
    }
  }

  @Test func `Without a connection nothing of the transaction is done, later either`() async throws {
    try await withTable { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .milliseconds(100)))
      // That there is one takes longer on a busy machine.
      #expect(await eventually { (try? await database.query("SELECT 1")) != nil })
      let waited = database.status.waitTimeouts
      let (isHeld, mayEnd) = (Shared(false), Shared(false))
      let holder = Task {
        try await database.transaction { transaction in
          _ = try await transaction.query("SELECT 1")
          isHeld.withLock { $0 = true }
          _ = await eventually(within: .seconds(20)) { mayEnd.withLock { $0 } }
        }
      }
      #expect(await eventually { isHeld.withLock { $0 } })
      let error = await #expect(throws: DatabaseError.self) {
        try await database.transaction { transaction in
          try transaction.enqueue("INSERT INTO t VALUES (1, 1)")
          #expect(await eventually { database.status.waitTimeouts == waited + 1 })
          mayEnd.withLock { $0 = true }
          try await holder.value
          // There is a connection now; but the first statement was not done.
          let next = await ending { try await transaction.query("INSERT INTO t VALUES (1, 2)") }
          #expect(next.kind == .poolExhausted)
        }
      }
      #expect(error?.kind == .poolExhausted)
      let left = try await rows(test)
      #expect(left == 0)
      #expect(await isAtRest(database, connections: 1))
    }
  }

  @Test func `One that met others is run again with the whole`() async throws {
    try await withTable { test in
      let runs = Shared(0)
      try await test.database.transaction { transaction in
        let run = runs.withLock { runs in
          runs += 1
          return runs
        }
        try transaction.enqueue("INSERT INTO t VALUES (1, \(run))")
        if run == 1 { try transaction.enqueue("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$") }
      }
      #expect(runs.withLock { $0 } == 2)
      #expect(try await test.database.one("SELECT part FROM t")?.get("part") == 2)
    }
  }

  @Test func `Cut at any message, all of the transaction is there or nothing`() async throws {
    try await withDatabase { test in
      let call: @Sendable (Database, Int) async throws -> Int = { database, key in
        try await database.transaction { transaction in
          try transaction.enqueue("INSERT INTO t VALUES (\(key), 1)")
          try transaction.enqueue("INSERT INTO t VALUES (\(key), 2)")
        }
        return 2
      }
      let (_, cuts) = try await Cutting(warmUp: { _ = try await call($0, -1) }, call: call).sweep(test)
      for cut in cuts {
        switch cut.ending {
        case .success: #expect(cut.rows == 2, cut.comment)
        case .failure(let error) where error.kind == .connectionLost: #expect(cut.rows == 0, cut.comment)
        case .failure(let error) where error.kind == .outcomeUnknown: #expect([0, 2].contains(cut.rows), cut.comment)
        default: Issue.record(cut.comment)
        }
      }
      #expect(cuts.contains { $0.ending.kind == .outcomeUnknown && $0.rows == 2 })
      #expect(cuts.contains { $0.ending.kind == .connectionLost })
    }
  }
}
