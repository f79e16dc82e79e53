import ArgumentParser
import Foundation
import Jobs
import Kit

struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Applies the city's file: schemas, roles, clients, plans; then every node follows.",
    discussion: """
      What operators changed in the console stays, unless the file changed it too: then nothing is applied until --take says \
      whose word holds. `metropolis plan` shows beforehand what would change.

      Ends when every process of the city follows, or names those that don't within ten seconds.
      """)

  @Option(name: .long, help: "Whose word holds where the file and the console both changed something: file or console.")
  var take: ConfigurationMerge.Side?

  @OptionGroup var options: CityOptions

  func run() async throws {
    let workplace = try Workplace(options, logLevel: "warning")
    let server = try await workplace.openServer()
    do {
      let display = FleetDisplay(label: "schemas: ", margin: "  ")
      let applied = try await workplace.apply(as: .command, take: take, on: server, display: display)
      let city = applied.city
      say(ConfigurationReport(plan: applied.plan, isColoured: Terminal.isColoured, isDone: true).text)
      let version = city.districts.current.version
      let (behind, report) = try await applied.complete()
      await city.relay.drain()
      await city.stop()
      guard behind.isEmpty else {
        let lines = behind.map { node in
          "  \(node.name): at version \(node.version)\(node.fault.map { "; \($0)" } ?? "")"
        }
        throw Failure(
          description: "\(options.config) is applied as version \(version), but not followed by:\n"
            + lines.joined(separator: "\n"))
      }
      say("\(options.config) is applied as version \(version); \(OpenTenants(city.districts.current).text)")
      guard report.isComplete else { throw ExitCode.failure }
    } catch {
      await server.stop()
      throw error
    }
  }
}
