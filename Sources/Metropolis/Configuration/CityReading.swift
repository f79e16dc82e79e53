import Kit
import Web

// Parts of a stanza that several sections have.
extension CityConfiguration {
  static func look(_ section: ConfigSection) -> Look? {
    guard let look = section.section("look") else { return nil }
    let accent = look.value("accent", "a colour like \"#E8590C\"") { Colour($0) }
    let mark = look.value("mark", "one character") { $0.count == 1 ? $0 : nil }
    guard let accent, let mark else { return nil }
    return Look(accent: accent, mark: mark)
  }

  static func host(_ section: ConfigSection, _ key: String) -> String? {
    section.value(key, "a host name like jeju.example.com") { isHost($0) ? $0 : nil }
  }

  /// RFC 1123 §2.1, in lower case, of two labels at least.
  static func isHost(_ text: String) -> Bool {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    return labels.count >= 2 && text.utf8.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
          && label.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
      }
  }
}
