import Foundation
import HTTPTypes
public import Kit
import Synchronization
public import Web

/// How often one person or one network may do something.
public struct RateLimit: Hashable, Sendable {
  public enum Subject: String, Sendable, CaseIterable { case person, network }

  public let subject: Subject
  public let count: Int
  public let period: Duration

  public init(per subject: Subject, count: Int, period: Duration) {
    self.subject = subject
    self.count = count
    self.period = period
  }

  /// The defaults of R54, and those of routes it doesn't name.
  public static let defaults: [String: RateLimit] = [
    "auth": RateLimit(per: .network, count: 10, period: .seconds(60)),
    "list": RateLimit(per: .network, count: 100, period: .seconds(60)),
    "post": RateLimit(per: .person, count: 5, period: .seconds(60)),
    "search": RateLimit(per: .network, count: 50, period: .seconds(60)),
    "practice": RateLimit(per: .person, count: 120, period: .seconds(60)),
  ]

  /// Reads the `limits` of a city: `post: {per: person, rate: 5/1m}`. What isn't named keeps its default.
  public static func read(_ section: ConfigSection?) -> [String: RateLimit] {
    guard let section else { return defaults }
    var limits = defaults
    for name in section.keys {
      guard defaults[name] != nil else {
        section.note(name, found: "an unknown route class", expected: "one of \(defaults.keys.sorted().joined(separator: ", "))")
        continue
      }
      guard let rule = section.section(name) else { continue }
      let subject = rule.choice("per", Subject.self, default: defaults[name]?.subject)
      let rate = rule.value("rate", "a count and a duration, like 5/1m") { text -> (Int, Duration)? in
        let halves = text.split(separator: "/")
        guard halves.count == 2, let count = Int(halves[0]), (1...1_000_000).contains(count),
          let period = Duration(configured: String(halves[1])), period > .zero
        else { return nil }
        return (count, period)
      }
      if let subject, let rate { limits[name] = RateLimit(per: subject, count: rate.0, period: rate.1) }
    }
    return limits
  }
}

/// Counts in this process. Each subject has a bucket that refills evenly (generic cell rate algorithm): a burst up to the
/// limit is served at once, and after it the rate holds.
public final class MemoryRateLimiter: RateLimiter {
  private struct Key: Hashable {
    let rule: String
    let subject: String
  }

  /// Beyond this many subjects the ones that are full again are dropped.
  private static let subjectsMost = 100_000

  private let limits: [String: RateLimit]
  /// When a subject's bucket will be full again, in microseconds.
  private let full = Mutex<[Key: Int64]>([:])

  public init(limits: [String: RateLimit]) { self.limits = limits }

  public func admit(_ rule: String, visit: Visit) async throws {
    guard let limit = limits[rule] else { return }
    let network = Network.current
    let subject =
      switch limit.subject {
      case .person: visit.session.map { "p:\($0.person)" } ?? "n:\(network)"
      case .network: "n:\(network)"
      }
    if let wait = admit(Key(rule: rule, subject: subject), limit, now: visit.now) {
      let seconds = max(1, Int((wait + 999_999) / 1_000_000))
      throw Problem(.tooManyRequests, ["seconds": "\(seconds)"], retryAfter: seconds)
    }
  }

  /// - Returns: microseconds to wait, or `nil` when admitted.
  private func admit(_ key: Key, _ limit: RateLimit, now: Instant) -> Int64? {
    let (now, period) = (now.microseconds, limit.period.microseconds)
    let step = max(1, period / Int64(limit.count))
    return full.withLock { full in
      if full.count > MemoryRateLimiter.subjectsMost { full = full.filter { $0.value > now } }
      let next = max(full[key] ?? now, now) + step
      if next - now > period { return next - now - period }
      full[key] = next
      return nil
    }
  }
}

/// The network a request came from, for the limits: set by the gateway for the time of the request.
public enum Network {
  @TaskLocal static var name = "unknown"

  /// As the current request's.
  public static var current: String { name }

  /// One IPv4 address, or the /64 of an IPv6 address: what one subscriber has.
  static func name(of address: String) -> String {
    guard address.contains(":") else { return address }
    if let mapped = address.range(of: "::ffff:"), address[mapped.upperBound...].contains(".") {
      return String(address[mapped.upperBound...])
    }
    let halves = address.components(separatedBy: "::")
    let head = halves[0].split(separator: ":").map(String.init)
    if head.count >= 4 || halves.count == 1 { return head.prefix(4).joined(separator: ":") }
    let tail = halves[1].split(separator: ":").map(String.init)
    let zeros = Array(repeating: "0", count: max(0, 8 - head.count - tail.count))
    return (head + zeros + tail).prefix(4).joined(separator: ":")
  }
}
