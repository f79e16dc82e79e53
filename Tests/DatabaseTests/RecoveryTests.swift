import Foundation
import Logging
import Support
import Testing

@testable import Database

@Suite struct RecoveryTests {
  private let nowhere = ConnectionSettings(host: "/nonexistent", database: "x", user: "x", password: "x")

  private func failure(_ run: () async throws -> Void) async -> DatabaseError? {
    do { try await run() } catch { return error as? DatabaseError }
    return nil
  }

  @Test func `A connection killed under a statement is an error once, and then replaced`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      let error = await failure { _ = try await database.query("SELECT pg_terminate_backend(pg_backend_pid())") }
      #expect(error?.kind == .connectionLost && error?.isUnavailable == true)
      let next: Int? = try await database.one("SELECT 1 AS x")?.get("x")
      #expect(next == 1)
      #expect(await eventually { database.status.connectionsLost == 1 && database.status.connectionsOpened == 2 })
    }
  }

  @Test func `A resting connection killed is noticed before it is used`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      let pid: Int = try await database.one("SELECT pg_backend_pid() AS pid")?.get("pid") ?? 0
      _ = try await test.database.query("SELECT pg_terminate_backend(\(Int32(pid)), 5000)")
      try await Task.sleep(for: .milliseconds(50))
      #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1)
    }
  }

  @Test func `A transaction whose connection is killed fails and has done nothing`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      try await database.execute("CREATE TABLE t (x bigint)")
      let error = await failure {
        try await database.transaction { transaction in
          try await transaction.execute("INSERT INTO t VALUES (1)")
          _ = try? await transaction.query("SELECT pg_terminate_backend(pg_backend_pid())")
        }
      }
      #expect(error?.kind == .connectionLost)
      #expect(try await database.one("SELECT count(*) AS n FROM t")?.get("n") == 0)
    }
  }

  @Test func `A connection killed during COMMIT leaves the outcome unknown`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      // A deferred trigger runs within COMMIT.
      for statement: SQL in [
        "CREATE TABLE t (x bigint)",
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'
        """,
        """
        CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()
        """,
      ] { try await database.execute(statement) }
      let error = await failure {
        _ = try await database.transaction { try await $0.execute("INSERT INTO t VALUES (1)") }
      }
      #expect(error?.kind == .outcomeUnknown)
    }
  }

  @Test func `A server that is not there is an error soon, and then at once`() async throws {
    let loop = DatabaseLoop()
    defer { loop.stop() }
    let database = Database(nowhere, name: "away", logger: Logger(label: "test"), loop: loop)
    let start = ContinuousClock.now
    #expect(await failure { _ = try await database.query("SELECT 1") }?.kind == .connectionFailed)
    #expect(ContinuousClock.now - start < .seconds(1))
    var times: [Duration] = []
    for _ in 1...20 {
      let again = ContinuousClock.now
      let error = await failure { _ = try await database.query("SELECT 1") }
      times.append(ContinuousClock.now - again)
      #expect(error?.kind == .connectionFailed && error?.isUnavailable == true)
      #expect(error.map { "\($0)".contains("/nonexistent") } == true)
    }
    #expect(times.sorted()[10] < .milliseconds(50))
    await database.close()
  }

  @Test func `A server that takes the connection and says nothing is given up after the connect timeout`() async throws {
    let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(silent) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(silent, $0, length) == 0 && listen(silent, 1) == 0 && getsockname(silent, $0, &length) == 0)
      }
    }
    let loop = DatabaseLoop()
    defer { loop.stop() }
    let database = Database(
      ConnectionSettings(
        host: "127.0.0.1", port: Int(UInt16(bigEndian: address.sin_port)), database: "x", user: "x", password: "x"),
      pool: PoolSettings(waitTimeout: .milliseconds(400), connectTimeout: .milliseconds(300)), name: "silent",
      logger: .init(label: "test"), loop: loop)
    let start = ContinuousClock.now
    #expect(await failure { _ = try await database.query("SELECT 1") }?.kind == .connectionFailed)
    #expect(ContinuousClock.now - start < .seconds(2))
    await database.close()
  }

  @Test func `A wrong password says so`() async throws {
    try await withDatabase { test in
      let database = test.connect(password: "wrong")
      let error = await failure { _ = try await database.query("SELECT 1") }
      #expect(error?.kind == .connectionFailed)
      #expect(error.map { "\($0)".contains("password authentication failed") } == true)
    }
  }

  @Test func `A stopped loop answers what it is asked`() async throws {
    let loop = DatabaseLoop()
    let database = Database(nowhere, name: "away", logger: Logger(label: "test"), loop: loop)
    loop.stop()
    #expect(await failure { _ = try await database.query("SELECT 1") }?.kind == .closed)
    for await _ in database.listen(on: "x") {}
    await database.close()
  }

  @Test func `A connection at rest is closed after the idle timeout`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 2, idleTimeout: .milliseconds(200)))
      _ = try await database.query("SELECT 1")
      #expect(await eventually { database.status.size == 1 })
      try await Task.sleep(for: .milliseconds(500))
      #expect(await eventually { database.status.size == 0 })
      #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1)
    }
  }
}

@Suite struct ListenTests {
  @Test func `Who listens is told to look at the beginning, and after each notification`() async throws {
    try await withDatabase { test in
      var looks = test.database.listen(on: "town \"news\"").makeAsyncIterator()
      await looks.next()
      try await test.database.execute("SELECT pg_notify('town \"news\"', '')")
      await looks.next()
      // A second subscriber of the channel is told at once, others are not told of it.
      var second = test.database.listen(on: "town \"news\"").makeAsyncIterator()
      await second.next()
      try await test.database.execute("SELECT pg_notify('elsewhere', ''), pg_notify('town \"news\"', '')")
      await looks.next()
      await second.next()
    }
  }

  @Test func `A listening connection that is killed comes back and says look`() async throws {
    try await withDatabase { test in
      let database = test.connect()
      var looks = database.listen(on: "news").makeAsyncIterator()
      await looks.next()
      let listeners: SQL = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
      let before = try #require(try await test.database.one(listeners)?.get("pid", as: Int32.self))
      try await test.database.execute("SELECT pg_terminate_backend(\(before), 5000)")
      await looks.next()
      #expect(try await test.database.one(listeners)?.get("pid", as: Int32.self) != before)
      try await test.database.execute("NOTIFY news")
      await looks.next()
    }
  }

  @Test func `The connection is given back when nobody listens, and streams end with the database`() async throws {
    try await withDatabase { test in
      let database = test.connect()
      let task = Task {
        for await _ in database.listen(on: "a") {}
        return Task.isCancelled
      }
      let stays = Task {
        for await _ in database.listen(on: "b") {}
        return Task.isCancelled
      }
      let listeners: SQL = """
        SELECT count(*) AS n FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%LISTEN%' AND pid <> pg_backend_pid()
        """
      func count() async throws -> Int { try await test.database.one(listeners)?.get("n") ?? -1 }
      for _ in 1...100 where try await count() != 1 { try await Task.sleep(for: .milliseconds(20)) }
      #expect(try await count() == 1)
      task.cancel()
      #expect(await task.value)
      #expect(try await count() == 1)
      await database.close()
      #expect(await !stays.value)
      for _ in 1...100 where try await count() != 0 { try await Task.sleep(for: .milliseconds(20)) }
      #expect(try await count() == 0)
    }
  }
}
