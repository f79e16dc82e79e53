import Database
import Support
import Testing

/// COPY in and out, cut at every message of the protocol, stalled, and held up.
@Suite struct CutCopyTests {
  /// Four chunks of two rows each.
  private static func chunks(_ key: Int) -> [[UInt8]] {
    (0..<4).map { Array("\(key)\t\(2 * $0)\n\(key)\t\(2 * $0 + 1)\n".utf8) }
  }

  private static let warmUp: @Sendable (Database) async throws -> Void = { database in
    try await database.transaction { _ = try await $0.query("SELECT 1") }
  }

  private func connect(
    _ test: TestDatabase, _ proxy: LineProxy, _ pool: PoolSettings = .patient(connections: 1)
  ) -> Database {
    Database(proxy.settings(test.settings), pool: pool, name: "copy", logger: test.logger, loop: test.loop)
  }

  @Test func `A COPY in cut at any message stores all of it or nothing, and says so only when it is sure`() async throws {
    try await withDatabase { test in
      let (course, cuts) = try await Cutting(
        warmUp: CutCopyTests.warmUp,
        call: { database, key in try await database.copy(into: "COPY t FROM STDIN", from: CutCopyTests.chunks(key)) }
      ).sweep(test)
      #expect(course.passages.count { $0.direction == .toServer && $0.message.type == "d" } >= 1)
      judge(cuts, of: course, "COPY", rows: 8)
      #expect(cuts.allSatisfy { $0.ending.hasSucceeded || $0.ending.kind == .connectionLost })
    }
  }

  @Test func `A transaction with a COPY in it is cut as any other`() async throws {
    try await withDatabase { test in
      let (course, cuts) = try await Cutting(
        warmUp: CutCopyTests.warmUp,
        call: { database, key in
          try await database.transaction { try await $0.copy(into: "COPY t FROM STDIN", from: CutCopyTests.chunks(key)) }
        }
      ).sweep(test)
      judgeTransaction(cuts, of: course, "COPY", rows: 8)
    }
  }

  @Test func `A COPY out that is cut never ends as if it were complete`() async throws {
    try await withDatabase { test in
      let (course, cuts) = try await Cutting(
        warmUp: CutCopyTests.warmUp,
        call: { database, _ in
          var bytes: [UInt8] = []
          for try await chunk in database.copy(from: "COPY (SELECT generate_series(1, 6)) TO STDOUT") { bytes += chunk }
          return bytes.count { $0 == 10 }
        }
      ).sweep(test)
      let done = course.completion(of: "COPY")
      #expect(done > 6)
      for cut in cuts {
        if let lines = cut.ending.value {
          #expect(lines == 6 && cut.isAt(.toClient, done...), cut.comment)
        } else {
          #expect(cut.ending.kind == .connectionLost, cut.comment)
        }
      }
    }
  }

  @Test(arguments: LineProxy.Direction.allCases)
  func `A COPY that the line holds up is given up, after the statement time-out and its grace`(
    direction: LineProxy.Direction
  ) async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint, part bigint)")
      // Of a COPY in: its statement, the rows, their end. Of a COPY out: from the first row to the end.
      let faults = (1...3).map { Fault(.stall, .before, $0, direction) }
      try await withThrowingTaskGroup { group in
        for fault in faults {
          group.addTask {
            let proxy = try LineProxy(to: test.settings)
            defer { proxy.close() }
            let database = connect(
              test, proxy,
              PoolSettings(
                connections: 1, waitTimeout: .seconds(20), connectTimeout: .seconds(20), statementTimeout: .milliseconds(500)))
            #expect(await eventually { (try? await CutCopyTests.warmUp(database)) != nil })
            proxy.arm(fault)
            let outcome = await ending {
              if direction == .toServer {
                _ = try await database.copy(into: "COPY t FROM STDIN", from: CutCopyTests.chunks(1))
              } else {
                for try await _ in database.copy(from: "COPY (SELECT generate_series(1, 6)) TO STDOUT") {}
              }
            }
            #expect(outcome.kind == .timeout && proxy.hasFired, "\(fault): \(outcome)")
            #expect(await eventually { (try? await CutCopyTests.warmUp(database)) != nil })
            #expect(await isAtRest(database, connections: 1))
            await database.close()
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func `A caller who takes his time is not given up`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint)")
      let database = test.connect(pool: PoolSettings(connections: 1, statementTimeout: .milliseconds(500)))
      // The server's own time-out is out of the way: it would count the caller's pauses.
      try await database.transaction { transaction in
        try await transaction.execute("SET LOCAL statement_timeout = 0")
        let slow = AsyncStream<[UInt8]> { continuation in
          Task {
            continuation.yield(Array("1\n".utf8))
            try? await Task.sleep(for: .seconds(6))
            continuation.yield(Array("2\n".utf8))
            continuation.finish()
          }
        }
        try await transaction.copy(into: "COPY t FROM STDIN", from: slow)
      }
      let count: Int? = try await test.database.one("SELECT count(*) AS n FROM t")?.get("n")
      #expect(count == 2)
    }
  }

  @Test func `A COPY on a stalled line ends when its caller gives up`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint, part bigint)")
      for direction in LineProxy.Direction.allCases {
        let proxy = try LineProxy(to: test.settings)
        defer { proxy.close() }
        let database = connect(test, proxy)
        try await CutCopyTests.warmUp(database)
        proxy.arm(Fault(.stall, .before, 3, direction))
        let task = Task {
          if direction == .toServer { return try await database.copy(into: "COPY t FROM STDIN", from: CutCopyTests.chunks(1)) }
          var chunks = 0
          for try await _ in database.copy(from: "COPY (SELECT generate_series(1, 6)) TO STDOUT") { chunks += 1 }
          return chunks
        }
        #expect(await ending { await proxy.fired() }.hasSucceeded)
        task.cancel()
        let outcome = await ending { try await task.value }
        #expect(outcome.kind == .cancelled, "\(direction): \(outcome)")
        #expect(await ending { try await database.one("SELECT 7 AS x")?.get("x", as: Int.self) }.value == 7)
        #expect(await isAtRest(database, connections: 1))
        await database.close()
      }
      #expect(try await test.database.one("SELECT count(*) AS n FROM t")?.get("n") == 0)
    }
  }

  @Test func `Who sends faster than the line takes has to wait`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TABLE t (key bigint, text text)")
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      // As long as a busy machine needs for 64 MB.
      var pool = PoolSettings.patient(connections: 1)
      pool.statementTimeout = .seconds(300)
      let database = connect(test, proxy, pool)
      try await CutCopyTests.warmUp(database)
      proxy.arm(Fault(.hold, .before, 5, .toServer))
      let (count, asked) = (2_000, Shared(0))
      let row = Array("1\t\(String(repeating: "x", count: 32_000))\n".utf8)
      let chunks = (1...count).lazy.map { number -> [UInt8] in
        asked.withLock { $0 = number }
        return row
      }
      let sending = Task { try await database.copy(into: "COPY t FROM STDIN", from: chunks) }
      #expect(await ending { await proxy.fired() }.hasSucceeded)
      await standsStill { asked.withLock { $0 } }
      // 64 MB in all; what is on its way is bounded by the buffers of the client, of the sockets and of the proxy.
      #expect(asked.withLock { $0 } < count / 2)
      proxy.release()
      let outcome = await ending(within: .seconds(300)) { try await sending.value }
      #expect(outcome.value == count, "\(outcome)")
      #expect(try await test.database.one("SELECT count(*) AS n FROM t")?.get("n") == count)
      await database.close()
    }
  }

  @Test func `Who reads slower than the server sends makes it wait`() async throws {
    try await withDatabase { test in
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      let database = connect(test, proxy)
      try await CutCopyTests.warmUp(database)
      proxy.arm(nil)
      let count = 2_000
      var rows = database.copy(from: "COPY (SELECT repeat('x', 32000) FROM generate_series(1, 2000)) TO STDOUT")
        .makeAsyncIterator()
      var bytes = try await rows.next()?.count ?? 0
      await standsStill { proxy.count(.toClient) }
      #expect(proxy.count(.toClient) < count / 2)
      while let chunk = try await rows.next() { bytes += chunk.count }
      #expect(bytes == count * 32_001)
      await database.close()
    }
  }

  /// Waits until a figure has not changed for a while.
  private func standsStill(_ figure: () -> Int) async {
    let deadline = ContinuousClock.now + .seconds(20)
    var (last, since) = (figure(), ContinuousClock.now)
    while ContinuousClock.now - since < .milliseconds(500), ContinuousClock.now < deadline {
      try? await Task.sleep(for: .milliseconds(10))
      let next = figure()
      if next != last { (last, since) = (next, .now) }
    }
  }
}
