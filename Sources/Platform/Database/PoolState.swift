/// Who waits, who works and who rests in a pool: a value that takes events and says what to do. It does no I/O.
///
/// Connections are opened when somebody waits, up to the limit. After a failure the next attempt waits for a back-off.
/// A short outage is ridden out in the queue; from the third failure in a row, with no connection left, waiting would be
/// in vain: everyone is answered at once until an attempt succeeds, but for the one job that each attempt is made for.
struct PoolState<Job: Identifiable> {
  typealias Time = ContinuousClock.Instant

  enum Action {
    case run(Job, on: ConnectionID)
    case open(ConnectionID)
    case close(ConnectionID)
    case fail(Job, DatabaseError.Kind)
  }

  private struct Waiter {
    let job: Job
    let deadline: Time
  }

  private enum Phase {
    case opening
    case idle
    case busy
  }

  private let limits: PoolSettings
  private let backoff: Backoff
  private let waitersMax: Int
  private let failuresUntilRefusal = 3

  private var phases: [ConnectionID: Phase] = [:]
  /// The last one was used last and is used next, so that those not needed grow old.
  private var idle: [(id: ConnectionID, since: Time)] = []
  private var waiters = FIFO<Waiter>()
  private var opening = 0
  private var failures = 0
  private var retryAt: Time?
  private var lastID: ConnectionID = 0
  private(set) var isClosing = false

  init(limits: PoolSettings, backoff: Backoff = Backoff(), waitersMax: Int = 4_096) {
    self.limits = limits
    self.backoff = backoff
    self.waitersMax = waitersMax
  }

  var size: Int { phases.count }
  var idleCount: Int { idle.count }
  var busyCount: Int { phases.count - idle.count - opening }
  var waitingCount: Int { waiters.count }
  var isDrained: Bool { isClosing && phases.isEmpty }

  /// When ``tick(now:)`` has something to do next, once it has done what is due now.
  func nextDeadline(after now: Time) -> Time? {
    var deadlines: [Time] = []
    if let waiter = waiters.first { deadlines.append(waiter.deadline) }
    if let oldest = idle.first { deadlines.append(oldest.since + limits.idleTimeout) }
    if let retryAt, retryAt > now, !waiters.isEmpty { deadlines.append(retryAt) }
    return deadlines.min()
  }

  /// A job wants a connection. `nil`: it waits.
  mutating func submit(_ job: Job, now: Time) -> Action? {
    if isClosing { return .fail(job, .closed) }
    if waiters.isEmpty, let connection = idle.popLast() {
      phases[connection.id] = .busy
      return .run(job, on: connection.id)
    }
    if isRefusing, opening > 0 || retryAt.map({ now < $0 }) ?? false { return .fail(job, .connectionFailed) }
    guard waiters.count < waitersMax else { return .fail(job, .poolExhausted) }
    waiters.append(Waiter(job: job, deadline: now + limits.waitTimeout))
    return openIfNeeded(now: now)
  }

  /// Takes a job out of the queue; `nil` when it does not wait.
  mutating func withdraw(_ id: Job.ID) -> Job? { waiters.remove { $0.job.id == id }?.job }

  mutating func didOpen(_ id: ConnectionID, now: Time) -> Action? {
    opening -= 1
    failures = 0
    retryAt = nil
    phases[id] = .busy
    return release(id, now: now)
  }

  /// - Parameter scatter: 0 to 1, at random.
  mutating func didFailToOpen(_ id: ConnectionID, now: Time, scatter: Double) -> [Action] {
    opening -= 1
    phases[id] = nil
    // Attempts that were under way together are one failure.
    if retryAt.map({ now >= $0 }) ?? true {
      failures += 1
      retryAt = now + backoff.delay(failures: failures, scatter: scatter)
    }
    guard isRefusing else { return [] }
    return waiters.removeAll().map { .fail($0.job, .connectionFailed) }
  }

  /// The job is done; the connection is good for another.
  mutating func release(_ id: ConnectionID, now: Time) -> Action? {
    if isClosing { return discard(id) }
    if let waiter = waiters.popFirst() { return .run(waiter.job, on: id) }
    phases[id] = .idle
    idle.append((id, now))
    return nil
  }

  /// The connection is not good for another job.
  mutating func discard(_ id: ConnectionID) -> Action {
    forget(id)
    return .close(id)
  }

  /// The connection is gone.
  mutating func didLose(_ id: ConnectionID, now: Time) -> Action? {
    forget(id)
    return openIfNeeded(now: now)
  }

  /// Ends what has waited or rested too long, and opens what is needed.
  mutating func tick(now: Time) -> [Action] {
    var actions: [Action] = []
    while let waiter = waiters.first, waiter.deadline <= now {
      _ = waiters.popFirst()
      actions.append(.fail(waiter.job, failures > 0 && busyCount == 0 ? .connectionFailed : .poolExhausted))
    }
    while let oldest = idle.first, oldest.since + limits.idleTimeout <= now { actions.append(discard(oldest.id)) }
    while let action = openIfNeeded(now: now) { actions.append(action) }
    return actions
  }

  /// Refuses what waits and what will come, closes what rests; what works may finish.
  mutating func close() -> [Action] {
    isClosing = true
    return waiters.removeAll().map { .fail($0.job, .closed) } + idle.map(\.id).map { discard($0) }
  }

  private var isRefusing: Bool { failures >= failuresUntilRefusal && phases.count == opening }

  private mutating func openIfNeeded(now: Time) -> Action? {
    guard !isClosing, phases.count < limits.connections, opening < waiters.count, retryAt.map({ now >= $0 }) ?? true else {
      return nil
    }
    lastID += 1
    opening += 1
    phases[lastID] = .opening
    return .open(lastID)
  }

  private mutating func forget(_ id: ConnectionID) {
    if case .opening? = phases.removeValue(forKey: id) { opening -= 1 }
    idle.removeAll { $0.id == id }
  }
}
