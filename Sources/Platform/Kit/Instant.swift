public import Foundation

/// A point in time, in whole microseconds since 1970-01-01T00:00:00Z (the resolution PostgreSQL's `timestamptz` keeps).
///
/// On the wire and in JSON it is RFC 3339 in UTC. Civil dates belong to a time zone and are a type of their own: ``CivilDate``.
public struct Instant: Hashable, Comparable, Sendable {
  public var microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }
  public init(seconds: Int64) { self.microseconds = seconds * 1_000_000 }
  public init(_ date: Date) { self.microseconds = Int64((date.timeIntervalSince1970 * 1_000_000).rounded()) }

  /// The machine's clock. Only a ``DomainClock`` and things that measure a process should ask for it.
  public static var now: Instant { Instant(Date()) }

  public var seconds: Int64 { microseconds.dividedFloor(by: 1_000_000) }
  public var date: Date { Date(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

  public static func < (a: Instant, b: Instant) -> Bool { a.microseconds < b.microseconds }
  public static func + (a: Instant, b: Duration) -> Instant { Instant(microseconds: a.microseconds + b.microseconds) }
  public static func - (a: Instant, b: Duration) -> Instant { Instant(microseconds: a.microseconds - b.microseconds) }
  public static func - (a: Instant, b: Instant) -> Duration { .microseconds(a.microseconds - b.microseconds) }

  /// RFC 3339, UTC, with milliseconds: `2026-11-21T05:02:30.123Z`.
  public var rfc3339: String {
    let days = seconds.dividedFloor(by: 86_400)
    let second = seconds - days * 86_400
    let day = CivilDate(daysSinceEpoch: Int(days))
    let milli = (microseconds - seconds * 1_000_000) / 1_000
    guard (0...9999).contains(day.year) else {
      return "\(day)T\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60)).\(three(milli))Z"
    }
    return String(unsafeUninitializedCapacity: 24) { out in
      func put(_ number: Int64, at index: Int, digits: Int, then mark: Unicode.Scalar) {
        var rest = number
        for place in (index..<index + digits).reversed() {
          out[place] = 48 + UInt8(rest % 10)
          rest /= 10
        }
        out[index + digits] = UInt8(ascii: mark)
      }
      put(Int64(day.year), at: 0, digits: 4, then: "-")
      put(Int64(day.month), at: 5, digits: 2, then: "-")
      put(Int64(day.day), at: 8, digits: 2, then: "T")
      put(second / 3_600, at: 11, digits: 2, then: ":")
      put(second / 60 % 60, at: 14, digits: 2, then: ":")
      put(second % 60, at: 17, digits: 2, then: ".")
      put(milli, at: 20, digits: 3, then: "Z")
      return 24
    }
  }

  /// Reads RFC 3339 with any offset and up to six fraction digits.
  public init?(rfc3339 text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, let day = CivilDate(String(decoding: bytes[0..<10], as: UTF8.self)),
      bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t") || bytes[10] == UInt8(ascii: " "),
      bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      let hour = Int64(digits: bytes[11..<13]), let minute = Int64(digits: bytes[14..<16]),
      let second = Int64(digits: bytes[17..<19]), hour < 24, minute < 60, second <= 60
    else { return nil }
    var index = 19
    var fraction: Int64 = 0
    if bytes[index] == UInt8(ascii: ".") {
      var scale: Int64 = 100_000
      index += 1
      let first = index
      while index < bytes.count, let digit = Int64(digits: bytes[index..<index + 1]) {
        fraction += digit * scale
        scale /= 10
        index += 1
      }
      guard index > first else { return nil }
    }
    guard index < bytes.count else { return nil }
    var offset: Int64 = 0
    if bytes[index] == UInt8(ascii: "Z") || bytes[index] == UInt8(ascii: "z") {
      guard index + 1 == bytes.count else { return nil }
    } else {
      guard index + 6 == bytes.count, bytes[index + 3] == UInt8(ascii: ":"),
        bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-"),
        let hours = Int64(digits: bytes[index + 1..<index + 3]), let minutes = Int64(digits: bytes[index + 4..<index + 6]),
        hours < 24, minutes < 60
      else { return nil }
      offset = (hours * 60 + minutes) * (bytes[index] == UInt8(ascii: "-") ? -60 : 60)
    }
    let wall = Int64(day.daysSinceEpoch) * 86_400 + hour * 3_600 + minute * 60 + second
    self.init(microseconds: (wall - offset) * 1_000_000 + fraction)
  }
}

extension Instant: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let instant = Instant(rfc3339: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected an RFC 3339 time")
    }
    self = instant
  }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rfc3339)
  }
}

extension Instant: CustomStringConvertible {
  public var description: String { rfc3339 }
}

/// Where the domain gets its time from. Handed in, so that a test can stand on any day; leases use the database's clock.
public struct DomainClock: Sendable {
  public let now: @Sendable () -> Instant
  public init(now: @escaping @Sendable () -> Instant) { self.now = now }
  public static let system = DomainClock { Instant.now }
}

extension Duration {
  /// Whole microseconds, rounded toward zero.
  public var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
  public var milliseconds: Double { Double(microseconds) / 1_000 }
  public static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
  public static func hours(_ count: Int) -> Duration { .seconds(count * 3_600) }
  public static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}

extension Int64 {
  func dividedFloor(by divisor: Int64) -> Int64 {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
  init?(digits: ArraySlice<UInt8>) {
    var value: Int64 = 0
    for byte in digits {
      guard byte >= 48, byte <= 57 else { return nil }
      value = value * 10 + Int64(byte - 48)
    }
    self = value
  }
}

func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
func three(_ value: Int64) -> String { value < 10 ? "00\(value)" : value < 100 ? "0\(value)" : "\(value)" }
