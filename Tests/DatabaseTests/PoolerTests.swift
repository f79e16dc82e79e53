import Foundation
import Support
import Testing

@testable import Database

/// PgBouncer between this process and the server, giving a server connection for the time of a transaction.
@Suite(
  .enabled(
    if: Bouncer.program != nil,
    "found no pgbouncer on this machine (Debian: apt-get install pgbouncer)"))
struct PoolerTests {
  private func withBouncer(
    _ pool: PoolSettings = PoolSettings(
      connections: 50, waitTimeout: .seconds(20), connectTimeout: .seconds(20)),
    _ body: (TestDatabase, Database, Bouncer) async throws -> Void
  ) async throws {
    try await withDatabase { test in
      let bouncer = try await Bouncer.start(for: test.settings, connections: 4)
      var pool = pool
      pool.pooler = .transaction
      pool.listenSettings = test.settings
      let database = Database(
        bouncer.settings, pool: pool, name: "pooled", logger: test.logger, loop: test.loop)
      do {
        try await body(test, database, bouncer)
      } catch {
        await bouncer.remove()
        throw error
      }
      await database.close()
      await bouncer.remove()
    }
  }

  @Test func `Fifty tasks share four server connections, and every answer is right`() async throws {
    try await withBouncer { test, database, _ in
      try await test.database.execute("CREATE TABLE t (task bigint, round bigint, kind text)")
      let most = Shared(0)
      let watching = Task {
        let backends: SQL = """
          SELECT count(*) AS n FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'metropolis pooled'
          """
        while !Task.isCancelled {
          do {
            let count = try await test.database.one(backends)?.get("n", as: Int.self) ?? 0
            most.withLock { $0 = max($0, count) }
          } catch  where Task.isCancelled {
            return
          }
          try? await Task.sleep(for: .milliseconds(5))
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 1...50 {
          group.addTask {
            for round in 1...20 {
              // The same texts again and again: what would be prepared without a pooler.
              let sum: Int? = try await database.one("SELECT \(task) * 1000 + \(round) AS x")?.get(
                "x")
              #expect(sum == task * 1_000 + round)
              try await database.execute("INSERT INTO t VALUES (\(task), \(round), \("alone"))")
              let isSame: Bool? = try await database.transaction { transaction in
                let backend: Int32? = try await transaction.one("SELECT pg_backend_pid() AS pid")?
                  .get("pid")
                try await transaction.execute(
                  "INSERT INTO t VALUES (\(task), \(round), \("together"))")
                return try await transaction.one("SELECT pg_backend_pid() = \(backend ?? 0) AS x")?
                  .get("x")
              }
              #expect(isSame == true)
            }
          }
        }
        try await group.waitForAll()
      }
      watching.cancel()
      try await watching.value
      for kind in ["alone", "together"] {
        let row = try #require(
          try await database.one(
            "SELECT count(*) AS n, count(DISTINCT (task, round)) AS different FROM t WHERE kind = \(kind)"
          ))
        #expect(try row.get("n") == 1_000)
        #expect(try row.get("different") == 1_000)
      }
      #expect((1...4).contains(most.withLock { $0 }))
      for _ in 1...20 {
        #expect(
          try await database.one("SELECT count(*) AS n FROM pg_prepared_statements")?.get("n") == 0)
      }
    }
  }

  @Test func `A transaction's time-out is its own, and stays with it`() async throws {
    let pool = PoolSettings(
      connections: 8, waitTimeout: .seconds(20), connectTimeout: .seconds(20),
      statementTimeout: .seconds(1))
    try await withBouncer(pool) { test, database, _ in
      let outcome = await ending {
        try await database.transaction { transaction in
          _ = try await transaction.query("SELECT pg_sleep(20)")
        }
      }
      #expect(outcome.kind == .timeout)
      let isolation: String? = try await database.transaction(.serializable) {
        try await $0.one("SELECT current_setting('transaction_isolation') AS x")?.get("x")
      }
      #expect(isolation == "serializable")
      // The connection that had it is used by others: nothing is left of it.
      try await withThrowingTaskGroup(of: String?.self) { group in
        for _ in 1...40 {
          group.addTask {
            try await database.one("SELECT current_setting('statement_timeout') AS x")?.get("x")
          }
        }
        for try await setting in group { #expect(setting == "0") }
      }
    }
  }

  @Test func `LISTEN goes past the pooler, and hears what is notified through it`() async throws {
    try await withBouncer { test, database, _ in
      var looks = database.listen(on: "news").makeAsyncIterator()
      await looks.next()
      try await database.execute("NOTIFY news")
      await looks.next()
      try await database.transaction { transaction in
        _ = try await transaction.query("SELECT pg_notify('news', '')")
      }
      await looks.next()
      let listeners: SQL = """
        SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'
        """
      #expect(try await test.database.one(listeners)?.get("n") == 1)
    }
  }

  @Test func `A cancel goes through the pooler and hits nobody else`() async throws {
    try await withBouncer { test, database, _ in
      for _ in 1...10 {
        let victim = Task {
          try await database.transaction { transaction in
            _ = try await transaction.query("SELECT pg_sleep(30) /* victim */")
          }
        }
        let others = (1...8).map { number in
          Task {
            try await database.transaction { transaction in
              try await transaction.one("SELECT \(number) AS x, pg_sleep(0.01)")?.get(
                "x", as: Int.self)
            }
          }
        }
        let running: SQL = """
          SELECT count(*) AS n FROM pg_stat_activity
          WHERE datname = current_database() AND state = 'active' AND query LIKE '%victim%' AND pid <> pg_backend_pid()
          """
        let hasStarted = try await eventually(within: .seconds(20)) {
          try await test.database.one(running)?.get("n") == 1
        }
        #expect(hasStarted)
        victim.cancel()
        #expect(await ending { try await victim.value }.kind == .cancelled)
        for (index, other) in others.enumerated() {
          let x = try await other.value
          #expect(x == index + 1)
        }
        #expect(try await test.database.one(running)?.get("n") == 0)
      }
    }
  }

  @Test func `The pooler restarts: calls end with errors of unavailability, then go on`()
    async throws
  {
    try await withBouncer { _, database, bouncer in
      #expect(try await database.one("SELECT 7 AS x")?.get("x") == 7)
      await bouncer.stop()
      #expect(await eventually(within: .seconds(20)) { database.status.size == 0 })
      #expect(await ending { _ = try await database.query("SELECT 1") }.kind == .connectionFailed)
      try await bouncer.startAgain()
      let isBack = await eventually(within: .seconds(20)) {
        await ending { try await database.one("SELECT 7 AS x")?.get("x", as: Int.self) }.value == 7
      }
      #expect(isBack)
    }
  }
}

/// A PgBouncer of one test, in front of one database.
actor Bouncer {
  static let program =
    Executables.find("pgbouncer") ?? ["/usr/sbin/pgbouncer"].first { access($0, X_OK) == 0 }

  nonisolated let settings: ConnectionSettings
  private let folder: String
  private var process: ChildProcess

  private init(settings: ConnectionSettings, folder: String, process: ChildProcess) {
    self.settings = settings
    self.folder = folder
    self.process = process
  }

  static func start(for server: ConnectionSettings, connections: Int) async throws -> Bouncer {
    let user = try ServerUser.choose()
    let folder = TestFolder.forOneTest("pgbouncer")
    try EmbeddedServerFiles.makePrivateFolder(folder, for: user)
    let files = [
      "users": "\"\(server.user)\" \"\(server.password)\"\n",
      "ini": """
      [databases]
      * = host=\(server.host) port=\(server.port)
      [pgbouncer]
      listen_port = 6432
      unix_socket_dir = \(folder)
      auth_type = scram-sha-256
      auth_file = \(folder)/users
      pool_mode = transaction
      default_pool_size = \(connections)
      max_client_conn = 200

      """,
    ]
    for (name, text) in files {
      try EmbeddedServerFiles.write(text, to: "\(folder)/\(name)")
      chown("\(folder)/\(name)", user.uid, user.gid)
    }
    let settings = ConnectionSettings(
      host: folder, port: 6432, database: server.database, user: server.user,
      password: server.password)
    return Bouncer(settings: settings, folder: folder, process: try await launch(folder))
  }

  func startAgain() async throws { process = try await Bouncer.launch(folder) }

  func stop() async {
    process.send(signal: SIGTERM)
    if await !process.ends(within: .seconds(10)) { process.send(signal: SIGKILL) }
    _ = await process.exit()
  }

  func remove() async {
    await stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  private static func launch(_ folder: String) async throws -> ChildProcess {
    guard let program else {
      throw EmbeddedServerError.missingProgram("pgbouncer", package: "pgbouncer")
    }
    let process = try await ChildProcess.start(
      try ServerUser.choose().command([program, "\(folder)/ini"], endsWithUs: true),
      output: "\(folder)/log")
    let isListening = await eventually(within: .seconds(20)) {
      process.hasEnded || access("\(folder)/.s.PGSQL.6432", F_OK) == 0
    }
    guard isListening, !process.hasEnded else {
      throw EmbeddedServerError.failed("pgbouncer did not start")
    }
    return process
  }
}
