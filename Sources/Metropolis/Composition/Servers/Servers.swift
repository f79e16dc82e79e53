import Database
import Keys
import Kit
import Logging
import Synchronization

/// The database servers of the city, by the names of `databases:`. Core schemas live on `main`; a tenant names its own.
final class Servers: Sendable {
  let main: DatabaseServer
  private let key: MasterKey
  private let figures: PhaseFigures.Pool
  private let environment: [String: String]
  private let data: String
  private let logger: Logger
  private let others = Mutex<[String: DatabaseServer]>([:])

  /// - Parameter environment: where the URLs are found that the stanzas name.
  /// - Throws: ``Failure`` that names a variable this process doesn't have.
  init(
    main: ServerAddress, _ configuration: CityConfiguration, key: MasterKey, environment: [String: String], data: String,
    logger: Logger
  ) throws {
    figures = configuration.figures.pool
    let stanza =
      configuration.databases.first { $0.name == DatabaseStanza.main }
      ?? DatabaseStanza(name: DatabaseStanza.main, reading: nil, connections: figures.primary)
    self.main = DatabaseServer(
      main, stanza, replicas: try ReplicaAddress.all(of: stanza, in: environment), figures: figures, key: key, logger: logger)
    self.key = key
    self.environment = environment
    self.data = data
    self.logger = logger
  }

  subscript(name: String) -> DatabaseServer? {
    name == DatabaseStanza.main ? main : others.withLock { $0[name] }
  }

  var all: [DatabaseServer] { [main] + others.withLock { $0.values.sorted { $0.name < $1.name } } }

  /// Meets the servers a configuration names for the first time. One that is named no longer stays: what is under way there
  /// ends, and nothing new begins.
  /// - Throws: ``Failure`` that names a variable this process doesn't have.
  func follow(_ stanzas: [DatabaseStanza]) async throws {
    for stanza in stanzas where self[stanza.name] == nil {
      // What is missing is said before anything connects.
      let replicas = try ReplicaAddress.all(of: stanza, in: environment)
      let address = try await ServerAddress(
        name: stanza.name, url: try stanza.url?.url(of: stanza.name, in: environment),
        direct: try stanza.directURL?.url(of: stanza.name, in: environment), data: data, loop: main.address.loop, logger: logger)
      let server = DatabaseServer(address, stanza, replicas: replicas, figures: figures, key: key, logger: logger)
      others.withLock { $0[stanza.name] = server }
    }
  }

  func stop() async {
    for server in all { await server.stop() }
    main.address.loop.stop()
  }
}
