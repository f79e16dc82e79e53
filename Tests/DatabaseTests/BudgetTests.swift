import Support
import Testing

@testable import Database

@Suite struct BudgetStateTests {
  private var budget = BudgetState(connections: 1, reserve: 0)

  private mutating func take(_ pool: PoolID, isCore: Bool = false, inNeed: Bool = true) -> Bool {
    budget.take(pool, isCore: isCore, inNeed: inNeed)
  }

  private mutating func next() -> PoolID? { budget.nextServed() }

  @Test mutating func `Connections are given out to the limit, and who waits is served in order`() {
    budget = BudgetState(connections: 2, reserve: 0)
    #expect(take(1, isCore: false, inNeed: true))
    #expect(take(2, isCore: false, inNeed: true))
    #expect(!take(3, isCore: false, inNeed: true))
    #expect(!take(4, isCore: false, inNeed: true))
    #expect(!take(3, isCore: false, inNeed: true))
    #expect(budget.waiters == [3, 4])
    budget.giveBack(1, isCore: false)
    // One that comes now does not overtake those who wait.
    #expect(!take(1, isCore: false, inNeed: true))
    #expect(next() == 3)
    budget.serving = 3
    #expect(take(3, isCore: false, inNeed: true))
    budget.serving = nil
    #expect(next() == nil)
    #expect(budget.used == 2 && budget.waiters == [4, 1])
  }

  @Test mutating func `The reserve is for the core, and what the core uses counts towards it`() {
    budget = BudgetState(connections: 4, reserve: 2)
    #expect(take(1, isCore: false, inNeed: true))
    #expect(take(1, isCore: false, inNeed: true))
    #expect(!take(2, isCore: false, inNeed: true))
    #expect(take(9, isCore: true, inNeed: true))
    #expect(take(9, isCore: true, inNeed: true))
    #expect(!take(9, isCore: true, inNeed: true))
    #expect(budget.mayReplace(false, by: true) && !budget.mayReplace(true, by: false))
    budget.giveBack(9, isCore: true)
    // Free, but not for the one who came first.
    #expect(next() == 9)
    budget.giveBack(1, isCore: false)
    #expect(next() == 2)
  }

  @Test mutating func `Who is not in need does not stand in line, and who leaves is out of it`() {
    budget = BudgetState(connections: 1, reserve: 0)
    #expect(take(1, isCore: false, inNeed: true))
    #expect(!take(2, isCore: false, inNeed: false))
    #expect(!take(3, isCore: false, inNeed: true))
    budget.leave(3)
    #expect(budget.waiters == [])
    budget.giveBack(1, isCore: false)
    budget.giveBack(1, isCore: false)
    #expect(budget.used == 0)
  }
}

@Suite struct BudgetTests {
  private func pools(
    _ test: TestDatabase, _ count: Int, _ budget: ConnectionBudget, connections: Int = 2
  ) -> [Database] {
    (1...count).map {
      test.connect(
        pool: PoolSettings(connections: connections, waitTimeout: .seconds(60), budget: budget),
        name: "pool \($0)")
    }
  }

  @Test func `Many pools share few connections: one at rest goes to who needs it`() async throws {
    try await withDatabase { test in
      let budget = ConnectionBudget(connections: 2)
      let databases = pools(test, 6, budget)
      for round in 1...3 {
        for database in databases {
          let x: Int? = try await database.one("SELECT \(round) AS x")?.get("x")
          #expect(x == round)
        }
      }
      #expect(await eventually { budget.status.used <= 2 })
      #expect(budget.status.takenOver >= 10)
      for database in databases { await database.close() }
      #expect(await eventually { budget.status.used == 0 && budget.status.waiting == 0 })
    }
  }

  @Test func `A stream of work in one pool does not starve another`() async throws {
    try await withDatabase { test in
      let budget = ConnectionBudget(connections: 2)
      let databases = pools(test, 5, budget)
      let most = Shared(0)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for database in databases {
          for caller in 1...3 {
            group.addTask {
              for _ in 1...5 {
                if caller == 1 {
                  _ = try await database.transaction { try await $0.query("SELECT pg_sleep(0.01)") }
                } else {
                  _ = try await database.query("SELECT pg_sleep(0.01)")
                }
                most.withLock { $0 = max($0, budget.status.used) }
              }
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(most.withLock { $0 } <= 2)
      for database in databases { await database.close() }
      #expect(await eventually { budget.status.used == 0 && budget.status.waiting == 0 })
    }
  }

  @Test func `A transaction that holds the only connection ends before another pool has it`()
    async throws
  {
    try await withDatabase { test in
      let budget = ConnectionBudget(connections: 1)
      let databases = pools(test, 2, budget, connections: 1)
      let waiting = Shared<Task<Int?, any Error>?>(nil)
      try await databases[0].transaction { transaction in
        _ = try await transaction.query("SELECT 1")
        let task = Task { try await databases[1].one("SELECT 2 AS x")?.get("x", as: Int.self) }
        waiting.withLock { $0 = task }
        #expect(await eventually { budget.status.waiting == 1 })
        _ = try await transaction.query("SELECT 1")
      }
      let x = try await waiting.withLock { $0 }?.value
      #expect(x == 2)
    }
  }

  @Test func `What listens is counted, and given back`() async throws {
    try await withDatabase { test in
      let budget = ConnectionBudget(connections: 3)
      let database = pools(test, 1, budget)[0]
      var looks = database.listen(on: "news").makeAsyncIterator()
      await looks.next()
      #expect(await eventually { budget.status.used == 1 })
      await database.close()
      #expect(await looks.next() == nil)
      #expect(await eventually { budget.status.used == 0 })
    }
  }
}
