import Kit
import TenantKit
import Web

/// How items, topics and subjects read in the reader's language.
struct Wording: Sendable {
  let visit: Visit

  /// A topic's name from the catalogue; one that a package brought along and the catalogue lacks reads as its key.
  func topic(_ topic: String, in language: Language? = nil) -> String {
    name("topic", topic, in: language ?? visit.language)
  }

  func subject(_ subject: String) -> String { name("subject", subject, in: visit.language) }

  private func name(_ group: String, _ key: String, in language: Language) -> String {
    let path = "prep.\(group).\(key)"
    if visit.catalogue.has(path) { return visit.catalogue.text(path, in: language) }
    let words = key.replacing("-", with: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// A text with a count in it, in the form that the count asks for.
  func count(_ key: String, _ count: Int, _ arguments: [String: String] = [:]) -> String {
    visit.text("prep.\(key)", count: count, arguments)
  }

  /// What an item is called in a list of what was done: its topic and the beginning of its task.
  func title(of item: ContentItem) -> LocalizedText {
    func title(_ language: Language) -> String {
      let task = Wording.paragraphs(item.prompt(language)).first ?? ""
      let short = task.count > 80 ? task.prefix(79).trimmed + "…" : task
      return "\(topic(item.topic, in: language)): \(short)"
    }
    return LocalizedText(ko: title(.ko), en: title(.en))
  }

  /// Paragraphs are parted by an empty line.
  static func paragraphs(_ text: String) -> [String] {
    text.replacing("\r\n", with: "\n").split(separator: "\n\n").map(\.trimmed).filter { !$0.isEmpty }
  }

  /// The paragraph's text, and its language where it isn't the page's: English passages on Korean pages, so that a
  /// screen reader speaks them as English.
  func passage(_ text: String) -> [String: any Sendable] {
    var model: [String: any Sendable] = ["text": text]
    if visit.language == .ko, Wording.isEnglish(text) { model["lang"] = "en" }
    return model
  }

  /// Words in Latin letters and no Hangul. Formulas have letters, but no words.
  static func isEnglish(_ text: String) -> Bool {
    var (letters, hasWord) = (0, false)
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x1100...0x11FF, 0x3130...0x318F, 0xAC00...0xD7A3: return false
      case 0x41...0x5A, 0x61...0x7A:
        letters += 1
        hasWord = hasWord || letters >= 3
      default: letters = 0
      }
    }
    return hasWord
  }
}
