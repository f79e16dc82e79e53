import Database
import Foundation
import Logging

/// The one PostgreSQL of the test process: started with the first test that wants it, gone with the process.
///
/// A test has no composition root to hand it in, so it is the one shared object here.
actor TestServer {
  static let shared = TestServer()

  private let loop = DatabaseLoop()
  private let logger: Logger
  private var starting: Task<(EmbeddedServer, Database), any Error>?
  private var templates: [String: Task<String, any Error>] = [:]
  private var lastNumber = 0
  /// Tests that may hold a database at once.
  private var free = 8
  private var waiting: [CheckedContinuation<Void, Never>] = []

  private init() {
    var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    self.logger = logger
  }

  func lease(_ template: DatabaseTemplate) async throws -> TestDatabase {
    await takeTurn()
    do {
      let (server, admin) = try await start()
      let source = try await prepared(template, server, admin)
      lastNumber += 1
      let name = "test_\(lastNumber)"
      try await admin.execute("CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: source)")
      return connect(to: name, of: server)
    } catch {
      endTurn()
      throw error
    }
  }

  func giveBack(_ test: TestDatabase) async {
    await test.database.close()
    if let (_, admin) = try? await start() {
      _ = try? await admin.execute("DROP DATABASE IF EXISTS \(identifier: test.name) WITH (FORCE)")
    }
    endTurn()
  }

  private func connect(to name: String, of server: EmbeddedServer) -> TestDatabase {
    let settings = server.settings.with(database: name)
    // A machine that is busy with other tests is slow, not away.
    let pool = PoolSettings(waitTimeout: .seconds(60), connectTimeout: .seconds(30))
    return TestDatabase(
      settings: settings, database: Database(settings, pool: pool, name: name, logger: logger, loop: loop), loop: loop,
      logger: logger)
  }

  private func start() async throws -> (EmbeddedServer, Database) {
    if let starting { return try await starting.value }
    let task = Task { [loop, logger] in
      TestFolder.removeLeftOvers()
      var tuning = EmbeddedServer.Tuning()
      tuning.isDurable = false
      tuning.connections = 200
      let server = try await EmbeddedServer.attachOrStart(data: TestFolder.path, tuning: tuning, logger: logger)
      let pool = PoolSettings(connections: 4, waitTimeout: .seconds(60), connectTimeout: .seconds(30))
      return (server, Database(server.settings, pool: pool, name: "test server", logger: logger, loop: loop))
    }
    starting = task
    return try await task.value
  }

  private func prepared(_ template: DatabaseTemplate, _ server: EmbeddedServer, _ admin: Database) async throws -> String {
    if let task = templates[template.name] { return try await task.value }
    let name = "template_\(template.name)"
    let task = Task {
      try await admin.execute("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
      try await admin.execute("CREATE DATABASE \(identifier: name)")
      let test = connect(to: name, of: server)
      do {
        try await template.prepare(test)
      } catch {
        await test.database.close()
        throw error
      }
      await test.database.close()
      // A database with connections can't be cloned: nobody gets in any more, and who is in goes.
      try await admin.execute("ALTER DATABASE \(identifier: name) ALLOW_CONNECTIONS false")
      try await admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = \(name)")
      return name
    }
    templates[template.name] = task
    do {
      return try await task.value
    } catch {
      // The next test that wants it tries again.
      templates[template.name] = nil
      throw error
    }
  }

  private func takeTurn() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  private func endTurn() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}

/// Where the servers of this process live. They end with the process; the folders that are left are removed by the next
/// test run.
public enum TestFolder {
  private static let prefix = "metropolis-tests-"
  static var path: String { "/tmp/\(prefix)\(getpid())" }

  /// A folder for a server that one test has for itself. Not made yet.
  public static func forOneTest(_ name: String) -> String { "\(path)-\(name)-\(UUID().uuidString.prefix(8))" }

  static func removeLeftOvers() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] where name.hasPrefix(prefix) {
      guard let pid = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }), kill(pid, 0) != 0, errno == ESRCH else {
        continue
      }
      try? FileManager.default.removeItem(atPath: "/tmp/\(name)")
    }
  }
}
