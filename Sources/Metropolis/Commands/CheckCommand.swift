import ArgumentParser
import Foundation
import Kit

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Reads the city's file and names every mistake, without a database.",
    discussion: """
      It also refuses more connections of all nodes than a server takes. The limit is `databases.<name>.limit`; where the file \
      doesn't name it, a server that can be reached is asked.
      """)

  @Argument(help: "The file; tenants.yaml by default.")
  var file: String?

  @OptionGroup var options: CityOptions

  func run() async throws {
    let file = file ?? options.config
    let configuration = try CityConfiguration.load(file)
    let loads = ConnectionLoad.all(of: configuration, limits: await ServerLimits.ask(configuration))
    let refusals = loads.compactMap(\.refusal)
    if !refusals.isEmpty {
      throw Failure(
        description: "\(refusals.count) \(refusals.count == 1 ? "mistake" : "mistakes") in \(file):\n"
          + refusals.map { "\(file): \($0)" }.joined(separator: "\n"))
    }
    let states = CityConfiguration.Stanza.State.allCases.compactMap { state -> String? in
      let count = configuration.tenants.count { $0.state == state }
      return count == 0 ? nil : "\(count) \(state.rawValue)"
    }
    say("\(file) is right: \(states.joined(separator: ", ")); phase \(configuration.phase.rawValue).")
    for load in loads { say("  \(load.database): \(load.description)") }
  }
}

extension CityConfiguration {
  /// Reads a file.
  /// - Throws: ``Failure`` that holds every mistake, a line each.
  static func load(_ file: String) throws -> CityConfiguration {
    let text = try text(of: file)
    do {
      return try CityConfiguration(reading: text, file: file)
    } catch {
      throw failure(error, in: file)
    }
  }

  static func text(of file: String) throws -> String {
    do {
      return try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      throw Failure(description: "\(file) can't be read: expected a UTF-8 file that describes the city")
    }
  }

  static func failure(_ error: ConfigMistakes, in file: String) -> Failure {
    let count = error.mistakes.count
    return Failure(description: "\(count) \(count == 1 ? "mistake" : "mistakes") in \(file):\n\(error)")
  }
}
