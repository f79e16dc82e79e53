/// The name of a PostgreSQL schema, in a form that needs no thought: `[a-z][a-z0-9_]{0,62}`.
public struct Schema: Hashable, Sendable, CustomStringConvertible {
  public let name: String

  /// `nil` when the text is not of the form `[a-z][a-z0-9_]{0,62}`.
  public init?(_ name: String) {
    let bytes = name.utf8
    guard (1...63).contains(bytes.count), let first = bytes.first, (97...122).contains(first),
      bytes.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 95 })
    else { return nil }
    self.name = name
  }

  /// The name as an SQL identifier, in double quotes.
  public var quoted: String { "\"\(name)\"" }

  public var description: String { name }
}

enum Quoting {
  /// An SQL identifier (PostgreSQL manual §4.1.1): in double quotes, quotes inside doubled.
  static func identifier(_ name: String) -> String {
    "\"" + name.filter { $0 != "\0" }.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  /// An SQL string constant, for the statements that take no parameters. Safe for either `standard_conforming_strings`.
  static func literal(_ text: String) -> String {
    var result = text.utf8.contains(UInt8(ascii: "\\")) ? "E'" : "'"
    for scalar in text.unicodeScalars where scalar != "\0" {
      if scalar == "'" || scalar == "\\" { result.unicodeScalars.append(scalar) }
      result.unicodeScalars.append(scalar)
    }
    return result + "'"
  }
}
