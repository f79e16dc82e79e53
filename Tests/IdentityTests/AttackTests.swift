import Database
import Foundation
import HTTPTypes
import Keys
import Kit
import RelyingParty
import Support
import Testing
import Web

@testable import Identity

/// What must fail.
@Suite struct AttackTests {
  @Test func answersDontTellWhetherAnAccountExists() async throws {
    try await withCity(attempts: AttemptLimits(perAccount: 20, perNetwork: 1_000)) { city in
      try await city.account()
      let times = try await SignInTimes(city, names: ["mina@example.com", "nobody@example.com", "nobody"], most: 16)
      #expect(times.texts.count == 1)
      #expect(times.areEven, "\(times)")

      func register(_ email: String) async throws -> Browser.Reply {
        let browser = Browser(city)
        return try await browser.send(
          .post, "\(city.issuer)/register", json: ["email": .string(email), "password": "another long one", "display_name": "누구"])
      }
      let (taken, free) = (try await register("mina@example.com"), try await register("free@example.com"))
      #expect(taken.status == 202 && taken.text == free.text)
      #expect(try await city.count("registration") == 2)
      let mails = city.mails.all
      #expect(mails.map(\.to) == ["mina@example.com", "free@example.com"])
      #expect(mails[0].token == nil && mails[0].text.contains("\(city.issuer)/signin") && mails[1].token != nil)
      // The pages say the same too.
      let browser = Browser(city)
      let form = try await browser.open("\(city.issuer)/register")
      let sent = try await browser.submit(
        form, to: "/register", ["display_name": "누구", "email": "mina@example.com", "password": "another long one"])
      #expect(sent.url == "\(city.issuer)/register/sent" && sent.status == 200)
      city.clock.advance(.seconds(61))
      #expect(try await browser.submit(sent, to: "/register/again").status == 200)
    }
  }

  @Test func guessingEndsForTheAccountAndForTheNetwork() async throws {
    try await withCity(attempts: AttemptLimits(perAccount: 5, perNetwork: 12)) { city in
      try await city.account()
      try await city.account("jun@example.com", name: "준호")
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<10 {
          group.addTask {
            try await Browser(city).send(
              .post, "\(city.issuer)/signin", json: ["email": "mina@example.com", "password": "wrong wrong wrong"]
            ).status
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      // At once or one by one: five are looked at.
      #expect(statuses.count { $0 == 422 } == 5 && statuses.count { $0 == 429 } == 5)
      // A locked account gets nothing, the right password or not.
      let right: JSONValue = ["email": "mina@example.com", "password": .string(TestCity.password)]
      let locked = try await Browser(city).send(.post, "\(city.issuer)/signin", json: right)
      #expect(locked.status == 429 && locked.headers[.retryAfter] != nil && locked.headers[values: .setCookie].isEmpty)
      #expect(try await Browser(city).signIn("jun@example.com").status == 303)
      // The network's turn: one more failure anywhere, and it is full.
      _ = try await Browser(city).signIn("nobody@example.com")
      _ = try await Browser(city).signIn("nobody@example.com")
      #expect(try await Browser(city).signIn("jun@example.com").status == 429)
      city.clock.advance(.minutes(15))
      #expect(try await Browser(city).send(.post, "\(city.issuer)/signin", json: right).status == 200)
    }
  }

  @Test func aSignInMakesANewSecretAndEndsAnothersSession() async throws {
    try await withCity { city in
      try await city.account("attacker@example.com", name: "공격자")
      try await city.account()
      let attacker = Browser(city)
      try await attacker.signIn("attacker@example.com")
      let planted = try #require(attacker.cookies["id.localhost"]?["session"])
      let victim = Browser(city)
      victim.cookies["id.localhost"] = ["session": planted]
      try await victim.signIn()
      let fresh = try #require(victim.cookies["id.localhost"]?["session"])
      #expect(fresh != planted)
      #expect(try await attacker.open("\(city.jeju)/signin?return_to=/x").url.hasPrefix("\(city.issuer)/signin"))
      // Her own session goes on under a new secret when she gives the password again.
      #expect(try await victim.open("\(city.jeju)/signin?return_to=/x").json == ["name": "미나"])
      try await victim.signIn()
      #expect(victim.cookies["id.localhost"]?["session"] != fresh)
      #expect(try await victim.send(.get, "\(city.jeju)/x").json == ["name": "미나"])
      victim.cookies["id.localhost"] = ["session": fresh]
      #expect(try await victim.send(.get, "\(city.issuer)/signout").text.contains("action=\"/signout\"") == false)
    }
  }

  @Test func formsOfOthersChangeNothing() async throws {
    try await withCity { city in
      try await city.account()
      let browser = Browser(city)
      let input = ["email": "mina@example.com", "password": TestCity.password]
      #expect(try await browser.send(.post, "\(city.issuer)/signin", form: input).status == 403)
      let page = try await browser.send(.get, "\(city.issuer)/signin")
      let crossSite = try await browser.send(
        .post, "\(city.issuer)/signin", form: page.hidden.merging(input) { $1 }, headers: ["Origin": "https://evil.example"])
      #expect(crossSite.status == 403 && browser.cookies["id.localhost"]?["session"] == nil)
      try await browser.signIn()
      for path in ["/signout", "/consent", "/register", "/confirm"] {
        #expect(try await browser.send(.post, "\(city.issuer)\(path)", form: ["a": "b"]).status == 403)
      }
      _ = try await browser.open("\(city.jeju)/signin?return_to=/x")
      #expect(try await browser.send(.post, "\(city.jeju)/signout", form: [:]).status == 403)
      #expect(try await browser.send(.get, "\(city.jeju)/x").json == ["name": "미나"])
    }
  }

  @Test(arguments: ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example"])
  func noSignInLeadsElsewhere(path: String) async throws {
    try await withCity { city in
      try await city.account()
      let browser = Browser(city)
      let page = try await browser.send(.get, "\(city.issuer)/signin?continue=\(Parameters.encode([("", path)]).dropFirst())")
      let done = try await browser.post(
        page, to: "/signin", ["email": "mina@example.com", "password": TestCity.password, "continue": path])
      #expect(done.location == "\(city.city)/signin?return_to=/account")
      let home = try await browser.open("\(city.jeju)/signin?return_to=\(Parameters.encode([("", path)]).dropFirst())")
      #expect(home.url == "\(city.jeju)/")
    }
  }

  @Test func forgedAndExpiredCookiesAreAVisitors() async throws {
    try await withCity { city in
      try await city.account()
      let browser = Browser(city)
      try await browser.signIn()
      _ = try await browser.open("\(city.jeju)/signin?return_to=/x")
      let good = browser.cookies
      browser.cookies["jeju.localhost"]?["session"] = Secret.random(bytes: 32)
      #expect(try await browser.send(.get, "\(city.jeju)/").json == ["name": "visitor"])
      // A cookie of one site is nothing at another.
      browser.cookies["busan.localhost"] = good["jeju.localhost"]
      #expect(try await browser.send(.get, "http://busan.localhost:8080/").json == ["name": "visitor"])
      browser.cookies = good
      #expect(try await browser.send(.get, "\(city.jeju)/").json == ["name": "미나"])
      city.clock.advance(.days(31))
      #expect(try await browser.send(.get, "\(city.jeju)/").json == ["name": "visitor"])
      #expect(try await city.identity.purgeExpired(now: city.clock.now)["browser_session"] == 1)
      #expect(try await city.party.purgeExpired(now: city.clock.now) == ["site_session": 1])
    }
  }

  @Test func anotherWhoBeganToRegisterTheAddressCantGoOn() async throws {
    try await withCity { city in
      func begin(_ browser: Browser, _ password: String) async throws {
        let input: JSONValue = ["email": "mina@example.com", "password": .string(password), "display_name": "미나"]
        #expect(try await browser.send(.post, "\(city.issuer)/register", json: input).status == 202)
      }
      let (attacker, owner) = (Browser(city), Browser(city))
      try await begin(attacker, "the attacker's own")
      try await begin(owner, TestCity.password)
      let tokens = city.mails.all.compactMap(\.token)
      #expect(try await owner.send(.post, "\(city.issuer)/confirm", json: ["token": .string(tokens[1])]).status == 200)
      #expect(try await attacker.send(.post, "\(city.issuer)/confirm", json: ["token": .string(tokens[0])]).status == 404)
      #expect(try await Browser(city).signIn(password: "the attacker's own").status == 422)
    }
  }

  @Test func auditLinesCantBeChangedUnnoticed() async throws {
    try await withCity { city in
      let person = try await city.account()
      try await city.identity.grant(person, at: "jeju", role: "operator")
      try await Browser(city).signIn()
      try await city.identity.revokeSessions(of: person)
      #expect(try await city.identity.verifyAudit() == 4)
      let schema = TestCity.identitySchema
      // The service's own role can add lines and nothing else.
      for statement in [
        "UPDATE \(schema).audit SET action = 'x'", "DELETE FROM \(schema).audit", "TRUNCATE \(schema).audit",
        "UPDATE \(schema).audit_head SET seq = 0", "DELETE FROM \(schema).audit_head",
        "DROP TRIGGER audit_seal ON \(schema).audit",
      ] as [SQL] {
        let error = try await #require(throws: DatabaseError.self) { try await city.database.execute(statement) }
        #expect(error.state == .insufficientPrivilege)
      }
      let admin = city.test.database
      func broken(_ statement: SQL, undo: SQL, line: Int64) async throws {
        try await admin.execute(statement)
        await #expect(throws: AuditBroken(line: line)) { try await city.identity.verifyAudit() }
        try await admin.execute(undo)
        #expect(try await city.identity.verifyAudit() == 4)
      }
      try await broken(
        "UPDATE \(schema).audit SET detail = replace(detail, 'operator', 'member') WHERE seq = 2",
        undo: "UPDATE \(schema).audit SET detail = replace(detail, 'member', 'operator') WHERE seq = 2", line: 2)
      try await broken(
        "UPDATE \(schema).audit SET at = at + interval '1 microsecond' WHERE seq = 3",
        undo: "UPDATE \(schema).audit SET at = at - interval '1 microsecond' WHERE seq = 3", line: 3)
      // Cut off, and taken out of the middle.
      try await admin.execute("CREATE TABLE \(schema).kept AS SELECT * FROM \(schema).audit")
      try await admin.execute("ALTER TABLE \(schema).audit DISABLE TRIGGER audit_seal")
      try await broken(
        "DELETE FROM \(schema).audit WHERE seq = 4",
        undo: "INSERT INTO \(schema).audit SELECT * FROM \(schema).kept WHERE seq = 4",
        line: 4)
      try await broken(
        "DELETE FROM \(schema).audit WHERE seq = 2",
        undo: "INSERT INTO \(schema).audit SELECT * FROM \(schema).kept WHERE seq = 2",
        line: 2)
    }
  }

  @Test func linesWrittenAtOnceStandInOneChain() async throws {
    try await withCity { city in
      let person = try await city.account()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<30 {
          group.addTask { try await city.identity.grant(person, at: "t\(number)", role: "member") }
        }
        try await group.waitForAll()
      }
      #expect(try await city.identity.verifyAudit() == 31)
    }
  }

  @Test func aPersonsDataCanBeTakenAwayAndErased() async throws {
    try await withCity { city in
      let person = try await city.account()
      let stranger = try await Stranger.register(city)
      let browser = Browser(city)
      try await browser.signIn()
      let tokens = try await stranger.tokens(browser)
      _ = try await browser.open("\(city.jeju)/signin?return_to=/x")
      let data = try await city.identity.export(person)
      #expect(data["email"] == "mina@example.com" && data["display_name"] == "미나")
      let counts = try await city.identity.erase(person)
      #expect(counts["account"] == 1 && counts["browser_session"] == 1 && counts["token_family"] == 2)
      #expect(try await browser.send(.get, "\(city.jeju)/").json == ["name": "visitor"])
      #expect(try await city.identity.bearer((tokens["access_token"]?.string ?? "")) == nil)
      #expect(try await city.identity.names([person]).isEmpty)
      #expect(try await city.party.erase(person) == ["site_session": 1])
      #expect(try await Browser(city).signIn().status == 422)
      // Nothing that is left names her.
      let left = try await city.test.database.query(
        "SELECT coalesce(string_agg(a::text, ''), '') FROM \(TestCity.identitySchema).audit a")
      #expect(try !left[0].get(0, as: String.self).contains("mina"))
      try await city.identity.verifyAudit()
    }
  }

  @Test func anotherMasterKeyDoesNotOpenTheKeys() async throws {
    try await withCity { city in
      await #expect(throws: SigningKeys.Unreadable.self) {
        _ = try await IdentityService(
          database: city.database, schema: TestCity.identitySchema, issuer: city.cities.issuer,
          key: MasterKey(bytes: Array(repeating: 8, count: 32)), clock: DomainClock { city.clock.now }, mail: city.mails,
          events: city.registered, logger: city.test.logger)
      }
    }
  }
}
