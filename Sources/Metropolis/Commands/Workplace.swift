import Billing
import Database
import Foundation
import Jobs
import Kit
import Logging
import Telemetry

/// What every command begins with: the options, the environment, the data directory.
struct Workplace {
  let options: CityOptions
  let environment: [String: String]
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
    environment = ProcessInfo.processInfo.environment
    do {
      try FileManager.default.createDirectory(atPath: options.data, withIntermediateDirectories: true)
    } catch {
      throw Failure(description: "the data directory \(options.data) can't be made: expected a folder this user may write")
    }
    let kept = try? String(contentsOfFile: "\(options.data)/port", encoding: .utf8)
    port = options.port ?? kept.flatMap { Int($0.trimmed) } ?? 8080
  }

  /// The city's file. What is served is what was applied of it: ``stored(on:)``.
  var configuration: CityConfiguration {
    get throws { try CityConfiguration.load(options.config) }
  }

  /// The server the core lives on: the one the file's variable names, `DATABASE_URL` when it names none, or the private cluster.
  func openServer() async throws -> ServerAddress {
    let main = try MainAddress(file: options.config, environment: environment)
    return try await ServerAddress(
      name: DatabaseStanza.main, url: main.url, direct: main.directURL, data: options.data, loop: DatabaseLoop(), logger: logger)
  }

  /// What was applied last.
  /// - Throws: ``Failure`` when nothing was, or this release can't read it.
  func stored(on server: ServerAddress) async throws -> (configuration: CityConfiguration, version: Int) {
    guard let newest = try await ConfigurationStore(server.admin).newest() else {
      throw Failure(
        description: "no configuration is applied in this database: run `metropolis apply` (or, in development, `metropolis run`)"
      )
    }
    return (try newest.configuration(), newest.number)
  }

  /// The settings of a process under a configuration, and all servers it names.
  func surroundings(_ configuration: CityConfiguration, main: ServerAddress) async throws -> (ProcessSettings, Servers) {
    let settings = try ProcessSettings(environment, data: options.data, configuration: configuration)
    let servers = try Servers(
      main: main, configuration, key: settings.masterKey, environment: environment, data: options.data, logger: logger)
    try await servers.follow(configuration.databases)
    return (settings, servers)
  }

  /// Puts the city together as it was applied, and no more: nothing is migrated, nothing published.
  func assemble(_ role: NodeRole, on server: ServerAddress) async throws -> City {
    let (configuration, version) = try await stored(on: server)
    let (settings, servers) = try await surroundings(configuration, main: server)
    let city = try await City.assemble(
      City.Parts(
        configuration: configuration, version: version, settings: settings, servers: servers, data: options.data, port: port,
        role: role, refusals: try await City.refusals(configuration, servers, logger: logger), logger: logger))
    try await city.billing.live.refresh()
    return city
  }

  private var archives: String { "\(options.data)/archives" }

  /// What becomes of schemas is written there, for programs and for whoever comes later.
  private func openFleetLog() -> (log: FleetLog, path: String)? {
    let path = "\(options.data)/fleet.log"
    do {
      return (try FleetLog(path: path), path)
    } catch {
      logger.warning("fleet log not written", metadata: ["reason": "\(error)"])
      return nil
    }
  }

  /// What applying has led to.
  struct Applied {
    let city: City
    let plan: ConfigurationPlan
    let fleet: CityFleet
    /// What became of each tenant's schema.
    let report: FleetReport
    /// Where tenants that are archived are kept.
    let archives: String
    /// Where it stands what happened to each schema; `nil` when it could not be written.
    let log: String?
    let display: FleetDisplay
    let event: @Sendable (FleetEvent) -> Void

    /// Waits until every process follows; then tenants that are archived from now on, which nobody serves any more, go into
    /// their files.
    /// - Returns: the processes that don't follow in time, and what became of the schemas.
    func complete() async throws -> (behind: [NodeRegister.Node], report: FleetReport) {
      let behind = try await city.nodes.waitUntilFollowed(city.districts.current.version)
      guard behind.isEmpty else { return (behind, report) }
      let archived = await fleet.archive(into: archives, event: event)
      if !archived.lines.isEmpty { display.end(archived, log: log) }
      var report = report
      report.merge(archived)
      return ([], report)
    }
  }

  /// Merges the file into what is applied, brings the databases to it, stores it, and tells the nodes.
  ///
  /// - Parameter take: whose word holds where the file and the console both changed something.
  /// - Throws: ``Failure`` with what stands against it; nothing is changed then.
  func apply(
    as role: NodeRole, take: ConfigurationMerge.Side?, on server: ServerAddress, display: FleetDisplay
  ) async throws -> Applied {
    let applied = try await AppliedConfiguration.read(from: server.admin)
    let plan = try ConfigurationPlan.checked(try configuration, applied: applied, take: take)
    try plan.assertApplicable()
    let (settings, servers) = try await surroundings(plan.configuration, main: server)
    let fleet = try CityFleet(plan.configuration, servers, logger: logger)
    let kept = openFleetLog()
    let event: @Sendable (FleetEvent) -> Void = { event in
      kept?.log.write(event)
      display.tell(event)
    }
    let report = try await fleet.migrate(archives: archives, progress: display.show, event: event)
    display.end(report, log: kept?.path)
    let city = try await City.assemble(
      City.Parts(
        configuration: plan.configuration, version: applied.version, settings: settings, servers: servers, data: options.data,
        port: port, role: role, refusals: report.refusals(among: plan.configuration), logger: logger))
    try await city.prepare(asserting: plan.asserted)
    if plan.isWorthRecording {
      city.districts.number(try await plan.record(in: city.configurations))
    }
    return Applied(
      city: city, plan: plan, fleet: fleet, report: report, archives: archives, log: kept?.path, display: display, event: event)
  }

  /// Runs a command's work on the city as it is applied; others may serve it meanwhile.
  func withCity<Result>(_ work: (City) async throws -> Result) async throws -> Result {
    let server = try await openServer()
    do {
      let city = try await assemble(.command, on: server)
      let result = try await work(city)
      await city.relay.drain()
      await city.stop()
      return result
    } catch {
      await server.stop()
      throw error
    }
  }

  /// Runs a process of the city until it is asked to stop.
  func run(as role: NodeRole, _ work: (City) async throws -> Void) async throws {
    let server = try await openServer()
    do {
      let city = try await assembleWhenReachable(role, on: server)
      try await work(city)
      await city.stop()
    } catch {
      await server.stop()
      throw error
    }
  }

  /// After a power failure all start together, and the database is the last to be ready: it is waited for, a minute at most.
  private func assembleWhenReachable(_ role: NodeRole, on server: ServerAddress) async throws -> City {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      do {
        return try await assemble(role, on: server)
      } catch let error as DatabaseError where error.isUnavailable && ContinuousClock.now < deadline {
        logger.notice("waiting for the database", metadata: ["error": "\(error)"])
        try await Task.sleep(for: .milliseconds(500))
      }
    }
  }

  /// Commands beside this process are to know the port.
  func keepPort() { try? "\(port)\n".write(toFile: "\(options.data)/port", atomically: true, encoding: .utf8) }
}
