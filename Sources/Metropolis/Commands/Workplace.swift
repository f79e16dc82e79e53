import Database
import Foundation
import Jobs
import Kit
import Logging
import Telemetry

/// What every command that touches data begins with: the file, the environment, the data directory.
struct Workplace {
  let configuration: CityConfiguration
  let settings: ProcessSettings
  let options: CityOptions
  let logger: Logger
  /// Origins of development carry it, so a command beside a running city must know the same one.
  let port: Int

  init(_ options: CityOptions, logLevel: String) throws {
    guard let level = Logger.Level(rawValue: logLevel) else {
      let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure(description: "--log-level: found \(logLevel), expected one of \(levels)")
    }
    LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: level) }
    logger = Logger(label: "metropolis")
    self.options = options
    configuration = try CityConfiguration.load(options.config)
    do {
      try FileManager.default.createDirectory(atPath: options.data, withIntermediateDirectories: true)
    } catch {
      throw Failure(description: "the data directory \(options.data) can't be made: expected a folder this user may write")
    }
    let kept = try? String(contentsOfFile: "\(options.data)/port", encoding: .utf8)
    port = options.port ?? kept.flatMap { Int($0.trimmed) } ?? 8080
    settings = try ProcessSettings(ProcessInfo.processInfo.environment, data: options.data, configuration: configuration)
  }

  func openServer() async throws -> DatabaseServer {
    try await DatabaseServer(url: settings.databaseURL, data: options.data, key: settings.masterKey, logger: logger)
  }

  /// - Parameter serves: whether requests and background work will run here; a command only needs the services.
  func assemble(on server: DatabaseServer, serves: Bool) async throws -> City {
    if serves {
      try? "\(port)\n".write(toFile: "\(options.data)/port", atomically: true, encoding: .utf8)
    }
    return try await City.assemble(
      configuration, settings: settings, server: server, data: options.data, port: port, serves: serves, logger: logger)
  }

  /// Runs a command's work on a city that may be served by another process meanwhile.
  func withCity<Result>(_ work: (City) async throws -> Result) async throws -> Result {
    let server = try await openServer()
    do {
      try await City.migrate(configuration, on: server)
      let city = try await assemble(on: server, serves: false)
      let result = try await work(city)
      await city.relay.drain()
      await city.stop()
      return result
    } catch {
      await server.stop()
      throw error
    }
  }
}
