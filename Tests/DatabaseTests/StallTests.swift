import Database
import Support
import Testing

/// The line stays, and nothing comes any more: what ends then is ended by time-outs, and by the caller.
@Suite struct StallTests {
  private static let insert: @Sendable (Database, Int) async throws -> Int = { database, key in
    try await database.execute("INSERT INTO t VALUES (\(key))")
  }

  private func connect(_ test: TestDatabase, _ proxy: LineProxy, _ pool: PoolSettings) -> Database {
    Database(proxy.settings(test.settings), pool: pool, name: "stall", logger: test.logger, loop: test.loop)
  }

  private func quick(connections: Int = 1) -> PoolSettings {
    PoolSettings(
      connections: connections, waitTimeout: .seconds(15), connectTimeout: .seconds(15), statementTimeout: .milliseconds(200))
  }

  /// Each fault on a line of its own, all at once.
  private func each<Result: Sendable>(
    _ faults: [Fault], _ run: @escaping @Sendable (Fault) async throws -> Result
  ) async throws -> [(Fault, Result)] {
    try await withThrowingTaskGroup(of: (Fault, Result).self) { group in
      for fault in faults { group.addTask { (fault, try await run(fault)) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  /// The messages of a call on a connection that has run it before.
  private func course(
    _ test: TestDatabase, _ call: @Sendable (Database) async throws -> Void
  ) async throws -> Course {
    let proxy = try LineProxy(to: test.settings)
    defer { proxy.close() }
    let database = connect(test, proxy, .patient(connections: 1))
    for _ in 1...3 { try await call(database) }
    proxy.arm(nil)
    try await call(database)
    #expect(await eventually(within: .seconds(20)) { proxy.passages.last?.message.type == "Z" })
    let course = Course(passages: proxy.passages)
    await database.close()
    return course
  }

  @Test func `A statement stalled at any message times out, and the next one gets another connection`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint)")
      let course = try await course(test) { _ = try await StallTests.insert($0, -1) }
      let done = course.completion(of: "INSERT")
      let faults = course.faults([.before]).map { Fault(.stall, .before, $0.message, $0.direction) }
        .filter { $0.direction == .toServer || $0.message <= done }
      let outcomes = try await each(faults) { fault in
        let proxy = try LineProxy(to: test.settings)
        defer { proxy.close() }
        let database = connect(test, proxy, quick())
        for _ in 1...3 { _ = try await StallTests.insert(database, -1) }
        proxy.arm(fault)
        let outcome = await ending { try await StallTests.insert(database, 1) }
        let next = await ending { try await StallTests.insert(database, 2) }
        #expect(next.value == 1 && proxy.hasFired, "\(fault): \(next)")
        #expect(
          await eventually(within: .seconds(20)) { database.status.connectionsLost == 1 && database.status.leased == 0 },
          "\(fault)")
        await database.close()
        return outcome.kind
      }
      for (fault, kind) in outcomes { #expect(kind == .timeout, "\(fault)") }
      #expect(outcomes.count >= 6)
    }
  }

  @Test func `A transaction stalled at COMMIT has an unknown outcome, stalled before it a time-out`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint)")
      let transaction: @Sendable (Database) async throws -> Void = { database in
        try await database.transaction { _ = try await $0.execute("INSERT INTO t VALUES (1)") }
      }
      let course = try await course(test, transaction)
      let body = course.completion(of: "INSERT")
      let faults = [
        Fault(.stall, .before, body, .toClient), Fault(.stall, .before, course.request(after: body), .toServer),
        Fault(.stall, .before, course.completion(of: "COMMIT"), .toClient),
      ]
      let outcomes = try await each(faults) { fault in
        let proxy = try LineProxy(to: test.settings)
        defer { proxy.close() }
        let database = connect(test, proxy, quick())
        for _ in 1...3 { try await transaction(database) }
        proxy.arm(fault)
        let outcome = await ending { try await transaction(database) }
        #expect(await ending { try await database.one("SELECT 7 AS x")?.get("x", as: Int.self) }.value == 7, "\(fault)")
        await database.close()
        return outcome.kind
      }
      for (fault, kind) in outcomes {
        #expect(kind == (fault.message == body && fault.direction == .toClient ? .timeout : .outcomeUnknown), "\(fault)")
      }
    }
  }

  @Test func `Neighbours on a connection that stalls all end`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint)")
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      let database = connect(test, proxy, quick())
      for _ in 1...3 { _ = try await StallTests.insert(database, -1) }
      proxy.arm(Fault(.stall, .before, 1, .toClient))
      let outcomes = await withTaskGroup { group in
        for key in 1...10 {
          group.addTask { await (key, ending { try await StallTests.insert(database, key) }) }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.contains { $0.1.kind == .timeout })
      for (key, outcome) in outcomes {
        let rows: Int? = try await test.database.one("SELECT count(*) AS n FROM t WHERE key = \(key)")?.get("n")
        if case .success = outcome {
          #expect(rows == 1)
        } else {
          #expect([.timeout, .connectionLost, .poolExhausted].contains(outcome.kind), "\(outcome)")
          #expect(rows == 0 || rows == 1 && outcome.kind != .poolExhausted)
        }
      }
      #expect(await isAtRest(database, connections: 1))
    }
  }

  @Test func `A connection stalled at any message of its making is given up after the connect time-out`() async throws {
    try await withDatabase { test in
      let counting = try LineProxy(to: test.settings)
      let first = connect(test, counting, .patient(connections: 1))
      _ = try await first.query("SELECT 1")
      let ready = try #require(counting.passages.first { $0.direction == .toClient && $0.message.type == "Z" }).number
      await first.close()
      counting.close()
      _ = try await each((1...ready).map { Fault(.stall, .before, $0, .toClient) }) { fault in
        let proxy = try LineProxy(to: test.settings)
        defer { proxy.close() }
        proxy.arm(fault)
        let database = connect(
          test, proxy, PoolSettings(connections: 1, waitTimeout: .seconds(15), connectTimeout: .seconds(2)))
        let outcome = await ending { try await database.one("SELECT 7 AS x")?.get("x", as: Int.self) }
        #expect(outcome.value == 7 && proxy.hasFired, "\(fault): \(outcome)")
        #expect(
          await eventually(within: .seconds(20)) {
            database.status.connectionsFailed >= 1 && database.status.connectionsOpened == 1
          }, "\(fault)")
        await database.close()
      }
    }
  }

  @Test func `While the cable is pulled nothing connects; when it is back the pool is`() async throws {
    try await withDatabase { test in
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      proxy.pullCable()
      let database = connect(
        test, proxy, PoolSettings(connections: 2, waitTimeout: .seconds(4), connectTimeout: .milliseconds(500)))
      let outcomes = await withTaskGroup { group in
        for _ in 1...10 { group.addTask { await ending { _ = try await database.query("SELECT 1") }.kind } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes == Array(repeating: .connectionFailed, count: 10))
      proxy.pullCable(false)
      // The next attempt waits for the back-off.
      #expect(
        await eventually(within: .seconds(20)) {
          await ending { try await database.one("SELECT 7 AS x")?.get("x", as: Int.self) }.value == 7
        })
      #expect(await isAtRest(database, connections: 2))
    }
  }

  @Test(arguments: [false, true])
  func `A caller who cancels while the line is stalled ends, in a transaction and out of one`(isPulled: Bool) async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint)")
      let sleep: SQL = "SELECT pg_sleep(0.01)"
      let stall = Fault(.stall, .before, 1, .toClient)
      let calls: [@Sendable (Database, LineProxy) async throws -> Void] = [
        { database, proxy in
          proxy.arm(stall)
          _ = try await database.query(sleep)
        },
        { database, proxy in
          proxy.arm(stall)
          try await database.transaction { _ = try await $0.query(sleep) }
        },
        { database, proxy in
          try await database.transaction { transaction in
            _ = try await transaction.query("SELECT 1")
            proxy.arm(stall)
            _ = try await transaction.query(sleep)
          }
        },
      ]
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, call) in calls.enumerated() {
          group.addTask {
            let proxy = try LineProxy(to: test.settings)
            defer { proxy.close() }
            let database = connect(test, proxy, .patient(connections: 1))
            for _ in 1...3 { _ = try await database.query(sleep) }
            let task = Task { try await call(database, proxy) }
            #expect(await ending { await proxy.fired() }.hasSucceeded)
            // The request to cancel takes a line of its own.
            if isPulled { proxy.pullCable() }
            task.cancel()
            let outcome = await ending { try await task.value }
            #expect(outcome.kind == .cancelled, "call \(index): \(outcome)")
            proxy.pullCable(false)
            #expect(await ending { try await database.one("SELECT 7 AS x")?.get("x", as: Int.self) }.value == 7)
            #expect(await isAtRest(database, connections: 1))
            await database.close()
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func `Of neighbours on a connection one is cancelled: he ends at once, and the others get their answers`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint)")
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      let database = connect(test, proxy, .patient(connections: 1))
      for _ in 1...3 { _ = try await StallTests.insert(database, -1) }
      for cancelled in 1...6 {
        proxy.arm(Fault(.hold, .before, 1, .toClient))
        let calls = (1...6).map { key in Task { try await StallTests.insert(database, 10 * cancelled + key) } }
        #expect(await eventually(within: .seconds(20)) { proxy.passages.count { $0.message.type == "S" } == 6 })
        #expect(await ending { await proxy.fired() }.hasSucceeded)
        calls[cancelled - 1].cancel()
        let outcome = await ending { try await calls[cancelled - 1].value }
        #expect(outcome.kind == .cancelled)
        proxy.release()
        for (index, call) in calls.enumerated() where index != cancelled - 1 {
          #expect(await ending { try await call.value }.value == 1)
        }
      }
      #expect(await isAtRest(database, connections: 1))
      #expect(database.status.connectionsOpened == 1)
    }
  }

  @Test func `What is held up for a while arrives`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint)")
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      let database = connect(test, proxy, .patient(connections: 1))
      for _ in 1...3 { _ = try await StallTests.insert(database, -1) }
      for (key, direction) in LineProxy.Direction.allCases.enumerated() {
        proxy.arm(Fault(.hold, .within, 2, direction))
        async let answers = withThrowingTaskGroup(of: Int.self) { group in
          for _ in 1...5 { group.addTask { try await StallTests.insert(database, key) } }
          return try await group.reduce(0, +)
        }
        #expect(await ending { await proxy.fired() }.hasSucceeded)
        #expect(await eventually(within: .seconds(20)) { database.status.leased == 1 || database.status.waiting > 0 })
        proxy.release()
        let sum = try await answers
        #expect(sum == 5)
      }
      #expect(database.status.connectionsOpened == 1)
    }
  }

  @Test func `Who waits for a connection in vain is told after the wait time-out, and counted`() async throws {
    try await withDatabase { test in
      let limits = PoolSettings(connections: 2, waitTimeout: .seconds(2))
      let database = test.connect(pool: limits)
      let (go, going) = AsyncStream.makeStream(of: Void.self)
      let holders = (1...2).map { number in
        Task {
          try await database.transaction { transaction in
            let x: Int? = try await transaction.one("SELECT \(number) AS x")?.get("x")
            for await _ in go {}
            return x
          }
        }
      }
      #expect(await eventually(within: .seconds(20)) { database.status.leased == 2 && database.status.waiting == 0 })
      let start = ContinuousClock.now
      let waiters = (1...20).map { _ in
        Task { await ending { try await database.transaction { _ = try await $0.query("SELECT 1") } }.kind }
      }
      for waiter in waiters { #expect(await waiter.value == .poolExhausted) }
      #expect(ContinuousClock.now - start >= limits.waitTimeout)
      #expect(await eventually(within: .seconds(20)) { database.status.waitTimeouts == 20 && database.status.waiting == 0 })
      #expect(database.status.leased == 2 && database.status.size == 2)
      going.finish()
      for (index, holder) in holders.enumerated() {
        let x = try await holder.value
        #expect(x == index + 1)
      }
      let three: Int? = try await database.transaction { try await $0.one("SELECT 3 AS x")?.get("x") }
      #expect(three == 3)
      #expect(await isAtRest(database, connections: 2))
    }
  }
}
