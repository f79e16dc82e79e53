import ArgumentParser
import Foundation
import Kit

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Reads the city's file and names every mistake, without a database.")

  @Argument(help: "The file; tenants.yaml by default.")
  var file: String?

  @OptionGroup var options: CityOptions

  func run() async throws {
    let file = file ?? options.config
    let configuration = try CityConfiguration.load(file)
    let open = configuration.tenants.filter { $0.state == .open }.count
    say("\(file) is right: \(open) tenants open, \(configuration.tenants.count - open) announced.")
  }
}

extension CityConfiguration {
  /// Reads a file.
  /// - Throws: ``Failure`` that holds every mistake, a line each.
  static func load(_ file: String) throws -> CityConfiguration {
    let text: String
    do {
      text = try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      throw Failure(description: "\(file) can't be read: expected a UTF-8 file that describes the city")
    }
    do {
      return try CityConfiguration(reading: text, file: file)
    } catch {
      let count = error.mistakes.count
      throw Failure(description: "\(count) \(count == 1 ? "mistake" : "mistakes") in \(file):\n\(error)")
    }
  }
}
