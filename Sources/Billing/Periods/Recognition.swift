public import Kit

/// Revenue earned by day. It is counted cumulatively, so that the parts of any division add up to the amount.
public enum Recognition {
  /// What is earned by the end of a day.
  ///
  /// - Parameters:
  ///   - amount: without tax; below zero for a credit over the same days.
  ///   - day: included. Nothing is earned before the period, all of it from its last day on.
  public static func cumulative(_ amount: Money, over period: BillingPeriod, through day: CivilDate) -> Money {
    let elapsed = min(max(day.daysSinceEpoch + 1 - period.start.daysSinceEpoch, 0), period.days)
    return Proration.share(of: amount, Int64(elapsed), of: Int64(period.days))
  }

  /// What is earned in a span of days, a month of the books (V30).
  public static func earned(_ amount: Money, over period: BillingPeriod, in span: BillingPeriod) -> Money {
    cumulative(amount, over: period, through: span.lastDay)
      - cumulative(amount, over: period, through: span.start.adding(days: -1))
  }
}
