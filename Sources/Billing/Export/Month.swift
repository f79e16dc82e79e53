public import Kit

/// A month of the books, by its first day.
public struct Month: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let first: CivilDate

  /// The month a day is in.
  public init(of day: CivilDate) { first = day.firstOfMonth }

  /// Reads `YYYY-MM`. The last year is 9998: a month has a next one.
  public init?(_ text: String) {
    guard text.utf8.count == 7, let day = CivilDate("\(text)-01"), day.year < 9999 else { return nil }
    first = day
  }

  public var last: CivilDate { next.adding(days: -1) }
  /// The first day of the month after.
  public var next: CivilDate { first.adding(months: 1) }

  public static func < (a: Month, b: Month) -> Bool { a.first < b.first }
  /// `YYYY-MM`.
  public var description: String { String(first.description.prefix(7)) }
}
