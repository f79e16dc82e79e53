import Kit

/// A rational number as people type it: `0.5`, `.5`, `1/2`, `-3`, `1,200`, with full-width digits too. Two are equal when
/// their values are; nothing is rounded.
struct ExactNumber: Sendable, Equatable {
  /// Not reduced; the denominator is positive. Both have 18 decimal digits at most, so that a product fits 128 bits.
  private let numerator: Int128
  private let denominator: Int128

  /// `nil` when the text is no number of this form, or has more than 18 digits.
  init?(_ text: String) {
    var plain = ""
    for scalar in text.trimmed.unicodeScalars { plain.unicodeScalars.append(ExactNumber.plain(scalar)) }
    let halves = plain.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(\.trimmed)
    guard let first = ExactNumber.decimal(halves[0]) else { return nil }
    guard halves.count == 2 else {
      (numerator, denominator) = first
      return
    }
    // A fraction's halves are whole, and the sign stands in front.
    guard first.scale == 1, let second = ExactNumber.decimal(halves[1]), second.scale == 1, second.value > 0,
      halves[1].utf8.first != UInt8(ascii: "+")
    else { return nil }
    (numerator, denominator) = (first.value, second.value)
  }

  static func == (a: ExactNumber, b: ExactNumber) -> Bool { a.numerator * b.denominator == b.numerator * a.denominator }

  /// The ASCII form of a character that keyboards and formulas offer for it.
  private static func plain(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    // U+FF01…FF5E: full-width forms of ASCII.
    case 0xFF01...0xFF5E: Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar
    // Hyphen, non-breaking hyphen, figure dash, en dash, minus sign.
    case 0x2010, 0x2011, 0x2012, 0x2013, 0x2212: "-"
    // Fraction slash, division slash.
    case 0x2044, 0x2215: "/"
    default: scalar
    }
  }

  /// Reads sign, digits and a decimal point; commas only where they part thousands.
  private static func decimal(_ text: String) -> (value: Int128, scale: Int128)? {
    var digits = text[...]
    let isNegative = digits.first == "-"
    if isNegative || digits.first == "+" { digits = digits.dropFirst() }
    let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard var whole = parts.first.map(String.init) else { return nil }
    let fraction = parts.count == 2 ? String(parts[1]) : ""
    let groups = whole.split(separator: ",", omittingEmptySubsequences: false)
    if groups.count > 1 {
      guard (1...3).contains(groups[0].utf8.count), groups.dropFirst().allSatisfy({ $0.utf8.count == 3 }) else { return nil }
      whole = groups.joined()
    }
    let all = Array((whole + fraction).utf8)
    guard (1...18).contains(all.count), all.allSatisfy({ (48...57).contains($0) }) else { return nil }
    let value = all.reduce(Int128(0)) { $0 * 10 + Int128($1 - 48) }
    let scale = fraction.utf8.reduce(Int128(1)) { scale, _ in scale * 10 }
    return (isNegative ? -value : value, scale)
  }
}
