import Kit

/// The way to one destination: closed, or open after errors in a row; then one request at a time tries whether it holds again.
struct Circuit: Sendable, Equatable {
  struct Settings: Sendable, Equatable {
    /// Errors in a row that open it.
    let errors: Int
    let pause: Duration
  }

  private(set) var failures = 0
  private(set) var opened: Instant?
  /// When the request that tries was let through; one that never comes back is given up after another pause.
  private(set) var trial: Instant?

  var isOpen: Bool { opened != nil }

  enum Passage: Equatable {
    case free
    /// It tries for all: its outcome must be noted.
    case trial
    case refused(until: Instant)
  }

  mutating func pass(now: Instant, _ settings: Settings) -> Passage {
    guard let opened else { return .free }
    let end = opened + settings.pause
    if now < end { return .refused(until: end) }
    if let trial, now < trial + settings.pause { return .refused(until: trial + settings.pause) }
    trial = now
    return .trial
  }

  mutating func succeed() { self = Circuit() }

  /// - Parameter mayOpen: whether it may be opened now; it stays at the edge otherwise.
  mutating func fail(now: Instant, _ settings: Settings, mayOpen: Bool) {
    failures += 1
    if opened != nil {
      // Late failures of requests from before don't lengthen the pause; a trial's does.
      if trial != nil { (opened, trial) = (now, nil) }
    } else if failures >= settings.errors, mayOpen {
      opened = now
    }
  }

  /// The trial said nothing about the destination: the next request tries.
  mutating func giveUpTrial() { trial = nil }
}
