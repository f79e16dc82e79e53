import Synchronization

/// How many connections one server has for all the pools that share this.
///
/// A pool that needs a connection when all are in use takes it from the pool whose connection has rested longest. When none
/// rests it waits; a pool that holds more than one, or has held one for a while, gives one up when its work there is done,
/// and who waits is served in the order of coming. Pools that share a budget share a ``DatabaseLoop``.
///
/// Unchecked: but for the published status all of it is used on the loop's thread only.
public final class ConnectionBudget: @unchecked Sendable {
  /// What a budget has given out, for `/metrics`.
  public struct Status: Sendable, Equatable {
    /// Connections at most.
    public var connections = 0
    /// Of these, kept for the core's pools.
    public var reserve = 0
    /// Open or being opened.
    public var used = 0
    /// Pools that wait for a connection.
    public var waiting = 0
    /// Connections that went from one pool to another, since the beginning.
    public var takenOver = 0
  }

  private let published: Mutex<Status>
  private var state: BudgetState
  private var members: [PoolID: Pool] = [:]
  private var takenOver = 0
  private weak var loop: EventLoop?
  private var isScheduled = false

  /// For how long a connection is kept from others who wait, though it works without a rest.
  private static let slice = Duration.milliseconds(250)
  /// For how long it has to rest before a pool that has others may take it.
  private static let rest = Duration.milliseconds(50)

  /// - Parameters:
  ///   - connections: at most; the server's `max_connections` less what it keeps for itself and what others use.
  ///   - reserve: of these, for pools with ``PoolSettings/isCore``.
  public init(connections: Int, reserve: Int = 0) {
    precondition(
      connections > 0 && (0..<connections).contains(reserve),
      "a budget leaves a connection to everyone")
    state = BudgetState(connections: connections, reserve: reserve)
    published = Mutex(Status(connections: connections, reserve: reserve))
  }

  /// What is in use now.
  public var status: Status { published.withLock { $0 } }

  // MARK: For pools, on the loop's thread

  var hasWaiters: Bool { state.hasWaiters }

  func join(_ pool: Pool, loop: EventLoop) {
    precondition(self.loop == nil || self.loop === loop, "pools that share a budget share a loop")
    self.loop = loop
    members[pool.id] = pool
  }

  func leave(_ pool: Pool) {
    members[pool.id] = nil
    state.leave(pool.id)
    schedule()
  }

  /// - Returns: whether a connection may be opened now; if not, and the pool is in need, it is told when it may.
  func take(for pool: Pool, inNeed: Bool) -> Bool {
    schedule()
    return state.take(pool.id, isCore: pool.isCore, inNeed: inNeed)
  }

  /// For what can't wait: the connection that listens.
  func takeAnyhow(for pool: Pool) {
    state.takeAnyhow(pool.id, isCore: pool.isCore)
    schedule()
  }

  func giveBack(_ pool: Pool) {
    state.giveBack(pool.id, isCore: pool.isCore)
    schedule()
  }

  /// A pool has reached the server again: the others need not find that out each by itself, seconds later.
  func serverDidAnswer(_ pool: Pool) {
    for other in members.values where other !== pool { other.serverDidAnswer() }
  }

  /// At the end of this turn ``serve(now:)`` is called.
  func schedule() {
    guard !isScheduled, let loop else { return }
    isScheduled = true
    loop.serveLater(self)
  }

  /// Gives free connections to those who wait, and sees to it that some become free.
  func serve(now: ContinuousClock.Instant) {
    isScheduled = false
    relieve(now: now)
    // Each comes to its turn once: who does not take what it asked for has no need any more.
    for _ in 0..<state.waitingCount {
      guard let id = state.nextServed() else { break }
      state.serving = id
      members[id]?.budgetDidFree()
      state.serving = nil
    }
    let status = Status(
      connections: state.connections, reserve: state.reserve, used: state.used,
      waiting: state.waitingCount,
      takenOver: takenOver)
    published.withLock { $0 = status }
  }

  private func relieve(now: ContinuousClock.Instant) {
    for id in state.waiters {
      guard let pool = members[id] else { continue }
      let isCovered =
        state.freeCount(isCore: pool.isCore) + members.values.reduce(0) { $0 + $1.retiringCount }
        >= state.waitingCount
      if isCovered { return }
      let others = members.values.filter {
        $0 !== pool && state.mayReplace($0.isCore, by: pool.isCore)
      }
      let rested = others.filter { other in
        other.restingSince.map { pool.size == 0 || $0 + ConnectionBudget.rest <= now } ?? false
      }
      if let victim = rested.min(by: { ($0.restingSince ?? now) < ($1.restingSince ?? now) }) {
        takenOver += 1
        victim.closeResting()
      } else if let victim = others.max(by: { $0.size < $1.size }),
        victim.size > pool.size + (pool.size == 0 ? 0 : 1),
        victim.retire(openFor: ConnectionBudget.slice)
      {
        takenOver += 1
      }
    }
  }
}

/// The count of a ``ConnectionBudget``. Pure.
struct BudgetState {
  let connections: Int
  let reserve: Int
  private(set) var used = 0
  private(set) var usedByCore = 0
  /// In the order of coming, each once; by whether they may use the reserve.
  private(set) var waiters: [PoolID] = []
  private var core: Set<PoolID> = []
  private var held: [PoolID: Int] = [:]
  /// Whose turn it is: nobody else takes meanwhile.
  var serving: PoolID?

  init(connections: Int, reserve: Int) {
    self.connections = connections
    self.reserve = reserve
  }

  var hasWaiters: Bool { !waiters.isEmpty }
  var waitingCount: Int { waiters.count }

  /// How many a pool of this kind may take now. What the core uses counts towards the reserve.
  func freeCount(isCore: Bool) -> Int {
    max(0, connections - used - (isCore ? 0 : max(0, reserve - usedByCore)))
  }

  /// Whether the place of one kind of pool may go to another: the reserve does not shrink.
  func mayReplace(_ victimIsCore: Bool, by thiefIsCore: Bool) -> Bool {
    thiefIsCore || !victimIsCore || usedByCore > reserve
  }

  mutating func take(_ pool: PoolID, isCore: Bool, inNeed: Bool) -> Bool {
    let isItsTurn = serving == pool || !waiters.contains { isCore ? core.contains($0) : true }
    if isItsTurn, freeCount(isCore: isCore) > 0 {
      takeAnyhow(pool, isCore: isCore)
      return true
    }
    if inNeed, !waiters.contains(pool) {
      waiters.append(pool)
      if isCore { core.insert(pool) }
    }
    return false
  }

  mutating func takeAnyhow(_ pool: PoolID, isCore: Bool) {
    used += 1
    held[pool, default: 0] += 1
    if isCore { usedByCore += 1 }
  }

  mutating func giveBack(_ pool: PoolID, isCore: Bool) {
    guard let count = held[pool], count > 0 else { return }
    held[pool] = count == 1 ? nil : count - 1
    used -= 1
    if isCore { usedByCore -= 1 }
  }

  /// The first who waits and may take, taken out of the line.
  mutating func nextServed() -> PoolID? {
    guard let index = waiters.firstIndex(where: { freeCount(isCore: core.contains($0)) > 0 }) else {
      return nil
    }
    let pool = waiters.remove(at: index)
    core.remove(pool)
    return pool
  }

  mutating func leave(_ pool: PoolID) {
    waiters.removeAll { $0 == pool }
    core.remove(pool)
    held[pool] = nil
  }
}
