public import Kit

/// A half-open span of civil days `[start, end)` in the subscriber's time zone. It holds one day at least.
public struct BillingPeriod: Hashable, Sendable, Codable {
  /// Its first day.
  public let start: CivilDate
  /// The day after its last one.
  public let end: CivilDate

  /// Stops when `end` is not after `start`.
  public init(start: CivilDate, end: CivilDate) {
    precondition(start < end, "a period holds one day at least")
    self.start = start
    self.end = end
  }

  private enum Key: String, CodingKey { case start, end }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    start = try container.decode(CivilDate.self, forKey: .start)
    end = try container.decode(CivilDate.self, forKey: .end)
    guard start < end else {
      throw DecodingError.dataCorruptedError(forKey: .end, in: container, debugDescription: "expected a day after start")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(start, forKey: .start)
    try container.encode(end, forKey: .end)
  }

  public var days: Int { end.daysSinceEpoch - start.daysSinceEpoch }

  /// Its last day.
  public var lastDay: CivilDate { end.adding(days: -1) }

  public func contains(_ day: CivilDate) -> Bool { start <= day && day < end }

  /// What is left of it from a day on; `nil` when nothing is.
  public func from(_ day: CivilDate) -> BillingPeriod? {
    let first = max(start, day)
    return first < end ? BillingPeriod(start: first, end: end) : nil
  }
}

extension BillingPeriod: CustomStringConvertible {
  /// ISO 8601 with an exclusive end: `2024-01-30/2024-02-29`.
  public var description: String { "\(start)/\(end)" }
}

extension BillingInterval {
  /// How many months it has.
  public var months: Int {
    switch self {
    case .month: 1
    case .year: 12
    }
  }
}

/// Where the periods of a subscription begin.
///
/// Anchored on the day it began; a day that a month lacks clamps to its last one and returns (V2, V3). With a bill day
/// the first period is a stub that ends on the next bill day (V5), and its price is a share of its ``cycle(_:)``.
public struct BillingAnchor: Hashable, Sendable {
  /// The day the subscription began.
  public let day: CivilDate
  public let every: BillingInterval
  /// The day of the month on which it is billed, 1…31; `nil` follows ``day``.
  public let billDay: Int?
  /// The month cycle 0 begins in, counted from year 0.
  private let month: Int

  public init(_ day: CivilDate, every: BillingInterval, billDay: Int? = nil) {
    precondition(billDay.map { (1...31).contains($0) } ?? true, "a bill day is 1…31")
    self.day = day
    self.every = every
    self.billDay = billDay
    let target = billDay ?? day.day
    let inMonth = min(target, CivilDate.length(ofMonth: day.month, year: day.year))
    month = day.year * 12 + day.month - 1 - (inMonth > day.day ? 1 : 0)
  }

  /// The whole span for which the price is asked: what the figures of a stub are a share of.
  ///
  /// - Parameter index: 0 is the one in which the subscription began.
  public func cycle(_ index: Int) -> BillingPeriod {
    BillingPeriod(start: boundary(index), end: boundary(index + 1))
  }

  /// The span that is billed. Periods tile the days from ``day`` on without gap or overlap.
  ///
  /// - Parameter index: 0 or more.
  public func period(_ index: Int) -> BillingPeriod {
    precondition(index >= 0, "the first period has the index 0")
    let cycle = cycle(index)
    return index == 0 ? BillingPeriod(start: day, end: cycle.end) : cycle
  }

  /// The index of the period a day falls in; 0 for days before the anchor.
  public func index(containing day: CivilDate) -> Int {
    guard day > self.day else { return 0 }
    let months = day.year * 12 + day.month - 1 - month
    let guess = months / every.months
    return max(0, boundary(guess) <= day ? guess : guess - 1)
  }

  /// The period a day falls in; the first one for days before the anchor.
  public func period(containing day: CivilDate) -> BillingPeriod { period(index(containing: day)) }

  /// The first day of a cycle, counted from the anchor and not from a clamped day.
  private func boundary(_ index: Int) -> CivilDate {
    let at = month + index * every.months
    let (year, inYear) = (at / 12, at % 12 + 1)
    let target = billDay ?? day.day
    return CivilDate(year: year, month: inYear, day: min(target, CivilDate.length(ofMonth: inYear, year: year)))!
  }
}
