import Foundation
import Kit

/// Reads the members of a JSON object; each error names the member, what was found and what was expected.
struct JSONInput {
  let members: [String: JSONValue]

  init(_ body: Data) throws(Refusal) {
    guard let value = try? JSONDecoder().decode(JSONValue.self, from: body) else {
      throw Refusal(400, "malformed", "the body is not JSON")
    }
    try self.init(value)
  }

  init(_ value: JSONValue) throws(Refusal) {
    guard case .object(let members) = value else { throw Refusal(400, "malformed", "expected a JSON object") }
    self.members = members
  }

  func text(_ name: String, most: Int) throws(Refusal) -> String {
    guard let text = members[name]?.string, !text.isEmpty, text.utf8.count <= most,
      !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
    else { throw Refusal(422, "invalid", "\(name): expected a text of 1 to \(most) bytes without control characters") }
    return text
  }

  func optionalText(_ name: String) throws(Refusal) -> String? {
    switch members[name] {
    case nil, .null: return nil
    case .string(let text): return text
    default: throw Refusal(422, "invalid", "\(name): expected a text")
    }
  }

  func flag(_ name: String) throws(Refusal) -> Bool {
    switch members[name] {
    case nil, .null: return false
    case .bool(let value): return value
    default: throw Refusal(422, "invalid", "\(name): expected true or false")
    }
  }

  /// Minor units, more than nothing.
  func amount() throws(Refusal) -> Int64 {
    guard let amount = members["amount"]?.integer, (1...1_000_000_000_000).contains(amount) else {
      throw Refusal(422, "invalid_amount", "amount: expected a whole number of minor units, 1 to 1000000000000")
    }
    return amount
  }

  func currency() throws(Refusal) -> Currency {
    guard let currency = members["currency"]?.string.flatMap(Currency.init), currency == .krw || currency == .usd else {
      throw Refusal(422, "invalid_currency", "currency: expected \"KRW\" or \"USD\"")
    }
    return currency
  }

  func language() throws(Refusal) -> Language {
    guard let name = try optionalText("language") else { return .ko }
    guard let language = Language(rawValue: name) else {
      throw Refusal(422, "invalid", "language: expected \"ko\" or \"en\"")
    }
    return language
  }

  /// An absolute URL of http or https.
  func url(_ name: String) throws(Refusal) -> String {
    let text = try text(name, most: 2_000)
    guard let url = URLComponents(string: text), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false else {
      throw Refusal(422, "invalid", "\(name): expected an absolute URL of http or https")
    }
    return text
  }
}
