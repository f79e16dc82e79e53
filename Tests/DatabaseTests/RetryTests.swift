import Support
import Synchronization
import Testing

@testable import Database

/// Transactions that the server gives up because of others beside them are run again (manual §13.5).
@Suite struct RetryTests {
  /// Lets each of two pass when both are there; afterwards everybody passes.
  private actor Rendezvous {
    private var arrived = 0
    private var waiting: CheckedContinuation<Void, Never>?

    func arrive() async {
      arrived += 1
      guard arrived <= 2 else { return }
      if let waiting {
        waiting.resume()
      } else {
        await withCheckedContinuation { waiting = $0 }
      }
    }
  }

  @Test func `Of two that would skew each other's writes, one runs again and sees what the other did`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 2))
      try await database.execute("CREATE TABLE doctor (name text PRIMARY KEY, is_on_call bool)")
      try await database.execute("INSERT INTO doctor VALUES ('mina', true), ('jun', true)")
      let meeting = Rendezvous()
      let runs = Shared<[String: Int]>([:])
      let left = try await withThrowingTaskGroup(of: Bool.self) { group in
        for name in ["mina", "jun"] {
          group.addTask {
            try await database.transaction(.serializable) { transaction in
              runs.withLock { $0[name, default: 0] += 1 }
              let onCall: Int = try await transaction.one("SELECT count(*) AS n FROM doctor WHERE is_on_call")?.get("n") ?? 0
              await meeting.arrive()
              guard onCall > 1 else { return false }
              return try await transaction.execute("UPDATE doctor SET is_on_call = false WHERE name = \(name)") == 1
            }
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(left.sorted { $0 && !$1 } == [true, false])
      #expect(try await database.one("SELECT count(*) AS n FROM doctor WHERE is_on_call")?.get("n") == 1)
      #expect(runs.withLock { $0.values.sorted() } == [1, 2])
    }
  }

  @Test func `Of two in a deadlock one is given up by the server, and runs again to its end`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 2))
      try await database.execute("CREATE TABLE account (id int PRIMARY KEY, sum bigint)")
      try await database.execute("INSERT INTO account VALUES (1, 100), (2, 100)")
      let meeting = Rendezvous()
      let (runs, commits) = (Shared(0), Shared(0))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (from, to) in [(1, 2), (2, 1)] {
          group.addTask {
            try await database.transaction { transaction in
              runs.withLock { $0 += 1 }
              transaction.afterCommit { commits.withLock { $0 += 1 } }
              try await transaction.execute("UPDATE account SET sum = sum - \(10 * from) WHERE id = \(from)")
              await meeting.arrive()
              try await transaction.execute("UPDATE account SET sum = sum + \(10 * from) WHERE id = \(to)")
            }
          }
        }
        try await group.waitForAll()
      }
      let sums = try await database.query("SELECT sum FROM account ORDER BY id").map { try $0.get("sum", as: Int.self) }
      #expect(sums == [110, 90])
      #expect(runs.withLock { $0 } == 3 && commits.withLock { $0 } == 2)
      let deadlocks: SQL = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
      #expect(try await eventually(within: .seconds(20)) { try await test.database.one(deadlocks)?.get("deadlocks") == 1 })
    }
  }

  @Test func `A refusal that is not of the kind is not tried again, and attempts end`() async throws {
    try await withDatabase { test in
      let database = test.database
      try await database.execute("CREATE TABLE t (x int PRIMARY KEY)")
      for (state, expected) in [("23505", 1), ("40001", 4), ("40P01", 4), ("57014", 1)] {
        let runs = Shared(0)
        let error = await #expect(throws: DatabaseError.self) {
          try await database.transaction(attempts: 4) { transaction in
            runs.withLock { $0 += 1 }
            try await transaction.execute("INSERT INTO t VALUES (1)")
            try await transaction.execute("DO \(literal: "BEGIN RAISE SQLSTATE '\(state)'; END")")
          }
        }
        #expect(error?.state?.rawValue == state || state == "57014", "\(state)")
        #expect(runs.withLock { $0 } == expected, "\(state)")
      }
      #expect(try await database.one("SELECT count(*) AS n FROM t")?.get("n") == 0)
    }
  }

  @Test func `A cancelled task does not run its transaction again`() async throws {
    try await withDatabase { test in
      let runs = Shared(0)
      let task = Task {
        try await test.database.transaction(attempts: 1_000) { transaction in
          let run = runs.withLock { runs in
            runs += 1
            return runs
          }
          if run == 3 { withUnsafeCurrentTask { $0?.cancel() } }
          try await transaction.execute("DO \(literal: "BEGIN RAISE SQLSTATE '40001'; END")")
        }
      }
      let outcome = await ending { try await task.value }
      #expect(outcome.kind != nil && !outcome.hasSucceeded)
      #expect(runs.withLock { $0 } == 3)
    }
  }
}
