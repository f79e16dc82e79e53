import Foundation
public import Kit

/// The texts people read, by key and language. Files `texts.ko.json` and `texts.en.json` stand beside the code.
///
/// A text may hold `{names}` that are filled in. A count chooses between `{one|many}` forms in English by a key's
/// `.one` sibling.
public struct Catalogue: Sendable {
  private var texts: [Language: [String: String]] = [:]
  /// The same, nested, for templates: `{{t.town.ask}}`.
  public private(set) var nested: [Language: [String: any Sendable]] = [:]

  public struct Incomplete: Error, CustomStringConvertible {
    public let description: String
  }

  /// - Parameter files: each namespace's embedded files; those named `texts.<language>.json` count.
  /// - Throws: ``Incomplete`` when a file can't be read, a value is no text, or a key is missing in a language.
  public init(_ files: [(namespace: String, files: [String: String])]) throws {
    for language in Language.allCases {
      var flat: [String: String] = [:]
      for (namespace, files) in files {
        for (path, text) in files where path.hasSuffix("texts.\(language.rawValue).json") {
          guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)), case .object = value else {
            throw Incomplete(description: "\(namespace)/\(path) is not a JSON object")
          }
          try Catalogue.flatten(value, path: namespace, into: &flat)
        }
      }
      texts[language] = flat
      nested[language] = Catalogue.nest(flat)
    }
    for (a, b) in [(Language.ko, Language.en), (.en, .ko)] {
      let missing = Set(texts[a]!.keys).subtracting(texts[b]!.keys).sorted()
      guard missing.isEmpty else {
        throw Incomplete(description: "texts in \(a.rawValue) but not in \(b.rawValue): \(missing.joined(separator: ", "))")
      }
    }
  }

  public var keys: [String] { texts[.ko]!.keys.sorted() }

  /// The text of a key, filled; the key itself when there is none, so that it is seen.
  public func text(_ key: String, _ arguments: [String: String] = [:], in language: Language) -> String {
    guard let text = texts[language]?[key] else { return key }
    if arguments.isEmpty { return text }
    // In one pass: a value may hold braces too, and is no pattern. By hand: a regular expression is parsed at every call.
    var (filled, rest) = ("", text[...])
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      if let value = arguments[String(rest[rest.index(after: open)..<close])] {
        filled += rest[..<open] + value
        rest = rest[rest.index(after: close)...]
      } else {
        filled += rest[...open]
        rest = rest[rest.index(after: open)...]
      }
    }
    return filled + rest
  }

  public func has(_ key: String) -> Bool { texts[.ko]?[key] != nil }

  private static func flatten(_ value: JSONValue, path: String, into flat: inout [String: String]) throws {
    switch value {
    case .object(let members):
      for (key, member) in members { try flatten(member, path: path.isEmpty ? key : "\(path).\(key)", into: &flat) }
    case .string(let text): flat[path] = text
    default: throw Incomplete(description: "\(path) is neither a text nor a group of texts")
    }
  }

  private static func nest(_ flat: [String: String]) -> [String: any Sendable] {
    var groups: [String: [String: String]] = [:]
    var result: [String: any Sendable] = [:]
    for (key, text) in flat {
      if let dot = key.firstIndex(of: ".") {
        groups[String(key[..<dot]), default: [:]][String(key[key.index(after: dot)...])] = text
      } else {
        result[key] = text
      }
    }
    for (head, members) in groups { result[head] = nest(members) }
    return result
  }
}
