/// A language pages are written in. Korean is the first, English the second.
public enum Language: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
  case ko
  case en

  /// The best of our languages for an `Accept-Language` header (RFC 9110 §12.5.4); `nil` when it names none of them.
  public static func best(acceptLanguage header: String, of offered: [Language]) -> Language? {
    var best: (language: Language, quality: Double)?
    for part in header.utf8.split(separator: UInt8(ascii: ",")).prefix(20) {
      let pieces = part.split(separator: UInt8(ascii: ";"))
      guard let range = pieces.first else { continue }
      var quality = 1.0
      for parameter in pieces.dropFirst() {
        let pair = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1).map { Substring($0).trimmed }
        if pair.count == 2, pair[0] == "q" { quality = Double(pair[1]) ?? 0 }
      }
      guard quality > 0, let language = named(by: range), offered.contains(language) else { continue }
      if best == nil || quality > best!.quality { best = (language, quality) }
    }
    return best?.language
  }

  /// `ko`, `KO`, `ko-KR`, with white space around it.
  private static func named(by range: Substring.UTF8View) -> Language? {
    let bytes = range.drop { $0 == 32 || $0 == 9 }.prefix { $0 != 32 && $0 != 9 }
    let primary = bytes.prefix { $0 != UInt8(ascii: "-") }
    return allCases.first { $0.rawValue.utf8.elementsEqual(primary.lazy.map { (65...90).contains($0) ? $0 | 0x20 : $0 }) }
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
