import Foundation
import Kit
import Web

/// The parameters of an OAuth request (RFC 6749 §3.1): one without a value is as if absent, one given twice is an error.
struct Parameters: Sendable, Equatable {
  private(set) var values: [String: String] = [:]
  private(set) var doubled: Set<String> = []

  init(_ values: [String: String] = [:]) { self.values = values.filter { !$0.value.isEmpty } }

  /// Reads a query string, where `+` is a space.
  init(query: String) {
    for pair in query.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = Parameters.decode(halves[0]), let value = halves.count > 1 ? Parameters.decode(halves[1]) : "",
        !value.isEmpty
      else { continue }
      if values.updateValue(value, forKey: name) != nil { doubled.insert(name) }
    }
  }

  /// The query of a path.
  init(pathAndQuery: String) {
    self.init(query: pathAndQuery.split(separator: "?", maxSplits: 1).dropFirst().first.map(String.init) ?? "")
  }

  /// The fields of a form; those of our own pages are left out.
  init(_ input: Input) {
    self.init(input.values.compactMapValues(\.string).filter { !$0.key.hasPrefix("_") })
  }

  subscript(name: String) -> String? { values[name] }

  func removing(_ names: String...) -> Parameters {
    var copy = self
    for name in names { copy.values[name] = nil }
    return copy
  }

  func setting(_ name: String, _ value: String?) -> Parameters {
    var copy = self
    copy.values[name] = value
    return copy
  }

  var query: String { Parameters.encode(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) }

  static func encode(_ parameters: [(String, String)]) -> String {
    parameters.map { "\(Renderer.encode($0.0))=\(Renderer.encode($0.1))" }.joined(separator: "&")
  }

  private static func decode(_ text: Substring) -> String? { text.replacing("+", with: " ").removingPercentEncoding }
}
