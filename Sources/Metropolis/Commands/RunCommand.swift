import ArgumentParser
import Billing
import Database
import Foundation
import Gateway
import Hummingbird
import Identity
import Jobs
import Kit
import Logging
import NIOCore
import ServiceLifecycle
import Telemetry
import UnixSignals
import Web

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Starts the database, migrates, applies the city's file, loads the content, and serves.")

  @OptionGroup var options: CityOptions

  @Flag(name: .long, help: "Start without the sample accounts and questions (they exist in development only).")
  var noSamples = false

  @Option(name: .long, help: "What is logged: trace, debug, info, notice, warning, error.")
  var logLevel = "info"

  func run() async throws {
    let began = ContinuousClock.now
    let workplace = try Workplace(options, logLevel: logLevel)
    try RunCommand.assertZones()
    try RunCommand.assertFree(port: workplace.port)

    say("Starting \(workplace.configuration.name.ko) (\(workplace.configuration.environment.rawValue))")
    say("  database   \(workplace.settings.databaseURL == nil ? "private cluster in \(options.data)" : "DATABASE_URL")")
    let server = try await workplace.openServer()
    do {
      say("  schemas    migrating")
      try await City.migrate(workplace.configuration, on: server)
      let city = try await workplace.assemble(on: server, serves: true)
      try await city.recordConfiguration()
      say("  content    loading")
      try await city.loadContent(from: "content", samples: !noSamples, progress: { say("             \($0)") })
      if !noSamples { try await city.ensureSampleStaff() }
      try await serve(city, port: workplace.port, began: began)
      await city.stop()
    } catch {
      await server.stop()
      throw error
    }
  }

  private func serve(_ city: City, port: Int, began: ContinuousClock.Instant) async throws {
    let logger = Logger(label: "metropolis")
    let samples = city.configuration.isDevelopment && !noSamples
    let application = Application(
      responder: city.gateway,
      configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "Metropolis"),
      onServerRunning: { _ in announce(city, samples: samples, after: ContinuousClock.now - began) },
      logger: logger)
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(service: BackgroundService { await city.relay.run() }),
          .init(service: BackgroundService { await city.worker.run() }),
          .init(service: BackgroundService { await city.identity.run() }),
          .init(service: BackgroundService { await city.scheduler.run() }),
          .init(
            service: BackgroundService {
              await city.billing.live.keepCurrent { error in
                logger.warning("plans not refreshed", metadata: ["error": "\(type(of: error))"])
              }
            }),
          .init(service: application),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
    say("Stopped.")
  }

  private func announce(_ city: City, samples: Bool, after duration: Duration) {
    let cities = city.cities
    var lines = [
      "", "\(cities.city.name.ko) is open at \(cities.city.origin)  (\(duration.components.seconds) s after the start)", "",
    ]
    for site in cities.tenants { lines.append("  \(site.origin)  \(site.name.ko)\(site.tenant == nil ? " (opens later)" : "")") }
    lines.append("  \(cities.issuer.origin)  sign-in and accounts")
    if let console = cities.console { lines.append("  \(console.origin)  the console of operators and finance") }
    if city.mailbox != nil { lines.append("  \(cities.city.origin.url("/mailbox"))  every mail of this development city") }
    if samples {
      lines.append("")
      lines.append("Sample accounts (password \(SampleAccounts.password)):")
      let people =
        SampleAccounts.all.prefix(2).map { (email: $0.email, about: $0.name) }
        + SampleAccounts.staff.map { (email: $0.email, about: "\($0.name), \($0.post) at the console") }
      let width = people.map(\.email.count).max() ?? 0
      for person in people {
        lines.append("  \(person.email.padding(toLength: width, withPad: " ", startingAt: 0))  \(person.about)")
      }
    }
    lines.append("")
    lines.append("Stop with Ctrl-C.")
    say(lines.joined(separator: "\n"))
  }

  /// A static build can lack the zones' data: better seen at the start than in a wrong bill.
  private static func assertZones() throws {
    guard let seoul = TimeZone(identifier: "Asia/Seoul"), seoul.secondsFromGMT(for: Date(timeIntervalSince1970: 0)) == 32_400
    else {
      throw Failure(description: "the time zone Asia/Seoul is not known here: install the package tzdata")
    }
  }

  /// Asks for the port before anything is started.
  private static func assertFree(port: Int) throws {
    guard (1...65_535).contains(port) else { throw Failure(description: "--port: found \(port), expected 1 to 65535") }
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var yes: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    if bound != 0 {
      let reason = errno == EADDRINUSE ? "is in use by another process" : "can't be used: \(String(cString: strerror(errno)))"
      throw Failure(description: "port \(port) of 127.0.0.1 \(reason). Stop that process, or choose another: --port \(port + 1)")
    }
  }
}

/// Work that goes on until the process is asked to stop.
struct BackgroundService: Service {
  let work: @Sendable () async -> Void

  func run() async throws {
    await cancelWhenGracefulShutdown { await work() }
  }
}
