import Yams

/// A configuration document as a value: for comparing, merging and writing, where ``ConfigDocument`` is for reading.
///
/// Scalars are texts, as they are to the readers: `10`, `"10"` and `'10'` are one value. Two mappings are equal when they
/// have the same members in whatever order; lists keep theirs.
public enum ConfigValue: Sendable {
  case scalar(String)
  case list([ConfigValue])
  case mapping([Member])

  public struct Member: Sendable, Hashable {
    public let key: String
    public var value: ConfigValue

    public init(_ key: String, _ value: ConfigValue) {
      self.key = key
      self.value = value
    }
  }

  /// Reads a document. Anchors and aliases are replaced by what they stand for.
  /// - Throws: ``ConfigMistakes`` when the text is no YAML mapping.
  public init(yaml: String, file: String) throws(ConfigMistakes) {
    self = ConfigValue(try ConfigDocument(yaml: yaml, file: file).node)
  }

  init(_ node: Node) {
    switch node {
    case .scalar(let scalar): self = .scalar(scalar.string)
    case .sequence(let items): self = .list(items.map { ConfigValue($0) })
    case .mapping(let mapping): self = .mapping(mapping.map { Member($0.key.string ?? "", ConfigValue($0.value)) })
    case .alias(let alias): self = .scalar("*\(alias.anchor.rawValue)")
    }
  }

  public static let empty = ConfigValue.mapping([])

  /// The members of a mapping; `nil` for anything else.
  public var members: [Member]? {
    guard case .mapping(let members) = self else { return nil }
    return members
  }

  /// A member of a mapping. Setting `nil` removes it; a new one comes last.
  public subscript(key: String) -> ConfigValue? {
    get { members?.first { $0.key == key }?.value }
    set {
      var members = members ?? []
      if let index = members.firstIndex(where: { $0.key == key }) {
        if let newValue { members[index].value = newValue } else { members.remove(at: index) }
      } else if let newValue {
        members.append(Member(key, newValue))
      }
      self = .mapping(members)
    }
  }

  /// What stands at a path of keys; the whole for an empty one. Setting makes the mappings on the way.
  public subscript(path: some Collection<String>) -> ConfigValue? {
    get {
      guard let first = path.first else { return self }
      return self[first]?[path.dropFirst()]
    }
    set {
      guard let first = path.first else {
        self = newValue ?? .empty
        return
      }
      if path.count == 1 {
        self[first] = newValue
      } else if newValue != nil || self[first] != nil {
        var inner = self[first] ?? .empty
        inner[path.dropFirst()] = newValue
        self[first] = inner
      }
    }
  }
}

extension ConfigValue: Hashable {
  public static func == (a: ConfigValue, b: ConfigValue) -> Bool {
    switch (a, b) {
    case (.scalar(let a), .scalar(let b)): a == b
    case (.list(let a), .list(let b)): a == b
    case (.mapping(let a), .mapping(let b)): a.count == b.count && isSame(a, b)
    default: false
    }
  }

  private static func isSame(_ a: [Member], _ b: [Member]) -> Bool {
    // Mostly they stand in the same order: a thousand tenants are not looked up one by one.
    zip(a, b).allSatisfy { $0.key == $1.key }
      ? zip(a, b).allSatisfy { $0.value == $1.value }
      : a.allSatisfy { member in b.first { $0.key == member.key }?.value == member.value }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .scalar(let text): hasher.combine(text)
    case .list(let items): hasher.combine(items)
    case .mapping(let members): hasher.combine(Set(members.map(\.key)))
    }
  }
}

extension ConfigValue: CustomStringConvertible {
  /// On one line, as YAML's flow style: `{ko: 제주, en: Jeju}`.
  public var description: String {
    switch self {
    case .scalar(let text): ConfigValue.written(text)
    case .list(let items): "[\(items.map(\.description).joined(separator: ", "))]"
    case .mapping(let members):
      "{\(members.map { "\(ConfigValue.written($0.key)): \($0.value)" }.joined(separator: ", "))}"
    }
  }

  /// As a YAML document: mappings in blocks, what fits on a line in flow style. Reading it gives this value.
  public var yaml: String {
    var lines: [String] = []
    write(into: &lines, indent: 0)
    return lines.joined(separator: "\n") + "\n"
  }

  private static let width = 110

  private func write(into lines: inout [String], indent: Int) {
    guard case .mapping(let members) = self, !members.isEmpty else {
      lines.append(String(repeating: " ", count: indent) + description)
      return
    }
    for member in members {
      let key = String(repeating: " ", count: indent) + ConfigValue.written(member.key) + ":"
      let flow = member.value.description
      // The sections of a document stand in blocks however short they are.
      let isBlock = indent == 0 || key.count + flow.count + 1 > ConfigValue.width
      switch member.value {
      case .mapping(let inner) where !inner.isEmpty && isBlock:
        lines.append(key)
        member.value.write(into: &lines, indent: indent + 2)
      case .list(let items) where !items.isEmpty && isBlock:
        lines.append(key)
        for item in items { lines.append(String(repeating: " ", count: indent + 2) + "- " + item.description) }
      default: lines.append(key + " " + flow)
      }
    }
  }

  /// Plain where no reader of YAML 1.1 or 1.2 could take it for anything else, else in double quotes (YAML 1.2 §7.3.1).
  private static func written(_ text: String) -> String {
    isPlain(text) ? text : "\"" + text.unicodeScalars.map(escaped).joined() + "\""
  }

  private static func isPlain(_ text: String) -> Bool {
    guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last,
      first.properties.isAlphabetic || ("0"..."9").contains(first), last != " "
    else { return false }
    var before: Unicode.Scalar = first
    for scalar in text.unicodeScalars {
      let isSafe =
        scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || " -_./%+()~·…、。".unicodeScalars.contains(scalar)
        // A colon that no space follows, and that does not end the text, is no key's.
        || (scalar == ":" && scalar != last)
      guard isSafe, !(before == ":" && scalar == " ") else { return false }
      before = scalar
    }
    return true
  }

  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\"": "\\\""
    case "\\": "\\\\"
    case "\n": "\\n"
    case "\t": "\\t"
    case "\r": "\\r"
    default:
      // Control characters, and those that YAML takes for line breaks or for nothing.
      scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value) || [0x2028, 0x2029, 0xFEFF].contains(scalar.value)
        ? "\\u" + String(String(scalar.value + 0x10000, radix: 16).dropFirst()) : String(scalar)
    }
  }
}
