import Foundation
import Kit
import Testing
import Web

@testable import Identity

@Suite struct PasswordTests {
  /// From the test program of the reference implementation, `test.c`.
  @Test(arguments: [
    ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
    ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
    ("differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"),
  ])
  func referenceVectors(password: String, encoded: String) {
    #expect(PasswordHasher.matches(password, encoded) == true)
    #expect(PasswordHasher.matches(password + "x", encoded) == false)
  }

  @Test func aHashIsItsOwnAndCarriesTheCosts() async throws {
    let hasher = PasswordHasher(threads: WorkerThreads())
    let (a, b) = (try await hasher.hash("correct horse"), try await hasher.hash("correct horse"))
    #expect(a != b)
    #expect(a.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
    #expect(try await hasher.verify("correct horse", against: a))
    #expect(try await !hasher.verify("correct horsf", against: a))
    #expect(!PasswordHasher.isOutdated(a))
    #expect(PasswordHasher.isOutdated("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65"))
  }

  @Test func composedAndDecomposedHangulAreOnePassword() async throws {
    let hasher = PasswordHasher(threads: WorkerThreads())
    let encoded = try await hasher.hash("한글비밀번호열글자".decomposedStringWithCanonicalMapping)
    #expect(try await hasher.verify("한글비밀번호열글자".precomposedStringWithCanonicalMapping, against: encoded))
  }

  @Test func theDecoyCostsWhatAHashCosts() {
    #expect(!PasswordHasher.isOutdated(PasswordHasher.decoy))
    #expect(PasswordHasher.matches("password", PasswordHasher.decoy) == false)
    // It is a real hash, so that the whole work is done.
    #expect(PasswordHasher.matches("no account has this password", PasswordHasher.decoy) == true)
  }

  @Test func tooMuchWaitingWorkIsRefusedAtOnce() async throws {
    let threads = WorkerThreads(count: 1, depth: 2)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<20 {
        group.addTask { (try? await threads.run { Thread.sleep(forTimeInterval: 0.05) }) == nil }
      }
      var refused = 0
      for await isRefused in group where isRefused { refused += 1 }
      #expect(refused >= 15)
    }
  }

  @Test func whatWouldWaitTooLongIsRefusedWithTheSecondsToWait() async throws {
    let threads = WorkerThreads(count: 1, depth: 1_000, longestWait: .milliseconds(100))
    // It learns how long a piece takes, and refuses by that.
    for _ in 0..<4 { try await threads.run { Thread.sleep(forTimeInterval: 0.05) } }
    let refusals = await withTaskGroup(of: Int?.self) { group in
      for _ in 0..<40 {
        group.addTask {
          do {
            try await threads.run { Thread.sleep(forTimeInterval: 0.05) }
            return nil
          } catch {
            return (error as? Problem)?.retryAfter
          }
        }
      }
      return await group.reduce(into: [Int]()) { list, seconds in if let seconds { list.append(seconds) } }
    }
    #expect(refusals.count >= 20)
    #expect(refusals.allSatisfy { $0 >= 2 })
  }

  @Test func theMemoryOfHashesIsUsedAgain() throws {
    // Each with memory that another has used before it.
    for _ in 0..<3 { #expect(PasswordHasher.matches("no account has this password", PasswordHasher.decoy) == true) }
    HashMemory.release()
    #expect(PasswordHasher.matches("no account has this password", PasswordHasher.decoy) == true)
  }

  @Test(arguments: ["password123", "1234567890", "aaaaaaaaaa", "abababababab", "mina@example.com", "hanulhanul1", "zyxwvutsrq"])
  func commonPasswordsAreKnown(password: String) {
    #expect(PasswordRules.isCommon(password, email: "mina@example.com", displayName: "hanul hanul"))
  }

  @Test func aNameThatEndsInDigitsIsKnownWithMoreBehindIt() {
    #expect(PasswordRules.isCommon("sora.20171234!", email: "sora.2017", displayName: "소라"))
    #expect(!PasswordRules.isCommon("sora.2017 and a boat", email: "sora.2017", displayName: "소라"))
  }

  @Test(arguments: ["a long enough secret", "바람이 부는 제주도", "x7#kQ9!mZ2pL"])
  func otherPasswordsAreTaken(password: String) {
    #expect(!PasswordRules.isCommon(password, email: "mina@example.com", displayName: "미나"))
  }
}

@Suite struct AddressTests {
  @Test(arguments: ["mina@example.com", " Mina@Example.COM ", "a.b+c@sub.example.co.kr", "x@a-b.kr"])
  func mailableAddressesAreTaken(text: String) {
    #expect(EmailAddress(text)?.text == text.trimmed.lowercased())
  }

  @Test(arguments: [
    "", "mina", "mina@", "@example.com", "mina@example", "a@b@c.kr", "a b@example.com", "a..b@example.com", ".a@example.com",
    "a@-b.kr", "a@b-.kr", "a@b..kr", "a@b.kr\n", "a\r\nBcc: x@y.kr@example.com", "미나@example.com", "a@예시.kr",
    String(repeating: "a", count: 65) + "@example.com",
  ])
  func whatCannotBeMailedIsRefused(text: String) {
    #expect(EmailAddress(text) == nil || text.hasSuffix("\n"))
  }

  @Test(arguments: [
    "https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example", "/\n/evil.example",
    "javascript:alert(1)", "", "evil", "/é", "/a b", "http:/evil", "///evil",
  ])
  func noPathLeadsElsewhere(text: String) { #expect(ContinuePath.read(text) == nil) }

  @Test(arguments: ["/", "/authorize?client_id=a&redirect_uri=https%3A%2F%2Fa.example", "/a//b"])
  func ownPathsAreFollowed(text: String) { #expect(ContinuePath.read(text) == text) }

  @Test(arguments: [
    "javascript:alert(1)", "data:text/html,x", "http://app.example/cb", "https://app.example/cb#f", "https://u:p@app.example/cb",
    "https://*.example/cb", "https:///cb", "cb", "/cb", "https://app.example/\\cb", "https://app.example/c b", "vbscript:x",
    "http://localhost.evil.example/cb",
  ])
  func badAddressesCantBeRegistered(uri: String) { #expect(RedirectURI.refusal(of: uri) != nil) }

  @Test(arguments: [
    "https://app.example/cb?x=1", "http://127.0.0.1:9000/cb", "http://jeju.localhost:8080/cb", "com.example.app:/cb",
  ])
  func goodAddressesCanBeRegistered(uri: String) { #expect(RedirectURI.refusal(of: uri) == nil) }
}

@Suite struct AuthorizationRequestTests {
  private let confidential = Client(
    id: "c", name: LocalizedText(ko: "앱"), secretDigest: [1], redirectURIs: ["https://app.example/cb"],
    postLogoutRedirectURIs: [],
    isFirstParty: false)
  private var publicClient: Client {
    Client(
      id: "p", name: LocalizedText(ko: "앱"), secretDigest: nil, redirectURIs: ["https://app.example/cb"],
      postLogoutRedirectURIs: [], isFirstParty: false)
  }
  private let challenge = String(repeating: "a", count: 43)

  private func parameters(_ changes: [String: String] = [:]) -> Parameters {
    Parameters(
      ["response_type": "code", "client_id": "c", "redirect_uri": "https://app.example/cb", "scope": "openid", "state": "s"]
        .merging(changes) { $1 })
  }

  private func error(_ changes: [String: String], client: Client? = nil) -> String? {
    do {
      _ = try AuthorizationRequest(parameters(changes), client: client ?? confidential)
      return nil
    } catch {
      switch error {
      case .page(let reason): return "page:\(reason)"
      case .redirect(let response): return response.parameters["error"]
      }
    }
  }

  /// The list of `identity-acceptance.md`, and its kin.
  @Test(arguments: [
    "https://app.example/cb/", "https://app.example/cb/..", "https://app.example/c", "https://app.example/cbx",
    "https://app.example/cb?x=1", "https://app.example/cb#f", "https://APP.example/cb", "https://app.example/CB",
    "https://appxexample/cb", "https://app.example.evil.example/cb", "https://app.example@evil.example/cb",
    "https://evil.example@@app.example/cb", "https://app.example/cb/..;/evil", "https://app.example/%63b",
    "https://app.example:443/cb", "http://app.example/cb", "//app.example/cb", "https://app.example\\@evil.example/cb",
    "https://app.example/cb ", " https://app.example/cb", "https://app.example/cb\u{0}", "https://app.example/cb%0d%0a",
    "https://ａpp.example/cb", "javascript:alert(1)",
  ])
  func redirectAddressesAreComparedByteByByte(uri: String) {
    #expect(error(["redirect_uri": uri]) == "page:redirect")
  }

  @Test func aCanonicallyEquivalentAddressIsAnother() {
    let client = Client(
      id: "c", name: LocalizedText(ko: "앱"), secretDigest: [1], redirectURIs: ["https://app.example/\u{E9}"],
      postLogoutRedirectURIs: [], isFirstParty: false)
    #expect(error(["redirect_uri": "https://app.example/e\u{301}"], client: client) == "page:redirect")
  }

  @Test func anUnknownClientGetsAPage() {
    #expect(throws: AuthorizationRequest.Refusal.page("client")) { try AuthorizationRequest(parameters(), client: nil) }
  }

  @Test func whatIsWrongIsToldByRedirect() {
    #expect(error([:]) == nil)
    #expect(error(["response_type": ""]) == "invalid_request")
    #expect(error(["response_type": "token"]) == "unsupported_response_type")
    #expect(error(["response_type": "code id_token"]) == "unsupported_response_type")
    #expect(error(["response_mode": "fragment"]) == "invalid_request")
    #expect(error(["scope": "profile"]) == "invalid_scope")
    #expect(error(["request": "x"]) == "request_not_supported")
    #expect(error(["request_uri": "https://x.example"]) == "request_uri_not_supported")
    #expect(error(["prompt": "none login"]) == "invalid_request")
    #expect(error(["max_age": "-1"]) == "invalid_request")
    #expect(error(["claims": "{"]) == "invalid_request")
    #expect(error(["display": "page", "acr_values": "1", "claims_locales": "se", "extra": "foobar"]) == nil)
  }

  @Test func proofKeysAreS256() {
    #expect(error(["code_challenge": challenge, "code_challenge_method": "S256"]) == nil)
    #expect(error(["code_challenge": challenge]) == "invalid_request")
    #expect(error(["code_challenge": challenge, "code_challenge_method": "plain"]) == "invalid_request")
    #expect(error(["code_challenge": "short", "code_challenge_method": "S256"]) == "invalid_request")
    #expect(error(["code_challenge_method": "S256"]) == "invalid_request")
    #expect(error([:], client: publicClient) == "invalid_request")
    #expect(error(["code_challenge": challenge, "code_challenge_method": "S256"], client: publicClient) == nil)
  }

  @Test func unknownScopesAreLeftOutAndOrderDoesNotMatter() throws {
    let request = try AuthorizationRequest(parameters(["scope": "phone email openid address"]), client: confidential)
    #expect(request.scope == ["openid", "email"])
    let claims = try AuthorizationRequest(
      parameters(["claims": #"{"userinfo":{"name":{"essential":true},"phone":null}}"#]), client: confidential)
    #expect(claims.claims == ["name"])
  }

  @Test func aParameterGivenTwiceIsRefused() {
    let twice = Parameters(
      query: "response_type=code&client_id=c&redirect_uri=https://app.example/cb&scope=openid&state=a&state=b")
    #expect(twice.doubled == ["state"])
    #expect(throws: AuthorizationRequest.Refusal.self) { try AuthorizationRequest(twice, client: confidential) }
    let uris = Parameters(query: "client_id=c&redirect_uri=https://app.example/cb&redirect_uri=https://evil.example")
    #expect(throws: AuthorizationRequest.Refusal.page("doubled")) { try AuthorizationRequest(uris, client: confidential) }
  }

  @Test func queriesAreFormEncoded() {
    #expect(Parameters(query: "scope=openid+profile&a=%2B&b=&c")["scope"] == "openid profile")
    #expect(Parameters(query: "scope=openid+profile&a=%2B&b=&c").values.count == 2)
    #expect(Parameters(query: Parameters(["a": "b c&d=한글"]).query)["a"] == "b c&d=한글")
  }

  @Test func clientSecretsAreFormEncodedInTheHeader() throws {
    let header = "Basic " + Data("a%3Ab:c+d%25".utf8).base64EncodedString()
    let found = try #require(try BasicCredentials.read(header))
    #expect(found.id == "a:b" && found.secret == "c d%")
    #expect(throws: OAuthError.self) { try BasicCredentials.read("Basic !!!") }
    #expect(try BasicCredentials.read("Bearer x") == nil)
  }
}
