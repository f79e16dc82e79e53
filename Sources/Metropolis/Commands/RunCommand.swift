import ArgumentParser
import Foundation
import Kit
import Web

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Starts the database, applies the city's file, loads the content, serves and works: all in one process.")

  @OptionGroup var options: CityOptions
  @OptionGroup var stop: StopOptions

  @Option(name: .long, help: "Where it listens: a port of 127.0.0.1, or address:port. The port of the origins by default.")
  var listen: ListenAddress?

  @Option(name: .long, help: "Whose word holds where the file and the console both changed something: file or console.")
  var take: ConfigurationMerge.Side?

  @Flag(name: .long, help: "Start without the sample accounts and questions (they exist in development only).")
  var noSamples = false

  @Option(name: .long, help: "What is logged: trace, debug, info, notice, warning, error.")
  var logLevel = "info"

  func run() async throws {
    let began = ContinuousClock.now
    let workplace = try Workplace(options, logLevel: logLevel)
    try RunCommand.assertZones()
    let address = listen ?? ListenAddress(port: workplace.port)
    try address.assertFree(option: listen == nil ? "--port" : "--listen")
    let proxies = try TrustedProxies(workplace.environment[TrustedProxies.variable])

    let file = try workplace.configuration
    say("Starting \(file.name.ko) (\(file.environment.rawValue))")
    let variable = try MainAddress(file: options.config, environment: workplace.environment).variable
    say("  database   \(variable ?? "private cluster in \(options.data)")")
    let server = try await workplace.openServer()
    do {
      let display = FleetDisplay(label: "  schemas    ", margin: "             ")
      let applied = try await workplace.apply(as: .run, take: take, on: server, display: display)
      let city = applied.city
      let (behind, _) = try await applied.complete()
      for node in behind { say("             not followed by \(node.name)") }
      let tenants = OpenTenants(city.districts.current)
      if !tenants.refused.isEmpty { say(tenants.text) }
      workplace.keepPort()
      say("  content    loading")
      try await city.loadContent(from: "content", samples: !noSamples, progress: { say("             \($0)") })
      if !noSamples { try await city.ensureSampleStaff() }
      let samples = city.configuration.isDevelopment && !noSamples
      try await CityProcess(city: city, listen: address, proxies: proxies, drain: .seconds(stop.drain)).run {
        announce(city, samples: samples, after: ContinuousClock.now - began)
      }
      await city.stop()
      say("Stopped.")
    } catch {
      await server.stop()
      throw error
    }
  }

  private func announce(_ city: City, samples: Bool, after duration: Duration) {
    let cities = city.cities
    var lines = [
      "", "\(cities.city.name.ko) is open at \(cities.city.origin)  (\(duration.components.seconds) s after the start)", "",
    ]
    let refusals = city.districts.current.refusals
    for (stanza, site) in zip(city.configuration.tenants, cities.tenants) {
      let note =
        switch stanza.state {
        case .open: refusals[stanza.id] == nil ? "" : " (not served: its schema is not ready)"
        default: " (\(stanza.state.rawValue))"
        }
      lines.append("  \(site.origin)  \(site.name.ko)\(note)")
    }
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
}
