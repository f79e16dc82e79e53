import CPostgres
import Foundation

/// What runs on the thread of a ``DatabaseLoop``. Not sendable: it and all it holds are made and used there only.
final class EventLoop {
  typealias Time = ContinuousClock.Instant

  /// The time this turn began, or its commands were taken: one look at the clock serves what happens in each half.
  private(set) var now: Time = .now
  let scratch = ParameterScratch()

  private let inbox: Inbox
  private let epoll: Int32
  private var pools: [PoolID: Pool] = [:]
  private var connections: [UInt64: Connection] = [:]
  private var lastToken: UInt64 = 0
  private var alarms = AlarmQueue()
  private var changed: [Pool] = []
  private var dirty: [Connection] = []
  private var budgets: [ConnectionBudget] = []

  init(inbox: Inbox) {
    self.inbox = inbox
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    precondition(epoll >= 0, "no epoll: \(errno)")
    var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: 0))
    epoll_ctl(epoll, EPOLL_CTL_ADD, inbox.wakeup, &event)
  }

  deinit { close(epoll) }

  func run() {
    var events = [epoll_event](repeating: epoll_event(), count: 128)
    var commands: [Command] = []
    while true {
      // What is posted while the loop is awake needs no wake-up.
      let ready = epoll_wait(
        epoll, &events, Int32(events.count), inbox.prepareToSleep() ? millisecondsToNextAlarm : 0)
      now = .now
      for index in 0..<max(0, Int(ready)) {
        // A connection that an earlier event of this batch has closed is no longer found by its token.
        let token = events[index].data.u64
        if token == 0 {
          inbox.acknowledge()
        } else {
          connections[token]?.handle(events: events[index].events)
        }
      }
      let isStopped = inbox.take(into: &commands)
      // What has come is younger than the turn: counted from its beginning, a wait would end too soon.
      if !commands.isEmpty { now = .now }
      for command in commands { perform(command) }
      commands.removeAll(keepingCapacity: true)
      while let pool = alarms.popDue(at: now) { pools[pool]?.tick() }
      serveBudgets()
      // Before what is sent can have an effect, the status tells of it.
      publish()
      send()
      publish()
      if isStopped { break }
    }
    for pool in pools.values { pool.shutDown() }
    publish()
  }

  private func perform(_ command: Command) {
    switch command {
    case .open(let configuration):
      let pool = Pool(configuration: configuration, loop: self)
      configuration.handle.pool = pool
      pools[configuration.id] = pool
    case .submit(let handle, let request):
      guard let pool = handle.pool else { return request.finish(.failure(DatabaseError(.closed))) }
      pool.submit(request)
    case .cancel(let handle, let request): handle.pool?.cancel(request)
    case .didSendCancel(let handle, let connection): handle.pool?.didSendCancel(for: connection)
    case .didRetry(let handle): handle.pool?.didRetry()
    case .copy(let session): session.proceed()
    case .subscribe(let handle, let subscription):
      guard let pool = handle.pool else { return subscription.continuation.finish() }
      pool.subscribe(subscription)
    case .unsubscribe(let handle, let subscription, let channel):
      handle.pool?.unsubscribe(subscription, from: channel)
    case .close(let handle, let completion):
      guard let pool = handle.pool else { return completion() }
      pool.close(completion)
    }
  }

  // MARK: For pools

  /// For work on other threads that reports back.
  var poster: @Sendable (Command) -> Void { { [inbox] in inbox.post($0) } }

  /// Asks for a tick of the pool, at the latest then.
  func wake(_ pool: PoolID, at time: Time) { alarms.set(pool, at: time) }

  /// The pool's status is to be published at the end of this turn.
  func didChange(_ pool: Pool) {
    guard !pool.isChanged else { return }
    pool.isChanged = true
    changed.append(pool)
  }

  func remove(_ handle: PoolHandle) {
    handle.pool = nil
    pools[handle.id] = nil
  }

  private func publish() {
    for pool in changed {
      pool.isChanged = false
      pool.publish()
    }
    changed.removeAll(keepingCapacity: true)
  }

  /// Each budget comes to its turn once; what that brings about is served in the next.
  func serveLater(_ budget: ConnectionBudget) { budgets.append(budget) }

  private func serveBudgets() {
    guard !budgets.isEmpty else { return }
    let due = budgets
    budgets = []
    for budget in due { budget.serve(now: now) }
    if !budgets.isEmpty { inbox.wakeUp() }
  }

  // MARK: For connections

  func sendLater(_ connection: Connection) { dirty.append(connection) }

  private func send() {
    // Sending may fail, and what comes of that may be sent too. Each adds itself once until it has sent.
    var index = 0
    while index < dirty.count {
      dirty[index].sendQueued()
      index += 1
    }
    dirty.removeAll(keepingCapacity: true)
  }

  func register(_ connection: Connection) -> UInt64 {
    lastToken += 1
    connections[lastToken] = connection
    return lastToken
  }

  func unregister(_ token: UInt64) { connections[token] = nil }

  /// libpq changes sockets while it connects and may get the old number again, so whether one is known to epoll is
  /// found out by trying.
  func watch(_ socket: Int32, token: UInt64, for interest: UInt32) {
    var event = epoll_event(events: interest, data: epoll_data_t(u64: token))
    if epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0, errno == ENOENT {
      epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event)
    }
  }

  private var millisecondsToNextAlarm: Int32 {
    guard let next = alarms.next else { return -1 }
    let wait = next - .now
    guard wait > .zero else { return 0 }
    // Rounded up, else the last part of a millisecond would be spent in empty turns.
    return Int32(
      clamping: (wait.components.seconds * 1_000) + wait.components.attoseconds
        / 1_000_000_000_000_000 + 1)
  }
}
