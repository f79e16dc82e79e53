import Crypto
import Foundation
import JWTKit
import Keys

/// The claims of an ID token (OpenID Connect Core §2). Times are seconds since 1970.
struct IDTokenClaims: JWTPayload, Equatable {
  let iss: String
  let sub: String
  let aud: String
  let exp: Int64
  let iat: Int64
  let authTime: Int64
  let nonce: String?
  /// The browser's session at the issuer (OpenID Connect Front-Channel Logout §3).
  let sid: String
  /// Ties the access token to it (§3.1.3.6).
  let atHash: String?

  enum CodingKeys: String, CodingKey {
    case iss, sub, aud, exp, iat, nonce, sid
    case authTime = "auth_time"
    case atHash = "at_hash"
  }

  /// The signature is all that is checked here: a hint may be old (RP-Initiated Logout §4).
  func verify(using algorithm: some JWTAlgorithm) async throws {}

  static func hash(of accessToken: String) -> String { SHA256.hash(data: Data(accessToken.utf8)).prefix(16).base64URL }
}

/// The part of a JWT's header that decides how it is checked. Nothing else in it is looked at: not `jku`, not `x5u`, not `jwk`.
struct IDTokenHeader: Decodable {
  let alg: String
  let kid: String?
  let crit: [String]?

  /// `nil` when the token is not three parts, or the first is no such header.
  init?(of token: String) {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let bytes = [UInt8](base64URL: String(parts[0])),
      let header = try? JSONDecoder().decode(IDTokenHeader.self, from: Data(bytes))
    else { return nil }
    self = header
  }
}
