import Database
import Foundation
import Kit
import Logging

/// A database server that answers, before it is known by which key its roles' passwords are made: enough to read what the
/// city's configuration is.
struct ServerAddress: Sendable {
  /// Where requests connect to; of a role's own when its user is put in.
  let settings: ConnectionSettings
  /// Past a pooler, for what holds a session: LISTEN, migrations, COPY.
  let direct: ConnectionSettings
  let embedded: EmbeddedServer?
  let loop: DatabaseLoop
  /// Connects with the rights to make schemas and roles. Used at start and by commands, never by requests.
  let admin: Database

  /// - Parameters:
  ///   - url: `nil`: a private cluster in the data directory, which is started when it doesn't run.
  ///   - direct: past the pooler; `nil`: there is none.
  init(name: String, url: String?, direct: String? = nil, data: String, loop: DatabaseLoop, logger: Logger) async throws {
    self.loop = loop
    if let url {
      embedded = nil
      settings = try ConnectionSettings(url: url)
    } else {
      let server = try await EmbeddedServer.attachOrStart(data: data, logger: logger)
      embedded = server
      settings = server.settings
    }
    self.direct = try direct.map { try ConnectionSettings(url: $0) } ?? settings
    admin = Database(
      self.direct, pool: PoolSettings(connections: 2, waitTimeout: .seconds(30), connectTimeout: .seconds(5)),
      name: "admin of \(name)", logger: logger, loop: loop)
  }

  /// The server's processes, when it runs here.
  var processes: BackendProcesses? { embedded.map { BackendProcesses(postmaster: $0.pid) } }

  func stop() async {
    await admin.close()
    await embedded?.stop()
  }
}
