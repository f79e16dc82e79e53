import ArgumentParser

struct ContentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "content", abstract: "The shared content library.", subcommands: [Load.self])

  struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "load", abstract: "Loads packages of items, lessons and questions. What is loaded already stays as it is.")

    @Argument(help: "The folder that holds the packages.")
    var folder = "content"

    @OptionGroup var options: CityOptions

    func run() async throws {
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        try await city.loadContent(from: folder, samples: city.configuration.isDevelopment, progress: { say($0) })
      }
    }
  }
}
