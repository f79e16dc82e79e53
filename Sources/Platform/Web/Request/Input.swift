public import Foundation
public import Kit

/// The fields of a request's body, read alike from a form and from JSON.
///
/// Reading notes what is wrong and goes on; ``check()`` throws everything at once, field by field.
public struct Input: Sendable {
  public let values: [String: JSONValue]
  public private(set) var fields: [Problem.Field] = []

  public init(_ values: [String: JSONValue]) { self.values = values }

  public mutating func refuse(_ name: String, _ code: String, _ arguments: [String: String] = [:]) {
    fields.append(Problem.Field(name, code, arguments))
  }

  /// - Throws: ``Kit/Problem`` `invalid-input` with all refused fields.
  public func check() throws(Problem) {
    guard fields.isEmpty else { throw Problem(.invalidInput, fields: fields) }
  }

  public func has(_ name: String) -> Bool {
    switch values[name] {
    case nil, .null: false
    case .string(let text): !text.isEmpty
    default: true
    }
  }

  /// A text without white space around it, in NFC; its length counts characters as people see them.
  public mutating func text(_ name: String, length: ClosedRange<Int>, default: String? = nil) -> String {
    guard has(name) || `default` == nil else { return `default`! }
    guard let value = values[name], value != .null else {
      if length.lowerBound > 0 { refuse(name, "required") }
      return ""
    }
    guard case .string(let raw) = value else {
      refuse(name, "type", ["expected": "string"])
      return ""
    }
    let text = raw.trimmed.inNFC
    if text.isEmpty, length.lowerBound > 0 {
      refuse(name, "required")
    } else if text.count < length.lowerBound {
      refuse(name, "tooShort", ["min": "\(length.lowerBound)", "found": "\(text.count)"])
    } else if text.count > length.upperBound {
      refuse(name, "tooLong", ["max": "\(length.upperBound)", "found": "\(text.count)"])
    } else if Input.holdsControlCharacters(text) {
      refuse(name, "controlCharacters")
    }
    return text
  }

  /// A secret exactly as typed.
  public mutating func secret(_ name: String, length: ClosedRange<Int>) -> String {
    guard case .string(let text)? = values[name], !text.isEmpty else {
      refuse(name, "required")
      return ""
    }
    if text.count < length.lowerBound { refuse(name, "tooShort", ["min": "\(length.lowerBound)", "found": "\(text.count)"]) }
    if text.utf8.count > length.upperBound {
      refuse(name, "tooLong", ["max": "\(length.upperBound)", "found": "\(text.utf8.count)"])
    }
    return text
  }

  public mutating func number(_ name: String, in range: ClosedRange<Double>) -> Double? {
    guard has(name) else { return nil }
    let value: Double? =
      switch values[name] {
      case .number(let number): number
      case .integer(let number): Double(number)
      case .string(let text): Double(text.trimmed)
      default: nil
      }
    guard let value, value.isFinite else {
      refuse(name, "type", ["expected": "number"])
      return nil
    }
    guard range.contains(value) else {
      refuse(name, "outOfRange", ["min": "\(range.lowerBound)", "max": "\(range.upperBound)"])
      return nil
    }
    return value
  }

  public mutating func int(_ name: String, in range: ClosedRange<Int>) -> Int? {
    guard has(name) else { return nil }
    let value: Int? =
      switch values[name] {
      case .integer(let number): Int(number)
      case .string(let text): Int(text.trimmed)
      default: nil
      }
    guard let value else {
      refuse(name, "type", ["expected": "integer"])
      return nil
    }
    guard range.contains(value) else {
      refuse(name, "outOfRange", ["min": "\(range.lowerBound)", "max": "\(range.upperBound)"])
      return nil
    }
    return value
  }

  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, _: T.Type, default: T? = nil) -> T?
  where T.RawValue == String {
    guard has(name) else {
      if `default` == nil { refuse(name, "required") }
      return `default`
    }
    guard case .string(let text)? = values[name], let value = T(rawValue: text) else {
      refuse(name, "choice", ["allowed": T.allCases.map(\.rawValue).joined(separator: ", ")])
      return nil
    }
    return value
  }

  public mutating func uuid(_ name: String) -> UUID? {
    guard has(name) else { return nil }
    guard case .string(let text)? = values[name], let value = UUID(uuidString: text) else {
      refuse(name, "type", ["expected": "uuid"])
      return nil
    }
    return value
  }

  /// A list of texts: a JSON array, or words of one text field parted by white space and commas.
  public mutating func words(_ name: String, most: Int, length: ClosedRange<Int>) -> [String] {
    guard has(name) else { return [] }
    var words: [String] = []
    switch values[name] {
    case .array(let items):
      for item in items {
        guard case .string(let text) = item else {
          refuse(name, "type", ["expected": "array of strings"])
          return []
        }
        words.append(text.trimmed)
      }
    case .string(let text): words = text.split { $0.isWhitespace || $0 == "," || $0 == "，" }.map(String.init)
    default:
      refuse(name, "type", ["expected": "array of strings"])
      return []
    }
    words = words.filter { !$0.isEmpty }
    if words.count > most { refuse(name, "tooMany", ["max": "\(most)", "found": "\(words.count)"]) }
    if let bad = words.first(where: { $0.count > length.upperBound }) {
      refuse(name, "tooLong", ["max": "\(length.upperBound)", "found": "\(bad.count)"])
    } else if let bad = words.first(where: { $0.count < length.lowerBound }) {
      refuse(name, "tooShort", ["min": "\(length.lowerBound)", "found": "\(bad.count)"])
    } else if words.contains(where: Input.holdsControlCharacters) {
      refuse(name, "controlCharacters")
    }
    return words.map(\.inNFC)
  }

  /// Line breaks and tabs are none: people write them.
  private static func holdsControlCharacters(_ text: String) -> Bool {
    text.unicodeScalars.contains { $0.value < 32 && $0 != "\n" && $0 != "\r" && $0 != "\t" }
  }

  /// The text typed into a field, to show it again.
  public func typed(_ name: String) -> String {
    switch values[name] {
    case .string(let text): text
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    default: ""
    }
  }
}
