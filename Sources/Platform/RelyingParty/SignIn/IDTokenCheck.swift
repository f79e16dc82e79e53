import Foundation
import JWTKit
import Keys
import Kit

/// The claims of an ID token that a relying party goes by.
struct IDTokenClaims: JWTPayload, Equatable {
  let iss: String
  let sub: String
  let aud: Audience
  let azp: String?
  let exp: Int64
  let iat: Int64
  let nonce: String?
  let sid: String

  /// One text or a list of them (RFC 7519 §4.1.3).
  struct Audience: Codable, Sendable, Equatable {
    let values: [String]
    init(_ values: [String]) { self.values = values }
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let one = try? container.decode(String.self) { values = [one] } else { values = try container.decode([String].self) }
    }
    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(values)
    }
  }

  /// The claims are checked in ``IDTokenCheck``, which knows what to expect.
  func verify(using algorithm: some JWTAlgorithm) async throws {}
}

/// Why an ID token was refused.
enum IDTokenRefusal: String, Error {
  case malformed, algorithm, key, signature, issuer, audience, expired, issuedInFuture, nonce, subject
}

/// Checks an ID token (OpenID Connect Core §3.1.3.7).
struct IDTokenCheck: Sendable {
  let issuer: String
  let client: String
  let nonce: String
  let now: Instant
  /// How far two clocks may be apart.
  var skew = Duration.seconds(60)

  struct Person: Sendable, Equatable {
    let id: PersonID
    let sid: UUID
  }

  /// The algorithm is ours to fix, never the token's to choose: `none`, and HS256 with the public key for a secret, end here.
  func keyID(of token: String) throws(IDTokenRefusal) -> String {
    struct Header: Decodable {
      let alg: String
      let kid: String?
      let crit: [String]?
    }
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard token.utf8.count <= 16_384, parts.count == 3, let bytes = [UInt8](base64URL: String(parts[0])),
      let header = try? JSONDecoder().decode(Header.self, from: Data(bytes)), header.crit == nil
    else { throw .malformed }
    guard header.alg == "RS256" else { throw .algorithm }
    guard let kid = header.kid else { throw .key }
    return kid
  }

  /// - Parameter key: the issuer's key of the token's `kid`.
  func person(_ token: String, key: Insecure.RSA.PublicKey) async throws(IDTokenRefusal) -> Person {
    _ = try keyID(of: token)
    let collection = await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256)
    let claims: IDTokenClaims
    do {
      claims = try await collection.verify(token, as: IDTokenClaims.self)
    } catch is DecodingError {
      throw .malformed
    } catch {
      throw .signature
    }
    guard claims.iss == issuer else { throw .issuer }
    guard claims.aud.values == [client], claims.azp == nil || claims.azp == client else { throw .audience }
    guard Instant(seconds: claims.exp) > now - skew else { throw .expired }
    guard Instant(seconds: claims.iat) <= now + skew else { throw .issuedInFuture }
    guard let found = claims.nonce, Secret.equal(found, nonce) else { throw .nonce }
    guard let person = PersonID(claims.sub), let sid = UUID(uuidString: claims.sid) else { throw .subject }
    return Person(id: person, sid: sid)
  }
}
