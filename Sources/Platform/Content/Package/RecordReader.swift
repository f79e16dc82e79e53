import Kit

/// The mistakes of a directory of packages, collected while it is read.
final class MistakeList {
  private(set) var mistakes: [ConfigMistake] = []
  func note(_ mistake: ConfigMistake) { mistakes.append(mistake) }
}

/// One JSON object of a content file, read member by member. What is wrong is noted with file, line and key, and reading
/// goes on; a member that nobody asked for is a mistake too.
final class RecordReader {
  let file: String
  let line: Int
  let path: String
  private let members: [String: JSONValue]
  private let list: MistakeList
  /// Where a member stands, in files that spread over many lines.
  private let lineOf: (String) -> Int
  private var known: Set<String> = []

  init(
    _ members: [String: JSONValue], file: String, line: Int, path: String = "", list: MistakeList,
    lineOf: ((String) -> Int)? = nil
  ) {
    self.members = members
    self.file = file
    self.line = line
    self.path = path
    self.list = list
    self.lineOf = lineOf ?? { _ in line }
  }

  func note(_ key: String, found: String? = nil, expected: String) {
    list.note(
      ConfigMistake(
        file: file, line: lineOf(key), key: path.isEmpty ? key : "\(path).\(key)",
        found: found ?? members[key]?.inWords ?? "nothing", expected: expected))
  }

  /// Call when everything was asked for.
  func finish() {
    for key in members.keys.sorted() where !known.contains(key) {
      note(key, found: "an unknown key", expected: "one of \(known.sorted().joined(separator: ", "))")
    }
  }

  func has(_ key: String) -> Bool {
    known.insert(key)
    switch members[key] {
    case nil, .null: return false
    default: return true
    }
  }

  /// The text of a member without a check, to compare another with it.
  func peek(_ key: String) -> String? { members[key]?.string }

  func text(_ key: String, length: ClosedRange<Int>) -> String? {
    known.insert(key)
    guard let text = members[key]?.string, length.contains(text.trimmed.count) else {
      note(key, expected: "a text of \(length.lowerBound) to \(length.upperBound) characters")
      return nil
    }
    return text
  }

  /// Small letters, digits and hyphens, a letter or digit first: ids, topics.
  func slug(_ key: String) -> String? {
    known.insert(key)
    guard let text = members[key]?.string, text.isSlug else {
      note(key, expected: "small letters, digits and hyphens, 64 at most")
      return nil
    }
    return text
  }

  func choice(_ key: String, of allowed: [String]) -> String? {
    known.insert(key)
    guard let text = members[key]?.string, allowed.contains(text) else {
      note(key, expected: "one of \(allowed.joined(separator: ", "))")
      return nil
    }
    return text
  }

  func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
    known.insert(key)
    guard let value = members[key]?.integer, let value = Int(exactly: value), range.contains(value) else {
      note(key, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return value
  }

  func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
    known.insert(key)
    let value: Double? =
      switch members[key] {
      case .number(let number): number
      case .integer(let number): Double(number)
      default: nil
      }
    guard let value, range.contains(value) else {
      note(key, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return value
  }

  func bool(_ key: String) -> Bool? {
    known.insert(key)
    guard case .bool(let value)? = members[key] else {
      note(key, expected: "true or false")
      return nil
    }
    return value
  }

  func array(_ key: String, count: ClosedRange<Int>, of what: String) -> [JSONValue]? {
    known.insert(key)
    guard case .array(let elements)? = members[key], count.contains(elements.count) else {
      let found: String? = if case .array(let elements)? = members[key] { "\(elements.count)" } else { nil }
      note(key, found: found, expected: "a list of \(count.lowerBound) to \(count.upperBound) \(what)")
      return nil
    }
    return elements
  }

  func texts(_ key: String, count: ClosedRange<Int>, length: ClosedRange<Int>) -> [String]? {
    guard let elements = array(key, count: count, of: "texts") else { return nil }
    return elements.enumerated().compactMap { index, element in
      guard let text = element.string, length.contains(text.count) else {
        note(
          "\(key)[\(index)]", found: element.inWords,
          expected: "a text of \(length.lowerBound) to \(length.upperBound) characters")
        return nil
      }
      return text
    }
  }

  func section(_ key: String) -> RecordReader? {
    known.insert(key)
    guard let value = members[key] else {
      note(key, expected: "an object")
      return nil
    }
    return section(value, key: key)
  }

  /// Reads an element of a list as an object.
  func section(_ value: JSONValue, key: String) -> RecordReader? {
    guard case .object(let inner) = value else {
      note(key, found: value.inWords, expected: "an object")
      return nil
    }
    return RecordReader(
      inner, file: file, line: lineOf(key), path: path.isEmpty ? key : "\(path).\(key)", list: list)
  }

  func localized(_ key: String, in languages: [Language], length: ClosedRange<Int>) -> LocalizedText? {
    section(key)?.localizedText(in: languages, length: length)
  }

  /// Reads the object itself as a text in several languages.
  func localizedText(in languages: [Language], length: ClosedRange<Int>) -> LocalizedText? {
    let ko = text("ko", length: length)
    let en = languages.contains(.en) || has("en") ? text("en", length: length) : nil
    finish()
    guard let ko, en != nil || !languages.contains(.en) else { return nil }
    return LocalizedText(ko: ko, en: en)
  }
}

extension String {
  /// `[a-z0-9][a-z0-9-]{0,63}`
  var isSlug: Bool {
    let bytes = utf8
    guard (1...64).contains(bytes.count), bytes.first != UInt8(ascii: "-") else { return false }
    return bytes.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
  }
}

extension JSONValue {
  /// What it is, for a message.
  var inWords: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): value.isEmpty ? "an empty text" : "“\(value.prefix(60))”"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
