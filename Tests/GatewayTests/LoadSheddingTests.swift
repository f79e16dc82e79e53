import Kit
import Testing
import Web

@testable import Gateway

@Suite("Load shedding") struct LoadSheddingTests {
  private let load = Shared(LoadShedding(.init(inFlightMost: 100, target: .milliseconds(50), window: .seconds(1))))
  private let start = ContinuousClock.now

  /// Waits measured through one window, and the first of the next, which ends it.
  private func pass(_ waits: [Duration], window: Int) {
    for (index, wait) in waits.enumerated() {
      observe(wait, start + .seconds(window) + .milliseconds(10 * index))
    }
    observe(waits.min()!, start + .seconds(window + 1) + .milliseconds(1))
  }

  private func observe(_ wait: Duration, _ now: ContinuousClock.Instant) { load.withLock { $0.observe(wait: wait, now: now) } }
  private func begin(_ priority: Priority) -> LoadShedding.Decision { load.withLock { $0.begin(priority) } }
  private func end() { load.withLock { $0.end() } }

  private func decide(_ priority: Priority) -> LoadShedding.Decision {
    let decision = begin(priority)
    if decision == .admit { end() }
    return decision
  }

  @Test("nobody is turned away while work begins soon, nor for a single long wait")
  func calm() {
    pass([.milliseconds(400), .milliseconds(3), .milliseconds(900)], window: 0)
    for priority in [Priority.low, .normal, .high] { #expect(decide(priority) == .admit) }
  }

  @Test("a queue that stands turns away who only looks; another window of it, who is known; never who signs in or pays")
  func levels() {
    pass([.milliseconds(80), .milliseconds(90)], window: 0)
    #expect(decide(.low) == .shed(retryAfter: 2))
    #expect(decide(.normal) == .admit)
    pass([.milliseconds(80), .milliseconds(90)], window: 2)
    #expect(decide(.low) == .shed(retryAfter: 3))
    #expect(decide(.normal) == .shed(retryAfter: 3))
    #expect(decide(.high) == .admit)
    pass([.milliseconds(80)], window: 4)
    #expect(load.withLock { $0.level } == 2)
  }

  @Test("they come back one class with each window without a queue")
  func recovery() {
    pass([.milliseconds(80)], window: 0)
    pass([.milliseconds(80)], window: 2)
    pass([.milliseconds(80), .milliseconds(1)], window: 4)
    #expect(decide(.normal) == .admit)
    #expect(decide(.low) == .shed(retryAfter: 2))
    pass([.milliseconds(1)], window: 6)
    #expect(decide(.low) == .admit)
  }

  @Test("of the requests under way the less important fill only a part")
  func cap() {
    for _ in 0..<70 { #expect(begin(.low) == .admit) }
    #expect(begin(.low) == .shed(retryAfter: 1))
    for _ in 70..<90 { #expect(begin(.normal) == .admit) }
    #expect(begin(.normal) == .shed(retryAfter: 1))
    for _ in 90..<100 { #expect(begin(.high) == .admit) }
    #expect(begin(.high) == .shed(retryAfter: 1))
    end()
    #expect(begin(.high) == .admit)
  }
}
