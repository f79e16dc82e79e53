import Kit
public import Web

/// Which requests are turned away before all of them are late: a value that takes what was measured and decides.
///
/// Two things say that there is too much to do. How long work waits before it begins: if even the least wait within a window is over
/// the target, a queue stands (CoDel, RFC 8289 §3), and with every such window the next class of requests is turned away; with
/// every good one it comes back. And how many requests are under way: a hard cap, of which the less important
/// may fill only a part.
public struct LoadShedding: Sendable {
  public struct Settings: Sendable {
    /// Requests under way at most.
    public var inFlightMost: Int
    /// What work may wait before it begins.
    public var target: Duration
    /// How long a queue must stand to count.
    public var window: Duration

    public init(inFlightMost: Int = 2_048, target: Duration = .milliseconds(250), window: Duration = .seconds(1)) {
      self.inFlightMost = inFlightMost
      self.target = target
      self.window = window
    }
  }

  public enum Decision: Sendable, Equatable {
    case admit
    /// Turned away: seconds until it is worth another try.
    case shed(retryAfter: Int)
  }

  private let settings: Settings
  /// Classes turned away: 0 nobody, 1 ``Web/Priority/low``, 2 ``Web/Priority/normal`` too.
  public private(set) var level = 0
  public private(set) var inFlight = 0
  private var windowEnd: ContinuousClock.Instant?
  private var least: Duration?

  public init(_ settings: Settings = Settings()) { self.settings = settings }

  /// Work has waited so long before it began.
  public mutating func observe(wait: Duration, now: ContinuousClock.Instant) {
    least = min(least ?? wait, wait)
    guard let end = windowEnd else {
      windowEnd = now + settings.window
      return
    }
    guard now >= end, let wait = least else { return }
    level = wait > settings.target ? min(2, level + 1) : max(0, level - 1)
    (windowEnd, least) = (now + settings.window, nil)
  }

  /// A request has come. One that is admitted counts as under way until ``end()``.
  public mutating func begin(_ priority: Priority) -> Decision {
    let share =
      switch priority {
      case .low: 70
      case .normal: 90
      case .high: 100
      }
    let isLate = priority.rawValue < level
    guard !isLate, inFlight < max(1, settings.inFlightMost * share / 100) else { return .shed(retryAfter: 1 + level) }
    inFlight += 1
    return .admit
  }

  public mutating func end() { inFlight -= 1 }
}
