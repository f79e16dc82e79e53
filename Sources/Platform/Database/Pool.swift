import Logging
import Synchronization

/// The status of a pool, published by the loop, read from anywhere.
final class StatusBox: Sendable {
  private let status = Mutex(PoolStatus())
  var value: PoolStatus { status.withLock { $0 } }
  func publish(_ new: PoolStatus) { status.withLock { $0 = new } }
}

/// Carries out what ``PoolState`` decides.
final class Pool {
  /// What waits for a connection.
  enum Job: Identifiable {
    case statement(Request)
    case lease(Lease)

    var id: ObjectIdentifier {
      switch self {
      case .statement(let request): ObjectIdentifier(request)
      case .lease(let lease): ObjectIdentifier(lease)
      }
    }

    var demand: PoolState<Job>.Demand {
      if case .lease = self { return .exclusive }
      return .shared
    }
  }

  let id: PoolID
  let configuration: PoolConfiguration
  unowned let loop: EventLoop
  let meter = Meter()
  var costs = StatementCosts()
  var state: PoolState<Job>
  private var connections: [Connection] = []
  private var listener: Listener?
  private var closeCompletions: [@Sendable () -> Void] = []
  private var closeDeadline: ContinuousClock.Instant?
  private var isSettling = false
  /// Its status is to be published.
  var isChanged = false
  /// Why no connection could be made, since one could for the last time.
  var failure: String?

  init(configuration: PoolConfiguration, loop: EventLoop) {
    id = configuration.id
    self.configuration = configuration
    self.loop = loop
    state = PoolState(limits: configuration.pool)
    meter.didChange = { [unowned self] in self.loop.didChange(self) }
    configuration.pool.budget?.join(self, loop: loop)
  }

  // MARK: Commands

  func submit(_ request: Request) {
    meter.status.statements += 1
    loop.didChange(self)
    request.submittedAt = loop.now
    if request.isCancelled { return fail(request, .cancelled) }
    switch request.role {
    case .autocommit:
      state.submit(.statement(request), .shared, cost: costs.expected(of: request.hash), now: loop.now)
      settle()
    case .within(let lease): submit(request, within: lease)
    case .end(let lease, _): end(lease, with: request)
    }
  }

  private func submit(_ request: Request, within lease: Lease) {
    switch lease.phase {
    case .fresh where lease.isVoid: fail(request, .server(.inFailedTransaction))
    case .fresh:
      lease.phase = .waiting
      lease.pending.append(request)
      state.submit(.lease(lease), .exclusive, now: loop.now)
      settle()
    case .waiting: lease.pending.append(request)
    case .held(let connection): connection.enqueue(request)
    case .lost: fail(request, .connectionLost, "the transaction's connection is gone")
    }
  }

  private func end(_ lease: Lease, with request: Request) {
    switch lease.phase {
    case .fresh where lease.isVoid && request.isCommit: fail(request, .server(.inFailedTransaction))
    case .fresh: request.finish(.success(.empty))
    case .waiting where request.isCommit: lease.pending.append(request)
    case .waiting:
      // Its statements were left behind by a body that has ended.
      _ = state.withdraw(ObjectIdentifier(lease), now: loop.now)
      lease.phase = .fresh
      for left in lease.pending.removeAll() { fail(left, .closed) }
      request.finish(.success(.empty))
      settle()
    case .held(let connection): connection.enqueue(request)
    case .lost: fail(request, .connectionLost, "the transaction's connection is gone")
    }
  }

  func cancel(_ request: Request) {
    guard !request.isAnswered else { return }
    if let connection = request.connection {
      connection.cancel(request)
    } else if state.withdraw(request.id, now: loop.now) != nil {
      fail(request, .cancelled)
    } else if case .within(let lease) = request.role,
      lease.pending.remove(where: { $0 === request }) != nil
    {
      fail(request, .cancelled)
      if lease.pending.isEmpty, state.withdraw(ObjectIdentifier(lease), now: loop.now) != nil {
        lease.phase = .fresh
      }
    } else {
      // It overtook the request.
      request.isCancelled = true
    }
    meter.status.cancellations += 1
    loop.didChange(self)
    settle()
  }

  func didSendCancel(for id: ConnectionID) { connection(id)?.didSendCancel() }

  func didRetry() {
    meter.status.retries += 1
    loop.didChange(self)
  }

  func subscribe(_ subscription: Subscription) {
    guard !state.isClosing else { return subscription.continuation.finish() }
    let listener = listener ?? Listener(pool: self)
    self.listener = listener
    listener.add(subscription)
  }

  func unsubscribe(_ subscription: UInt64, from channel: String) {
    listener?.remove(subscription, from: channel)
  }

  /// Refuses new work and lets what runs come to its end, for as long as a statement may run at most.
  func close(_ completion: @escaping @Sendable () -> Void) {
    closeCompletions.append(completion)
    guard !state.isClosing else { return }
    listener?.shutDown()
    listener = nil
    state.close()
    settle()
    let deadline = loop.now + min(configuration.pool.statementTimeout, .seconds(10))
    closeDeadline = deadline
    loop.wake(id, at: deadline)
    finishClosing()
  }

  /// Ends everything at once.
  func shutDown() {
    listener?.shutDown()
    listener = nil
    state.close()
    settle()
    for connection in connections {
      connection.close()
      forget(connection)
      state.didLose(connection.id, now: loop.now)
    }
    settle()
    finishClosing()
  }

  private func finishClosing() {
    guard state.isDrained else { return }
    publish()
    for completion in closeCompletions { completion() }
    closeCompletions = []
    configuration.pool.budget?.leave(self)
    loop.remove(configuration.handle)
  }

  func tick() {
    for connection in connections { connection.tick() }
    listener?.tick()
    state.tick(now: loop.now)
    settle()
    if state.waitsForBudget { configuration.pool.budget?.schedule() }
    if let closeDeadline, closeDeadline <= loop.now { return shutDown() }
    scheduleTick()
  }

  func scheduleTick() {
    var deadlines = connections.compactMap(\.deadline)
    if let deadline = state.nextDeadline(after: loop.now) { deadlines.append(deadline) }
    if let deadline = listener?.deadline { deadlines.append(deadline) }
    if let closeDeadline { deadlines.append(closeDeadline) }
    // A moment ahead at least: an alarm that is due already would be served in the same turn again and again.
    if let next = deadlines.min() { loop.wake(id, at: max(next, loop.now + .milliseconds(1))) }
  }

  // MARK: Actions

  /// Carries out what the state has decided.
  private func settle() {
    guard !isSettling else { return }
    isSettling = true
    while let action = state.next() { perform(action) }
    isSettling = false
    // Who waits has to be answered in time, and who rests closed in time.
    if state.waitingCount > 0 { scheduleTick() }
  }

  private func perform(_ action: PoolState<Job>.Action) {
    loop.didChange(self)
    switch action {
    case .run(let job, let id): run(job, on: id)
    case .open(let id): open(id)
    case .close(let id):
      guard let connection = connection(id) else { return }
      forget(connection)
      connection.close()
    case .fail(let job, let kind):
      if kind == .poolExhausted { meter.status.waitTimeouts += 1 }
      fail(job, kind)
    }
  }

  private func run(_ job: Job, on id: ConnectionID) {
    guard let connection = connection(id) else { return fail(job, .connectionLost) }
    switch job {
    case .statement(let request): connection.enqueue(request)
    case .lease(let lease):
      connection.lease = lease
      connection.needsBegin = lease.isolation != nil
      lease.phase = .held(connection)
      while let request = lease.pending.popFirst() { connection.enqueue(request) }
    }
  }

  private func open(_ id: ConnectionID) {
    if let budget = configuration.pool.budget,
      !budget.take(for: self, inNeed: state.waitingCount > 0)
    {
      return state.didNotOpen(id, now: loop.now)
    }
    guard
      let connection = Connection(
        id: id, configuration: configuration, loop: loop, meter: meter, owner: self)
    else {
      configuration.pool.budget?.giveBack(self)
      return state.didFailToOpen(id, now: loop.now, scatter: .random(in: 0...1))
    }
    connections.append(connection)
    if let deadline = connection.deadline { loop.wake(self.id, at: deadline) }
  }

  private func fail(_ job: Job, _ kind: DatabaseError.Kind) {
    switch job {
    case .statement(let request): fail(request, kind)
    case .lease(let lease):
      lease.phase = .fresh
      for request in lease.pending.removeAll() { fail(request, kind) }
    }
  }

  func fail(_ request: Request, _ kind: DatabaseError.Kind, _ explanation: String? = nil) {
    var error = DatabaseError(kind, database: configuration.name, explanation: explanation)
    if kind == .connectionFailed { error.explanation = failure }
    error.statement = request.sql.text
    request.finish(.failure(error))
  }

  private func connection(_ id: ConnectionID) -> Connection? {
    for connection in connections where connection.id == id { return connection }
    return nil
  }

  func forget(_ connection: Connection) {
    guard let index = connections.firstIndex(where: { $0 === connection }) else { return }
    connections.remove(at: index)
    configuration.pool.budget?.giveBack(self)
  }

  /// After the state was told something.
  func didChange() {
    loop.didChange(self)
    settle()
    if state.isClosing { finishClosing() }
  }

  func publish() {
    let census = state.census
    meter.status.size = state.size
    meter.status.idle = census.idle
    meter.status.leased = census.busy
    meter.status.waiting = state.waitingCount
    meter.status.inFlight = census.load
    configuration.status.publish(meter.status)
    if let since = census.restingSince {
      loop.wake(id, at: since + configuration.pool.idleTimeout)
    }
    if let budget = configuration.pool.budget, budget.hasWaiters, census.idle > 0 {
      budget.schedule()
    }
  }
}
