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
  init(
    main: ServerAddress, _ configuration: CityConfiguration, key: MasterKey, environment: [String: String], data: String,
    logger: Logger
  ) {
    let stanza = configuration.databases.first { $0.name == DatabaseStanza.main }
    figures = configuration.figures.pool
    self.main = DatabaseServer(
      main, stanza ?? DatabaseStanza(name: DatabaseStanza.main, reading: nil, connections: figures.primary), figures: figures,
      key: key, logger: logger)
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
      func url(_ name: EnvironmentName?) throws -> String? {
        guard let name else { return nil }
        guard let url = environment[name.name], !url.isEmpty else {
          throw Failure(description: "databases.\(stanza.name): the variable \(name.name) is not set for this process")
        }
        return url
      }
      let address = try await ServerAddress(
        name: stanza.name, url: try url(stanza.url), direct: try url(stanza.directURL), data: data, loop: main.address.loop,
        logger: logger)
      let server = DatabaseServer(address, stanza, figures: figures, key: key, logger: logger)
      others.withLock { $0[stanza.name] = server }
    }
  }

  func stop() async {
    for server in all { await server.stop() }
    main.address.loop.stop()
  }
}
