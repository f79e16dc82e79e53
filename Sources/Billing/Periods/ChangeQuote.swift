public import Foundation
public import Kit

/// A plan in a version, for a price: what a subscriber holds or asks for.
public struct PricedPlan: Hashable, Sendable, Codable {
  public let plan: PlanID
  public let version: Int
  public let every: BillingInterval
  /// Of one whole cycle, with tax and after discounts.
  public let price: Money

  public init(plan: PlanID, version: Int, every: BillingInterval, price: Money) {
    self.plan = plan
    self.version = version
    self.every = every
    self.price = price
  }
}

/// A change of plan as lines, before it is made: the preview and the invoice are the same value.
public struct ChangeQuote: Hashable, Sendable, Codable {
  public struct Line: Hashable, Sendable, Codable {
    public enum Kind: String, Codable, Sendable { case credit, charge }

    public let kind: Kind
    public let plan: PlanID
    public let version: Int
    public let period: BillingPeriod
    /// With tax; below zero for a credit.
    public let amount: Money

    public init(kind: Kind, plan: PlanID, version: Int, period: BillingPeriod, amount: Money) {
      self.kind = kind
      self.plan = plan
      self.version = version
      self.period = period
      self.amount = amount
    }
  }

  /// What is given back of the old plan, then what the new one costs. A credit of nothing is left out.
  public let lines: [Line]
  /// Whether the cycle starts anew on the day of the change: another interval does that (V15, V16).
  public let resetsPeriod: Bool
  /// The period in force after the change.
  public let newPeriod: BillingPeriod

  /// The sum of the lines; below zero when more is given back than asked for.
  public var total: Money { lines.dropFirst().reduce(lines[0].amount) { $0 + $1.amount } }

  /// A change that takes effect at once.
  ///
  /// - Parameters:
  ///   - from: what she holds. `to` is in the same currency.
  ///   - period: the one that is paid and running.
  ///   - cycle: the whole span the price of `from` is asked for, when `period` is the stub of one.
  ///   - instant: the moment of the change; its civil day in `zone` belongs to the new plan.
  ///   - billDay: the bill day of a cycle that starts anew; `nil` anchors it on the day of the change.
  public static func upgrade(
    from: PricedPlan, to: PricedPlan, in period: BillingPeriod, cycle: BillingPeriod? = nil, at instant: Instant,
    zone: TimeZone, unit: ProrationUnit = .day, billDay: Int? = nil
  ) -> ChangeQuote {
    let day = min(max(CivilDate(instant, in: zone), period.start), period.lastDay)
    let whole = cycle ?? period
    let rest = period.from(day) ?? period
    func left(of price: Money, in span: BillingPeriod) -> Money {
      switch unit {
      case .day: Proration.remaining(of: price, in: span, from: day)
      case .second:
        Proration.remaining(of: price, from: span.start.start(in: zone), to: span.end.start(in: zone), at: instant)
      }
    }
    let resets = from.every != to.every
    let anew = BillingAnchor(day, every: to.every, billDay: billDay)
    let running = resets ? anew.period(0) : period
    let charge: Money
    if !resets {
      charge = left(of: to.price, in: whole)
    } else if anew.period(0) == anew.cycle(0) {
      // A cycle that begins with the change is paid whole, whatever the hour.
      charge = to.price
    } else {
      charge = left(of: to.price, in: anew.cycle(0))
    }
    let credit = Line(
      kind: .credit, plan: from.plan, version: from.version, period: rest, amount: -left(of: from.price, in: whole))
    let asked = Line(
      kind: .charge, plan: to.plan, version: to.version, period: resets ? running : rest, amount: charge)
    return ChangeQuote(
      lines: credit.amount.minorUnits == 0 ? [asked] : [credit, asked], resetsPeriod: resets, newPeriod: running)
  }

  /// A change by calendar day.
  public static func upgrade(
    from: PricedPlan, to: PricedPlan, in period: BillingPeriod, cycle: BillingPeriod? = nil, on day: CivilDate,
    billDay: Int? = nil
  ) -> ChangeQuote {
    upgrade(
      from: from, to: to, in: period, cycle: cycle, at: day.start(in: .gmt), zone: .gmt, unit: .day, billDay: billDay)
  }
}
