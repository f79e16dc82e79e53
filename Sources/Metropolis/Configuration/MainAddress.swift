import Foundation
import Kit

/// Where the core's database is: the one thing that can't be read from what is applied, for that stands in it.
///
/// The file says by which variable. A node without the file has `DATABASE_URL`.
struct MainAddress: Sendable, Hashable {
  /// Where the file names none.
  static let variable = "DATABASE_URL"

  /// The variable whose URL it is; `nil`: none is set, and the database is the private cluster in the data directory.
  let variable: String?
  let url: String?
  /// Past a pooler; `nil`: there is none.
  let directURL: String?

  /// - Parameter file: its path; there may be no such file.
  /// - Throws: ``Failure`` when the file is no YAML, names the URL in another way than `env:NAME`, or names a variable that this
  ///   process doesn't have: another database than the one that is meant would be worse.
  init(file: String, environment: [String: String]) throws {
    let text = FileManager.default.fileExists(atPath: file) ? try CityConfiguration.text(of: file) : ""
    try self.init(reading: text, file: file, environment: environment)
  }

  /// - Parameter text: the file's; empty when there is none.
  init(reading text: String, file: String, environment: [String: String]) throws {
    let stanza: ConfigValue?
    do {
      stanza = text.isEmpty ? nil : try ConfigValue(yaml: text, file: file)[["databases", DatabaseStanza.main]]
    } catch {
      throw CityConfiguration.failure(error, in: file)
    }
    func name(_ key: String) throws -> EnvironmentName? {
      guard let value = stanza?[key] else { return nil }
      guard case .scalar(let text) = value, let name = EnvironmentName(text) else {
        // What was found is not repeated: it may be a password.
        throw Failure(
          description: "\(file): databases.main.\(key): found something else, expected \(EnvironmentName.expected)")
      }
      return name
    }
    if let name = try name("url") {
      (variable, url) = (name.name, try name.url(of: DatabaseStanza.main, in: environment))
    } else if let url = environment[MainAddress.variable], !url.isEmpty {
      (variable, self.url) = (MainAddress.variable, url)
    } else {
      (variable, url) = (nil, nil)
    }
    directURL = try name("direct_url")?.url(of: DatabaseStanza.main, in: environment)
  }
}
