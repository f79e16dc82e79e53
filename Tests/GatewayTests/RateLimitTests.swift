import Foundation
import Kit
import Testing
import Web

@testable import Gateway

@Suite("Rate limits") struct RateLimitTests {
  private let city: TestGateway
  private let limits = [
    "post": RateLimit(per: .person, count: 5, period: .seconds(60)),
    "list": RateLimit(per: .network, count: 3, period: .seconds(30)),
  ]
  init() throws { city = try TestGateway() }

  /// Seconds to wait, or `nil` when admitted.
  private func admit(
    _ limiter: MemoryRateLimiter, _ rule: String, at second: Int64 = 0, person: String? = nil, network: String = "192.0.2.1"
  ) async throws -> Int? {
    let visit = try await city.visit(at: Instant(seconds: 1_795_000_000 + second), person: person)
    return try await Network.$name.withValue(network) { () -> Int? in
      do {
        try await limiter.admit(rule, visit: visit)
        return nil
      } catch let problem as Problem {
        #expect(problem.kind == .tooManyRequests)
        #expect(problem.arguments["seconds"] == problem.retryAfter.map { "\($0)" })
        return problem.retryAfter
      }
    }
  }

  @Test("a burst up to the limit is served, the next is told how long to wait")
  func burst() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    for _ in 0..<5 { #expect(try await admit(limiter, "post", person: "mina") == nil) }
    #expect(try await admit(limiter, "post", person: "mina") == 12)
    #expect(try await admit(limiter, "post", at: 5, person: "mina") == 7)
  }

  @Test("who waits as long as told is admitted, and not a second before")
  func refill() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    for _ in 0..<5 { _ = try await admit(limiter, "post", person: "mina") }
    #expect(try await admit(limiter, "post", at: 11, person: "mina") == 1)
    #expect(try await admit(limiter, "post", at: 12, person: "mina") == nil)
    #expect(try await admit(limiter, "post", at: 12, person: "mina") == 12)
    for _ in 0..<5 { #expect(try await admit(limiter, "post", at: 200, person: "mina") == nil) }
    #expect(try await admit(limiter, "post", at: 200, person: "mina") == 12)
  }

  @Test("a refusal costs nothing: knocking does not lengthen the wait")
  func knocking() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    for _ in 0..<5 { _ = try await admit(limiter, "post", person: "mina") }
    for _ in 0..<50 { #expect(try await admit(limiter, "post", at: 1, person: "mina") == 11) }
    #expect(try await admit(limiter, "post", at: 12, person: "mina") == nil)
  }

  @Test("over a long time no more is served than the rate, whatever the rhythm")
  func longRun() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    var served = 0
    for second in Int64(0)..<600 where try await admit(limiter, "post", at: second, person: "mina") == nil { served += 1 }
    #expect(served == 5 + 600 / 12 - 1)
  }

  @Test("persons are counted apart, wherever they sit")
  func persons() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    for _ in 0..<5 { _ = try await admit(limiter, "post", person: "mina") }
    #expect(try await admit(limiter, "post", person: "mina", network: "198.51.100.7") != nil)
    #expect(try await admit(limiter, "post", person: "hana") == nil)
  }

  @Test("a visitor without a session is counted by her network, apart from who is signed in there")
  func visitors() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    for _ in 0..<5 { #expect(try await admit(limiter, "post") == nil) }
    #expect(try await admit(limiter, "post") != nil)
    #expect(try await admit(limiter, "post", network: "192.0.2.2") == nil)
    #expect(try await admit(limiter, "post", person: "mina") == nil)
  }

  @Test("a limit per network holds for all who share it")
  func networks() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    for person in ["mina", "hana", "sora"] { #expect(try await admit(limiter, "list", person: person) == nil) }
    #expect(try await admit(limiter, "list", person: "yuna") == 10)
    #expect(try await admit(limiter, "list", person: "yuna", network: "192.0.2.2") == nil)
  }

  @Test("route classes are counted apart, and one that has no limit has none")
  func rules() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    for _ in 0..<5 { _ = try await admit(limiter, "post", person: "mina") }
    #expect(try await admit(limiter, "list", person: "mina") == nil)
    for _ in 0..<50 { #expect(try await admit(limiter, "unnamed", person: "mina") == nil) }
  }

  @Test("asked by many at once, just the limit is admitted")
  func parallel() async throws {
    let limiter = MemoryRateLimiter(limits: limits)
    let visit = try await city.visit(at: Instant(seconds: 0), person: "mina")
    let admitted = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<100 { group.addTask { (try? await limiter.admit("post", visit: visit)) != nil } }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(admitted == 5)
  }

  @Test("limits are read from the configuration; what isn't named keeps its default")
  func reading() throws {
    let document = try ConfigDocument(
      yaml: "limits:\n  post: {per: network, rate: 7/1m}\n  list: {rate: 9/2s}\n", file: "t.yaml")
    let limits = RateLimit.read(document.root.section("limits"))
    try document.finish()
    #expect(limits["post"] == RateLimit(per: .network, count: 7, period: .minutes(1)))
    #expect(limits["list"] == RateLimit(per: .network, count: 9, period: .seconds(2)))
    #expect(limits["auth"] == RateLimit.defaults["auth"])
    #expect(RateLimit.read(nil) == RateLimit.defaults)
  }

  @Test("each mistake in a limit is told with its line, and the default stays")
  func mistakes() throws {
    let document = try ConfigDocument(
      yaml: """
        limits:
          post: {per: household, rate: 5/1m}
          auth: {rate: many}
          search: {rate: 0/1m}
          list: {rate: 5/0s, burst: 3}
          pots: {rate: 5/1m}
          practice: 5/1m
        """, file: "t.yaml")
    let limits = RateLimit.read(document.root.section("limits"))
    let error = #expect(throws: ConfigMistakes.self) { try document.finish() }
    let found = try #require(error).mistakes.map { "\($0.line) \($0.key)" }
    #expect(
      found == [
        "2 limits.post.per", "3 limits.auth.rate", "4 limits.search.rate", "5 limits.list.burst", "5 limits.list.rate",
        "6 limits.pots", "7 limits.practice",
      ])
    #expect(limits["auth"] == RateLimit.defaults["auth"])
    #expect(limits["pots"] == nil)
  }
}

@Suite("Networks") struct NetworkTests {
  @Test(
    "a network is an IPv4 address, or the /64 of an IPv6 one",
    arguments: [
      ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
      ("2001:db8:1:2::1", "2001:db8:1:2"), ("2001:db8::1", "2001:db8:0:0"), ("2001:db8:1::", "2001:db8:1:0"), ("::1", "0:0:0:0"),
      ("1::2:3:4:5:6:7", "1:0:2:3"), ("fe80::1:2:3:4", "fe80:0:0:0"), ("unknown", "unknown"),
    ])
  func names(address: String, network: String) {
    #expect(Network.name(of: address) == network)
  }

  @Test("a household's addresses are one network, its neighbour's another")
  func neighbours() {
    #expect(Network.name(of: "2001:db8:0:7::a") == Network.name(of: "2001:db8:0:7:ffff::b"))
    #expect(Network.name(of: "2001:db8:0:7::a") != Network.name(of: "2001:db8:0:8::a"))
  }
}
