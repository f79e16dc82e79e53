import HTTPTypes
import Kit
import Testing
import Web

@testable import Gateway

@Suite("Kept answers") struct ResponseCacheTests {
  private let city: KeptCity
  init() throws { city = try KeptCity() }

  @Test("an answer is made once, and given again with an id of its own and every field the first had")
  func hit() async throws {
    let first = try await city.ask("/list")
    let second = try await city.ask("/list")
    #expect(second.text == first.text)
    #expect(city.calls("list") == 1)
    #expect(second["X-Request-Id"] != first["X-Request-Id"])
    #expect(Set(first.headers.map(\.name)) == Set(second.headers.map(\.name)))
    #expect(second["Content-Type"] == "application/json")
    #expect(second["X-Content-Type-Options"] == "nosniff")
    #expect(second["Cache-Control"] == "no-store")
    #expect(city.reports.withLock { $0.map(\.isKept) } == [false, true])
    #expect(city.reports.withLock { $0.map(\.route) } == ["/list", "/list"])
  }

  @Test("it is given at once, without waiting for anything, and HEAD has its length")
  func immediate() async throws {
    #expect(city.atOnce("/list") == nil)
    let first = try await city.ask("/list")
    #expect(city.atOnce("/list") == first.text)
    let head = try await city.ask("/list", method: .head)
    #expect(head.text.isEmpty)
    #expect(head["Content-Length"] == "\(first.text.utf8.count)")
    #expect(city.calls("list") == 1)
    city.sessions.remembers.withLock { $0 = false }
    #expect(city.atOnce("/list") == nil)
    #expect(try await city.ask("/list").text == first.text)
  }

  @Test("other fields of the query, another language and another site are other answers; their order is none")
  func keys() async throws {
    _ = try await city.ask("/list?a=1&q=tea")
    _ = try await city.ask("/list?q=tea&a=1")
    _ = try await city.ask("//list/?q=tea&a=1")
    #expect(city.calls("list") == 1)
    _ = try await city.ask("/list?q=teas&a=1")
    _ = try await city.ask("/list?q=tea&a=1", [.acceptLanguage: "en"])
    _ = try await city.ask("/list?q=tea&a=1", host: "busan.localhost:8080")
    #expect(city.calls("list") == 4)
  }

  @Test("a person's answer is hers: nobody else gets it, not even at once")
  func persons() async throws {
    #expect(try await city.ask("/mine", as: "mina").text.contains("mina"))
    #expect(city.atOnce("/mine", as: "mina")?.contains("mina") == true)
    #expect(city.atOnce("/mine", as: "hana") == nil)
    #expect(city.atOnce("/mine") == nil)
    #expect(try await city.ask("/mine", as: "hana").text.contains("hana"))
    #expect(try await city.ask("/mine").text.contains("nobody"))
    #expect(try await city.ask("/mine", as: "mina").text.contains("mina"))
    #expect(city.calls("mine") == 3)
  }

  @Test("an answer whose handler looked at who asks is hers alone, even where its route says it is everyone's")
  func sneaky() async throws {
    #expect(try await city.ask("/sneaky", as: "mina").text.contains("mina"))
    #expect(city.atOnce("/sneaky") == nil)
    #expect(try await city.ask("/sneaky", as: "hana").text.contains("hana"))
    #expect(try await city.ask("/sneaky").text.contains("nobody"))
    #expect(city.atOnce("/sneaky", as: "mina")?.contains("mina") == true)
    #expect(city.calls("sneaky") == 3)
  }

  @Test("after she signed out her answer is nobody's; under another name it is made anew")
  func signedOut() async throws {
    _ = try await city.ask("/mine", as: "mina")
    city.sessions.names.withLock { $0["mina"] = "Mina Kim" }
    #expect(city.atOnce("/mine", as: "mina") == nil)
    #expect(try await city.ask("/mine", as: "mina").text.contains("Mina Kim"))
    city.sessions.ended.withLock { _ = $0.insert("mina") }
    #expect(city.atOnce("/mine", as: "mina") == nil)
    #expect(try await city.ask("/mine", as: "mina").text.contains("nobody"))
  }

  @Test("what may not be given again is not kept: cookies, other fields of the request, pages, problems, a choice of language")
  func unkept() async throws {
    for path in ["/cookie", "/agent", "/gone", "/list?lang=en"] {
      _ = try await city.ask(path)
      #expect(city.atOnce(path) == nil)
      _ = try await city.ask(path)
    }
    #expect(city.calls("cookie") == 2)
    #expect(city.calls("agent") == 2)
    #expect(city.calls("gone") == 2)
    #expect(city.calls("list") == 2)
    let page = try await city.ask("/page", [.accept: "text/html"])
    #expect(page.text.contains("<!doctype html>"))
    #expect(city.atOnce("/page") == nil)
    #expect(try await city.ask("/page").text == #"{"n":2}"#)
    #expect(city.atOnce("/page", [.accept: "text/html"]) == nil)
    #expect(try await city.ask("/page", [.accept: "text/html"]).text.contains("<!doctype html>"))
  }

  @Test("who may not open a route gets nothing of it, though somebody's answer is kept")
  func access() async throws {
    #expect(try await city.ask("/desk", as: "operator").status == 200)
    #expect(city.atOnce("/desk", as: "operator") != nil)
    #expect(city.atOnce("/desk", as: "mina") == nil)
    #expect(try await city.ask("/desk", as: "mina").status == 403)
    #expect(try await city.ask("/desk").status == 401)
    #expect(city.calls("desk") == 1)
  }

  @Test("a touched tag takes what was made of it, of one schema, and no more; an id in a path is found in any case")
  func tags() async throws {
    let id = "0193A7B0-0000-7000-8000-000000000001"
    _ = try await city.ask("/list")
    _ = try await city.ask("/things/\(id)")
    city.cache.drop(["list"], of: "busan")
    #expect(city.atOnce("/list") != nil)
    city.cache.drop(["list"], of: "jeju")
    #expect(city.atOnce("/list") == nil)
    #expect(city.atOnce("/things/\(id)") != nil)
    city.cache.drop(["thing:\(id.lowercased())"], of: "jeju")
    #expect(city.atOnce("/things/\(id)") == nil)
    _ = try await city.ask("/mine", as: "mina")
    city.cache.drop(["mine:\(KeptCity.person("mina"))"], of: "jeju")
    #expect(city.atOnce("/mine", as: "mina") == nil)
  }

  @Test("what a person may have changed: hers goes; what anybody may have: all that is somebody's")
  func personal() async throws {
    for person in ["mina", "hana"] { _ = try await city.ask("/mine", as: person) }
    _ = try await city.ask("/list")
    city.cache.drop(person: KeptCity.person("mina"))
    #expect(city.atOnce("/mine", as: "mina") == nil)
    #expect(city.atOnce("/mine", as: "hana") != nil)
    city.cache.dropPersonal()
    #expect(city.atOnce("/mine", as: "hana") == nil)
    #expect(city.atOnce("/list") != nil)
  }

  @Test("a minute after the last look at its tags an answer is trusted no more, and at its lifetime's end it goes")
  func lifetime() async throws {
    _ = try await city.ask("/list")
    let kept = (path: "/list", language: Language.ko)
    let generation = city.directory.withLock { $0.generation }
    func isThere(_ seconds: Int) -> Bool {
      city.cache.find(generation, "jeju", kept, session: nil, now: .now + .seconds(seconds)) != nil
    }
    #expect(isThere(50))
    city.cache.looked(at: "jeju", began: .now + .seconds(50))
    #expect(isThere(100))
    city.cache.looked(at: "jeju", began: .now + .seconds(290))
    #expect(isThere(290))
    #expect(!isThere(310))
    _ = try await city.ask("/list")
    #expect(city.calls("list") == 2)
    city.cache.looked(at: "jeju", began: .now)
    #expect(!isThere(61))
  }

  @Test("under a new configuration everything is made anew")
  func generations() async throws {
    _ = try await city.ask("/list")
    let anew = city.remake()
    city.directory.withLock { $0 = anew }
    #expect(city.atOnce("/list") == nil)
    _ = try await city.ask("/list")
    #expect(city.calls("list") == 2)
  }

  @Test("a limit holds for kept answers, too")
  func limits() async throws {
    let limiter = MemoryRateLimiter(limits: ["list": RateLimit(per: .network, count: 3, period: .seconds(60))])
    let city = try KeptCity(limiter: limiter)
    _ = try await city.ask("/list")
    #expect(city.atOnce("/list") != nil)
    #expect(city.atOnce("/list") != nil)
    #expect(city.atOnce("/list") == nil)
    let refused = try await city.ask("/list")
    #expect(refused.status == 429)
    #expect(refused["Retry-After"] == "20")
  }

  @Test("a host that a site had before leads to where it is now")
  func moved() async throws {
    let reply = try await city.ask("/list?q=a%20b", host: "OLD.localhost:8080")
    #expect(reply.status == 308)
    #expect(reply["Location"] == "http://jeju.localhost:8080/list?q=a%20b")
  }

  @Test("a file of the binary is given at once")
  func assets() async throws {
    let page = try await city.ask("/page", [.accept: "text/html"])
    let path = try #require(page.text.firstMatch(of: /href="(\/assets\/app\.[0-9a-f]{12}\.css)"/)).1
    #expect(city.atOnce(String(path)) == (try await city.ask(String(path))).text)
  }
}

@Suite("Identical reads under way") struct CollapsingTests {
  private let city: KeptCity
  init() throws { city = try KeptCity() }

  /// Returns when so many requests wait for the answer another one makes.
  private func joined(_ count: Int) async throws {
    while city.cache.waiting < count { try await Task.sleep(for: .milliseconds(2)) }
  }

  @Test("many at once are computed once", .timeLimit(.minutes(1)))
  func once() async throws {
    let city = city
    try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<50 { group.addTask { try await city.ask("/slow").text } }
      await city.shop.gate.came(1)
      try await joined(49)
      city.shop.gate.open()
      var answers: Set<String> = []
      for try await text in group { answers.insert(text) }
      #expect(answers == [#"{"n":1}"#])
    }
    #expect(city.calls("slow") == 1)
    #expect(city.cache.figures.collapsed == 49)
  }

  @Test("when the one who makes it is given up, another goes on for all", .timeLimit(.minutes(1)))
  func handOver() async throws {
    let city = city
    let leader = Task { try await city.ask("/slow").status }
    await city.shop.gate.came(1)
    let followers = (0..<5).map { _ in Task { try await city.ask("/slow").text } }
    try await joined(5)
    leader.cancel()
    await city.shop.gate.came(2)
    #expect(try await leader.value == 503)
    city.shop.gate.open()
    for follower in followers { #expect(try await follower.value == #"{"n":2}"#) }
    #expect(city.calls("slow") == 2)
    #expect(city.atOnce("/slow") == #"{"n":2}"#)
  }

  @Test("one who waits may go; the others still get their answer", .timeLimit(.minutes(1)))
  func leaves() async throws {
    let city = city
    let leader = Task { try await city.ask("/slow").text }
    await city.shop.gate.came(1)
    let (goes, stays) = (Task { try await city.ask("/slow").status }, Task { try await city.ask("/slow").text })
    try await joined(2)
    goes.cancel()
    _ = try await goes.value
    city.shop.gate.open()
    #expect(try await leader.value == #"{"n":1}"#)
    #expect(try await stays.value == #"{"n":1}"#)
  }

  @Test(
    "an answer begun before a change is not kept after it, and who comes after the change doesn't get it", .timeLimit(.minutes(1))
  )
  func overtaken() async throws {
    let city = city
    let before = Task { try await city.ask("/slow").text }
    await city.shop.gate.came(1)
    city.cache.drop(["slow"], of: "jeju")
    let after = Task { try await city.ask("/slow").text }
    await city.shop.gate.came(2)
    city.shop.gate.open()
    #expect(try await before.value == #"{"n":1}"#)
    #expect(try await after.value == #"{"n":2}"#)
    #expect(city.atOnce("/slow") == #"{"n":2}"#)
    #expect(city.cache.figures.overtaken == 1)
  }
}
