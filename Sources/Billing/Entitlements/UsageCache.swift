import Kit

/// What persons have used, kept for a moment so that a check needs no query. A value: a lock around it makes it shared.
///
/// An answer read while the person took or gave back something is not kept, so no node shows a figure older than its own
/// last act; what another node did is seen when the moment is over.
struct UsageCache {
  struct Month: Hashable {
    let person: PersonID
    let start: CivilDate
  }

  private struct Known {
    let used: [String: Int]
    let until: ContinuousClock.Instant
  }

  private let lifetime: Duration
  private let capacity: Int
  private var known: [Month: Known] = [:]
  /// The number of the last act of each person; those forgotten count as `forgotten`.
  private var acts: [PersonID: UInt64] = [:]
  private var lastAct: UInt64 = 0
  private var forgotten: UInt64 = 0

  init(lifetime: Duration = .seconds(5), capacity: Int = 20_000) {
    self.lifetime = lifetime
    self.capacity = capacity
  }

  func used(_ month: Month, at now: ContinuousClock.Instant) -> [String: Int]? {
    guard let entry = known[month], entry.until > now else { return nil }
    return entry.used
  }

  /// To be asked for before a query whose answer is to be kept.
  func lastAct(of person: PersonID) -> UInt64 { acts[person] ?? forgotten }

  mutating func keep(_ used: [String: Int], for month: Month, readAfter act: UInt64, at now: ContinuousClock.Instant) {
    guard lastAct(of: month.person) == act else { return }
    makeRoom()
    known[month] = Known(used: used, until: now + lifetime)
  }

  /// The person took or gave back something.
  mutating func acted(_ person: PersonID, in months: [CivilDate]) {
    makeRoom()
    lastAct += 1
    acts[person] = lastAct
    for start in months { known[Month(person: person, start: start)] = nil }
  }

  private mutating func makeRoom() {
    guard known.count >= capacity || acts.count >= capacity else { return }
    known = [:]
    acts = [:]
    lastAct += 1
    forgotten = lastAct
  }
}
