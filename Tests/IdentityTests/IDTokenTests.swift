import CryptoExtras
import Foundation
import JWTKit
import Keys
import Kit
import Testing

@testable import RelyingParty

/// What a relying party takes for an ID token, and what not.
@Suite struct IDTokenTests {
  private static let key = try! JWTKit.Insecure.RSA.PrivateKey(backing: _RSA.Signing.PrivateKey(keySize: .bits2048))
  private static let other = try! JWTKit.Insecure.RSA.PrivateKey(backing: _RSA.Signing.PrivateKey(keySize: .bits2048))
  private let now = Instant(rfc3339: "2026-11-21T03:00:00Z")!
  private let person = UUID.v7()
  private let sid = UUID.v7()

  private var check: IDTokenCheck {
    IDTokenCheck(issuer: "http://id.localhost:8080", client: "jeju", nonce: "nonce", now: now)
  }

  private func claims(
    iss: String = "http://id.localhost:8080", sub: String? = nil, aud: [String] = ["jeju"], azp: String? = nil, exp: Int64 = 60,
    iat: Int64 = 0, nonce: String? = "nonce"
  ) -> IDTokenClaims {
    IDTokenClaims(
      iss: iss, sub: sub ?? person.text, aud: .init(aud), azp: azp, exp: now.seconds + exp, iat: now.seconds + iat, nonce: nonce,
      sid: sid.text)
  }

  private func sign(_ claims: IDTokenClaims, with key: JWTKit.Insecure.RSA.PrivateKey = key) async throws -> String {
    try await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256, kid: "k").sign(claims, kid: "k")
  }

  private func refusal(_ token: String) async -> IDTokenRefusal? {
    do {
      _ = try await check.person(token, key: IDTokenTests.key.publicKey)
      return nil
    } catch { return error }
  }

  @Test func aGoodTokenNamesThePerson() async throws {
    let token = try await sign(claims())
    #expect(try check.keyID(of: token) == "k")
    let found = try await check.person(token, key: IDTokenTests.key.publicKey)
    #expect(found == .init(id: PersonID(person), sid: sid))
  }

  @Test func eachClaimIsChecked() async throws {
    #expect(await refusal(try await sign(claims(iss: "http://evil.localhost:8080"))) == .issuer)
    #expect(await refusal(try await sign(claims(iss: "http://id.localhost:8080/"))) == .issuer)
    #expect(await refusal(try await sign(claims(aud: ["busan"]))) == .audience)
    #expect(await refusal(try await sign(claims(aud: ["jeju", "busan"]))) == .audience)
    #expect(await refusal(try await sign(claims(azp: "busan"))) == .audience)
    #expect(await refusal(try await sign(claims(exp: -61))) == .expired)
    #expect(await refusal(try await sign(claims(iat: 120))) == .issuedInFuture)
    #expect(await refusal(try await sign(claims(nonce: "other"))) == .nonce)
    #expect(await refusal(try await sign(claims(nonce: nil))) == .nonce)
    #expect(await refusal(try await sign(claims(sub: "mina"))) == .subject)
    #expect(await refusal(try await sign(claims(), with: IDTokenTests.other)) == .signature)
  }

  @Test func theAlgorithmIsNotTheTokensToChoose() async throws {
    let good = try await sign(claims()).split(separator: ".").map(String.init)
    func token(_ header: String, signature: String = "") -> String { "\(Array(header.utf8).base64URL).\(good[1]).\(signature)" }
    #expect(await refusal(token(#"{"alg":"none","kid":"k"}"#)) == .algorithm)
    #expect(await refusal(token(#"{"alg":"None","kid":"k"}"#)) == .algorithm)
    // The public key is public: as a secret of HS256 it would sign anything.
    let pem = IDTokenTests.key.publicKey.pemRepresentation
    let forged = try await JWTKeyCollection().add(hmac: HMACKey(from: pem), digestAlgorithm: .sha256, kid: "k").sign(
      claims(), kid: "k")
    #expect(await refusal(forged) == .algorithm)
    #expect(await refusal(token(#"{"alg":"RS256"}"#, signature: good[2])) == .key)
    #expect(await refusal(token(#"{"alg":"RS256","kid":"k","crit":["exp"]}"#, signature: good[2])) == .malformed)
    // A header that brings its own key, or says where to fetch one, changes nothing.
    #expect(
      await refusal(token(#"{"alg":"RS256","kid":"k","jku":"https://evil.example/jwks"}"#, signature: good[2])) == .signature)
    #expect(await refusal("\(good[0]).\(good[1]).") == .signature)
    #expect(await refusal("\(good[0]).\(good[1])") == .malformed)
    #expect(await refusal("") == .malformed)
  }

  @Test func aKeySetIsReadWithoutWhatIsNoSignatureKey() throws {
    let numbers = try IDTokenTests.key.publicKey.getKeyPrimitives()
    let (n, e) = (numbers.modulus.base64URL, numbers.publicExponent.base64URL)
    let set = """
      {"keys":[{"kty":"RSA","kid":"a","n":"\(n)","e":"\(e)"},{"kty":"RSA","use":"enc","kid":"b","n":"\(n)","e":"\(e)"},
      {"kty":"RSA","alg":"RS512","kid":"c","n":"\(n)","e":"\(e)"},{"kty":"oct","kid":"d","k":"AAAA"},{"kty":"RSA","n":"\(n)","e":"\(e)"}]}
      """
    #expect(Set(KeySetCache.read(Data(set.utf8))!.keys) == ["a"])
    #expect(KeySetCache.read(Data("[]".utf8)) == nil)
  }

  @Test func aWaitingSignInIsSealedToItsSiteAndAges() throws {
    let sealer = Sealer(MasterKey(bytes: Array(repeating: 1, count: 32)).key("t"))
    let all = (0..<5).map { PendingSignIn(returnTo: "/\($0)", isRetry: false, now: now + .seconds($0)) }
    let cookie = try PendingSignIn.seal(all, sealer: sealer, site: "jeju")
    #expect(PendingSignIn.read(cookie, sealer: sealer, site: "jeju", now: now + .minutes(5)) == Array(all.suffix(3)))
    #expect(PendingSignIn.read(cookie, sealer: sealer, site: "busan", now: now).isEmpty)
    #expect(PendingSignIn.read(cookie, sealer: sealer, site: "jeju", now: now + .hours(2)).isEmpty)
    #expect(PendingSignIn.read(String(cookie.dropLast(3)) + "abc", sealer: sealer, site: "jeju", now: now).isEmpty)
    #expect(PendingSignIn.read("x", sealer: sealer, site: "jeju", now: now).isEmpty)
  }

  @Test(arguments: [
    "https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "", "evil", "/signin", "/signin?return_to=/",
    "/signout", "/signin/callback?x",
  ])
  func onlyOwnPathsAreReturnedTo(text: String) { #expect(ReturnPath.read(text) == "/") }

  @Test func ownPathsAreKept() {
    #expect(ReturnPath.read("/questions?q=%ED%95%9C&page=2") == "/questions?q=%ED%95%9C&page=2")
    #expect(ReturnPath.read("/signing-bonus") == "/signing-bonus")
    #expect(ReturnPath.read(nil) == "/")
  }
}
