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
  private var pool = PoolState<Job>(limits: PoolSettings(connections: 2), backoff: Backoff(), waitersMax: 4)
  private let start = ContinuousClock.now

  private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

  @Test mutating func `A connection is opened for the first job, used again for the second`() {
    #expect(pool.submit(Job(id: 1), now: at(0))?.text == "open 1")
    #expect(pool.didOpen(1, now: at(5))?.text == "run 1 on 1")
    #expect(pool.release(1, now: at(9)) == nil)
    #expect(pool.submit(Job(id: 2), now: at(10))?.text == "run 2 on 1")
    #expect(pool.size == 1 && pool.busyCount == 1 && pool.idleCount == 0)
  }

  @Test mutating func `Jobs beyond the bound wait in order`() {
    #expect(pool.submit(Job(id: 1), now: at(0))?.text == "open 1")
    #expect(pool.submit(Job(id: 2), now: at(0))?.text == "open 2")
    #expect(pool.submit(Job(id: 3), now: at(0)) == nil)
    #expect(pool.submit(Job(id: 4), now: at(0)) == nil)
    #expect(pool.didOpen(2, now: at(1))?.text == "run 1 on 2")
    #expect(pool.didOpen(1, now: at(1))?.text == "run 2 on 1")
    #expect(pool.release(1, now: at(2))?.text == "run 3 on 1")
    #expect(pool.release(2, now: at(2))?.text == "run 4 on 2")
    #expect(pool.release(1, now: at(3)) == nil)
  }

  @Test mutating func `A job waits no longer than the wait timeout`() {
    _ = pool.submit(Job(id: 1), now: at(0))
    _ = pool.didOpen(1, now: at(0))
    _ = pool.submit(Job(id: 2), now: at(0))
    _ = pool.didOpen(2, now: at(0))
    _ = pool.submit(Job(id: 3), now: at(100))
    #expect(pool.nextDeadline(after: at(100)) == at(2_100))
    #expect(pool.tick(now: at(2_099)).isEmpty)
    #expect(pool.tick(now: at(2_100)).map(\.text) == ["fail 3 poolExhausted"])
  }

  @Test mutating func `The line itself is bounded`() {
    for id in 1...4 { _ = pool.submit(Job(id: UInt64(id)), now: at(0)) }
    #expect(pool.submit(Job(id: 5), now: at(0))?.text == "fail 5 poolExhausted")
  }

  @Test mutating func `A job that waits can be withdrawn`() {
    _ = pool.submit(Job(id: 1), now: at(0))
    #expect(pool.withdraw(1) == Job(id: 1))
    #expect(pool.withdraw(1) == nil)
    #expect(pool.didOpen(1, now: at(1)) == nil)
    #expect(pool.idleCount == 1)
  }

  @Test mutating func `A connection that rests too long is closed, the one used last stays`() {
    for id in [1, 2] as [UInt64] {
      _ = pool.submit(Job(id: id), now: at(0))
      _ = pool.didOpen(id, now: at(0))
    }
    _ = pool.release(1, now: at(0))
    _ = pool.release(2, now: at(10))
    #expect(pool.submit(Job(id: 3), now: at(20_000))?.text == "run 3 on 2")
    _ = pool.release(2, now: at(20_001))
    #expect(pool.tick(now: at(30_000)).map(\.text) == ["close 1"])
    #expect(pool.tick(now: at(50_000)).isEmpty)
    #expect(pool.tick(now: at(50_001)).map(\.text) == ["close 2"])
    #expect(pool.size == 0)
  }

  @Test mutating func `A short outage is ridden out in line, a long one answered at once`() {
    _ = pool.submit(Job(id: 1), now: at(0))
    #expect(pool.didFailToOpen(1, now: at(1), scatter: 1).isEmpty)
    #expect(pool.nextDeadline(after: at(1)) == at(51))
    #expect(pool.tick(now: at(51)).map(\.text) == ["open 2"])
    #expect(pool.didFailToOpen(2, now: at(52), scatter: 1).isEmpty)
    #expect(pool.tick(now: at(152)).map(\.text) == ["open 3"])
    #expect(pool.didFailToOpen(3, now: at(153), scatter: 1).map(\.text) == ["fail 1 connectionFailed"])
    // Refused without a try until the back-off is over, then one tries for all.
    #expect(pool.submit(Job(id: 2), now: at(200))?.text == "fail 2 connectionFailed")
    #expect(pool.submit(Job(id: 3), now: at(400))?.text == "open 4")
    #expect(pool.submit(Job(id: 4), now: at(400))?.text == "fail 4 connectionFailed")
    #expect(pool.didOpen(4, now: at(401))?.text == "run 3 on 4")
    #expect(pool.submit(Job(id: 5), now: at(402))?.text == "open 5")
  }

  @Test mutating func `Attempts that fail together are one failure`() {
    _ = pool.submit(Job(id: 1), now: at(0))
    _ = pool.submit(Job(id: 2), now: at(0))
    #expect(pool.didFailToOpen(1, now: at(1), scatter: 1).isEmpty)
    #expect(pool.didFailToOpen(2, now: at(1), scatter: 1).isEmpty)
    #expect(pool.nextDeadline(after: at(1)) == at(51))
    #expect(pool.tick(now: at(51)).map(\.text) == ["open 3", "open 4"])
  }

  @Test mutating func `A lost connection is replaced when somebody waits`() {
    for id in 1...3 as ClosedRange<UInt64> { _ = pool.submit(Job(id: id), now: at(0)) }
    _ = pool.didOpen(1, now: at(0))
    _ = pool.didOpen(2, now: at(0))
    #expect(pool.didLose(1, now: at(1))?.text == "open 3")
    #expect(pool.didOpen(3, now: at(2))?.text == "run 3 on 3")
    #expect(pool.didLose(2, now: at(3)) == nil)
  }

  @Test mutating func `Closing refuses who waits and lets who works end`() {
    for id in 1...3 as ClosedRange<UInt64> { _ = pool.submit(Job(id: id), now: at(0)) }
    _ = pool.didOpen(1, now: at(0))
    _ = pool.didOpen(2, now: at(0))
    _ = pool.release(1, now: at(1))
    _ = pool.release(1, now: at(1))
    #expect(pool.close().map(\.text) == ["close 1"])
    #expect(!pool.isDrained)
    #expect(pool.submit(Job(id: 4), now: at(2))?.text == "fail 4 closed")
    #expect(pool.release(2, now: at(3))?.text == "close 2")
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
