import Yams

/// One mapping of a ``ConfigDocument``. Asking for a key marks it as known; what stays unasked for is a mistake.
public final class ConfigSection {
  public let path: String
  public var line: Int { node.line }
  private unowned let document: ConfigDocument
  private let node: Node
  private var known: Set<String> = []
  private var isOpen = false
  /// By key, the first of each, where there are many: a section of a thousand stanzas is asked a thousand times.
  private let members: [String: Node]
  private static let few = 16

  init(document: ConfigDocument, node: Node, path: String) {
    self.document = document
    self.node = node
    self.path = path
    if case .mapping(let mapping) = node, mapping.count > ConfigSection.few {
      members = Dictionary(mapping.compactMap { pair in pair.key.string.map { ($0, pair.value) } }) { first, _ in first }
    } else {
      members = [:]
    }
  }

  private func child(_ key: String) -> Node? {
    known.insert(key)
    guard case .mapping(let mapping) = node, mapping.count <= ConfigSection.few else { return members[key] }
    return mapping.first { $0.key.string == key }?.value
  }

  /// The path of a key; of the section itself for the empty one.
  private func join(_ key: String) -> String { path.isEmpty ? key : key.isEmpty ? path : "\(path).\(key)" }

  /// The keys in the order they are written in.
  public var keys: [String] {
    guard case .mapping(let mapping) = node else { return [] }
    return mapping.compactMap { $0.key.string }
  }

  /// All of it as one text, the same for the same values: whether a section changed is whether this did.
  public var source: String { ConfigValue(node).description }

  public func has(_ key: String) -> Bool { child(key) != nil }

  public func line(of key: String) -> Int { child(key)?.line ?? line }

  /// Notes a mistake about the value of `key`.
  public func note(_ key: String, found: String? = nil, expected: String) {
    let value = child(key)
    document.note(
      line: value?.line ?? line, key: join(key), found: found ?? value?.kind ?? "nothing", expected: expected)
  }

  // MARK: Values

  private func scalar<T>(_ key: String, _ expected: String, _ default: T?, _ read: (String) -> T?) -> T? {
    guard let value = child(key) else {
      if `default` == nil { note(key, expected: expected) }
      return `default`
    }
    guard case .scalar(let scalar) = value, let read = read(scalar.string) else {
      note(key, expected: expected)
      return `default`
    }
    return read
  }

  /// A text; `nil` after a mistake has been noted.
  public func string(_ key: String, _ expected: String = "a text", default: String? = nil) -> String? {
    scalar(key, expected, `default`) { $0.isEmpty ? nil : $0 }
  }

  /// A text that may be left out.
  public func optionalString(_ key: String, _ expected: String = "a text") -> String? {
    has(key) ? string(key, expected) : nil
  }

  public func value<T>(_ key: String, _ expected: String, default: T? = nil, read: (String) -> T?) -> T? {
    scalar(key, expected, `default`, read)
  }

  public func int(_ key: String, in range: ClosedRange<Int>, default: Int? = nil) -> Int? {
    scalar(key, "a whole number from \(range.lowerBound) to \(range.upperBound)", `default`) { text in
      Int(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  public func number(_ key: String, in range: ClosedRange<Double>, default: Double? = nil) -> Double? {
    scalar(key, "a number from \(range.lowerBound) to \(range.upperBound)", `default`) { text in
      Double(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  public func bool(_ key: String, default: Bool? = nil) -> Bool? {
    scalar(key, "true or false", `default`) { ["true": true, "false": false][$0] }
  }

  /// A duration as `30s`, `10m`, `2h`, `7d` or `250ms`.
  public func duration(_ key: String, default: Duration? = nil) -> Duration? {
    scalar(key, "a duration like 250ms, 30s, 10m, 2h or 7d", `default`, Duration.init(configured:))
  }

  public func choice<T: RawRepresentable & CaseIterable>(_ key: String, _: T.Type, default: T? = nil) -> T?
  where T.RawValue == String {
    let allowed = T.allCases.map(\.rawValue).joined(separator: ", ")
    return scalar(key, "one of \(allowed)", `default`) { T(rawValue: $0) }
  }

  /// A text in the languages of the city: `{ko: …, en: …}`, or one text for all.
  public func localized(_ key: String) -> LocalizedText? {
    guard let value = child(key) else {
      note(key, expected: "a text, or {ko: …, en: …}")
      return nil
    }
    if case .scalar(let scalar) = value, !scalar.string.isEmpty { return LocalizedText(ko: scalar.string) }
    guard case .mapping = value else {
      note(key, expected: "a text, or {ko: …, en: …}")
      return nil
    }
    let section = document.section(value, path: join(key))
    guard let ko = section.string("ko") else { return nil }
    return LocalizedText(ko: ko, en: section.optionalString("en"))
  }

  public func strings(_ key: String, default: [String]? = nil) -> [String]? {
    guard let value = child(key) else {
      if `default` == nil { note(key, expected: "a list of texts") }
      return `default`
    }
    guard case .sequence(let items) = value else {
      note(key, expected: "a list of texts")
      return `default`
    }
    return items.enumerated().compactMap { index, item in
      guard case .scalar(let scalar) = item, !scalar.string.isEmpty else {
        document.note(line: item.line, key: "\(join(key))[\(index)]", found: item.kind, expected: "a text")
        return nil
      }
      return scalar.string
    }
  }

  // MARK: Sections

  /// The mapping at `key`; `nil` (and a mistake, when it is required) where there is none.
  public func section(_ key: String, required: Bool = true) -> ConfigSection? {
    guard let value = child(key) else {
      if required { note(key, expected: "a mapping") }
      return nil
    }
    guard case .mapping = value else {
      note(key, expected: "a mapping")
      return nil
    }
    return document.section(value, path: join(key))
  }

  /// The mapping at `key`, or an empty one in its place, so that what it lacks is noted where it should stand.
  public func sectionOrEmpty(_ key: String) -> ConfigSection {
    if let present = section(key, required: false) { return present }
    return document.section(.mapping(Node.Mapping([], .implicit, .any, node.mark)), path: join(key))
  }

  /// The mappings under `key` by their own keys, in written order: the stanzas of `tenants`.
  public func stanzas(_ key: String, required: Bool = true) -> [(key: String, section: ConfigSection)] {
    guard let parent = section(key, required: required) else { return [] }
    return parent.keys.compactMap { name in parent.section(name).map { (name, $0) } }
  }

  /// The list of mappings under `key`.
  public func list(_ key: String, required: Bool = true) -> [ConfigSection] {
    guard let value = child(key) else {
      if required { note(key, expected: "a list of mappings") }
      return []
    }
    guard case .sequence(let items) = value else {
      note(key, expected: "a list of mappings")
      return []
    }
    return items.enumerated().compactMap { index, item in
      let path = "\(join(key))[\(index)]"
      guard case .mapping = item else {
        document.note(line: item.line, key: path, found: item.kind, expected: "a mapping")
        return nil
      }
      return document.section(item, path: path)
    }
  }

  /// Takes the section as it is, whatever its keys: its reader comes later or elsewhere.
  public func leaveOpen() { isOpen = true }

  func noteUnknownKeys() {
    guard !isOpen, case .mapping(let mapping) = node else { return }
    for (key, _) in mapping {
      let name = key.string ?? "?"
      guard !known.contains(name) else { continue }
      document.note(
        line: key.line, key: join(name), found: "an unknown key", expected: "one of \(known.sorted().joined(separator: ", "))")
    }
  }
}

extension Duration {
  /// Reads `250ms`, `30s`, `10m`, `2h`, `7d`.
  public init?(configured text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let count = Int64(digits), count <= 1_000_000_000 else { return nil }
    switch text.dropFirst(digits.count) {
    case "ms": self = .milliseconds(count)
    case "s": self = .seconds(count)
    case "m": self = .seconds(count * 60)
    case "h": self = .seconds(count * 3_600)
    case "d": self = .seconds(count * 86_400)
    default: return nil
    }
  }
}
