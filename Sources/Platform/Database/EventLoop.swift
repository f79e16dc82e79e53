import CPostgres
import Foundation

/// What runs on the thread of a ``DatabaseLoop``. Not sendable: it and all it holds are made and used there only.
final class EventLoop {
  typealias Time = ContinuousClock.Instant

  /// The time this turn began; one look at the clock serves all that happens in it.
  private(set) var now: Time = .now
  let scratch = ParameterScratch()

  private let inbox: Inbox
  private let epoll: Int32
  private var pools: [PoolID: Pool] = [:]
  private var connections: [UInt64: Connection] = [:]
  private var lastToken: UInt64 = 0
  private var alarms = AlarmQueue()
  private var changed: [PoolID] = []

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
      let ready = epoll_wait(epoll, &events, Int32(events.count), millisecondsToNextAlarm)
      now = .now
      for index in 0..<max(0, Int(ready)) {
        // A connection that an earlier event of this batch has closed is no longer found by its token.
        let token = events[index].data.u64
        if token == 0 { inbox.acknowledge() } else { connections[token]?.handle(events: events[index].events) }
      }
      let isStopped = inbox.take(into: &commands)
      for command in commands { perform(command) }
      commands.removeAll(keepingCapacity: true)
      while let pool = alarms.popDue(at: now) { pools[pool]?.tick() }
      publish()
      if isStopped { break }
    }
    for pool in pools.values { pool.shutDown() }
    publish()
  }

  private func perform(_ command: Command) {
    switch command {
    case .open(let id, let configuration): pools[id] = Pool(id: id, configuration: configuration, loop: self)
    case .submit(let id, let request):
      guard let pool = pools[id] else { return request.completion(.failure(DatabaseError(.closed))) }
      pool.submit(request)
    case .cancel(let id, let request): pools[id]?.cancel(request)
    case .didSendCancel(let id, let connection): pools[id]?.didSendCancel(for: connection)
    case .subscribe(let id, let subscription):
      guard let pool = pools[id] else { return subscription.continuation.finish() }
      pool.subscribe(subscription)
    case .unsubscribe(let id, let subscription, let channel): pools[id]?.unsubscribe(subscription, from: channel)
    case .close(let id, let completion):
      guard let pool = pools[id] else { return completion() }
      pool.close(completion)
    }
  }

  // MARK: For pools

  func post(_ command: Command) { inbox.post(command) }

  /// For work on other threads that reports back.
  var poster: @Sendable (Command) -> Void { { [inbox] in inbox.post($0) } }

  /// Asks for a tick of the pool, at the latest then.
  func wake(_ pool: PoolID, at time: Time) { alarms.set(pool, at: time) }

  /// The pool's status is to be published at the end of this turn.
  func didChange(_ pool: PoolID) { if changed.last != pool { changed.append(pool) } }

  func remove(_ pool: PoolID) { pools[pool] = nil }

  private func publish() {
    for id in changed { pools[id]?.publish() }
    changed.removeAll(keepingCapacity: true)
  }

  // MARK: For connections

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
    return Int32(clamping: (wait.components.seconds * 1_000) + wait.components.attoseconds / 1_000_000_000_000_000 + 1)
  }
}

/// The next alarm of each pool: a binary heap. An entry that an earlier one has replaced stays and is passed over.
struct AlarmQueue {
  typealias Time = ContinuousClock.Instant
  private var heap: [(time: Time, pool: PoolID)] = []
  private var current: [PoolID: Time] = [:]

  var next: Time? { heap.first?.time }

  /// Keeps an alarm that comes earlier.
  mutating func set(_ pool: PoolID, at time: Time) {
    if let set = current[pool], set <= time { return }
    current[pool] = time
    heap.append((time, pool))
    var child = heap.count - 1
    while child > 0, heap[child].time < heap[(child - 1) / 2].time {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Takes out a pool whose alarm has come.
  mutating func popDue(at now: Time) -> PoolID? {
    while let first = heap.first, first.time <= now {
      removeFirst()
      if current[first.pool] == first.time {
        current[first.pool] = nil
        return first.pool
      }
    }
    return nil
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].time < heap[least].time {
        least = child
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
