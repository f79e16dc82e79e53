import Foundation

@testable import KCulture

/// The fixtures of Tests/KCultureTests/Oracles, made by make.py there from packages of PyPI and held to them by
/// Tests/EndToEnd/test_korean_oracles.py.
enum Oracle {
  static func fixture<Value: Decodable>(_ name: String, as: Value.Type = Value.self) throws -> Value {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Oracles/\(name)")
    return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
  }
}

extension Lexicon {
  /// The one that the tenant reads with.
  static func shipped() throws -> Lexicon { try Lexicon(json: Embedded.files["Reading/lexicon.json"] ?? "") }
}
