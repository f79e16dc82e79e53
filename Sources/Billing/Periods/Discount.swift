public import Kit

/// Something taken off a price.
public enum Discount: Hashable, Sendable, Codable {
  case fixed(Money)
  /// 0…100.
  case percent(Int)

  /// What all of them take off together, never more than there is.
  ///
  /// The fixed ones come first, then each percentage of what is left (V23), each rounded half away from zero.
  public static func total(_ discounts: [Discount], on amount: Money) -> Money {
    var left = amount
    for case .fixed(let off) in discounts {
      let taken = Money(min(max(off.minorUnits, 0), max(left.minorUnits, 0)), off.currency)
      left = left - taken
    }
    for case .percent(let percent) in discounts {
      left = left - Proration.share(of: left, Int64(min(max(percent, 0), 100)), of: 100)
    }
    return amount - left
  }
}
