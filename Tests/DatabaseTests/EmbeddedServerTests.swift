import Foundation
import Logging
import Testing

@testable import Database

@Suite struct EmbeddedServerTests {
  private let loop = DatabaseLoop()
  private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = "/tmp/metropolis-embedded-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
  }

  private func start(_ folder: String) async throws -> EmbeddedServer {
    var tuning = EmbeddedServer.Tuning()
    tuning.sharedBuffersMegabytes = 16
    return try await EmbeddedServer.attachOrStart(data: folder, tuning: tuning, logger: logger)
  }

  private func connect(_ server: EmbeddedServer) -> Database {
    Database(server.settings, pool: PoolSettings(connections: 1), name: "embedded", logger: logger, loop: loop)
  }

  @Test func `A server is made, found by a second, stopped by the first only, and started again with its data`() async throws {
    try await withFolder { folder in
      let first = try await start(folder)
      #expect(first.ownsProcess && first.isRunning)
      let database = connect(first)
      try await database.execute("CREATE TABLE t AS SELECT 7 AS x")
      let settings = try #require(
        try await database.one(
          """
          SELECT current_setting('listen_addresses') AS addresses, current_setting('server_encoding') AS encoding,
            (SELECT datcollate::text FROM pg_database WHERE datname = current_database()) AS locale
          """))
      #expect(try settings.get("addresses") == "")
      #expect(try settings.get("encoding") == "UTF8")
      #expect(try settings.get("locale") == "C.UTF-8")

      let second = try await start(folder)
      #expect(!second.ownsProcess && second.pid == first.pid)
      await second.stop()
      #expect(first.isRunning)
      #expect(try await connect(second).one("SELECT x FROM t")?.get("x") == 7)

      var password = stat()
      #expect(stat("\(folder)/postgres.password", &password) == 0 && password.st_mode & 0o777 == 0o600)
      await first.stop()
      #expect(!first.isRunning)

      let third = try await start(folder)
      #expect(third.ownsProcess && third.pid != first.pid)
      #expect(try await connect(third).one("SELECT x FROM t")?.get("x") == 7)
      await third.stop()
    }
  }

  @Test func `After kill -9 it starts again, and what was committed is there`() async throws {
    try await withFolder { folder in
      let first = try await start(folder)
      let database = connect(first)
      try await database.execute("CREATE TABLE t AS SELECT 7 AS x")
      kill(first.pid, SIGKILL)
      while first.isRunning { try await Task.sleep(for: .milliseconds(5)) }
      let second = try await start(folder)
      #expect(second.ownsProcess)
      // The handle from before has lost its connection, and makes another.
      #expect(try await database.one("SELECT x FROM t")?.get("x") == 7)
      await second.stop()
    }
  }

  @Test func `Of two that come at once, one starts it and one attaches`() async throws {
    try await withFolder { folder in
      async let a = start(folder)
      async let b = start(folder)
      let (first, second) = try await (a, b)
      #expect(first.ownsProcess != second.ownsProcess && first.pid == second.pid)
      await first.stop()
      await second.stop()
      #expect(!first.isRunning && !second.isRunning)
    }
  }

  @Test func `A process file left by another life of the machine is no obstacle`() async throws {
    try await withFolder { folder in
      let first = try await start(folder)
      await first.stop()
      // Our own number: alive, and no PostgreSQL.
      try Data("\(getpid())\n/elsewhere\n1\n5432\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/postgres/postmaster.pid"))
      let second = try await start(folder)
      #expect(second.ownsProcess)
      await second.stop()
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root runs the server under another user"))
  func `Beneath a folder its user can't enter, the cluster stands elsewhere, and a note says where`() async throws {
    try await withFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      let data = "\(folder)/data"
      let server = try await start(data)
      let note = try String(contentsOfFile: "\(data)/postgres.location", encoding: .utf8).trimmingCharacters(in: .newlines)
      defer { try? FileManager.default.removeItem(atPath: note) }
      #expect(note.hasPrefix("/var/tmp/metropolis-"))
      #expect(access("\(note)/PG_VERSION", F_OK) == 0)
      await server.stop()
      let again = try await start(data)
      #expect(again.ownsProcess)
      await again.stop()
    }
  }

  @Test func `A folder in /tmp that others could have made is not trusted`() throws {
    let folder = "/tmp/metropolis-open-\(UUID().uuidString.prefix(8))"
    mkdir(folder, 0o700)
    chmod(folder, 0o755)
    defer { rmdir(folder) }
    let user = try ServerUser.choose()
    #expect(throws: EmbeddedServerError.self) { try EmbeddedServerFiles.makePrivateFolder(folder, for: user) }
  }

  @Test func `A child's end is told with its code`() async throws {
    #expect(try await ChildProcess.run(["/bin/sh", "-c", "exit 3"]) == .code(3))
    let sleeper = try await ChildProcess.start(["/bin/sleep", "30"], output: "/dev/null")
    sleeper.send(signal: SIGTERM)
    #expect(await sleeper.exit() == .signal(SIGTERM))
    await #expect(throws: EmbeddedServerError.self) { try await ChildProcess.run(["/no/such/program"]) }
  }
}
