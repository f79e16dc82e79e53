import Yams

/// One mistake in a configuration file, with what was found and what was expected in its place.
public struct ConfigMistake: Error, Hashable, Sendable, CustomStringConvertible {
  public let file: String
  /// Counted from 1.
  public let line: Int
  /// Dotted from the root: `tenants.jeju.host`. Empty for the whole document.
  public let key: String
  public let found: String
  public let expected: String

  public init(file: String, line: Int, key: String, found: String, expected: String) {
    self.file = file
    self.line = line
    self.key = key
    self.found = found
    self.expected = expected
  }

  public var description: String {
    "\(file):\(line): \(key.isEmpty ? "" : key + ": ")found \(found), expected \(expected)"
  }
}

/// All mistakes of a file at once, so that one run of `metropolis check` is enough.
public struct ConfigMistakes: Error, Sendable, CustomStringConvertible {
  public let mistakes: [ConfigMistake]
  public init(_ mistakes: [ConfigMistake]) { self.mistakes = mistakes }
  public var description: String { mistakes.map(\.description).joined(separator: "\n") }
}

/// A YAML document that is read section by section, each by the service it belongs to.
///
/// Readers return a stand-in after a mistake and go on, so every mistake is found; ``finish()`` throws them together.
public final class ConfigDocument {
  public let file: String
  private(set) var mistakes: [ConfigMistake] = []
  let node: Node
  private var sections: [String: ConfigSection] = [:]

  /// - Throws: ``ConfigMistakes`` when the text is no YAML mapping, with the line the parser stopped at.
  public init(yaml: String, file: String) throws(ConfigMistakes) {
    self.file = file
    do {
      guard let node = try Yams.compose(yaml: yaml) else {
        throw ConfigMistakes([ConfigMistake(file: file, line: 1, key: "", found: "nothing", expected: "a mapping")])
      }
      guard case .mapping = node else {
        throw ConfigMistakes([ConfigMistake(file: file, line: 1, key: "", found: node.kind, expected: "a mapping")])
      }
      self.node = node
    } catch let error as ConfigMistakes {
      throw error
    } catch let error as YamlError {
      let (line, problem) = ConfigDocument.place(of: error)
      throw ConfigMistakes([ConfigMistake(file: file, line: line, key: "", found: problem, expected: "well-formed YAML")])
    } catch {
      throw ConfigMistakes([ConfigMistake(file: file, line: 1, key: "", found: "\(error)", expected: "well-formed YAML")])
    }
  }

  public var root: ConfigSection { section(node, path: "") }

  public func note(line: Int, key: String, found: String, expected: String) {
    mistakes.append(ConfigMistake(file: file, line: line, key: key, found: found, expected: expected))
  }

  /// Call when every service has read its section: a key that nobody asked for is a mistake too.
  public func finish() throws(ConfigMistakes) {
    for section in sections.values { section.noteUnknownKeys() }
    sections = [:]
    guard mistakes.isEmpty else { throw ConfigMistakes(mistakes.sorted { ($0.line, $0.key) < ($1.line, $1.key) }) }
  }

  func section(_ node: Node, path: String) -> ConfigSection {
    if let known = sections[path] { return known }
    let section = ConfigSection(document: self, node: node, path: path)
    sections[path] = section
    return section
  }

  private static func place(of error: YamlError) -> (line: Int, problem: String) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
      (mark.line, problem)
    case .duplicatedKeysInMapping(let duplicates, let context):
      (context.mark.line, "the key " + duplicates.map { "“\($0)”" }.joined(separator: ", ") + " twice")
    default: (1, "\(error)")
    }
  }
}

extension Node {
  var line: Int { mark?.line ?? 1 }
  /// What it is, in words for a message.
  var kind: String {
    switch self {
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "“\(scalar.string.prefix(60))”"
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }
}
