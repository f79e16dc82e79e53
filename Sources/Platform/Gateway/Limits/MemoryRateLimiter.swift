import Kit
import Synchronization
public import Web

/// Counts in this process. Each subject has a bucket that refills evenly (generic cell rate algorithm): a burst up to the
/// limit is served at once, and after it the rate holds.
public final class MemoryRateLimiter: RateLimiter {
  private struct Key: Hashable {
    let rule: String
    let subject: String
  }

  private struct State {
    var limits: [String: RateLimit]
    /// When a subject's bucket will be full again, in microseconds.
    var full: [Key: Int64] = [:]
  }

  /// Beyond this many subjects the ones that are full again are dropped.
  private static let subjectsMost = 100_000

  private let state: Mutex<State>

  public init(limits: [String: RateLimit]) { state = Mutex(State(limits: limits)) }

  /// What was counted stays counted.
  public func replace(limits: [String: RateLimit]) { state.withLock { $0.limits = limits } }

  public func admit(_ rule: String, visit: Visit) async throws {
    if let wait = admit(rule, Asking(visit)) { throw RateLimit.refusal(microseconds: wait) }
  }

  public func admitsAtOnce(_ rule: String, _ asking: Asking) -> Bool { admit(rule, asking) == nil }

  /// - Returns: microseconds to wait, or `nil` when admitted.
  func admit(_ rule: String, _ asking: Asking) -> Int64? {
    let now = asking.now.microseconds
    return state.withLock { state in
      guard let limit = state.limits[rule] else { return nil }
      let (period, key) = (limit.period.microseconds, Key(rule: rule, subject: limit.subject(asking)))
      if state.full.count > MemoryRateLimiter.subjectsMost { state.full = state.full.filter { $0.value > now } }
      let next = max(state.full[key] ?? now, now) + limit.step
      if next - now > period { return next - now - period }
      state.full[key] = next
      return nil
    }
  }
}

extension Asking {
  init(_ visit: Visit) {
    self.init(person: visit.session?.person, network: Network.current, site: visit.site.id, now: visit.now)
  }
}
