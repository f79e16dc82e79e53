import ArgumentParser
import Foundation
import Telemetry

/// The one binary. Every command works while a server runs.
@main
struct MetropolisCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metropolis",
    abstract: "A city of services: one account, one subscription, one learning record, many tenants.",
    subcommands: [
      RunCommand.self, ServeCommand.self, WorkCommand.self, CheckCommand.self, PlanCommand.self, ApplyCommand.self,
      CapacityCommand.self,
      ContentCommand.self, ClientCommand.self, MemberCommand.self,
      AuditCommand.self, FinanceCommand.self,
      SimulatePaymentsCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  static func main() async {
    // Before there are threads, each of which would take a heap of its own.
    ProcessMemory.prepare()
    await main(nil)
  }
}

/// What every command that touches data takes.
struct CityOptions: ParsableArguments {
  @Option(name: .long, help: "The data directory: the private database, its key, mails of development.")
  var data = ".metropolis"

  @Option(name: .long, help: "The file that describes the city.")
  var config = "tenants.yaml"

  @Option(name: .long, help: "The port of the development origins; the one last served on by default, else 8080.")
  var port: Int?
}

/// Ends a command with one clear message.
struct Failure: Error, CustomStringConvertible {
  let description: String
}

/// Messages for a person go to standard output, logs to standard error.
func say(_ text: String, terminator: String = "\n") {
  var line = text + terminator
  line.withUTF8 { bytes in
    var rest = UnsafeRawBufferPointer(bytes)
    while !rest.isEmpty {
      let written = write(STDOUT_FILENO, rest.baseAddress, rest.count)
      if written <= 0 { return }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }
}
