/// A language pages are written in. Korean is the first, English the second.
public enum Language: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
  case ko
  case en

  /// The best of our languages for an `Accept-Language` header (RFC 9110 §12.5.4); `nil` when it names none of them.
  public static func best(acceptLanguage header: String, of offered: [Language]) -> Language? {
    var best: (language: Language, quality: Double)?
    for part in header.split(separator: ",").prefix(20) {
      let pieces = part.split(separator: ";")
      guard let range = pieces.first?.trimmed.lowercased() else { continue }
      var quality = 1.0
      for parameter in pieces.dropFirst() {
        let pair = parameter.split(separator: "=", maxSplits: 1).map(\.trimmed)
        if pair.count == 2, pair[0] == "q" { quality = Double(pair[1]) ?? 0 }
      }
      let primary = range.split(separator: "-").first.map(String.init) ?? range
      guard quality > 0, let language = Language(rawValue: primary), offered.contains(language) else { continue }
      if best == nil || quality > best!.quality { best = (language, quality) }
    }
    return best?.language
  }
}

/// A text in every language of the city; Korean stands in where a translation is missing.
public struct LocalizedText: Hashable, Sendable, Codable {
  public var ko: String
  public var en: String?

  public init(ko: String, en: String? = nil) {
    self.ko = ko
    self.en = en
  }

  public func callAsFunction(_ language: Language) -> String {
    switch language {
    case .ko: ko
    case .en: en ?? ko
    }
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  public var trimmed: String {
    var slice = self[...]
    while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
    while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
    return String(slice)
  }
}
