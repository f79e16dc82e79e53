import Logging
import Synchronization

/// The status of a pool, published by the loop, read from anywhere.
final class StatusBox: Sendable {
  private let status = Mutex(PoolStatus())
  var value: PoolStatus { status.withLock { $0 } }
  func publish(_ new: PoolStatus) { status.withLock { $0 = new } }
}

/// Carries out what ``PoolState`` decides.
final class Pool: ConnectionOwner {
  private let id: PoolID
  private let configuration: PoolConfiguration
  private unowned let loop: EventLoop
  private var state: PoolState<Request>
  private var connections: [ConnectionID: Connection] = [:]
  private var leases: [LeaseID: ConnectionID] = [:]
  private var listener: Listener?
  private var counters = PoolStatus()
  private var closeCompletions: [@Sendable () -> Void] = []
  private var closeDeadline: ContinuousClock.Instant?
  /// Why no connection could be made, since one could for the last time.
  private var failure: String?

  init(id: PoolID, configuration: PoolConfiguration, loop: EventLoop) {
    self.id = id
    self.configuration = configuration
    self.loop = loop
    state = PoolState(limits: configuration.pool)
  }

  // MARK: Commands

  func submit(_ request: Request) {
    counters.statements += 1
    loop.didChange(id)
    switch request.role {
    case .autocommit, .begin:
      let action = state.submit(request, now: loop.now)
      perform(action)
      if case .run? = action { return }
      scheduleTick()
    case .within(let lease), .end(let lease, _):
      guard let connection = leases[lease].flatMap({ connections[$0] }) else {
        return fail(request, .connectionLost, "the transaction's connection is gone")
      }
      connection.enqueue(request)
    }
  }

  func cancel(_ request: RequestID) {
    if let waiting = state.withdraw(request) {
      fail(waiting, .cancelled)
    } else if !connections.values.contains(where: { $0.cancel(request) }) {
      return
    }
    counters.cancellations += 1
    loop.didChange(id)
  }

  func didSendCancel(for id: ConnectionID) {
    guard let connection = connections[id] else { return }
    connection.didSendCancel()
    releaseIfFree(connection)
  }

  func subscribe(_ subscription: Subscription) {
    guard !state.isClosing else { return subscription.continuation.finish() }
    let listener = listener ?? Listener(configuration: configuration, loop: loop)
    self.listener = listener
    listener.add(subscription)
  }

  func unsubscribe(_ subscription: UInt64, from channel: String) { listener?.remove(subscription, from: channel) }

  /// Refuses new work and lets what runs come to its end, for as long as a statement may run at most.
  func close(_ completion: @escaping @Sendable () -> Void) {
    closeCompletions.append(completion)
    guard !state.isClosing else { return }
    listener?.shutDown()
    listener = nil
    for action in state.close() { perform(action) }
    let deadline = loop.now + min(configuration.pool.statementTimeout, .seconds(10))
    closeDeadline = deadline
    loop.wake(id, at: deadline)
    finishClosing()
  }

  /// Ends everything at once.
  func shutDown() {
    listener?.shutDown()
    listener = nil
    for action in state.close() { perform(action) }
    for connection in connections.values {
      connection.close()
      _ = state.didLose(connection.id, now: loop.now)
    }
    connections = [:]
    finishClosing()
  }

  private func finishClosing() {
    guard state.isDrained else { return }
    publish()
    for completion in closeCompletions { completion() }
    closeCompletions = []
    loop.remove(id)
  }

  func tick() {
    for connection in Array(connections.values) { connection.tick() }
    listener?.tick()
    for action in state.tick(now: loop.now) { perform(action) }
    if let closeDeadline, closeDeadline <= loop.now { return shutDown() }
    scheduleTick()
  }

  private func scheduleTick() {
    var deadlines = connections.values.compactMap(\.deadline)
    if let deadline = state.nextDeadline(after: loop.now) { deadlines.append(deadline) }
    if let deadline = listener?.deadline { deadlines.append(deadline) }
    if let closeDeadline { deadlines.append(closeDeadline) }
    // A moment ahead at least: an alarm that is due already would be served in the same turn again and again.
    if let next = deadlines.min() { loop.wake(id, at: max(next, loop.now + .milliseconds(1))) }
  }

  // MARK: Actions

  private func perform(_ action: PoolState<Request>.Action?) {
    guard let action else { return }
    loop.didChange(id)
    switch action {
    case .run(let request, let id): run(request, on: id)
    case .open(let id): open(id)
    case .close(let id): connections.removeValue(forKey: id)?.close()
    case .fail(let request, let kind):
      if kind == .poolExhausted { counters.waitTimeouts += 1 }
      fail(request, kind)
    }
  }

  private func run(_ request: Request, on id: ConnectionID) {
    guard let connection = connections[id] else { return fail(request, .connectionLost) }
    if case .begin(let lease) = request.role {
      connection.lease = lease
      leases[lease] = id
    }
    connection.enqueue(request)
  }

  private func open(_ id: ConnectionID) {
    guard let connection = Connection(id: id, configuration: configuration, loop: loop, owner: self) else {
      for action in state.didFailToOpen(id, now: loop.now, scatter: .random(in: 0...1)) { perform(action) }
      return
    }
    connections[id] = connection
    if let deadline = connection.deadline { loop.wake(self.id, at: deadline) }
  }

  private func fail(_ request: Request, _ kind: DatabaseError.Kind, _ explanation: String? = nil) {
    var error = DatabaseError(kind, database: configuration.name, explanation: explanation)
    if kind == .connectionFailed { error.explanation = failure }
    error.statement = request.sql.text
    request.completion(.failure(error))
  }

  // MARK: ConnectionOwner

  func connectionDidOpen(_ connection: Connection) {
    counters.connectionsOpened += 1
    if failure != nil { configuration.logger.info("database reached again", metadata: ["database": "\(configuration.name)"]) }
    failure = nil
    perform(state.didOpen(connection.id, now: loop.now))
    finishClosing()
    scheduleTick()
  }

  func connection(_ connection: Connection, didFailToOpen error: DatabaseError) {
    counters.connectionsFailed += 1
    connections[connection.id] = nil
    // Once per outage: the attempts that follow say nothing new.
    let reason = error.explanation ?? ""
    if failure == nil {
      configuration.logger.warning(
        "database can't be reached", metadata: ["database": "\(configuration.name)", "reason": "\(reason)"])
    }
    failure = reason
    for action in state.didFailToOpen(connection.id, now: loop.now, scatter: .random(in: 0...1)) { perform(action) }
    loop.didChange(id)
    finishClosing()
    scheduleTick()
  }

  func connection(_ connection: Connection, didFinish request: Request, succeeded: Bool) {
    switch request.role {
    case .within: break
    case .begin where succeeded: break
    case .autocommit: releaseIfFree(connection)
    case .begin(let lease), .end(let lease, _):
      leases[lease] = nil
      connection.lease = nil
      releaseIfFree(connection)
    }
  }

  /// Gives a connection whose work is done to the next who waits.
  private func releaseIfFree(_ connection: Connection) {
    guard connection.lease == nil, connection.isFree, connections[connection.id] != nil else { return }
    loop.didChange(id)
    if connection.isInTransaction {
      configuration.logger.error(
        "a statement left a transaction open; its connection is closed", metadata: ["database": "\(configuration.name)"])
      perform(state.discard(connection.id))
      for action in state.tick(now: loop.now) { perform(action) }
    } else if let next = state.release(connection.id, now: loop.now) {
      perform(next)
    } else {
      connection.tidy()
      loop.wake(id, at: loop.now + configuration.pool.idleTimeout)
    }
    finishClosing()
  }

  func connectionDidClose(_ connection: Connection) {
    counters.connectionsLost += 1
    connections[connection.id] = nil
    if let lease = connection.lease { leases[lease] = nil }
    configuration.logger.warning("database connection lost", metadata: ["database": "\(configuration.name)"])
    perform(state.didLose(connection.id, now: loop.now))
    loop.didChange(id)
    finishClosing()
    scheduleTick()
  }

  func connection(_ connection: Connection, wasNotifiedOn channel: String) {}

  func publish() {
    counters.size = state.size
    counters.idle = state.idleCount
    counters.leased = state.busyCount
    counters.waiting = state.waitingCount
    configuration.status.publish(counters)
  }
}
