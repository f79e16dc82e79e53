/// PostgreSQL's `numeric` as it comes over the wire: digits of base 10,000 (`numeric_send` in the server's source).
struct Numeric {
  private let digits: [UInt16]
  /// The exponent of the first digit, in powers of 10,000.
  private let weight: Int
  private let sign: UInt16
  /// Decimal digits shown after the point.
  private let scale: Int

  private static let negative: UInt16 = 0x4000
  private static let notANumber: UInt16 = 0xC000
  private static let infinity: UInt16 = 0xD000
  private static let negativeInfinity: UInt16 = 0xF000

  init(_ bytes: UnsafeRawBufferPointer) throws {
    let count = Int(try bytes.integer(Int16.self, at: 0, of: .numeric))
    weight = Int(try bytes.integer(Int16.self, at: 2, of: .numeric))
    sign = try bytes.integer(UInt16.self, at: 4, of: .numeric)
    scale = Int(try bytes.integer(UInt16.self, at: 6, of: .numeric))
    guard count >= 0, bytes.count == 8 + 2 * count else { throw SQLDecodingError.malformed(.numeric) }
    digits = try (0..<count).map { try bytes.integer(UInt16.self, at: 8 + 2 * $0, of: .numeric) }
  }

  /// The value, when it is a whole number of 64 bits.
  var integer: Int64? {
    guard sign == 0 || sign == Numeric.negative, weight < 5 else { return nil }
    guard digits.dropFirst(max(0, weight + 1)).allSatisfy({ $0 == 0 }) else { return nil }
    // Added up below zero, where the range is wider by one.
    var value: Int64 = 0
    for position in 0..<max(0, weight + 1) {
      let digit = position < digits.count ? Int64(digits[position]) : 0
      let (product, tooBig) = value.multipliedReportingOverflow(by: 10_000)
      let (difference, tooSmall) = product.subtractingReportingOverflow(digit)
      guard !tooBig, !tooSmall else { return nil }
      value = difference
    }
    guard sign == 0 else { return value }
    return value == .min ? nil : -value
  }

  /// Decimal notation as the server would print it.
  var text: String {
    switch sign {
    case Numeric.notANumber: return "NaN"
    case Numeric.infinity: return "Infinity"
    case Numeric.negativeInfinity: return "-Infinity"
    default: break
    }
    // The server sends no leading zeros, so the first digit of base 10,000 alone is without padding.
    var whole = weight < 0 ? "0" : String(digit(0))
    for position in stride(from: 1, through: weight, by: 1) { whole += padded(digit(position)) }
    var fraction = String(repeating: "0000", count: max(0, -weight - 1))
    var position = max(0, weight + 1)
    while fraction.utf8.count < scale {
      fraction += padded(digit(position))
      position += 1
    }
    let shown = fraction.prefix(scale)
    return (sign == Numeric.negative ? "-" : "") + whole + (shown.isEmpty ? "" : "." + shown)
  }

  var double: Double {
    switch sign {
    case Numeric.notANumber: .nan
    case Numeric.infinity: .infinity
    case Numeric.negativeInfinity: -.infinity
    default: Double(text) ?? .nan
    }
  }

  private func digit(_ position: Int) -> UInt16 { digits.indices.contains(position) ? digits[position] : 0 }

  private func padded(_ digit: UInt16) -> String {
    let text = String(digit)
    return String(repeating: "0", count: max(0, 4 - text.utf8.count)) + text
  }
}
