public import Kit

/// By what a part of a period is measured.
public enum ProrationUnit: String, Codable, Sendable, CaseIterable {
  /// By calendar day in the subscriber's zone: the house's default.
  case day
  /// By elapsed seconds.
  case second
}

/// Shares of an amount, each rounded half away from zero to the minor unit.
public enum Proration {
  /// `amount × part ÷ whole`, half away from zero. The intermediate has 128 bits; a result beyond 64 stops.
  ///
  /// - Parameter whole: above 0.
  public static func share(of amount: Money, _ part: Int64, of whole: Int64) -> Money {
    precondition(whole > 0, "a share of nothing")
    let product = Int128(amount.minorUnits) * Int128(part)
    let (quotient, remainder) = product.quotientAndRemainder(dividingBy: Int128(whole))
    let away: Int128 = remainder.magnitude * 2 >= whole.magnitude ? product.signum() : 0
    return Money(Int64(quotient + away), amount.currency)
  }

  /// What remains of a period's price from a day on; the day itself is part of it. On a change the change day belongs to
  /// the new plan (V10); the day of a pause is not billed, the day of a resumption is (V20).
  ///
  /// - Parameter amount: the price of the whole `period`.
  /// - Returns: all of it up to the first day, nothing from the end on.
  public static func remaining(of amount: Money, in period: BillingPeriod, from day: CivilDate) -> Money {
    share(of: amount, Int64(period.from(day)?.days ?? 0), of: Int64(period.days))
  }

  /// What remains of a span's price by elapsed seconds (V14).
  public static func remaining(of amount: Money, from start: Instant, to end: Instant, at change: Instant) -> Money {
    precondition(start.seconds < end.seconds, "a span holds one second at least")
    let left = min(max(end.seconds - change.seconds, 0), end.seconds - start.seconds)
    return share(of: amount, left, of: end.seconds - start.seconds)
  }

  /// What is given back when a subscription ends at once: the day of termination stays billed (V11).
  public static func creditOnTermination(of amount: Money, in period: BillingPeriod, on day: CivilDate) -> Money {
    remaining(of: amount, in: period, from: day.adding(days: 1))
  }
}
