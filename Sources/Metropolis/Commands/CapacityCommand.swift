import ArgumentParser
import Foundation
import Kit

struct CapacityCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capacity", abstract: "What a phase needs and costs, beside what the city's file declares.",
    discussion: """
      A difference over 10% is flagged. Findings say what could be saved, and at what risk. Needs no database; where the file \
      names no limit of a server, one that can be reached is asked for it.
      """)

  @Option(name: .long, help: "Measure by another phase than the file's: pilot, growth, scale or metro.")
  var phase: CityConfiguration.Phase?

  @Option(name: .long, help: "The mean CPU of the nodes, percent, as monitoring has it.")
  var cpu: Int?

  @Option(name: .long, help: "US dollars spent this month: from 80% of the budget on it is a finding.")
  var spent: Int?

  @Flag(name: .long, help: "Write JSON.")
  var json = false

  @OptionGroup var options: CityOptions

  func run() async throws {
    let configuration = try CityConfiguration.load(options.config)
    let limits = await ServerLimits.ask(configuration)
    let report = CapacityReport(
      configuration, phase: phase, limits: limits, measured: .init(cpu: cpu, spent: spent))
    guard json else { return say(report.text) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    say(String(decoding: try encoder.encode(report), as: UTF8.self))
  }
}

extension CityConfiguration.Phase: ExpressibleByArgument {}
