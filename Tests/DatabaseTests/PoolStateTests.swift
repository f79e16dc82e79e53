import Testing

@testable import Database

private struct Job: Identifiable, Equatable { let id: UInt64 }

extension PoolState<Job>.Action {
  fileprivate var text: String {
    switch self {
    case .run(let job, let id): "run \(job.id) on \(id)"
    case .open(let id): "open \(id)"
    case .close(let id): "close \(id)"
    case .fail(let job, let kind): "fail \(job.id) \(kind)"
    }
  }
}

@Suite struct PoolStateTests {
  private var pool = PoolState<Job>(
    limits: PoolSettings(connections: 2), backoff: Backoff(), waitersMax: 4)
  private let start = ContinuousClock.now

  private func at(_ milliseconds: Int) -> ContinuousClock.Instant {
    start + .milliseconds(milliseconds)
  }

  private mutating func drain() -> [String] {
    var texts: [String] = []
    while let action = pool.next() { texts.append(action.text) }
    return texts
  }

  private mutating func submit(
    _ id: UInt64, _ demand: PoolState<Job>.Demand = .exclusive, cost: Duration? = nil, at time: Int
  ) -> [String] {
    pool.submit(Job(id: id), demand, cost: cost, now: at(time))
    return drain()
  }

  private mutating func open(_ id: ConnectionID, at time: Int) -> [String] {
    pool.didOpen(id, now: at(time))
    return drain()
  }

  private mutating func release(_ id: ConnectionID, at time: Int) -> [String] {
    pool.release(id, now: at(time))
    return drain()
  }

  private mutating func finish(_ id: ConnectionID, at time: Int) -> [String] {
    pool.finish(id, now: at(time))
    return drain()
  }

  private mutating func tick(at time: Int) -> [String] {
    pool.tick(now: at(time))
    return drain()
  }

  private mutating func fail(_ id: ConnectionID, at time: Int) -> [String] {
    pool.didFailToOpen(id, now: at(time), scatter: 1)
    return drain()
  }

  @Test mutating func `A connection is opened for the first job, used again for the second`() {
    #expect(submit(1, at: 0) == ["open 1"])
    #expect(open(1, at: 5) == ["run 1 on 1"])
    #expect(release(1, at: 9) == [])
    #expect(submit(2, at: 10) == ["run 2 on 1"])
    #expect(pool.size == 1 && pool.census.busy == 1 && pool.census.idle == 0)
  }

  @Test mutating func `Jobs beyond the bound wait in order`() {
    #expect(submit(1, at: 0) == ["open 1"])
    #expect(submit(2, at: 0) == ["open 2"])
    #expect(submit(3, at: 0) == [])
    #expect(submit(4, at: 0) == [])
    #expect(open(2, at: 1) == ["run 1 on 2"])
    #expect(open(1, at: 1) == ["run 2 on 1"])
    #expect(release(1, at: 2) == ["run 3 on 1"])
    #expect(release(2, at: 2) == ["run 4 on 2"])
    #expect(release(1, at: 3) == [])
  }

  @Test mutating func `Statements share a connection, and the pool grows meanwhile`() {
    #expect(submit(1, .shared, at: 0) == ["open 1"])
    #expect(open(1, at: 1) == ["run 1 on 1"])
    #expect(submit(2, .shared, at: 1) == ["run 2 on 1", "open 2"])
    #expect(submit(3, .shared, at: 1) == ["run 3 on 1"])
    #expect(open(2, at: 2) == [])
    #expect(submit(4, .shared, at: 2) == ["run 4 on 2"])
    #expect(submit(5, .shared, at: 2) == ["run 5 on 2"])
    #expect(pool.census.load == 5)
    for _ in 1...3 { #expect(finish(1, at: 3) == []) }
    #expect(submit(6, .shared, at: 4) == ["run 6 on 1"])
  }

  @Test mutating func `Statements known to be short stand in one line, while a connection rests`() {
    func cost(_ microseconds: Int) -> Duration { .microseconds(microseconds) }
    for id: UInt64 in 1...2 { _ = submit(id, at: 0) }
    for id: ConnectionID in 1...2 { _ = open(id, at: 0) }
    for id: ConnectionID in 1...2 { _ = release(id, at: 1) }
    #expect(pool.census.idle == 2)
    #expect(submit(3, .shared, cost: cost(600), at: 2) == ["run 3 on 1"])
    #expect(submit(4, .shared, cost: cost(600), at: 2) == ["run 4 on 1"])
    #expect(submit(5, .shared, cost: cost(600), at: 2) == ["run 5 on 1"])
    // The line would be longer than two milliseconds.
    #expect(submit(6, .shared, cost: cost(600), at: 2) == ["run 6 on 2"])
    // A short one still fits into the longer line; what nobody knows goes behind the fewest.
    #expect(submit(7, .shared, cost: cost(50), at: 2) == ["run 7 on 1"])
    #expect(submit(8, .shared, at: 2) == ["run 8 on 2"])
    // Behind that one nobody is put who has a choice.
    #expect(submit(9, .shared, cost: cost(50), at: 2) == ["run 9 on 1"])
    #expect(pool.size == 2)
  }

  @Test mutating func `A line whose first takes longer than expected is not joined, and joining makes no pool grow`() {
    #expect(submit(1, .shared, cost: .microseconds(20), at: 0) == ["open 1"])
    #expect(open(1, at: 0) == ["run 1 on 1"])
    #expect(submit(2, .shared, cost: .microseconds(20), at: 2) == ["run 2 on 1"])
    #expect(submit(3, .shared, cost: .microseconds(20), at: 3) == ["run 3 on 1", "open 2"])
    #expect(open(2, at: 4) == [])
    #expect(submit(4, .shared, cost: .microseconds(20), at: 4) == ["run 4 on 2"])
    // What is done makes room for others.
    for _ in 1...3 { #expect(finish(1, at: 5) == []) }
    #expect(submit(5, .shared, cost: .microseconds(1_990), at: 5) == ["run 5 on 1"])
  }

  @Test func `A text's cost follows what most of them take, a pause doubles it at most`() throws {
    var costs = StatementCosts()
    #expect(costs.expected(of: 1) == nil)
    costs.note(.microseconds(80), of: 1)
    #expect(costs.expected(of: 1) == .microseconds(80))
    costs.note(.microseconds(800), of: 1)
    #expect(costs.expected(of: 1) == .microseconds(90))
    costs.note(.milliseconds(50), of: 1)
    #expect(costs.expected(of: 1) == .microseconds(180))
    // One of eight that takes long doesn't make the text a long one; most of them do, soon.
    for turn in 1...1_000 { costs.note(turn.isMultiple(of: 8) ? .milliseconds(5) : .microseconds(40), of: 1) }
    #expect(try #require(costs.expected(of: 1)) < .microseconds(60))
    for _ in 1...12 { costs.note(.milliseconds(50), of: 1) }
    #expect(costs.expected(of: 1) == .milliseconds(50))
    for hash in 2...2_000 { costs.note(.zero, of: hash) }
    #expect(costs.expected(of: 1) == nil && costs.expected(of: 2_000) == .microseconds(1))
  }

  @Test mutating func `No more than the depth is put on a connection`() {
    pool = PoolState(limits: PoolSettings(connections: 1, pipelineDepth: 2))
    #expect(submit(1, .shared, at: 0) == ["open 1"])
    #expect(open(1, at: 0) == ["run 1 on 1"])
    #expect(submit(2, .shared, at: 0) == ["run 2 on 1"])
    #expect(submit(3, .shared, at: 0) == [])
    #expect(finish(1, at: 1) == ["run 3 on 1"])
  }

  @Test mutating func `Through a pooler each connection runs one statement`() {
    pool = PoolState(limits: PoolSettings(connections: 1, pooler: .transaction))
    _ = submit(1, .shared, at: 0)
    #expect(open(1, at: 0) == ["run 1 on 1"])
    #expect(submit(2, .shared, at: 0) == [])
    #expect(finish(1, at: 1) == ["run 2 on 1"])
  }

  @Test mutating func `Nothing is put behind a statement that takes long`() {
    _ = submit(1, .shared, at: 0)
    _ = open(1, at: 0)
    _ = submit(2, .shared, at: 0)
    #expect(open(2, at: 1) == [])
    #expect(submit(3, .shared, at: 1) == ["run 3 on 2"])
    #expect(submit(4, .shared, at: 5) == ["run 4 on 2"])
    #expect(finish(2, at: 9) == [])
    // On the first connection one is at it since 0, on the second since 9.
    #expect(submit(5, .shared, at: 15) == ["run 5 on 2"])
    #expect(submit(6, .shared, at: 30) == [])
    #expect(finish(2, at: 31) == ["run 6 on 2"])
  }

  @Test mutating func `A transaction gets a connection of its own while statements stream`() {
    pool = PoolState(limits: PoolSettings(connections: 1))
    _ = submit(1, .shared, at: 0)
    _ = open(1, at: 0)
    _ = submit(2, .shared, at: 0)
    #expect(submit(3, .exclusive, at: 0) == [])
    #expect(submit(4, .shared, at: 0) == [])
    #expect(finish(1, at: 1) == [])
    #expect(finish(1, at: 1) == ["run 3 on 1"])
    #expect(submit(5, .exclusive, at: 1) == [])
    // The statement came before the second transaction.
    #expect(release(1, at: 2) == ["run 4 on 1"])
    #expect(submit(6, .shared, at: 2) == [])
    #expect(finish(1, at: 3) == ["run 5 on 1"])
    #expect(release(1, at: 4) == ["run 6 on 1"])
  }

  @Test
  mutating func `While one connection is kept for a transaction, statements go to the others`() {
    for id in 1...2 as ClosedRange<UInt64> {
      _ = submit(id, .shared, at: 0)
      _ = open(id, at: 0)
    }
    _ = submit(3, .shared, at: 0)
    #expect(pool.slots.map(\.load) == [2, 1])
    #expect(submit(4, .exclusive, at: 1) == [])
    #expect(submit(5, .shared, at: 1) == ["run 5 on 1"])
    #expect(submit(6, .shared, at: 1) == ["run 6 on 1"])
    #expect(finish(2, at: 2) == ["run 4 on 2"])
    // The transaction gave up waiting: nothing is kept any more.
    #expect(submit(7, .exclusive, at: 2) == [])
    #expect(pool.withdraw(7, now: at(2)) == Job(id: 7))
    #expect(submit(8, .shared, at: 2) == ["run 8 on 1"])
  }

  @Test mutating func `A connection that is held takes nothing until it is let go`() {
    pool = PoolState(limits: PoolSettings(connections: 1))
    _ = submit(1, .shared, at: 0)
    _ = open(1, at: 0)
    pool.hold(1)
    #expect(submit(2, .shared, at: 0) == [])
    #expect(finish(1, at: 1) == [])
    pool.letGo(1, now: at(2))
    #expect(drain() == ["run 2 on 1"])
  }

  @Test mutating func `What was never sent when its connection broke goes first elsewhere`() {
    for id in 1...2 as ClosedRange<UInt64> {
      _ = submit(id, at: 0)
      _ = open(id, at: 0)
    }
    #expect(submit(3, .shared, at: 0) == [])
    pool.didLose(1, now: at(1))
    #expect(drain() == ["open 3"])
    pool.resubmit(Job(id: 4), .shared, now: at(1))
    #expect(drain() == [])
    #expect(open(3, at: 2) == ["run 4 on 3", "run 3 on 3"])
  }

  @Test mutating func `A job waits no longer than the wait timeout`() {
    _ = submit(1, at: 0)
    _ = open(1, at: 0)
    _ = submit(2, at: 0)
    _ = open(2, at: 0)
    _ = submit(3, at: 100)
    #expect(pool.nextDeadline(after: at(100)) == at(2_100))
    #expect(tick(at: 2_099) == [])
    #expect(tick(at: 2_100) == ["fail 3 poolExhausted"])
  }

  @Test mutating func `The line itself is bounded`() {
    for id in 1...4 { _ = submit(UInt64(id), at: 0) }
    #expect(submit(5, at: 0) == ["fail 5 poolExhausted"])
  }

  @Test mutating func `A job that waits can be withdrawn`() {
    _ = submit(1, at: 0)
    #expect(pool.withdraw(1, now: at(0)) == Job(id: 1))
    #expect(pool.withdraw(1, now: at(0)) == nil)
    #expect(open(1, at: 1) == [])
    #expect(pool.census.idle == 1)
  }

  @Test mutating func `A connection that rests too long is closed, the one used last stays`() {
    for id in [1, 2] as [UInt64] {
      _ = submit(id, at: 0)
      _ = open(id, at: 0)
    }
    _ = release(1, at: 0)
    _ = release(2, at: 10)
    #expect(submit(3, at: 20_000) == ["run 3 on 2"])
    _ = release(2, at: 20_001)
    #expect(tick(at: 30_000) == ["close 1"])
    #expect(tick(at: 50_000) == [])
    #expect(tick(at: 50_001) == ["close 2"])
    #expect(pool.size == 0)
  }

  @Test mutating func `A short outage is ridden out in line, a long one answered at once`() {
    _ = submit(1, at: 0)
    #expect(fail(1, at: 1) == [])
    #expect(pool.nextDeadline(after: at(1)) == at(51))
    #expect(tick(at: 51) == ["open 2"])
    #expect(fail(2, at: 52) == [])
    #expect(tick(at: 152) == ["open 3"])
    #expect(fail(3, at: 153) == ["fail 1 connectionFailed"])
    // Refused without a try until the back-off is over, then one tries for all.
    #expect(submit(2, at: 200) == ["fail 2 connectionFailed"])
    #expect(submit(3, at: 400) == ["open 4"])
    #expect(submit(4, at: 400) == ["fail 4 connectionFailed"])
    #expect(open(4, at: 401) == ["run 3 on 4"])
    #expect(submit(5, at: 402) == ["open 5"])
  }

  @Test mutating func `When another pool has reached the server, the back-off is over`() {
    _ = submit(1, at: 0)
    for (id, time) in [(1, 1), (2, 52), (3, 153)] as [(ConnectionID, Int)] {
      _ = tick(at: time - 1)
      _ = fail(id, at: time)
    }
    #expect(submit(2, at: 154) == ["fail 2 connectionFailed"])
    pool.serverDidAnswer(now: at(155))
    #expect(drain() == [])
    #expect(submit(3, at: 155) == ["open 4"])
    #expect(submit(4, at: 155) == ["open 5"])
    #expect(open(4, at: 156) == ["run 3 on 4"])
  }

  @Test mutating func `Attempts that fail together are one failure`() {
    _ = submit(1, at: 0)
    _ = submit(2, at: 0)
    #expect(fail(1, at: 1) == [])
    #expect(fail(2, at: 1) == [])
    #expect(pool.nextDeadline(after: at(1)) == at(51))
    #expect(tick(at: 51) == ["open 3", "open 4"])
  }

  @Test mutating func `A lost connection is replaced when somebody waits`() {
    for id in 1...3 as ClosedRange<UInt64> { _ = submit(id, at: 0) }
    _ = open(1, at: 0)
    _ = open(2, at: 0)
    pool.didLose(1, now: at(1))
    #expect(drain() == ["open 3"])
    #expect(open(3, at: 2) == ["run 3 on 3"])
    pool.didLose(2, now: at(3))
    #expect(drain() == [])
  }

  @Test mutating func `Closing refuses who waits and lets who works end`() {
    for id in 1...3 as ClosedRange<UInt64> { _ = submit(id, at: 0) }
    _ = open(1, at: 0)
    _ = open(2, at: 0)
    _ = release(1, at: 1)
    _ = release(1, at: 1)
    pool.close()
    #expect(drain() == ["close 1"])
    #expect(!pool.isDrained)
    #expect(submit(4, at: 2) == ["fail 4 closed"])
    #expect(release(2, at: 3) == ["close 2"])
    #expect(pool.isDrained)
  }

  @Test func `The back-off doubles, is bounded and scattered`() {
    let backoff = Backoff()
    #expect(backoff.delay(failures: 1, scatter: 1) == .milliseconds(50))
    #expect(backoff.delay(failures: 4, scatter: 1) == .milliseconds(400))
    #expect(backoff.delay(failures: 100, scatter: 1) == .seconds(5))
    #expect(backoff.delay(failures: 1, scatter: 0) == .milliseconds(25))
  }

  @Test func `A statement is prepared when it comes again, and the one unused longest makes room`() {
    var cache = StatementCache(capacity: 2)
    #expect(cache.plan(for: "a") == .unnamed)
    #expect(cache.plan(for: "a") == .prepare(name: "s1"))
    // Another that comes before it is known to be prepared does not rely on it.
    #expect(cache.plan(for: "a") == .unnamed)
    cache.didPrepare("a", name: "s1")
    #expect(cache.plan(for: "a") == .execute(name: "s1"))
    #expect(cache.plan(for: "b") == .unnamed)
    #expect(cache.plan(for: "a") == .execute(name: "s1"))
    #expect(cache.plan(for: "c") == .unnamed)
    #expect(cache.evicted.isEmpty)
    #expect(cache.plan(for: "c") == .prepare(name: "s2"))
    #expect(cache.plan(for: "d") == .unnamed)
    #expect(cache.takeEvicted() == ["s1"])
  }

  @Test func `A text with parameters of other types is another statement`() {
    var cache = StatementCache()
    #expect(cache.plan(for: "SELECT \(1)") == .unnamed)
    #expect(cache.plan(for: "SELECT \("one")") == .unnamed)
    #expect(cache.plan(for: "SELECT \(2)") == .prepare(name: "s1"))
    cache.didPrepare("SELECT $1", name: "s1")
    #expect(cache.plan(for: "SELECT \("two")") == .unnamed)
    #expect(cache.plan(for: "SELECT \(3)") == .execute(name: "s1"))
  }

  @Test func `An alarm rings once, at its earliest time`() {
    var alarms = AlarmQueue()
    alarms.set(1, at: at(300))
    alarms.set(2, at: at(200))
    alarms.set(1, at: at(100))
    alarms.set(1, at: at(400))
    #expect(alarms.popDue(at: at(99)) == nil)
    #expect(alarms.popDue(at: at(1_000)) == 1)
    #expect(alarms.popDue(at: at(1_000)) == 2)
    #expect(alarms.popDue(at: at(1_000)) == nil)
  }
}
