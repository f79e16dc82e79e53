public import Foundation

/// A day of the proleptic Gregorian calendar, without time and zone: a birthday, the first day of a billing period.
public struct CivilDate: Hashable, Comparable, Sendable {
  public let year: Int
  public let month: Int
  public let day: Int

  /// `nil` when there is no such day.
  public init?(year: Int, month: Int, day: Int) {
    guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
      day <= CivilDate.length(ofMonth: month, year: year)
    else { return nil }
    self.year = year
    self.month = month
    self.day = day
  }

  /// Reads `YYYY-MM-DD`.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      let year = Int64(digits: bytes[0..<4]), let month = Int64(digits: bytes[5..<7]), let day = Int64(digits: bytes[8..<10])
    else { return nil }
    self.init(year: Int(year), month: Int(month), day: Int(day))
  }

  /// Days since 1970-01-01 to a date, by the algorithm of Howard Hinnant's `civil_from_days`.
  public init(daysSinceEpoch days: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// The day an instant falls on in a time zone.
  public init(_ instant: Instant, in zone: TimeZone) {
    let local = instant.seconds + Int64(zone.secondsFromGMT(for: instant.date))
    self.init(daysSinceEpoch: Int(local.dividedFloor(by: 86_400)))
  }

  public var daysSinceEpoch: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  public static func < (a: CivilDate, b: CivilDate) -> Bool { a.daysSinceEpoch < b.daysSinceEpoch }

  public static func length(ofMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: return 30
    default: return 31
    }
  }

  public func adding(days: Int) -> CivilDate { CivilDate(daysSinceEpoch: daysSinceEpoch + days) }

  /// The same day `months` later; a day the month lacks becomes its last one. Count from the anchor, not from the
  /// clamped day, to come back to it.
  public func adding(months: Int) -> CivilDate {
    let index = year * 12 + month - 1 + months
    let (toYear, toMonth) = (index / 12, index % 12 + 1)
    return CivilDate(
      year: toYear, month: toMonth, day: min(day, CivilDate.length(ofMonth: toMonth, year: toYear)))!
  }

  public var firstOfMonth: CivilDate { CivilDate(year: year, month: month, day: 1)! }

  /// The instant this day begins in a time zone.
  public func start(in zone: TimeZone) -> Instant { instant(hour: 0, minute: 0, in: zone) }

  /// The instant the clocks of a time zone show a time of this day. One they show twice is taken the first time; one they
  /// skip is counted on from before the change, so that 02:30 becomes 03:30 and a midnight that is skipped the jump itself.
  public func instant(hour: Int, minute: Int, in zone: TimeZone) -> Instant {
    let wall = Int64(daysSinceEpoch) * 86_400 + Int64(hour * 3_600 + minute * 60)
    func offset(at seconds: Int64) -> Int64 {
      Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds))))
    }
    // No zone is a day off UTC, so these are the offsets before and after whatever change lies near.
    let (before, after) = (offset(at: wall - 86_400), offset(at: wall + 86_400))
    let shown = [wall - before, wall - after].filter { $0 + offset(at: $0) == wall }
    return Instant(seconds: shown.min() ?? wall - before)
  }
}

extension CivilDate: CustomStringConvertible {
  /// `YYYY-MM-DD`.
  public var description: String {
    let padded = String(repeating: "0", count: max(0, 4 - String(year).count)) + String(year)
    return "\(padded)-\(two(Int64(month)))-\(two(Int64(day)))"
  }
}

extension CivilDate: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let date = CivilDate(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected a date as YYYY-MM-DD")
    }
    self = date
  }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
