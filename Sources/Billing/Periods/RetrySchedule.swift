public import Kit

/// When a payment that failed is tried again.
public struct RetrySchedule: Hashable, Sendable, Codable {
  /// The days to each try, counted from the failure before it (V22: 8, 8, 8 after 05-31 is 06-08, 06-16, 06-24).
  public let days: [Int]

  public init(days: [Int]) {
    precondition(days.allSatisfy { $0 > 0 }, "a retry is a day away at least")
    self.days = days
  }

  /// 3, 5 and 7 days.
  public static let house = RetrySchedule(days: [3, 5, 7])

  /// The days of the tries after a failure.
  public func dates(after failure: CivilDate) -> [CivilDate] {
    var day = failure
    return days.map { gap in
      day = day.adding(days: gap)
      return day
    }
  }
}
