import Foundation

/// The words of a search: each must occur in a question's title, body or hashtags, in any order.
struct SearchWords: Hashable, Sendable {
  static let most = 8
  static let longest = 100

  let words: [String]
  var isEmpty: Bool { words.isEmpty }
  /// The search as it was meant, for showing it again.
  var text: String { words.joined(separator: " ") }

  init(_ typed: String) {
    // A form sends a space as `+` (WHATWG URL §5.2), and control characters have no place in a search.
    let clean = typed.prefix(SearchWords.longest).precomposedStringWithCanonicalMapping
    words = clean.split { character in
      character.isWhitespace || character == "+" || character == ","
        || character.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }
    }
    .prefix(SearchWords.most).map { $0.drop { $0 == "#" } }.filter { !$0.isEmpty }.map(String.init)
  }

  /// The words as patterns of LIKE that find them anywhere, what LIKE gives a meaning escaped.
  var patterns: [String] {
    words.map { word in
      "%" + word.reduce(into: "") { $0 += "\\%_".contains($1) ? "\\\($1)" : String($1) } + "%"
    }
  }
}
