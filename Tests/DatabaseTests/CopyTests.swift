import Foundation
import Kit
import Support
import Synchronization
import Testing

@testable import Database

@Suite struct CopyTests {
  private struct Refusal: Error {}

  private func failure(_ run: () async throws -> Void) async -> DatabaseError? {
    do { try await run() } catch { return error as? DatabaseError }
    return nil
  }

  private func count(_ database: Database) async throws -> Int? {
    try await database.one("SELECT count(*) AS n FROM t")?.get("n")
  }

  /// Chunks without end, counted as they are asked for.
  private struct Endless: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    let asked: Shared<Int>
    let chunk: [UInt8]

    struct AsyncIterator: AsyncIteratorProtocol {
      let asked: Shared<Int>
      let chunk: [UInt8]
      mutating func next() async throws -> [UInt8]? {
        try Task.checkCancellation()
        asked.withLock { $0 += 1 }
        return chunk
      }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(asked: asked, chunk: chunk) }
  }

  @Test func `Rows of values go in, and lines come out`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (id bigint, name text, age int, at timestamptz)")
      let rows = (1...10_000).lazy.map {
        CopyRow($0, "이름 \($0)", $0 % 2 == 0 ? nil as Int32? : Int32($0), Instant?.none)
      }
      #expect(
        try await database.copy(into: "COPY t FROM STDIN (FORMAT binary)", rows: rows) == 10_000)
      let found = try await database.one(
        "SELECT count(*) AS n, sum(id) AS s, count(age) AS a FROM t")
      #expect(
        try found?.get("n") == 10_000 && found?.get("s") == 50_005_000 && found?.get("a") == 5_000)
      var number = 0
      for try await line in database.copy(
        from: "COPY (SELECT id, name FROM t ORDER BY id) TO STDOUT")
      {
        number += 1
        if number == 7 { #expect(String(decoding: line, as: UTF8.self) == "7\t이름 7\n") }
      }
      #expect(number == 10_000)
      #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1)
      #expect(
        await eventually { database.status.copies == 2 && database.status.connectionsOpened == 1 })
    }
  }

  @Test func `Chunks are cut anywhere, and may be great or empty`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(60)))
      try await database.execute("CREATE TABLE t (a text)")
      let line = Array("abc\n".utf8)
      let great = [UInt8](
        [[UInt8]](repeating: Array((String(repeating: "x", count: 999) + "\n").utf8), count: 3_000)
          .joined())
      let chunks: [[UInt8]] = line.map { [$0] } + [[], great, [], line]
      #expect(try await database.copy(into: "COPY t (a) FROM STDIN", from: chunks) == 3_002)
      #expect(try await count(database) == 3_002)
      #expect(try await database.copy(into: "COPY t (a) FROM STDIN", from: [[UInt8]]()) == 0)
    }
  }

  @Test func `When the sender fails nothing is stored, and its error is the caller's`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (a text)")
      let chunks = AsyncThrowingStream<[UInt8], any Error> { continuation in
        for _ in 1...100 { continuation.yield(Array("abc\n".utf8)) }
        continuation.finish(throwing: Refusal())
      }
      await #expect(throws: Refusal.self) {
        try await database.copy(into: "COPY t FROM STDIN", from: chunks)
      }
      #expect(try await count(database) == 0)
      #expect(
        await eventually { database.status.connectionsOpened == 1 && database.status.leased == 0 })
    }
  }

  @Test func `When the task is cancelled nothing is stored`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (a text)")
      let (chunks, continuation) = AsyncStream<[UInt8]>.makeStream()
      for _ in 1...10 { continuation.yield(Array("abc\n".utf8)) }
      // The stream gives no more: it ends when the task is cancelled, as if it were complete.
      let task = Task { try await database.copy(into: "COPY t FROM STDIN", from: chunks) }
      #expect(await eventually { database.status.copies == 1 })
      task.cancel()
      #expect(await failure { _ = try await task.value }?.kind == .cancelled)
      #expect(try await count(database) == 0)
      #expect(
        await eventually { database.status.connectionsOpened == 1 && database.status.leased == 0 })
    }
  }

  @Test func `What the server refuses ends the sender, however much it has`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      try await database.execute("CREATE TABLE t (a int CHECK (a < 10))")
      let asked = Shared(0)
      let rows = Endless(asked: asked, chunk: Array(String(repeating: "12\n", count: 1_000).utf8))
      let error = await failure {
        _ = try await database.copy(into: "COPY t FROM STDIN", from: rows)
      }
      #expect(error?.constraint == "t_a_check")
      let wrong = await failure {
        _ = try await database.copy(into: "COPY nowhere FROM STDIN", from: rows)
      }
      #expect(wrong?.state == .undefinedTable)
      #expect(try await count(database) == 0)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `What the server says beside it stops no sender, and hides no refusal`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      try await database.execute("CREATE TABLE t (a int)")
      try await database.execute("CREATE SEQUENCE taken")
      try await database.execute(
        """
        CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          RAISE NOTICE '%', repeat('n', 20000);
          IF nextval('taken') = 300 THEN RAISE EXCEPTION SQLSTATE 'ZZ001'; END IF;
          RETURN NEW;
        END $$
        """)
      try await database.execute("CREATE TRIGGER speak BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION speak()")
      let rows = Endless(asked: Shared(0), chunk: Array(String(repeating: "1\n", count: 10).utf8))
      let error = await failure { _ = try await database.copy(into: "COPY t FROM STDIN", from: rows) }
      #expect(error?.state == SQLState(rawValue: "ZZ001"))
      #expect(try await count(database) == 0)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `No more is asked of the sender than the server takes`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 2))
      try await database.execute("CREATE TABLE t (a text)")
      let asked = Shared(0)
      let chunk = Array((String(repeating: "x", count: 9_999) + "\n").utf8)
      // The lock keeps the server from taking rows.
      let copying = Shared<Task<Void, any Error>?>(nil)
      try await database.transaction { transaction in
        try await transaction.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        let task = Task {
          _ = try await database.copy(
            into: "COPY t FROM STDIN", from: Endless(asked: asked, chunk: chunk))
        }
        copying.withLock { $0 = task }
        #expect(await eventually { asked.withLock { $0 } > 20 })
        try await Task.sleep(for: .milliseconds(200))
        // A buffer's worth, no more.
        #expect(asked.withLock { $0 } <= 28)
      }
      #expect(await eventually { asked.withLock { $0 } > 40 })
      copying.withLock { $0 }?.cancel()
      _ = await copying.withLock { $0 }?.result
      #expect(try await count(database) == 0)
    }
  }

  @Test func `Reading stops while the consumer is slow, and the rest comes after`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      var rows = database.copy(
        from: "COPY (SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n) TO STDOUT"
      )
      .makeAsyncIterator()
      #expect(try await rows.next() != nil)
      try await Task.sleep(for: .milliseconds(200))
      let running: SQL = """
        SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'
        """
      let active: Int? = try await test.database.one(running)?.get("n")
      #expect(active == 1)
      var number = 1
      while let row = try await rows.next() {
        number += 1
        #expect(row.count > 1_000)
      }
      #expect(number == 20_000)
      #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1)
    }
  }

  @Test func `Who leaves early cancels it on the server and gives the connection back`()
    async throws
  {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1, waitTimeout: .seconds(20)))
      for _ in 1...3 {
        for try await _ in database.copy(
          from: "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT")
        { break }
      }
      #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1)
      let task = Task {
        var number = 0
        for try await _ in database.copy(
          from: "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT")
        { number += 1 }
        return number
      }
      try await Task.sleep(for: .milliseconds(100))
      task.cancel()
      #expect(await failure { _ = try await task.value }?.kind == .cancelled)
      #expect(try await database.one("SELECT 2 AS x")?.get("x") == 2)
      #expect(
        await eventually { database.status.connectionsOpened == 1 && database.status.leased == 0 })
    }
  }

  @Test func `COPY in a transaction is part of it, in and out`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (a bigint)")
      let lines = (1...100).map { Array("\($0)\n".utf8) }
      await #expect(throws: Refusal.self) {
        try await database.transaction { transaction in
          #expect(try await transaction.copy(into: "COPY t FROM STDIN", from: lines) == 100)
          #expect(try await transaction.one("SELECT count(*) AS n FROM t")?.get("n") == 100)
          throw Refusal()
        }
      }
      #expect(try await count(database) == 0)
      let seen = try await database.transaction { transaction in
        try await transaction.copy(
          into: "COPY t FROM STDIN (FORMAT binary)", rows: (1...50).map { CopyRow($0) })
        var seen = 0
        for try await _ in transaction.copy(from: "COPY t TO STDOUT") { seen += 1 }
        return seen
      }
      #expect(seen == 50)
      #expect(try await count(database) == 50)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }

  @Test func `A connection that breaks in the middle ends either side`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (a text)")
      let kill: SQL = """
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'
        """
      let (chunks, continuation) = AsyncStream<[UInt8]>.makeStream()
      continuation.yield(Array("abc\n".utf8))
      let sender = Task { try await database.copy(into: "COPY t FROM STDIN", from: chunks) }
      #expect(await eventually { database.status.copies == 1 })
      _ = try await test.database.query(kill)
      for _ in 1...10 { continuation.yield(Array("abc\n".utf8)) }
      continuation.finish()
      #expect(await failure { _ = try await sender.value }?.kind == .connectionLost)
      var rows = database.copy(from: "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT")
        .makeAsyncIterator()
      _ = try await rows.next()
      _ = try await test.database.query(kill)
      let error = await failure { while try await rows.next() != nil {} }
      #expect(error?.kind == .connectionLost)
      #expect(try await count(database) == 0)
    }
  }

  @Test func `What is not a COPY of the right direction is refused`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      #expect(
        await failure { try await database.copy(into: "SELECT 1", from: [[UInt8]]()) }?.kind
          == .unsupported)
      #expect(
        await failure {
          try await database.copy(into: "COPY pg_class TO STDOUT", from: [[UInt8]]())
        }?.kind == .unsupported)
      let rows = database.copy(from: "COPY (SELECT \(1)) TO STDOUT")
      #expect(await failure { for try await _ in rows {} }?.kind == .unsupported)
      await database.close()
      let late = database.copy(from: "COPY pg_class TO STDOUT")
      #expect(await failure { for try await _ in late {} }?.kind == .closed)
    }
  }
}
