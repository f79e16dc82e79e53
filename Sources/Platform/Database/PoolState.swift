/// Who waits, who works and who rests in a pool: a value that takes events and says what to do. It does no I/O.
///
/// Two kinds of jobs come. A *shared* one is a statement that may run behind others on one connection; an *exclusive* one
/// wants a connection for itself. A shared job that is known to be short joins a line of such, as long as all of it is
/// expected to be done within two milliseconds: many statements cross in one packet, and no other backend is woken. Else it
/// takes a connection at rest, or lines up behind the fewest, and the pool grows. Nothing is put behind a statement that
/// takes long: it waits for whichever connection is free first. An exclusive job takes a connection at rest; else the one
/// with the fewest statements takes no more and is kept for it. Who came first goes first, of either kind, so neither can
/// starve the other.
///
/// Connections are opened when somebody waits, up to the limit. After a failure the next attempt waits for a back-off.
/// A short outage is ridden out in the queue; from the third failure in a row, with no connection left, waiting would be
/// in vain: everyone is answered at once until an attempt succeeds, but for the one job that each attempt is made for.
struct PoolState<Job: Identifiable> {
  typealias Time = ContinuousClock.Instant

  enum Demand {
    case shared
    case exclusive
  }

  enum Action {
    case run(Job, on: ConnectionID)
    case open(ConnectionID)
    case close(ConnectionID)
    case fail(Job, DatabaseError.Kind)
  }

  let limits: PoolSettings
  private let backoff: Backoff
  private let waitersMax: Int
  let depth: Int
  private let failuresUntilRefusal = 3
  /// A statement that has run for this long gets nobody behind it.
  private let patience = Duration.milliseconds(10)
  /// How long a line of short statements may be expected to take, and its first may have run.
  let line = Duration.milliseconds(2)

  /// Few: found by looking through them.
  private(set) var slots: ContiguousArray<Slot> = []
  private var actions = FIFO<Action>()
  private var shared = FIFO<Waiter>()
  private var exclusive = FIFO<Waiter>()
  private var opening = 0
  private var failures = 0
  private var retryAt: Time?
  private var lastID: ConnectionID = 0
  private var lastNumber: UInt64 = 0
  /// Somebody was put behind another though the pool may grow.
  private var wantsGrowth = false
  private var growthAt: Time?
  /// The server's connections are all in use elsewhere; see ``ConnectionBudget``.
  private(set) var waitsForBudget = false
  private(set) var isClosing = false

  init(limits: PoolSettings, backoff: Backoff = Backoff(), waitersMax: Int = 4_096) {
    self.limits = limits
    self.backoff = backoff
    self.waitersMax = waitersMax
    depth = limits.pooler == .none ? limits.pipelineDepth : 1
  }

  var size: Int { slots.count }
  var retiringCount: Int { slots.count { $0.isRetiring } }
  var waitingCount: Int { shared.count + exclusive.count }
  var isDrained: Bool { isClosing && slots.isEmpty }

  /// What is to be done next.
  mutating func next() -> Action? { actions.popFirst() }

  /// When ``tick(now:)`` has something to do next, once it has done what is due now.
  func nextDeadline(after now: Time) -> Time? {
    var deadlines: [Time] = []
    if let waiter = shared.first { deadlines.append(waiter.deadline) }
    if let waiter = exclusive.first { deadlines.append(waiter.deadline) }
    if let restingSince = census.restingSince { deadlines.append(restingSince + limits.idleTimeout) }
    if let retryAt, retryAt > now, waitingCount > 0 { deadlines.append(retryAt) }
    if waitsForBudget { deadlines.append(now + .milliseconds(50)) }
    return deadlines.min()
  }

  // MARK: Jobs

  /// A job wants a connection.
  /// - Parameter cost: what a shared one is expected to take; `nil`: nobody knows.
  mutating func submit(_ job: Job, _ demand: Demand = .exclusive, cost: Duration? = nil, now: Time) {
    if isClosing { return actions.append(.fail(job, .closed)) }
    lastNumber += 1
    // Nobody waits: the common case, without the queue.
    if waitingCount == 0,
      let index = demand == .shared ? sharedSlot(for: lastNumber, cost: cost, now: now) : restingSlot()
    {
      start(job, demand, cost: cost, on: index, now: now)
      if wantsGrowth { open(now: now) }
      return
    }
    if isRefusing, opening > 0 || retryAt.map({ now < $0 }) ?? false {
      return actions.append(.fail(job, .connectionFailed))
    }
    guard waitingCount < waitersMax else { return actions.append(.fail(job, .poolExhausted)) }
    let waiter = Waiter(job: job, number: lastNumber, deadline: now + limits.waitTimeout, cost: cost)
    if demand == .shared { shared.append(waiter) } else { exclusive.append(waiter) }
    settle(now: now)
  }

  /// A job that was given out and never sent, because its connection broke, goes to the head of its line.
  mutating func resubmit(_ job: Job, _ demand: Demand, now: Time) {
    if isClosing { return actions.append(.fail(job, .closed)) }
    if isRefusing, opening > 0 || retryAt.map({ now < $0 }) ?? false {
      return actions.append(.fail(job, .connectionFailed))
    }
    let waiter = Waiter(job: job, number: 0, deadline: now + limits.waitTimeout)
    if demand == .shared { shared.prepend(waiter) } else { exclusive.prepend(waiter) }
    settle(now: now)
  }

  /// Takes a job out of the queue; `nil` when it does not wait.
  mutating func withdraw(_ id: Job.ID, now: Time) -> Job? {
    if let waiter = shared.remove(where: { $0.job.id == id }) { return waiter.job }
    guard let waiter = exclusive.remove(where: { $0.job.id == id }) else { return nil }
    settle(now: now)
    return waiter.job
  }

  // MARK: Connections

  mutating func didOpen(_ id: ConnectionID, now: Time) {
    guard let index = index(of: id) else { return }
    opening -= 1
    failures = 0
    retryAt = nil
    slots[index].isOpen = true
    slots[index].openedAt = now
    slots[index].since = now
    didRest(index, now: now)
  }

  /// - Parameter scatter: 0 to 1, at random.
  mutating func didFailToOpen(_ id: ConnectionID, now: Time, scatter: Double) {
    forget(id)
    // Attempts that were under way together are one failure.
    if retryAt.map({ now >= $0 }) ?? true {
      failures += 1
      retryAt = now + backoff.delay(failures: failures, scatter: scatter)
    }
    guard isRefusing else { return }
    for waiter in shared.removeAll() + exclusive.removeAll() {
      actions.append(.fail(waiter.job, .connectionFailed))
    }
  }

  /// Another pool has reached the server: this one need not wait for its next attempt.
  mutating func serverDidAnswer(now: Time) {
    guard failures > 0 else { return }
    failures = 0
    retryAt = nil
    settle(now: now)
  }

  /// The budget has no connection for this pool now.
  mutating func didNotOpen(_ id: ConnectionID, now: Time) {
    forget(id)
    if waitingCount > 0 { waitsForBudget = true } else { growthAt = now + .milliseconds(100) }
  }

  /// The budget may have a connection.
  mutating func budgetDidFree(now: Time) {
    waitsForBudget = false
    settle(now: now)
  }

  /// One of the statements that share the connection is done.
  mutating func finish(_ id: ConnectionID, now: Time) {
    guard let index = index(of: id) else { return }
    slots[index].expected -= slots[index].expected / slots[index].load
    slots[index].load -= 1
    slots[index].since = now
    if slots[index].load == 0 {
      didRest(index, now: now)
    } else if waitingCount > 0 {
      settle(now: now)
    }
  }

  /// The exclusive job is done; the connection is good for another.
  mutating func release(_ id: ConnectionID, now: Time) {
    guard let index = index(of: id) else { return }
    slots[index].isLeased = false
    slots[index].load = 0
    slots[index].since = now
    didRest(index, now: now)
  }

  /// Nothing more is to run there until ``letGo(_:now:)``.
  mutating func hold(_ id: ConnectionID) {
    if let index = index(of: id) { slots[index].isHeld = true }
  }

  mutating func letGo(_ id: ConnectionID, now: Time) {
    guard let index = index(of: id), slots[index].isHeld else { return }
    slots[index].isHeld = false
    slots[index].since = now
    if slots[index].load == 0 { didRest(index, now: now) }
  }

  /// The connection is not good for another job.
  mutating func discard(_ id: ConnectionID, now: Time) {
    forget(id)
    actions.append(.close(id))
    settle(now: now)
  }

  /// The connection is gone.
  mutating func didLose(_ id: ConnectionID, now: Time) {
    forget(id)
    settle(now: now)
  }

  /// Ends what has waited or rested too long, and opens what is needed.
  mutating func tick(now: Time) {
    let kind: DatabaseError.Kind =
      failures > 0 && census.busy == 0 ? .connectionFailed : .poolExhausted
    while let waiter = shared.first, waiter.deadline <= now, let due = shared.popFirst() {
      actions.append(.fail(due.job, kind))
    }
    while let waiter = exclusive.first, waiter.deadline <= now, let due = exclusive.popFirst() {
      actions.append(.fail(due.job, kind))
    }
    for slot in slots where slot.isResting && slot.since + limits.idleTimeout <= now {
      close(slot.id)
    }
    settle(now: now)
  }

  /// Refuses what waits and what will come, closes what rests; what works may finish.
  mutating func close() {
    isClosing = true
    waitsForBudget = false
    for waiter in shared.removeAll() + exclusive.removeAll() {
      actions.append(.fail(waiter.job, .closed))
    }
    for slot in slots where slot.isResting { close(slot.id) }
  }

  // MARK: For the budget

  /// Closes the connection that has rested longest.
  mutating func closeResting() {
    guard let oldest = slots.lazy.filter(\.isResting).min(by: { $0.since < $1.since }) else {
      return
    }
    close(oldest.id)
  }

  /// Chooses a connection that closes when its work is done, for others to have one.
  /// - Parameter age: it has been open for this long.
  mutating func retire(openFor age: Duration, now: Time) -> Bool {
    let old = slots.indices.filter {
      slots[$0].isOpen && !slots[$0].isRetiring && slots[$0].openedAt + age <= now
    }
    // One that is shared is free sooner than one that is leased.
    guard
      let index = old.min(by: {
        (slots[$0].isLeased ? 1 : 0, slots[$0].load) < (slots[$1].isLeased ? 1 : 0, slots[$1].load)
      })
    else { return false }
    slots[index].isRetiring = true
    return true
  }

  // MARK: Choosing

  private var isRefusing: Bool { failures >= failuresUntilRefusal && slots.count == opening }

  private func index(of id: ConnectionID) -> Int? {
    for index in slots.indices where slots[index].id == id { return index }
    return nil
  }

  /// Of those at rest the one used last, so that those not needed grow old.
  private func restingSlot() -> Int? {
    var best: Int?
    for index in slots.indices where slots[index].isResting && !slots[index].isRetiring {
      if best.map({ slots[$0].since <= slots[index].since }) ?? true { best = index }
    }
    return best
  }

  /// Where a shared job that came as this number runs soonest.
  private func sharedSlot(for number: UInt64, cost: Duration?, now: Time) -> Int? {
    let isYounger = exclusive.first.map { $0.number < number } ?? false
    if let joined = shortLine(for: cost, isYounger: isYounger, now: now) { return joined }
    var best: Int?
    for index in slots.indices where slots[index].isShared && slots[index].load < depth {
      if slots[index].isKept, isYounger { continue }
      if slots[index].load > 0, slots[index].since + patience < now { continue }
      guard let other = best else {
        best = index
        continue
      }
      if slots[index].load < slots[other].load
        || slots[index].load == 0 && slots[other].load == 0
          && slots[index].since > slots[other].since
      {
        best = index
      }
    }
    return best
  }

  private mutating func start(_ job: Job, _ demand: Demand, cost: Duration? = nil, on index: Int, now: Time) {
    switch demand {
    case .shared:
      if slots[index].load == 0 {
        slots[index].since = now
        slots[index].expected = .zero
      } else if !mayJoin(index, cost: cost, now: now) {
        wantsGrowth = slots.count < limits.connections
      }
      slots[index].load += 1
      slots[index].expected += cost ?? .seconds(1)
    case .exclusive:
      slots[index].isLeased = true
      slots[index].isKept = false
      slots[index].since = now
    }
    actions.append(.run(job, on: slots[index].id))
  }

  /// A connection has nothing to do.
  private mutating func didRest(_ index: Int, now: Time) {
    if isClosing || slots[index].isRetiring { close(slots[index].id) }
    if waitingCount > 0 { settle(now: now) }
  }

  /// Gives out what can be given out, in the order of coming.
  private mutating func settle(now: Time) {
    while true {
      let nextShared = shared.first?.number ?? .max
      let nextExclusive = exclusive.first?.number ?? .max
      if nextExclusive < nextShared, let index = restingSlot(), let waiter = exclusive.popFirst() {
        start(waiter.job, .exclusive, on: index, now: now)
      } else if let first = shared.first, let index = sharedSlot(for: first.number, cost: first.cost, now: now),
        let waiter = shared.popFirst()
      {
        start(waiter.job, .shared, cost: waiter.cost, on: index, now: now)
      } else {
        break
      }
    }
    keep()
    open(now: now)
  }

  /// Keeps as many shared connections as exclusive jobs wait.
  private mutating func keep() {
    var missing = exclusive.count - slots.count { $0.isKept }
    while missing < 0, let index = slots.indices.last(where: { slots[$0].isKept }) {
      slots[index].isKept = false
      missing += 1
    }
    while missing > 0 {
      let candidates = slots.indices.filter { slots[$0].isShared && !slots[$0].isKept }
      guard let index = candidates.min(by: { slots[$0].load < slots[$1].load }) else { return }
      slots[index].isKept = true
      missing -= 1
    }
  }

  /// Opens what is needed: one for each that waits, and one more when statements stand behind each other.
  private mutating func open(now: Time) {
    let needed = max(waitingCount, wantsGrowth && growthAt.map({ now >= $0 }) ?? true ? 1 : 0)
    wantsGrowth = false
    guard !isClosing, !waitsForBudget, retryAt.map({ now >= $0 }) ?? true else { return }
    while slots.count < limits.connections, opening < needed {
      lastID += 1
      opening += 1
      slots.append(Slot(id: lastID, openedAt: now, since: now))
      actions.append(.open(lastID))
    }
  }

  private mutating func close(_ id: ConnectionID) {
    forget(id)
    actions.append(.close(id))
  }

  private mutating func forget(_ id: ConnectionID) {
    guard let index = index(of: id) else { return }
    if !slots[index].isOpen { opening -= 1 }
    slots.remove(at: index)
  }
}
