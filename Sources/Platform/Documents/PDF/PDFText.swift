import Foundation

/// Text as it can be set, and its breaking into lines.
enum PDFText {
  /// The codes of text are UTF-16 units, so each stands for itself (ISO 32000-1 §9.10.3). A range may not cross its last byte.
  static let toUnicode: String = {
    let ranges = (0...0xFF).map { row in
      let high = (row < 16 ? "0" : "") + String(row, radix: 16)
      return "<\(high)00> <\(high)FF> <\(high)00>"
    }
    let blocks = stride(from: 0, to: ranges.count, by: 100).map { start in
      let block = ranges[start..<min(start + 100, ranges.count)]
      return "\(block.count) beginbfrange\n\(block.joined(separator: "\n"))\nendbfrange\n"
    }
    return """
      /CIDInit /ProcSet findresource begin
      12 dict begin
      begincmap
      /CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
      /CMapName /Adobe-Identity-UCS def
      /CMapType 2 def
      1 begincodespacerange
      <0000> <FFFF>
      endcodespacerange
      \(blocks.joined())endcmap
      CMapName currentdict /CMap defineresource pop
      end
      end

      """
  }()

  /// One line in what the font and libharu can hold: composed Hangul (some systems type it in parts), no control characters,
  /// a plain minus (the font has no U+2212), and a box for what lies beyond the Basic Multilingual Plane, since libharu's codes have 16 bits.
  static func printable(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.precomposedStringWithCanonicalMapping.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator: result.append(" ")
      case .format,
        .nonspacingMark where scalar.value >= 0xFE00 && scalar.value <= 0xFE0F:
        continue
      case _ where scalar == "\u{2212}": result.append("-")
      default: result.append(scalar.value > 0xFFFF ? "□" : scalar)
      }
    }
    return String(result)
  }

  /// Breaks between words; a word that alone is too wide is broken inside. Line feeds of the text are kept. An empty text is
  /// one empty line.
  static func wrap(_ text: String, width: Double, measure: (String) -> Double) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { paragraph -> [String] in
      var lines: [String] = []
      var line = ""
      for word in printable(String(paragraph)).split(separator: " ") {
        let longer = line.isEmpty ? String(word) : "\(line) \(word)"
        if measure(longer) <= width {
          line = longer
          continue
        }
        if !line.isEmpty { lines.append(line) }
        line = ""
        for character in word {
          if !line.isEmpty, measure(line + String(character)) > width {
            lines.append(line)
            line = ""
          }
          line.append(character)
        }
      }
      return lines + [line]
    }
  }
}
