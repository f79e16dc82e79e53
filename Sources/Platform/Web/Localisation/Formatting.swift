public import Foundation
public import Kit

/// Figures, days and times as a reader of a language expects them.
public struct Formatting: Sendable {
  public let language: Language
  public let timeZone: TimeZone
  private let catalogue: Catalogue

  public init(language: Language, timeZone: TimeZone, catalogue: Catalogue) {
    self.language = language
    self.timeZone = timeZone
    self.catalogue = catalogue
  }

  /// `12,345`.
  public func number(_ value: Int64) -> String {
    var digits = String(value.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return (value < 0 ? "−" : "") + ([digits] + groups).joined(separator: ",")
  }

  /// `₩19,900`, `$14.99`, `30 P`.
  public func money(_ money: Money) -> String {
    let sign = money.minorUnits < 0 ? "−" : ""
    switch money.currency {
    case .krw:
      if language == .ko { return "\(number(money.minorUnits))원" }
      return "\(sign)₩\(number(money.minorUnits).drop { $0 == "−" })"
    case .usd:
      let cents = money.minorUnits.magnitude % 100
      return "\(sign)$\(number(Int64(money.minorUnits.magnitude / 100))).\(cents < 10 ? "0" : "")\(cents)"
    case .points: return "\(number(money.minorUnits)) P"
    }
  }

  /// `2026년 11월 21일`, `21 November 2026`.
  public func date(_ date: CivilDate) -> String {
    switch language {
    case .ko: "\(date.year)년 \(date.month)월 \(date.day)일"
    case .en: "\(date.day) \(Formatting.months[date.month - 1]) \(date.year)"
    }
  }

  public func date(_ instant: Instant) -> String { date(CivilDate(instant, in: timeZone)) }

  /// `11월 21일 14:05`, `21 November, 14:05`.
  public func dateTime(_ instant: Instant) -> String {
    let day = CivilDate(instant, in: timeZone)
    // By the clock on the wall: on a day of changing clocks it is not the time since midnight.
    let wall = instant.seconds + Int64(timeZone.secondsFromGMT(for: instant.date))
    let minutes = (wall - Int64(day.daysSinceEpoch) * 86_400) / 60
    let clock = "\(minutes / 60 < 10 ? "0" : "")\(minutes / 60):\(minutes % 60 < 10 ? "0" : "")\(minutes % 60)"
    return switch language {
    case .ko: "\(day.month)월 \(day.day)일 \(clock)"
    case .en: "\(day.day) \(Formatting.months[day.month - 1]), \(clock)"
    }
  }

  /// `방금`, `3분 전`, `2 hours ago`; a date after a week.
  public func ago(_ instant: Instant, now: Instant) -> String {
    let seconds = (now - instant).components.seconds
    func text(_ unit: String, _ count: Int64) -> String {
      let key = "web.ago.\(unit)"
      return catalogue.text(count == 1 ? "\(key).one" : "\(key).many", ["count": number(count)], in: language)
    }
    switch seconds {
    case ..<60: return catalogue.text("web.ago.now", in: language)
    case ..<3_600: return text("minutes", seconds / 60)
    case ..<86_400: return text("hours", seconds / 3_600)
    case ..<604_800: return text("days", seconds / 86_400)
    default: return date(instant)
    }
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
  ]
}
