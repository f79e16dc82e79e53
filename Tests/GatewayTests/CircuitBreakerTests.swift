import Kit
import Testing

@testable import Gateway

@Suite("A circuit") struct CircuitTests {
  private let settings = Circuit.Settings(errors: 5, pause: .seconds(30))
  private let start = Instant(seconds: 1_795_000_000)

  private func failed(_ times: Int) -> Circuit {
    var circuit = Circuit()
    for _ in 0..<times { circuit.fail(now: start, settings, mayOpen: true) }
    return circuit
  }

  @Test("four failures in a row change nothing, the fifth opens it for thirty seconds")
  func opens() {
    var circuit = failed(4)
    #expect(circuit.pass(now: start, settings) == .free)
    circuit.fail(now: start, settings, mayOpen: true)
    #expect(circuit.pass(now: start, settings) == .refused(until: start + .seconds(30)))
    #expect(circuit.pass(now: start + .milliseconds(29_999), settings) == .refused(until: start + .seconds(30)))
  }

  @Test("a success between them begins the count anew")
  func reset() {
    var circuit = failed(4)
    circuit.succeed()
    for _ in 0..<4 { circuit.fail(now: start, settings, mayOpen: true) }
    #expect(circuit.pass(now: start, settings) == .free)
  }

  @Test("after the pause one request tries, and the others wait for its outcome; one that never comes back is given up")
  func halfOpen() {
    var circuit = failed(5)
    let later = start + .seconds(30)
    #expect(circuit.pass(now: later, settings) == .trial)
    #expect(circuit.pass(now: later, settings) == .refused(until: later + .seconds(30)))
    #expect(circuit.pass(now: later + .seconds(30), settings) == .trial)
  }

  @Test("the trial's success closes it, its failure opens it again for the whole pause")
  func trial() {
    var circuit = failed(5)
    #expect(circuit.pass(now: start + .seconds(30), settings) == .trial)
    circuit.fail(now: start + .seconds(31), settings, mayOpen: true)
    #expect(circuit.pass(now: start + .seconds(60), settings) == .refused(until: start + .seconds(61)))
    #expect(circuit.pass(now: start + .seconds(61), settings) == .trial)
    circuit.succeed()
    #expect(circuit.pass(now: start + .seconds(61), settings) == .free)
  }

  @Test("requests from before that fail late don't lengthen the pause; a trial that says nothing lets the next one try")
  func late() {
    var circuit = failed(5)
    circuit.fail(now: start + .seconds(20), settings, mayOpen: true)
    #expect(circuit.pass(now: start + .seconds(30), settings) == .trial)
    circuit.giveUpTrial()
    #expect(circuit.pass(now: start + .seconds(30), settings) == .trial)
  }
}

@Suite("The circuit breaker") struct CircuitBreakerTests {
  private let breaker = CircuitBreaker()
  private let start = Instant(seconds: 1_795_000_000)

  /// - Returns: seconds to wait, or `nil` when the request was let through.
  @discardableResult
  private func ask(
    _ site: String, on database: String = "main", _ verdict: CircuitBreaker.Verdict, at second: Int = 0, sites: Int = 10,
    databases: Int = 4
  ) -> Int? {
    let now = start + .seconds(second)
    switch breaker.pass(database: database, site: site, now: now) {
    case .refused(let seconds): return seconds
    case .free(let pass):
      breaker.note(pass, verdict, sites: sites, databases: databases, now: now)
      return nil
    }
  }

  @Test("a database whose sites fail one after the other is given up for all of them, and for nobody else")
  func database() {
    for site in ["jeju", "busan", "jeju", "busan", "jeju"] { ask(site, .failure) }
    #expect(ask("daegu", .success) == 30)
    #expect(ask("seoul", on: "east", .success) == nil)
    #expect(breaker.open.databases == ["main"])
  }

  @Test("one tenant that is down is given up alone: its neighbours on the database don't notice")
  func oneTenant() {
    for _ in 0..<9 { ask("jeju", .failure) }
    #expect(ask("jeju", .success) == 30)
    #expect(ask("busan", .success) == nil)
    #expect(breaker.open.databases.isEmpty)
    #expect(breaker.open.sites == ["jeju"])
  }

  @Test("where a tenant has the database to itself, both are one")
  func alone() {
    for _ in 0..<5 { ask("jeju", on: "own", .failure, sites: 1) }
    #expect(breaker.open.databases == ["own"])
  }

  @Test("half of the databases are given up at most, but one always may be")
  func half() {
    for database in ["a", "b", "c"] {
      for site in ["x", "y", "x", "y", "x"] { ask(site + database, on: database, .failure, databases: 4) }
    }
    #expect(breaker.open.databases == ["a", "b"])
    let single = CircuitBreaker()
    for site in ["x", "y", "x", "y", "x"] {
      guard case .free(let pass) = single.pass(database: "main", site: site, now: start) else { continue }
      single.note(pass, .failure, sites: 2, databases: 1, now: start)
    }
    #expect(single.open.databases == ["main"])
  }

  @Test("a database that is seen to answer is asked again at once; if its work still fails, after a second, two, four")
  func recovery() {
    let sites = ["jeju", "busan", "daegu", "seoul", "ulsan"]
    func fail(at second: Int) { for site in sites { ask(site, .failure, at: second) } }
    func recover(at second: Int) { breaker.recover("main", sites: sites, now: start + .seconds(second)) }
    recover(at: 0)
    fail(at: 0)
    #expect(ask("busan", .success, at: 1) == 29)
    recover(at: 1)
    fail(at: 1)
    recover(at: 1)
    #expect(breaker.open.databases == ["main"])
    recover(at: 2)
    #expect(breaker.open.databases.isEmpty)
    fail(at: 2)
    recover(at: 3)
    #expect(ask("busan", .success, at: 3) == 29)
    recover(at: 4)
    fail(at: 4)
    recover(at: 7)
    #expect(ask("busan", .success, at: 7) == 27)
    recover(at: 8)
    #expect(ask("busan", .success, at: 8) == nil)
    // A success forgives: the next time it is asked again at once.
    fail(at: 40)
    #expect(ask("jeju", .success, at: 41) == 29)
    recover(at: 41)
    #expect(ask("jeju", .success, at: 41) == nil)
    #expect(breaker.open.databases.isEmpty)
  }

  @Test("so is a site that was given up alone, and never later than after a whole pause")
  func recoveryOfOne() {
    func recover(at second: Int) { breaker.recover("main", sites: ["jeju", "busan"], now: start + .seconds(second)) }
    var second = 0
    for pause in [1, 2, 4, 8, 16, 30, 30] {
      for _ in 0..<5 { ask("jeju", .failure, at: second) }
      #expect(breaker.open.sites == ["jeju"])
      recover(at: second)
      #expect(breaker.open.sites.isEmpty == (second == 0), "at \(second) s")
      for _ in 0..<5 { ask("jeju", .failure, at: second) }
      recover(at: second + pause - 1)
      #expect(breaker.open.sites == ["jeju"])
      second += pause
      recover(at: second)
      #expect(breaker.open.sites.isEmpty)
    }
  }

  @Test("what needs no database says nothing about it: it neither closes a circuit nor counts as a success")
  func neutral() {
    for site in ["jeju", "busan", "jeju", "busan"] { ask(site, .failure) }
    ask("jeju", .none)
    ask("busan", .failure)
    #expect(ask("jeju", .none) == 30)
    #expect(ask("jeju", .none, at: 30) == nil)
    #expect(ask("busan", .success, at: 30) == nil)
    #expect(ask("busan", .success, at: 30) == nil)
    #expect(breaker.open.databases.isEmpty)
  }
}
