import Foundation
import HTTPTypes
import Keys
import Kit
import Logging
import Support
import Testing
import Web

@testable import Identity

/// What people do with their account, from the first page to the last.
@Suite struct StoryTests {
  @Test func aVisitorRegistersAndIsBackWhereSheCameFrom() async throws {
    try await withCity { city in
      let browser = Browser(city)
      let signIn = try await browser.open("\(city.jeju)/signin?return_to=/notes")
      #expect(signIn.url.hasPrefix("\(city.issuer)/signin?"))
      #expect(signIn.text.contains("제주"))
      let link = try #require(signIn.text.firstMatch(of: /href="(\/register\?continue=[^"]+)"/)).1
      let form = try await browser.open("\(city.issuer)\(link.replacing("&amp;", with: "&"))")
      let wrong = try await browser.submit(
        form, to: "/register", ["display_name": "하늘", "email": "haneul@", "password": "short"])
      #expect(wrong.status == 422)
      #expect(wrong.text.contains("하늘") && wrong.text.contains("haneul@") && !wrong.text.contains("short\""))
      let sent = try await browser.submit(
        wrong, to: "/register", ["display_name": "하늘", "email": "Haneul@example.com", "password": TestCity.password])
      #expect(sent.url == "\(city.issuer)/register/sent" && sent.text.contains("haneul@example.com"))
      #expect(try await city.count("account") == 0)
      let mail = try #require(city.mails.all.first)
      #expect(mail.to == "haneul@example.com")
      let link2 = try #require(mail.link)
      #expect(link2.hasPrefix("\(city.issuer)/confirm?token="))
      let confirm = try await browser.open(link2)
      #expect(confirm.text.contains("하늘"))
      // To look is not to confirm: mail scanners follow links.
      #expect(try await city.count("account") == 0)
      let back = try await browser.submit(confirm, to: "/confirm")
      #expect(back.url == "\(city.jeju)/notes")
      #expect(back.json == ["name": "하늘"])
      #expect(city.registered.all.count == 1)
      #expect(try await city.identity.roles(of: city.registered.all[0], at: "jeju") == ["member"])
      // At the next tenant she is signed in with one click and no typing.
      #expect(try await browser.open("\(city.cities.tenants[1].origin)/signin?return_to=/there").json == ["name": "하늘"])
      #expect(try await browser.open("\(city.city)/signin?return_to=/account").json == ["name": "하늘"])
      // The link has done its work.
      #expect(try await browser.open(link2).status == 404)
    }
  }

  @Test func aLinkOpenedInAnotherBrowserConfirmsButSignsNobodyIn() async throws {
    try await withCity { city in
      let hers = Browser(city)
      let form = try await hers.open("\(city.issuer)/register")
      _ = try await hers.submit(
        form, to: "/register", ["display_name": "미나", "email": "mina@example.com", "password": TestCity.password])
      let phone = Browser(city)
      let page = try await phone.open(try #require(city.mails.all.first?.link))
      let done = try await phone.submit(page, to: "/confirm")
      #expect(done.url.hasPrefix("\(city.issuer)/signin?confirmed=1"))
      #expect(phone.cookies["id.localhost"]?["session"] == nil)
      #expect(try await phone.signIn().status == 303)
    }
  }

  @Test func programsHaveTheSame() async throws {
    try await withCity { city in
      let program = Browser(city)
      let input: JSONValue = ["email": "p@example.com", "password": .string(TestCity.password), "display_name": "프로그램"]
      let asked = try await program.send(.post, "\(city.issuer)/register", json: input)
      #expect(asked.status == 202 && asked.json == ["status": "confirmation_sent"])
      let token = try #require(city.mails.all.first?.token)
      let confirmed = try await program.send(.post, "\(city.issuer)/confirm", json: ["token": .string(token)])
      #expect(confirmed.status == 200 && confirmed.json?["signed_in"] == true)
      #expect(try await program.open("\(city.jeju)/signin?return_to=/x").json == ["name": "프로그램"])
      #expect(try await program.send(.post, "\(city.issuer)/confirm", json: ["token": .string(token)]).status == 404)
      let other = Browser(city)
      let signedIn = try await other.send(
        .post, "\(city.issuer)/signin", json: ["email": "P@example.com", "password": .string(TestCity.password)])
      #expect(signedIn.status == 200 && signedIn.json?["display_name"] == "프로그램")
      #expect(try await other.open("\(city.jeju)/signin?return_to=/x").json == ["name": "프로그램"])
      // Out at one tenant: out everywhere.
      #expect(try await other.send(.post, "\(city.jeju)/signout", json: [:]).status == 204)
      #expect(try await other.open("\(city.jeju)/signin?return_to=/x").url.hasPrefix("\(city.issuer)/signin"))
      #expect(try await program.send(.post, "\(city.issuer)/signout", json: [:]).status == 204)
    }
  }

  @Test func signingOutAtOneTenantSignsOutEverywhereAtOnce() async throws {
    try await withCity { city in
      try await city.account()
      let stranger = try await Stranger.register(city)
      let browser = Browser(city)
      try await browser.signIn()
      for site in [city.city] + city.cities.tenants.map({ "\($0.origin)" }) {
        #expect(try await browser.open("\(site)/signin?return_to=/x").json == ["name": "미나"])
      }
      let code = try #require(try await stranger.code(browser))
      let tokens = try await stranger.redeem(city, code).json
      let access = try #require(tokens["access_token"]?.string)
      #expect(try await city.identity.bearer(access) != nil)
      let before = browser.cookies
      let page = try await browser.open("\(city.jeju)/signout")
      let out = try await browser.submit(page, to: "/signout")
      #expect(out.url == "\(city.jeju)/" && out.json == ["name": "visitor"])
      #expect(browser.trail.contains { $0.hasPrefix("\(city.issuer)/logout?id_token_hint=") })
      // Even with every cookie kept, nothing lives.
      browser.cookies = before
      for site in [city.city] + city.cities.tenants.map({ "\($0.origin)" }) {
        #expect(try await browser.send(.get, "\(site)/").json == ["name": "visitor"])
      }
      #expect(try await browser.send(.get, "\(city.issuer)/signin").text.contains("미나") == false)
      #expect(try await city.identity.bearer(access) == nil)
      #expect(try await stranger.refresh(city, (tokens["refresh_token"]?.string ?? "")).status == 400)
    }
  }

  @Test func aSessionEndedOnAnotherNodeIsSeenHere() async throws {
    try await withCity { city in
      let person = try await city.account()
      let browser = Browser(city)
      try await browser.signIn()
      #expect(try await browser.open("\(city.jeju)/signin?return_to=/x").json == ["name": "미나"])
      let listening = Task { await city.identity.run() }
      defer { listening.cancel() }
      let other = try await IdentityService(
        database: city.database, schema: TestCity.identitySchema, issuer: city.cities.issuer,
        key: MasterKey(bytes: Array(repeating: 7, count: 32)), clock: DomainClock { city.clock.now }, mail: city.mails,
        events: city.registered, logger: city.test.logger)
      // Listening may have begun after the first notification.
      for _ in 0..<100 {
        try await other.revokeSessions(of: person)
        if try await browser.send(.get, "\(city.jeju)/").json == ["name": "visitor"] { break }
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try await browser.send(.get, "\(city.jeju)/").json == ["name": "visitor"])
    }
  }

  @Test func theMailCanBeSentAgain() async throws {
    try await withCity { city in
      let browser = Browser(city)
      city.mails.breakDown()
      let form = try await browser.open("\(city.issuer)/register")
      let sent = try await browser.submit(
        form, to: "/register", ["display_name": "미나", "email": "mina@example.com", "password": TestCity.password])
      #expect(sent.status == 200 && city.mails.all.isEmpty)
      city.mails.breakDown(false)
      #expect(try await browser.submit(sent, to: "/register/again").status == 429)
      city.clock.advance(.seconds(61))
      #expect(try await browser.submit(sent, to: "/register/again").status == 200)
      let link = try #require(city.mails.all.last?.link)
      let done = try await browser.submit(try await browser.open(link), to: "/confirm")
      #expect(done.url == "\(city.city)/account")
    }
  }

  @Test func aWaitingSignInOfAnotherBrowserBeginsAnew() async throws {
    try await withCity { city in
      try await city.account()
      let browser = Browser(city)
      try await browser.signIn()
      let first = try await browser.send(.get, "\(city.jeju)/signin?return_to=/notes")
      let callback = try await browser.send(.get, try #require(first.location))
      browser.cookies["jeju.localhost"]?["signin"] = nil
      #expect(try await browser.follow(callback).json == ["name": "미나"])
      // A browser that keeps no cookies gets a page, not a round without end.
      let blocked = Browser(city)
      blocked.cookies = browser.cookies
      blocked.cookies["jeju.localhost"] = [:]
      var reply = try await blocked.send(.get, "\(city.jeju)/signin")
      for _ in 0..<8 where (300..<400).contains(reply.status) {
        blocked.cookies["jeju.localhost"] = [:]
        let location = try #require(reply.location)
        reply = try await blocked.send(.get, location.hasPrefix("/") ? "\(city.jeju)\(location)" : location)
      }
      #expect(reply.status == 400)
      #expect(reply.text.contains("로그인을 마치지 못했어요"))
    }
  }

  @Test func aRefusedSignInIsToldClearly() async throws {
    try await withCity { city in
      let browser = Browser(city)
      let begun = try await browser.send(.get, "\(city.jeju)/signin?return_to=/notes")
      let state = try #require(begun.redirected("state"))
      let iss = city.issuer
      let cancelled = try await browser.send(.get, "\(city.jeju)/signin/callback?error=access_denied&state=\(state)&iss=\(iss)")
      #expect(cancelled.status == 200 && cancelled.text.contains("로그인을 멈췄어요"))
      #expect(cancelled.text.contains("/signin?return_to=/notes") || cancelled.text.contains("return_to=&#x2F;notes"))
      // Used up: the same answer again is not of a waiting sign-in.
      #expect(try await browser.send(.get, "\(city.jeju)/signin/callback?code=x&state=\(state)&iss=\(iss)").status == 303)
      let second = try #require(try await browser.send(.get, "\(city.jeju)/signin").redirected("state"))
      #expect(
        try await browser.send(.get, "\(city.jeju)/signin/callback?code=x&state=\(second)&iss=http://evil.example").status == 400)
      let third = try #require(try await browser.send(.get, "\(city.jeju)/signin").redirected("state"))
      #expect(try await browser.send(.get, "\(city.jeju)/signin/callback?code=forged&state=\(third)&iss=\(iss)").status == 400)
      #expect(try await browser.send(.get, "\(city.jeju)/signin", headers: ["Sec-Purpose": "prefetch"]).status == 204)
    }
  }

  @Test func anAccessTokenIsASessionAtEveryTenant() async throws {
    try await withCity { city in
      let person = try await city.account()
      let stranger = try await Stranger.register(city)
      let browser = Browser(city)
      try await browser.signIn()
      let code = try #require(try await stranger.code(browser))
      let access = try #require(try await stranger.redeem(city, code).json["access_token"]?.string)
      let program = Browser(city)
      let headers = ["Authorization": "Bearer \(access)"]
      #expect(try await program.send(.get, "\(city.jeju)/x", headers: headers).json == ["name": "미나"])
      #expect(try await city.identity.roles(of: person, at: "jeju") == ["member"])
      #expect(try await program.send(.get, "\(city.jeju)/x", headers: ["Authorization": "Bearer \(access)x"]).status == 401)
      city.clock.advance(.minutes(16))
      #expect(try await program.send(.get, "\(city.jeju)/", headers: headers).json == ["name": "visitor"])
    }
  }
}
