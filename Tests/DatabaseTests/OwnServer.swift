import Foundation
import Logging
import Support

@testable import Database

/// A PostgreSQL that one test has for itself: it may stop it, kill it, and start it again on the same data.
actor OwnServer {
  let folder: String
  nonisolated let settings: ConnectionSettings
  nonisolated let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private let tuning: EmbeddedServer.Tuning
  private var server: EmbeddedServer

  private init(folder: String, tuning: EmbeddedServer.Tuning, server: EmbeddedServer) {
    self.folder = folder
    self.tuning = tuning
    self.server = server
    settings = server.settings
  }

  /// A new one; or, beside it, a streaming replica of another.
  static func start(_ name: String, replicaOf primary: OwnServer? = nil) async throws -> OwnServer {
    let folder = TestFolder.forOneTest(name)
    var tuning = EmbeddedServer.Tuning()
    tuning.sharedBuffersMegabytes = 16
    if let primary { try await copy(primary, to: folder) }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let server = try await EmbeddedServer.attachOrStart(data: folder, tuning: tuning, logger: logger)
    return OwnServer(folder: folder, tuning: tuning, server: server)
  }

  /// Ends it in order (`pg_ctl stop -m fast`), at once (`SIGQUIT`, `-m immediate`), or without a chance (`SIGKILL`).
  func stop(by signal: Int32 = SIGINT) async throws {
    if signal == SIGINT { return await server.stop() }
    kill(server.pid, signal)
    while server.isRunning { try await Task.sleep(for: .milliseconds(2)) }
  }

  func startAgain() async throws {
    server = try await EmbeddedServer.attachOrStart(data: folder, tuning: tuning, logger: logger)
  }

  func remove() async {
    await server.stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// By pg_basebackup, into a data directory that the embedded server takes for its own.
  private static func copy(_ primary: OwnServer, to folder: String) async throws {
    let user = try ServerUser.choose()
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    try FileManager.default.copyItem(atPath: "\(primary.folder)/postgres.password", toPath: "\(folder)/postgres.password")
    try EmbeddedServerFiles.makePrivateFolder("\(folder)/postgres", for: user)
    let binaries = try await ServerBinaries.find(forClusterOfVersion: nil)
    let settings = primary.settings
    let exit = try await ChildProcess.run(
      user.command([
        "\(binaries.folder)/pg_basebackup", "--pgdata", "\(folder)/postgres", "--write-recovery-conf", "--wal-method", "stream",
        "--checkpoint", "fast", "--no-sync",
        "--dbname", "host='\(settings.host)' user='\(settings.user)' password='\(settings.password)'",
      ]), output: "\(folder)/basebackup.log")
    guard exit == .code(0) else { throw EmbeddedServerError.failed("pg_basebackup ended with \(exit); see \(folder)") }
  }
}

/// Gives the body servers of its own and removes them afterwards: a primary, and replicas of it.
func withServers(
  _ name: String, replicas: Int = 0, _ body: (_ primary: OwnServer, _ replicas: [OwnServer]) async throws -> Void
) async throws {
  let primary = try await OwnServer.start(name)
  var copies: [OwnServer] = []
  do {
    for number in 0..<replicas { copies.append(try await OwnServer.start("\(name)-replica\(number)", replicaOf: primary)) }
    try await body(primary, copies)
  } catch {
    for server in copies + [primary] { await server.remove() }
    throw error
  }
  for server in copies + [primary] { await server.remove() }
}
