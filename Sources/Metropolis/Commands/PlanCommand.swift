import ArgumentParser
import Foundation
import Kit

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Shows what applying the city's file would change. Touches nothing.",
    discussion: """
      The file is compared with what is applied: what it adds (+), changes (~) and removes (-), what stays as operators left \
      it in the console (=), and what both changed (!), which apply refuses until --take says whose value is taken.

      Ends with 0 when nothing changes, 2 when something does, 1 when the file or the merge is wrong.
      """)

  @Argument(help: "The file; tenants.yaml by default.")
  var file: String?

  @Option(name: .long, help: "Show what applying with the same option would do: file or console.")
  var take: ConfigurationMerge.Side?

  @OptionGroup var options: CityOptions

  func run() async throws {
    var options = options
    if let file { options.config = file }
    let workplace = try Workplace(options, logLevel: "error")
    let server = try await workplace.openServer()
    let plan: ConfigurationPlan
    do {
      let applied = try await AppliedConfiguration.read(from: server.admin)
      plan = try ConfigurationPlan.checked(workplace.configuration, applied: applied, take: take)
      await server.stop()
    } catch {
      await server.stop()
      throw error
    }
    say(ConfigurationReport(plan: plan, isColoured: Terminal.isColoured).text)
    if plan.hasChanges || !plan.refusals.isEmpty { throw ExitCode(2) }
  }
}

extension ConfigurationMerge.Side: ExpressibleByArgument {}

extension ConfigurationPlan {
  /// As ``make(reading:file:applied:take:)``, with the mistakes as one message.
  static func checked(
    _ file: CityConfiguration, applied: AppliedConfiguration, take side: ConfigurationMerge.Side? = nil
  ) throws -> ConfigurationPlan {
    do {
      return try make(reading: file.text, file: file.file, applied: applied, take: side)
    } catch {
      throw Failure(
        description: """
          the file and what the console keeps don't fit each other:
          \(error)
          Change the file, or see which parts are the console's: metropolis plan --take console, --take file
          """)
    }
  }

  /// - Throws: ``Failure`` with the conflicts, both sides of each, or the refusals.
  func assertApplicable() throws {
    guard !isApplicable else { return }
    throw Failure(description: "\(file.file) is not applied.\n" + ConfigurationReport(plan: self, isColoured: false).obstacles)
  }
}

/// What standard output is.
enum Terminal {
  /// By https://no-color.org, and only where a person reads.
  static var isColoured: Bool {
    isatty(STDOUT_FILENO) == 1 && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
  }

  /// Whether a line can be written over.
  static var isRewritten: Bool {
    isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  }
}
