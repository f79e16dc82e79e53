import Kit
import Testing

@testable import Gateway

@Suite("The circuit breaker") struct CircuitBreakerTests {
  private let breaker = CircuitBreaker()
  private let start = Instant(seconds: 1_795_000_000)

  private func fail(_ times: Int, _ name: String = "jeju", at second: Int = 0) {
    for _ in 0..<times { breaker.note(name, failed: true, now: start + .seconds(second)) }
  }

  @Test("four failures in a row change nothing, the fifth opens the circuit for thirty seconds")
  func opens() {
    fail(4)
    #expect(breaker.refuses("jeju", now: start) == nil)
    fail(1)
    #expect(breaker.refuses("jeju", now: start) == 30)
    #expect(breaker.refuses("jeju", now: start + .milliseconds(500)) == 30)
    #expect(breaker.refuses("jeju", now: start + .milliseconds(29_999)) == 1)
  }

  @Test("a success between them begins the count anew")
  func reset() {
    fail(4)
    breaker.note("jeju", failed: false, now: start)
    fail(4)
    #expect(breaker.refuses("jeju", now: start) == nil)
  }

  @Test("after the pause one request tries, and the others wait for its outcome")
  func halfOpen() {
    fail(5)
    let later = start + .seconds(30)
    #expect(breaker.refuses("jeju", now: later) == nil)
    #expect(breaker.refuses("jeju", now: later) == 30)
  }

  @Test("the trial's success closes the circuit, its failure opens it again for the whole pause")
  func trial() {
    fail(5)
    #expect(breaker.refuses("jeju", now: start + .seconds(30)) == nil)
    fail(1, at: 31)
    #expect(breaker.refuses("jeju", now: start + .seconds(60)) == 1)
    #expect(breaker.refuses("jeju", now: start + .seconds(61)) == nil)
    breaker.note("jeju", failed: false, now: start + .seconds(61))
    #expect(breaker.refuses("jeju", now: start + .seconds(61)) == nil)
    fail(4, at: 62)
    #expect(breaker.refuses("jeju", now: start + .seconds(62)) == nil)
  }

  @Test("one tenant's failures close no door of another")
  func apart() {
    fail(9)
    #expect(breaker.refuses("busan", now: start) == nil)
  }
}
