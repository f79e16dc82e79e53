import Foundation
import HTTPTypes
import Keys
import Kit
import Testing
import Web

@testable import Identity

/// The provider as relying parties of strangers meet it.
@Suite struct ProviderTests {
  private func withSignedIn(
    isPublic: Bool = false, _ body: (TestCity, Browser, Stranger, PersonID) async throws -> Void
  ) async throws {
    try await withCity { city in
      let person = try await city.account()
      let stranger = try await Stranger.register(city, isPublic: isPublic)
      let browser = Browser(city)
      try await browser.signIn()
      try await body(city, browser, stranger, person)
    }
  }

  @Test(arguments: [false, true]) func theCodeFlowFromDiscoveryToUserinfo(isPublic: Bool) async throws {
    try await withSignedIn(isPublic: isPublic) { city, browser, stranger, person in
      let discovery = try #require(try await browser.send(.get, "\(city.issuer)/.well-known/openid-configuration").json)
      #expect(discovery["issuer"]?.string == city.issuer)
      #expect(discovery["id_token_signing_alg_values_supported"] == ["RS256"])
      let consent = try await browser.send(.get, stranger.authorize(city))
      #expect(consent.status == 200 && consent.text.contains("남의 앱"))
      let redirect = try await browser.submit(consent, to: "/consent", ["decision": "allow"])
      #expect(redirect.location?.hasPrefix("\(Stranger.redirect)?") == true)
      #expect(redirect.redirected("state") == "st" && redirect.redirected("iss") == city.issuer)
      let code = try #require(redirect.redirected("code"))
      #expect(code.utf8.count >= 43)
      let answer = try await stranger.redeem(city, code)
      #expect(answer.status == 200)
      #expect(answer.json["token_type"] == "Bearer" && answer.json["scope"] == "openid profile email offline_access")
      let token = try #require(answer.json["id_token"]?.string)
      let claims = try #require(try await city.identity.keys.verify(token, now: city.clock.now))
      #expect(claims.iss == city.issuer && claims.aud == stranger.id && claims.sub == person.description && claims.nonce == "no")
      let access = try #require(answer.json["access_token"]?.string)
      #expect(claims.atHash == Identity.IDTokenClaims.hash(of: access))
      let info: JSONValue = [
        "sub": .string(person.description), "name": "미나", "locale": "ko", "email": "mina@example.com", "email_verified": true,
      ]
      let bearer = ["Authorization": "Bearer \(access)"]
      #expect(try await browser.send(.get, "\(city.issuer)/userinfo", headers: bearer).json == info)
      #expect(try await browser.send(.post, "\(city.issuer)/userinfo", headers: bearer).json == info)
      #expect(try await browser.send(.post, "\(city.issuer)/userinfo", form: ["access_token": access]).json == info)
      let refused = try await browser.send(.get, "\(city.issuer)/userinfo", headers: ["Authorization": "Bearer x"])
      #expect(refused.status == 401 && refused.headers[.wwwAuthenticate]?.contains("invalid_token") == true)
      // Agreed once, she is not asked again.
      #expect(try await browser.send(.get, stranger.authorize(city)).redirected("code") != nil)
    }
  }

  @Test func theTokenEndpointOnTheWire() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      let code = try #require(try await stranger.code(browser))
      let basic = "Basic \(Data("\(stranger.id):\(stranger.secret!)".utf8).base64EncodedString())"
      let form = [
        "grant_type": "authorization_code", "code": code, "redirect_uri": Stranger.redirect, "code_verifier": stranger.verifier,
      ]
      let program = Browser(city)
      let wrong = try await program.send(
        .post, "\(city.issuer)/token", form: form,
        headers: ["Authorization": "Basic \(Data("stranger:x".utf8).base64EncodedString())"])
      #expect(wrong.status == 401 && wrong.json?["error"] == "invalid_client")
      #expect(wrong.headers[.wwwAuthenticate]?.hasPrefix("Basic") == true)
      let answer = try await program.send(
        .post, "\(city.issuer)/token", form: form, headers: ["Authorization": basic, "Origin": "https://app.example"])
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.headers[.cacheControl] == "no-store" && answer.headers[.contentType] == "application/json")
      let none = try await program.send(.post, "\(city.issuer)/token", form: ["grant_type": "authorization_code"])
      #expect(none.status == 401 && none.json?["error"] == "invalid_client")
      let other = try await program.send(
        .post, "\(city.issuer)/token", form: ["grant_type": "password"], headers: ["Authorization": basic])
      #expect(other.status == 400 && other.json?["error"] == "unsupported_grant_type")
    }
  }

  @Test func ofManyRedemptionsAtOnceOneSucceeds() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      let code = try #require(try await stranger.code(browser))
      let statuses = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
        for _ in 0..<24 {
          group.addTask {
            let answer = try await stranger.redeem(city, code)
            return (answer.status, answer.json["access_token"]?.string)
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses.count { $0.0 == 200 } == 1)
      #expect(statuses.allSatisfy { $0.0 == 200 || $0.0 == 400 })
      // Whoever got it, the code was seen twice: nothing made from it lives.
      for token in statuses.compactMap(\.1) { #expect(try await city.identity.bearer(token) == nil) }
    }
  }

  @Test func aCodeUsedAgainRevokesWhatCameOfIt() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      let code = try #require(try await stranger.code(browser))
      let first = try await stranger.redeem(city, code)
      let access = try #require(first.json["access_token"]?.string)
      #expect(try await city.identity.bearer(access) != nil)
      city.clock.advance(.seconds(30))
      let again = try await stranger.redeem(city, code)
      #expect(again.status == 400 && again.json["error"] == "invalid_grant")
      #expect(try await city.identity.bearer(access) == nil)
      #expect(
        try await stranger.refresh(city, (first.json["refresh_token"]?.string ?? "")).json["error"] == "invalid_grant")
    }
  }

  @Test func aCodeBelongsToItsClientItsAddressAndItsVerifier() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      let other = try await Stranger.register(city, id: "other")
      func fresh() async throws -> String { try #require(try await stranger.code(browser)) }
      #expect(
        try await other.redeem(city, try await fresh(), ["code_verifier": stranger.verifier]).json["error"] == "invalid_grant")
      #expect(try await stranger.redeem(city, try await fresh(), ["redirect_uri": "https://app.example/other"]).status == 400)
      #expect(try await stranger.redeem(city, try await fresh(), ["redirect_uri": nil]).status == 400)
      #expect(try await stranger.redeem(city, try await fresh(), ["code_verifier": nil]).json["error"] == "invalid_grant")
      #expect(
        try await stranger.redeem(city, try await fresh(), ["code_verifier": String(repeating: "x", count: 43)]).status == 400)
      // The challenge itself, as `plain` would have it.
      #expect(
        try await stranger.redeem(city, try await fresh(), ["code_verifier": Secret.digest(stranger.verifier).base64URL]).status
          == 400)
      let late = try await fresh()
      city.clock.advance(.seconds(61))
      #expect(try await stranger.redeem(city, late).json["error"] == "invalid_grant")
      // A confidential client may do without PKCE, but then no verifier may turn up.
      let without = try #require(try await stranger.code(browser, ["code_challenge": nil, "code_challenge_method": nil]))
      #expect(try await stranger.redeem(city, without).json["error"] == "invalid_grant")
      let plain = try #require(try await stranger.code(browser, ["code_challenge": nil, "code_challenge_method": nil]))
      #expect(try await stranger.redeem(city, plain, ["code_verifier": nil]).status == 200)
    }
  }

  @Test func refreshTokensRotateAndTheftIsNoticed() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      let code = try #require(try await stranger.code(browser))
      let first = try await stranger.redeem(city, code).json
      let one = try #require(first["refresh_token"]?.string)
      let narrowed = try await stranger.refresh(city, one, ["scope": "openid email"])
      #expect(narrowed.status == 200 && narrowed.json["scope"] == "openid email")
      #expect(narrowed.json["access_token"] != first["access_token"])
      let claims = try #require(
        try await city.identity.keys.verify((narrowed.json["id_token"]?.string ?? ""), now: city.clock.now))
      #expect(claims.aud == stranger.id && claims.nonce == nil)
      // Tabs side by side, within the grace: each gets its own.
      let tabs = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
        for _ in 0..<6 {
          group.addTask {
            let answer = try await stranger.refresh(city, one)
            return (answer.status, answer.json["refresh_token"]?.string)
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(tabs.allSatisfy { $0.0 == 200 } && Set(tabs.compactMap(\.1)).count == 6)
      #expect(try await stranger.refresh(city, one, ["scope": "openid admin"]).json["error"] == "invalid_scope")
      let other = try await Stranger.register(city, id: "other")
      #expect(try await other.refresh(city, tabs[0].1!).json["error"] == "invalid_grant")
      #expect(try await stranger.refresh(city, tabs[0].1!).status == 200)
      // Much later the first one turns up again: all of the family ends, and only of that family.
      let neighbour = try await stranger.tokens(browser)
      city.clock.advance(.minutes(1))
      #expect(try await stranger.refresh(city, one).json["error"] == "invalid_grant")
      #expect(try await stranger.refresh(city, tabs[1].1!).json["error"] == "invalid_grant")
      #expect(try await stranger.refresh(city, (neighbour["refresh_token"]?.string ?? "")).status == 200)
    }
  }

  @Test func tokensCanBeGivenBack() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      let tokens = try await stranger.tokens(browser)
      let (access, refresh) = (try #require(tokens["access_token"]?.string), try #require(tokens["refresh_token"]?.string))
      let other = try await Stranger.register(city, id: "other")
      #expect(try await other.post(city, "/revoke", ["token": access]).status == 200)
      #expect(try await city.identity.bearer(access) != nil)
      #expect(try await stranger.post(city, "/revoke", ["token": access]).status == 200)
      #expect(try await city.identity.bearer(access) == nil)
      #expect(try await stranger.post(city, "/revoke", ["token": "unknown"]).status == 200)
      #expect(try await stranger.post(city, "/revoke", ["token": refresh]).status == 200)
      #expect(try await stranger.refresh(city, refresh).status == 400)
      #expect(
        try await stranger.post(city, "/token", ["grant_type": "refresh_token", "refresh_token": refresh], asPost: true).status
          == 400)
    }
  }

  @Test func promptsAndAgesAreHeeded() async throws {
    try await withSignedIn { city, browser, stranger, person in
      let first = try await stranger.tokens(browser)
      let hint = try #require(first["id_token"]?.string)
      let visitor = Browser(city)
      #expect(try await visitor.send(.get, stranger.authorize(city, ["prompt": "none"])).redirected("error") == "login_required")
      #expect(
        try await browser.send(.get, stranger.authorize(city, ["prompt": "none", "id_token_hint": hint])).redirected("code")
          != nil)
      let forged = hint.split(separator: ".").dropLast().joined(separator: ".") + ".AAAA"
      #expect(
        try await browser.send(.get, stranger.authorize(city, ["id_token_hint": forged])).redirected("error") == "invalid_request"
      )
      city.clock.advance(.seconds(30))
      #expect(try await browser.send(.get, stranger.authorize(city, ["max_age": "10000"])).redirected("code") != nil)
      #expect(
        try await browser.send(.get, stranger.authorize(city, ["max_age": "1", "prompt": "none"])).redirected("error")
          == "login_required")
      for change in [["max_age": "1"], ["prompt": "login"]] {
        let asked = try await browser.send(.get, stranger.authorize(city, change.mapValues { $0 }))
        #expect(asked.location?.hasPrefix("/signin?continue=") == true)
        let page = try await browser.follow(asked)
        let done = try await browser.submit(page, to: "/signin", ["email": "mina@example.com", "password": TestCity.password])
        let token = try #require(
          try await stranger.redeem(city, (done.redirected("code") ?? "")).json["id_token"]?.string)
        let claims = try #require(try await city.identity.keys.verify(token, now: city.clock.now))
        #expect(claims.authTime == city.clock.now.seconds && claims.sub == person.description)
        city.clock.advance(.seconds(30))
      }
      let hinted = try await Browser(city).open(
        stranger.authorize(city, ["login_hint": "jun@example.com", "ui_locales": "fr en-US ko"]))
      #expect(hinted.text.contains("value=\"jun@example.com\"") && hinted.text.contains("<html lang=\"en\">"))
      let consent = try await browser.send(.get, stranger.authorize(city, ["prompt": "consent"]))
      #expect(consent.status == 200)
      let denied = try await browser.submit(consent, to: "/consent", ["decision": "deny"])
      #expect(denied.redirected("error") == "access_denied" && denied.redirected("state") == "st")
    }
  }

  @Test func anAnswerByFormHasNoCodeInAnAddress() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      _ = try await stranger.code(browser)
      let reply = try await browser.send(.get, stranger.authorize(city, ["response_mode": "form_post"]))
      #expect(reply.status == 200 && reply.location == nil)
      #expect(reply.hidden["code"] != nil && reply.hidden["state"] == "st" && reply.hidden["iss"] == city.issuer)
      #expect(reply.text.contains("action=\"\(Stranger.redirect)\""))
      #expect(reply.headers[.contentSecurityPolicy]?.contains("form-action https://app.example") == true)
      let posted = try await Browser(city).send(
        .post, "\(city.issuer)/authorize",
        form: [
          "response_type": "code", "client_id": "stranger", "redirect_uri": Stranger.redirect,
          "scope": "openid", "prompt": "none", "state": "\"><script>", "response_mode": "form_post",
        ],
        headers: ["Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"])
      #expect(posted.hidden["error"] == "login_required" && !posted.text.contains("<script>\""))
    }
  }

  @Test func anUntrustedRequestEndsAtAPage() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      for change in [["redirect_uri": "https://evil.example/"], ["client_id": "nobody"], ["redirect_uri": nil]]
        as [[String: String?]]
      {
        let reply = try await browser.send(.get, stranger.authorize(city, change))
        #expect(reply.status == 400 && reply.location == nil)
      }
    }
  }

  @Test func aLogoutLeadsOnlyWhereItIsRegistered() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      let hint = try #require(
        try await stranger.tokens(browser)["id_token"]?.string)
      func logout(_ parameters: [String: String]) async throws -> Browser.Reply {
        try await browser.send(.get, "\(city.issuer)/logout?" + Parameters.encode(parameters.map { ($0.key, $0.value) }))
      }
      let good = ["id_token_hint": hint, "post_logout_redirect_uri": "https://app.example/bye", "state": "a b"]
      let unsigned = "\(Array(#"{"alg":"none"}"#.utf8).base64URL).\(hint.split(separator: ".")[1])."
      let bad: [[String: String]] = [
        [:], ["id_token_hint": hint], ["post_logout_redirect_uri": "https://app.example/bye"],
        good.merging(["post_logout_redirect_uri": "https://app.example/bye/x"]) { $1 },
        good.merging(["post_logout_redirect_uri": "https://evil.example/"]) { $1 },
        good.merging(["id_token_hint": unsigned]) { $1 }, good.merging(["id_token_hint": hint + "x"]) { $1 },
        good.merging(["client_id": "other"]) { $1 },
      ]
      for parameters in bad {
        let reply = try await logout(parameters)
        #expect(reply.status == 200 && reply.location == nil && reply.text.contains("action=\"/signout\""))
      }
      #expect(try await browser.send(.get, stranger.authorize(city, ["prompt": "none"])).redirected("code") != nil)
      let done = try await logout(good)
      #expect(done.location == "https://app.example/bye?state=a%20b")
      #expect(try await browser.send(.get, stranger.authorize(city, ["prompt": "none"])).redirected("error") == "login_required")
      // By her own hand: the page, the button, the signed-out page.
      try await browser.signIn()
      let asked = try await logout([:])
      let out = try await browser.submit(asked, to: "/signout")
      #expect(out.url == "\(city.issuer)/signed-out")
      #expect(try await browser.send(.get, stranger.authorize(city, ["prompt": "none"])).redirected("error") == "login_required")
    }
  }

  @Test func aNewKeyIsPublishedBeforeItSigns() async throws {
    try await withSignedIn { city, browser, stranger, _ in
      func kids() async throws -> [String] {
        city.identity.keys.forget()
        guard case .array(let keys)? = try await city.identity.keys.keySet(now: city.clock.now)["keys"] else { return [] }
        return keys.compactMap { $0["kid"]?.string }
      }
      func signer() async throws -> String? {
        let code = try #require(try await stranger.code(browser))
        return try await stranger.redeem(city, code).json["id_token"]?.string.flatMap { IDTokenHeader(of: $0)?.kid }
      }
      let old = try await kids()
      #expect(old.count == 1)
      try await city.identity.rotateKeys(now: city.clock.now)
      #expect(try await kids() == old)
      city.clock.advance(.days(61))
      try await browser.signIn()
      try await city.identity.rotateKeys(now: city.clock.now)
      let both = try await kids()
      #expect(both.count == 2 && both.first == old.first)
      #expect(try await signer() == old.first)
      city.clock.advance(.hours(25))
      #expect(try await kids() == both)
      #expect(try await signer() == both.last)
      city.clock.advance(.days(32))
      #expect(try await kids() == [both.last])
      guard
        case .object(let key)? = try await city.identity.keys.keySet(now: city.clock.now)["keys"].flatMap({ keys -> JSONValue? in
          guard case .array(let all) = keys else { return nil }
          return all.first
        })
      else { return #expect(Bool(false)) }
      #expect(Set(key.keys) == ["kty", "use", "alg", "kid", "n", "e"])
    }
  }
}
