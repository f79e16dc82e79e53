import Database
import Foundation
import Support
import Testing

/// A server goes and comes back while work goes on.
@Suite struct RestartTests {
  private enum Act: Int, CaseIterable {
    case autocommit, transaction, read
  }

  /// What the workers were told, by the key of each call.
  private struct Book {
    var acknowledged: [Act: Set<Int>] = [:]
    /// Nothing of these may be there.
    var refused: Set<Int> = []
    var unknown: Set<Int> = []
    var others: [String] = []
    var successes = 0
    var calls = 0
    var ends = 0
    var isStopped = false
  }

  private func perform(_ act: Act, _ key: Int, _ database: Database) async throws {
    switch act {
    case .autocommit: try await database.execute("INSERT INTO t VALUES (\(key), 1)")
    case .transaction:
      try await database.transaction { transaction in
        try await transaction.execute("INSERT INTO t VALUES (\(key), 1)")
        try await transaction.execute("INSERT INTO t VALUES (\(key), 2)")
      }
    case .read:
      let x = try await database.one("SELECT \(key) AS x")?.get("x", as: Int.self)
      #expect(x == key)
    }
  }

  private func work(_ worker: Int, _ database: Database, _ book: Shared<Book>) async {
    var number = 0
    while !book.withLock({ $0.isStopped }) {
      number += 1
      let key = worker * 1_000_000 + number
      let act = Act.allCases[number % Act.allCases.count]
      book.withLock { $0.calls += 1 }
      let outcome = await ending(within: .seconds(30)) { try await perform(act, key, database) }
      book.withLock { book in
        book.ends += 1
        switch outcome {
        case .success:
          book.successes += 1
          book.acknowledged[act, default: []].insert(key)
        case .failure(let error) where act == .autocommit && error.kind == .connectionLost: book.unknown.insert(key)
        case .failure(let error) where error.kind == .outcomeUnknown: book.unknown.insert(key)
        case .failure(let error) where error.isUnavailable: book.refused.insert(key)
        default: book.others.append("\(act) \(key): \(outcome)")
        }
      }
      // Who is refused comes again a moment later.
      if !outcome.hasSucceeded { try? await Task.sleep(for: .milliseconds(1)) }
    }
  }

  @Test func `A server restarts three times under traffic: every call ends once, and what was acknowledged is there`()
    async throws
  {
    try await withServers("restart") { server, _ in
      let loop = DatabaseLoop()
      defer { loop.stop() }
      let database = Database(
        server.settings, pool: PoolSettings(connections: 4), name: "restart", logger: server.logger, loop: loop)
      try await database.execute("CREATE TABLE t (key bigint, part bigint, UNIQUE (key, part))")
      let book = Shared(Book())
      let workers = (1...8).map { worker in Task { await work(worker, database, book) } }
      func progress() async throws {
        let goal = book.withLock { $0.successes } + 300
        let deadline = ContinuousClock.now + .seconds(60)
        while book.withLock({ $0.successes }) < goal, ContinuousClock.now < deadline {
          try await Task.sleep(for: .milliseconds(5))
        }
        #expect(book.withLock { $0.successes } >= goal)
      }
      try await progress()
      for signal in [SIGINT, SIGQUIT, SIGKILL] {
        let refused = book.withLock { $0.refused.count }
        try await server.stop(by: signal)
        #expect(await eventually(within: .seconds(20)) { book.withLock { $0.refused.count } > refused })
        try await server.startAgain()
        try await progress()
      }
      book.withLock { $0.isStopped = true }
      for worker in workers { await worker.value }

      let found = book.withLock { $0 }
      #expect(found.others.isEmpty, "\(found.others.prefix(5))")
      #expect(found.calls == found.ends)
      let rows = try await database.query("SELECT key, count(*) AS n FROM t GROUP BY key")
      let parts = try Dictionary(
        uniqueKeysWithValues: rows.map { (try $0.get("key", as: Int.self), try $0.get("n", as: Int.self)) })
      #expect(found.acknowledged[.autocommit, default: []].allSatisfy { parts[$0] == 1 })
      #expect(found.acknowledged[.transaction, default: []].allSatisfy { parts[$0] == 2 })
      #expect(found.refused.allSatisfy { parts[$0] == nil })
      let known = found.acknowledged.values.reduce(into: found.unknown) { $0.formUnion($1) }
      #expect(parts.keys.allSatisfy { known.contains($0) })
      #expect(parts.allSatisfy { key, n in n == (Act.allCases[key % 1_000_000 % 3] == .transaction ? 2 : 1) })

      // Attempts wait longer each time: without that there would be thousands.
      let status = database.status
      #expect(await isAtRest(database, connections: 4))
      #expect(status.connectionsLost >= 3 && (3...200).contains(status.connectionsFailed), "\(status)")
      #expect(status.connectionsOpened <= 4 + status.connectionsLost, "\(status)")
      await database.close()
    }
  }

  @Test func `A database that goes away and stays away is an error at once, and there again when it is back`() async throws {
    try await withServers("away") { server, _ in
      let loop = DatabaseLoop()
      defer { loop.stop() }
      let database = Database(
        server.settings, pool: PoolSettings(connections: 2), name: "away", logger: server.logger, loop: loop)
      var looks = database.listen(on: "news").makeAsyncIterator()
      await looks.next()
      _ = try await database.query("SELECT 1")
      try await server.stop()
      #expect(await eventually(within: .seconds(20)) { database.status.size == 0 })
      // Three failures in a row, then nobody waits any more.
      #expect(await ending { _ = try await database.query("SELECT 1") }.kind == .connectionFailed)
      var times: [Duration] = []
      for _ in 1...20 {
        let start = ContinuousClock.now
        #expect(await ending { _ = try await database.query("SELECT 1") }.kind == .connectionFailed)
        times.append(ContinuousClock.now - start)
      }
      #expect(times.sorted()[10] < .milliseconds(50))
      try await server.startAgain()
      // Five seconds of back-off at most, and who listens is told to look.
      await looks.next()
      let deadline = ContinuousClock.now + .seconds(10)
      var answer: Int?
      while answer == nil, ContinuousClock.now < deadline {
        answer = await ending { try await database.one("SELECT 7 AS x")?.get("x", as: Int.self) }.value ?? nil
        if answer == nil { try await Task.sleep(for: .milliseconds(20)) }
      }
      #expect(answer == 7)
      await database.close()
    }
  }
}
