import Kit
import Synchronization

/// Stops asking a database that doesn't answer: opens after five failures in a row, lets one request try after 30 s (R54).
final class CircuitBreaker: Sendable {
  static let failuresMost = 5
  static let pause = Duration.seconds(30)

  private struct State {
    var failures = 0
    var opened: Instant?
  }
  private let state = Mutex<[String: State]>([:])

  /// - Returns: seconds to wait when the circuit is open.
  func refuses(_ name: String, now: Instant) -> Int? {
    state.withLock { state in
      guard let opened = state[name]?.opened else { return nil }
      let end = opened + CircuitBreaker.pause
      if now >= end {
        // Half open: this request tries, the next ones wait for its outcome.
        state[name]!.opened = now
        return nil
      }
      return Int(((end - now).microseconds + 999_999) / 1_000_000)
    }
  }

  func note(_ name: String, failed: Bool, now: Instant) {
    state.withLock { state in
      if !failed {
        if state[name] != nil { state[name] = nil }
        return
      }
      state[name, default: State()].failures += 1
      if state[name]!.failures >= CircuitBreaker.failuresMost { state[name]!.opened = now }
    }
  }
}
