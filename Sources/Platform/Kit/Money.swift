/// A currency and how many minor units make one: won have none, dollars have a hundred cents.
///
/// `PTS` is a currency of our own, the points of the towns. It never mixes with money.
public enum Currency: String, Sendable, Codable, CaseIterable {
  case krw = "KRW"
  case usd = "USD"
  case points = "PTS"

  /// Decimal digits after the point (ISO 4217).
  public var exponent: Int { self == .usd ? 2 : 0 }
}

/// An amount in minor units of one currency. Arithmetic on different currencies is a programmer's error and stops.
public struct Money: Hashable, Sendable, Codable {
  public var minorUnits: Int64
  public var currency: Currency

  public init(_ minorUnits: Int64, _ currency: Currency) {
    self.minorUnits = minorUnits
    self.currency = currency
  }

  public static func + (a: Money, b: Money) -> Money {
    precondition(a.currency == b.currency, "amounts of different currencies")
    return Money(a.minorUnits + b.minorUnits, a.currency)
  }
  public static func - (a: Money, b: Money) -> Money { a + -b }
  public static prefix func - (a: Money) -> Money { Money(-a.minorUnits, a.currency) }

  /// Splits by weights so that the parts add up to the whole (largest remainder; ties go to the first).
  ///
  /// - Returns: one part per weight; all of it in the first when every weight is zero.
  public func split(by weights: [Int64]) -> [Money] {
    precondition(!weights.isEmpty && weights.allSatisfy { $0 >= 0 }, "weights are not negative, and there is one at least")
    let total = weights.reduce(0, +)
    guard total > 0 else {
      return weights.indices.map { Money($0 == 0 ? minorUnits : 0, currency) }
    }
    let magnitude = Int64(minorUnits.magnitude)
    var parts: [(value: Int64, remainder: UInt64)] = weights.map { weight in
      let product = magnitude.multipliedFullWidth(by: weight)
      let (quotient, remainder) = UInt64(total).dividingFullWidth((UInt64(product.high), product.low))
      return (Int64(quotient), remainder)
    }
    let missing = magnitude - parts.reduce(0) { $0 + $1.value }
    let order = parts.indices.sorted { (parts[$0].remainder, -$0) > (parts[$1].remainder, -$1) }
    for index in order.prefix(Int(missing)) { parts[index].value += 1 }
    return parts.map { Money(minorUnits < 0 ? -$0.value : $0.value, currency) }
  }

  /// The decimal figure without a currency sign: `14.99`, `-19900`.
  public var decimal: String {
    guard currency.exponent > 0 else { return String(minorUnits) }
    let scale: UInt64 = 100
    let magnitude = minorUnits.magnitude
    let cents = magnitude % scale
    return "\(minorUnits < 0 ? "-" : "")\(magnitude / scale).\(cents < 10 ? "0" : "")\(cents)"
  }
}
