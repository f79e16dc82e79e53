import ArgumentParser
import Foundation
import Kit
import Web

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serves the city's sites, as they were applied. Any number of these run side by side.",
    discussion: """
      It follows what `metropolis apply` has stored, never the file, and migrates nothing. What is to be done without a request \
      is done by `metropolis work`.

      METROPOLIS_TRUSTED_PROXIES names the proxies in front of it (10.0.0.7, 10.0.0.0/8): only they are believed when they say \
      for whom they ask (X-Forwarded-For).
      """)

  @Option(name: .long, help: "Where it listens: a port of 127.0.0.1, or address:port. The port of the origins by default.")
  var listen: ListenAddress?

  @OptionGroup var stop: StopOptions
  @OptionGroup var options: CityOptions

  @Option(name: .long, help: "What is logged: trace, debug, info, notice, warning, error.")
  var logLevel = "info"

  func run() async throws {
    let workplace = try Workplace(options, logLevel: logLevel)
    let address = listen ?? ListenAddress(port: workplace.port)
    try address.assertFree(option: "--listen")
    let proxies = try TrustedProxies(workplace.environment[TrustedProxies.variable])
    try await workplace.run(as: .serve) { city in
      try await CityProcess(city: city, listen: address, proxies: proxies, drain: .seconds(stop.drain)).run {
        let snapshot = city.districts.current
        say("Serving version \(snapshot.version) of \(city.cities.city.name.ko) on \(address); \(OpenTenants(snapshot).text)")
      }
    }
    say("Stopped.")
  }
}

struct WorkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "work", abstract: "Does what the city does by itself: events, jobs, timetables, renewals. Serves no site.",
    discussion: """
      Any number of these run side by side: a job is done by one, a timetable has one leader, and what a dead one had is taken \
      up by another.
      """)

  @Option(
    name: .long, help: "Where it answers /health, /ready and /metrics: a port of 127.0.0.1, or address:port. Nowhere by default.")
  var listen: ListenAddress?

  @OptionGroup var stop: StopOptions
  @OptionGroup var options: CityOptions

  @Option(name: .long, help: "What is logged: trace, debug, info, notice, warning, error.")
  var logLevel = "info"

  func run() async throws {
    let workplace = try Workplace(options, logLevel: logLevel)
    try listen?.assertFree(option: "--listen")
    try await workplace.run(as: .work) { city in
      if !city.sendsMail {
        say("Mail waits in its queue: METROPOLIS_SMTP_URL is not set. A `metropolis run` would deliver it, too.")
      }
      try await CityProcess(city: city, listen: listen, proxies: try TrustedProxies(nil), drain: .seconds(stop.drain)).run {
        say("Working on version \(city.districts.current.version) of \(city.cities.city.name.ko).")
      }
    }
    say("Stopped.")
  }
}
