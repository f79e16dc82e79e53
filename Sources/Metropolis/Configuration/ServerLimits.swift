import Database
import Foundation
import Logging

/// How many connections the servers of a city take, as far as they can be asked.
enum ServerLimits {
  /// A server that doesn't answer in a second is none that a check waits for.
  private static let patience: Duration = .seconds(1)

  /// - Returns: by the database's name; without those whose limit the file says, and those that don't answer.
  static func ask(
    _ configuration: CityConfiguration, environment: [String: String] = ProcessInfo.processInfo.environment
  ) async -> [String: Int] {
    var limits: [String: Int] = [:]
    for database in configuration.databases where database.limit == nil && database.pooler == .none {
      let variable = database.url?.name ?? MainAddress.variable
      if let url = environment[variable], !url.isEmpty {
        limits[database.name] = await ask(url)
      } else if database.url == nil {
        // The private cluster's, whether it runs or not.
        limits[database.name] = EmbeddedServer.Tuning().connections - ConnectionLoad.reserved
      }
    }
    return limits
  }

  private static func ask(_ url: String) async -> Int? {
    guard let settings = try? ConnectionSettings(url: url) else { return nil }
    let loop = DatabaseLoop()
    defer { loop.stop() }
    let pool = PoolSettings(
      connections: 1, waitTimeout: patience, connectTimeout: patience, statementTimeout: patience)
    let client = Database(
      settings, pool: pool, name: "check", logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }, loop: loop)
    let limit = try? await ConnectionLoad.limit(of: client)
    await client.close()
    return limit
  }
}
