public import Kit
import Web

/// How often one person, one network or a whole tenant may do something.
public struct RateLimit: Hashable, Sendable {
  /// Who shares a limit. A visitor without a session counts as her network.
  public enum Subject: String, Sendable, CaseIterable { case person, network, tenant }

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

extension RateLimit {
  /// Who is counted.
  func subject(_ asking: Asking) -> String {
    switch subject {
    case .person: asking.person.map { "p:\($0)" } ?? "n:\(asking.network)"
    case .network: "n:\(asking.network)"
    case .tenant: "t:\(asking.site)"
    }
  }

  /// Microseconds in which one unit comes back.
  var step: Int64 { max(1, period.microseconds / Int64(count)) }
  /// How much of the limit a node takes at a time: one in a hundred, so that what nodes hold unused is little.
  var portion: Int { max(1, count / 100) }

  static func refusal(microseconds wait: Int64) -> Problem {
    let seconds = max(1, Int((wait + 999_999) / 1_000_000))
    return Problem(.tooManyRequests, ["seconds": "\(seconds)"], retryAfter: seconds)
  }
}
