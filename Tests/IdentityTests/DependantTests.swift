import Database
import Foundation
import HTTPTypes
import Keys
import Kit
import Support
import Testing
import Web

@testable import Identity

/// Accounts without an e-mail, in someone's care.
@Suite struct DependantTests {
  private static let childPassword = "three otters in a boat"

  private func child(
    _ city: TestCity, of guardian: PersonID, name: String = "Sora.2017", displayName: String = "소라",
    password: String = DependantTests.childPassword
  ) async throws -> PersonID {
    try await city.identity.createDependant(of: guardian, displayName: displayName, signInName: name, password: password)
  }

  /// What was refused: field, then code.
  private func refusal(_ body: () async throws -> Void) async -> [[String]]? {
    do {
      try await body()
      return nil
    } catch let problem as Problem where problem.kind == .invalidInput {
      return problem.fields.map { [$0.name, $0.code] }
    } catch {
      return [["\(error)"]]
    }
  }

  @Test func aChildSignsInByNameAndIsAPersonEverywhere() async throws {
    try await withCity { city in
      let guardian = try await city.account()
      let child = try await child(city, of: guardian)
      #expect(city.registered.all == [guardian, child])
      #expect(city.mails.all.isEmpty)
      let found = try await city.identity.dependants(of: guardian)
      #expect(found.map(\.person) == [child] && found.map(\.displayName) == ["소라"] && found.map(\.signInName) == ["sora.2017"])
      #expect(found.map(\.created) == [city.clock.now])
      #expect(try await city.identity.dependants(of: child).isEmpty)

      let browser = Browser(city)
      let page = try await browser.open("\(city.jeju)/signin?return_to=/notes")
      #expect(page.text.contains("이메일 또는 아이디") && page.text.contains("autocomplete=\"username\""))
      #expect(!page.text.contains("type=\"email\""), "a browser would refuse a name there")
      let wrong = try await browser.submit(page, to: "/signin", ["email": "sora.2017", "password": TestCity.password])
      #expect(wrong.status == 422 && wrong.text.contains("이메일(아이디) 또는 비밀번호가 맞지 않아요"))
      // A phone writes the first letter large and leaves a blank behind.
      let back = try await browser.submit(
        wrong, to: "/signin", ["email": "Sora.2017 ", "password": DependantTests.childPassword])
      #expect(back.url == "\(city.jeju)/notes" && back.json == ["name": "소라"])
      #expect(try await city.identity.roles(of: child, at: "jeju") == ["member"])
      #expect(try await city.identity.roles(of: child, at: IdentityService.city) == ["member"])
      // The guardian's own way in is what it was.
      #expect(try await Browser(city).signIn().status == 303)
      let program = try await Browser(city).send(
        .post, "\(city.issuer)/signin",
        json: ["email": "sora.2017", "password": .string(DependantTests.childPassword)])
      #expect(program.status == 200 && program.json?["person"] == .string("\(child)"))
    }
  }

  @Test func claimsHoldNoEmail() async throws {
    try await withCity { city in
      let child = try await child(city, of: try await city.account())
      let stranger = try await Stranger.register(city)
      let browser = Browser(city)
      try await browser.signIn("sora.2017", password: DependantTests.childPassword)
      let tokens = try await stranger.tokens(browser, ["claims": #"{"userinfo":{"email":{"essential":true}}}"#])
      let access = try #require(tokens["access_token"]?.string)
      #expect(
        try await city.identity.userInfo(access) == ["sub": .string("\(child)"), "name": "소라", "locale": "ko"])
    }
  }

  @Test func aGuardianSetsANewPasswordAndTheOldSessionsEnd() async throws {
    try await withCity(attempts: AttemptLimits(perAccount: 3)) { city in
      let (guardian, other) = (try await city.account(), try await city.account("jun@example.com", name: "준호"))
      let child = try await child(city, of: guardian)
      let browser = Browser(city)
      try await browser.signIn("sora.2017", password: DependantTests.childPassword)
      #expect(try await browser.open("\(city.jeju)/signin?return_to=/x").json == ["name": "소라"])
      // Nobody else may, and nobody's account can be set in this way but a dependant's.
      for (person, by) in [
        (child, other), (guardian, guardian), (other, guardian), (child, child), (PersonID(UUID.v7()), guardian),
      ] {
        await #expect(throws: Problem(.notFound)) {
          try await city.identity.setPassword("a wholly new one", ofDependant: person, by: by)
        }
      }
      #expect(
        await refusal { try await city.identity.setPassword("sora.2017", ofDependant: child, by: guardian) }
          == [["password", "tooShort"]])
      #expect(
        await refusal { try await city.identity.setPassword("sora.20171234", ofDependant: child, by: guardian) }
          == [["password", "common"]])
      #expect(try await browser.send(.get, "\(city.jeju)/x").json == ["name": "소라"])
      // She has tried so often that she is locked out.
      for _ in 0..<4 { try await Browser(city).signIn("sora.2017", password: "forgotten what") }
      #expect(try await Browser(city).signIn("sora.2017", password: DependantTests.childPassword).status == 429)

      try await city.identity.setPassword("a wholly new one", ofDependant: child, by: guardian)
      #expect(try await browser.send(.get, "\(city.jeju)/").json == ["name": "visitor"])
      #expect(try await Browser(city).signIn("sora.2017", password: DependantTests.childPassword).status == 422)
      #expect(try await Browser(city).signIn("sora.2017", password: "a wholly new one").status == 303)
      try await city.identity.verifyAudit()
      let lines = try await city.database.query(
        "SELECT action FROM \(TestCity.identitySchema).audit WHERE subject = \(child.uuid) AND actor = \(guardian) ORDER BY seq")
      #expect(try lines.map { try $0.get("action", as: String.self) } == ["account.created", "password.changed"])
    }
  }

  @Test func whatCannotBeTakenIsSaidFieldByField() async throws {
    try await withCity { city in
      let guardian = try await city.account()
      #expect(
        await refusal { _ = try await child(city, of: guardian, name: "1st", displayName: " ", password: "short") }
          == [["displayName", "required"], ["signInName", "tooShort"], ["password", "tooShort"]])
      for name in ["1sora", ".sora", "so ra", "sora@example.com", "소라소라", "sora!", "sora/2"] {
        #expect(
          await refusal { _ = try await child(city, of: guardian, name: name) } == [["signInName", "signInName"]], "\(name)")
      }
      #expect(
        await refusal { _ = try await child(city, of: guardian, displayName: "소\n라") } == [["displayName", "controlCharacters"]])
      #expect(
        await refusal { _ = try await child(city, of: guardian, name: "otter-family", password: "otter-family") }
          == [["password", "common"]])
      #expect(try await city.count("account") == 1)

      _ = try await child(city, of: guardian)
      let other = try await city.account("jun@example.com", name: "준호")
      #expect(await refusal { _ = try await child(city, of: other, name: "SORA.2017") } == [["signInName", "taken"]])
      await #expect(throws: Problem(.notFound)) { try await child(city, of: PersonID(UUID.v7()), name: "mina.1") }
      let dependant = try await city.identity.dependants(of: guardian)[0].person
      await #expect(throws: Problem(.forbidden)) { try await child(city, of: dependant, name: "mina.1") }
      #expect(try await city.count("account") == 3)
    }
  }

  @Test func aGuardianHasTenAtMostHoweverManyAtOnce() async throws {
    try await withCity { city in
      let guardian = try await city.account()
      let results = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<14 {
          group.addTask {
            await refusal { _ = try await child(city, of: guardian, name: "sora\(number)") }.map {
              #expect($0 == [["signInName", "dependants"]])
            } == nil
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results.count { $0 } == IdentityService.dependantsPerGuardian)
      #expect(try await city.identity.dependants(of: guardian).count == 10)
    }
  }

  @Test func answersDontTellWhetherANameExists() async throws {
    try await withCity(attempts: AttemptLimits(perAccount: 5, perNetwork: 1_000)) { city in
      _ = try await child(city, of: try await city.account())
      let names = ["sora.2017", "nobody.2017", "mina@example.com", "nobody@example.com", "???"]
      let times = try await SignInTimes(city, names: names)
      #expect(times.texts.count == 1)
      #expect(times.areHashed, "\(times)")
      // And all have the same limit, whatever letters are large.
      for name in ["SORA.2017", "NOBODY.2017"] {
        #expect(try await SignInTimes.attempt(name, city).status == 422)
        #expect(try await SignInTimes.attempt(name, city).status == 429)
        #expect(try await SignInTimes.attempt(name.lowercased(), city).status == 429)
      }
    }
  }

  @Test func theDatabaseHoldsWhatAnAccountIs() async throws {
    try await withCity { city in
      let guardian = try await city.account()
      let child = try await child(city, of: guardian)
      let schema = TestCity.identitySchema
      func refused(_ statement: SQL) async -> String? {
        do {
          try await city.database.execute(statement)
          return nil
        } catch { return (error as? DatabaseError)?.constraint }
      }
      #expect(await refused("UPDATE \(schema).account SET sign_in_name = NULL WHERE id = \(child)") == "account_name_check")
      for name in ["Sora", "so", "a@b.kr", "1234", String(repeating: "a", count: 31)] {
        #expect(
          await refused("UPDATE \(schema).account SET sign_in_name = \(name) WHERE id = \(child)")
            == "account_sign_in_name_check", "\(name)")
      }
      #expect(
        await refused("UPDATE \(schema).account SET email_hash = NULL WHERE id = \(guardian)").map {
          ["account_email_check", "account_name_check"].contains($0)
        } == true)
      #expect(
        await refused("UPDATE \(schema).account SET verified_at = created_at WHERE id = \(child)") == "account_email_check")
      #expect(await refused("UPDATE \(schema).account SET guardian = id WHERE id = \(child)") == "account_guardian_check")
      #expect(
        await refused("UPDATE \(schema).account SET guardian = \(UUID.v7()) WHERE id = \(child)") == "account_guardian_fkey")
      #expect(
        await refused("UPDATE \(schema).account SET sign_in_name = 'sora.2017' WHERE id = \(guardian)")
          == "account_sign_in_name_key")
    }
  }

  @Test func aChildsDataCanBeTakenAwayAndErasedAndOutlivesTheGuardian() async throws {
    try await withCity { city in
      let guardian = try await city.account()
      let sora = try await child(city, of: guardian)
      city.clock.advance(.seconds(1))
      let haru = try await child(city, of: guardian, name: "haru", displayName: "하루")
      let data = try await city.identity.export(sora)
      #expect(data["email"] == .null && data["verified_at"] == .null && data["sign_in_name"] == "sora.2017")
      #expect(data["guardian"] == .string("\(guardian)"))
      let hers = try await city.identity.export(guardian)
      #expect(hers["email"] == "mina@example.com" && hers["sign_in_name"] == .null)
      guard case .array(let dependants)? = hers["dependants"] else { return #expect(Bool(false)) }
      #expect(dependants.compactMap { $0["id"]?.string } == ["\(sora)", "\(haru)"])

      // Someone is about to register: that is not the child's, and stays.
      let input: JSONValue = ["email": "p@example.com", "password": .string(TestCity.password), "display_name": "프로그램"]
      #expect(try await Browser(city).send(.post, "\(city.issuer)/register", json: input).status == 202)
      let counts = try await city.identity.erase(sora)
      #expect(counts["account"] == 1 && counts["registration"] == 0)
      #expect(try await city.count("registration") == 1)
      #expect(try await Browser(city).signIn("sora.2017", password: DependantTests.childPassword).status == 422)

      #expect(try await city.identity.erase(guardian)["account"] == 1)
      #expect(try await city.identity.dependants(of: guardian).isEmpty)
      #expect(try await Browser(city).signIn("haru", password: DependantTests.childPassword).status == 303)
      await #expect(throws: Problem(.notFound)) {
        try await city.identity.setPassword("a wholly new one", ofDependant: haru, by: guardian)
      }
      try await city.identity.verifyAudit()
    }
  }

  @Test(arguments: ["sora", "Sora.2017", " so-ra_1 ", "abcd", "a" + String(repeating: "1", count: 29)])
  func namesAreTaken(text: String) { #expect(SignInName(text)?.text == text.trimmed.lowercased()) }

  @Test(arguments: [
    "", "abc", "a" + String(repeating: "1", count: 30), "-abc", "_abc", "ab@c", "ab c", "ab\ncd", "abcd\u{0}", "소라소라",
  ])
  func otherTextsAreNoNames(text: String) { #expect(SignInName(text) == nil) }
}
