public import Kit

/// A rate of value-added tax, in hundredths of a percent.
public struct TaxRate: Hashable, Sendable, Codable {
  public let basisPoints: Int

  public init(basisPoints: Int) {
    precondition(basisPoints >= 0, "a rate is not negative")
    self.basisPoints = basisPoints
  }

  public static let none = TaxRate(basisPoints: 0)
  /// Value-Added Tax Act of Korea, article 30: 10%.
  public static let korea = TaxRate(basisPoints: 1_000)

  /// What a consumer in a country is asked for: in Korea the prices contain tax, elsewhere none is collected.
  ///
  /// - Parameter country: ISO 3166-1 alpha-2.
  public static func consumer(in country: String) -> TaxRate { country == "KR" ? .korea : .none }
}

/// An amount that contains tax, in its two parts.
public struct TaxSplit: Hashable, Sendable, Codable {
  /// Without the tax.
  public let supply: Money
  public let tax: Money

  public init(supply: Money, tax: Money) {
    precondition(supply.currency == tax.currency, "parts of one amount")
    self.supply = supply
    self.tax = tax
  }

  public var total: Money { supply + tax }

  /// Splits a price that contains tax: the tax is rounded, the supply is the rest (19,900 → 18,091 + 1,809).
  public static func inclusive(_ total: Money, rate: TaxRate) -> TaxSplit {
    let tax = Proration.share(of: total, Int64(rate.basisPoints), of: Int64(10_000 + rate.basisPoints))
    return TaxSplit(supply: total - tax, tax: tax)
  }

  /// A refund in the ratio of the original, whatever its rate was (V26: 1,000 holding 200, refund 500 → 400 + 100).
  ///
  /// - Parameter before: what has been refunded of it already. Refunds in parts add up to the tax of the whole.
  public func refund(_ amount: Money, after before: Money? = nil) -> TaxSplit {
    guard total.minorUnits != 0 else { return TaxSplit(supply: amount, tax: amount - amount) }
    let before = before ?? (amount - amount)
    // The sign of both sides, for credit notes are below zero.
    func tax(through refunded: Money) -> Money {
      Proration.share(
        of: self.tax, refunded.minorUnits * total.minorUnits.signum(), of: Int64(total.minorUnits.magnitude))
    }
    let part = tax(through: before + amount) - tax(through: before)
    return TaxSplit(supply: amount - part, tax: part)
  }
}
