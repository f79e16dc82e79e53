import Foundation
import Kit
import Web

/// A hashtag: 1 to 20 Korean or Latin letters, digits and underscores, in lower case, without its `#`.
enum Hashtag {
  /// A question's most.
  static let most = 5
  /// The form, for people who have to mend one.
  static let form = "[가-힣ㄱ-ㅎa-z0-9_]{1,20}"

  /// `nil` when the text is no hashtag.
  static func normal(_ text: some StringProtocol) -> String? {
    let bare = text.trimmed.drop { $0 == "#" || $0 == "＃" }
    let tag = String(bare).inNFC.lowercased()
    guard (1...20).contains(tag.count), tag.unicodeScalars.allSatisfy(isAllowed) else { return nil }
    return tag
  }

  /// Reads a field of a form (`#일출 #주차`, `일출, 주차`, `#일출#주차`) or a list of JSON. Doubles are dropped.
  static func read(_ input: inout Input, _ name: String) -> [String] {
    let words: [String]
    switch input.values[name] {
    case nil, .null: return []
    case .string(let text): words = split(text)
    case .array(let items):
      words = items.compactMap(\.string)
      guard words.count == items.count else {
        input.refuse(name, "type", ["expected": "array of strings"])
        return []
      }
    default:
      input.refuse(name, "type", ["expected": "array of strings"])
      return []
    }
    var tags: [String] = []
    for word in words {
      guard let tag = normal(word) else {
        input.refuse(name, "type", ["expected": form])
        return []
      }
      if !tags.contains(tag) { tags.append(tag) }
    }
    if tags.count > most { input.refuse(name, "tooMany", ["max": "\(most)", "found": "\(tags.count)"]) }
    return tags
  }

  static func split(_ text: String) -> [String] {
    text.split { $0.isWhitespace || ",，#＃".contains($0) }.map(String.init)
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x30...0x39, 0x5F, 0x61...0x7A: true  // 0-9 _ a-z
    case 0xDF...0xF6, 0xF8...0x24F: true  // Latin letters with marks
    case 0x3131...0x318E, 0xAC00...0xD7A3: true  // Korean letters and syllables
    default: false
    }
  }
}
