import ArgumentParser

struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Migrates, and applies the city's file: schemas, roles, clients, plans.")

  @OptionGroup var options: CityOptions

  func run() async throws {
    let workplace = try Workplace(options, logLevel: "warning")
    try await workplace.withCity { city in
      let version = try await city.recordConfiguration()
      say("\(options.config) is applied as version \(version); \(city.tenants.count) tenants are open.")
    }
  }
}
