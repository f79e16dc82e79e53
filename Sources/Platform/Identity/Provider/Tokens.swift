import Database
public import Foundation
import Keys
public import Kit
import Logging
import Web

/// The answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
struct TokenAnswer: Encodable, Sendable {
  let accessToken: String
  let tokenType = "Bearer"
  let expiresIn: Int
  let refreshToken: String?
  let idToken: String?
  let scope: String

  enum CodingKeys: String, CodingKey {
    case scope
    case accessToken = "access_token"
    case tokenType = "token_type"
    case expiresIn = "expires_in"
    case refreshToken = "refresh_token"
    case idToken = "id_token"
  }
}

/// Whom an access token stands for.
public struct BearerSession: Sendable, Equatable {
  public let person: PersonID
  /// The browser's session in which the token was made.
  public let session: UUID
  public let client: String
  public let scope: Set<String>
  public let expires: Instant
  /// Claims asked for one by one.
  let claims: Set<String>
}

extension IdentityService {
  static let accessLifetime = Duration.minutes(15)
  static let idTokenLifetime = Duration.minutes(10)
  /// Parallel tabs may use one refresh token; whoever comes later has stolen it, or was stolen from.
  static let refreshGrace = Duration.seconds(10)

  private struct Family: Sendable {
    let id: UUID
    let client: String
    let person: PersonID
    let session: UUID
    let scope: [String]
    let authTime: Instant

    init(_ row: Row) throws {
      id = try row.get("family")
      client = try row.get("client")
      person = try row.get("person")
      session = try row.get("session")
      scope = try row.get("scope")
      authTime = try row.get("auth_time")
    }
  }

  // MARK: Codes

  private enum Redeeming: Sendable {
    case granted(Family, IssuedTokens, nonce: String?)
    /// The code is spent all the same.
    case refused(OAuthError)
    case unusable
  }

  /// Redeems a code, once (RFC 6749 §4.1.3). One used again is stolen: everything made from it ends.
  func redeem(_ form: Parameters, client: Client) async throws -> TokenAnswer {
    guard let code = form["code"] else { throw OAuthError(.invalidRequest, "code is missing") }
    let (digest, now) = (Secret.digest(code), clock.now())
    let outcome = try await database.transaction { [self] transaction -> Redeeming in
      // Of many at once, one finds the code unused; the others wait for its end and then find it used.
      let row = try await transaction.one(
        """
        UPDATE \(schema).authorization_code c SET used_at = \(now) FROM \(schema).token_family f
        WHERE c.digest = \(digest) AND c.used_at IS NULL AND c.expires_at > \(now)
          AND f.id = c.family AND f.client = \(client.id)
        RETURNING c.family, c.redirect_uri, c.nonce, c.code_challenge, f.client, f.person, f.session, f.scope, f.auth_time
        """)
      guard let row else { return .unusable }
      guard form["redirect_uri"] == (try row.get("redirect_uri", as: String.self)) else {
        return .refused(OAuthError(.invalidGrant, "redirect_uri is not the one the code was asked for with"))
      }
      do {
        try check(verifier: form["code_verifier"], challenge: try row.getIfPresent("code_challenge"))
      } catch let error as OAuthError {
        return .refused(error)
      }
      let family = try Family(row)
      // A sign-out, an erasure: then there is nothing to hand out.
      guard try await isOpen(family, now: now, in: transaction) else {
        return .refused(OAuthError(.invalidGrant, "the authorization has been revoked"))
      }
      let issued = try await issue(
        family, scope: family.scope, refreshes: family.scope.contains("offline_access"), now: now, in: transaction)
      return .granted(family, issued, nonce: try row.getIfPresent("nonce"))
    }
    switch outcome {
    case .granted(let family, let issued, let nonce): return try await answer(issued, of: family, nonce: nonce, now: now)
    case .refused(let error): throw error
    case .unusable:
      try await revokeFamily(ofUsedCode: digest, client: client, now: now)
      throw OAuthError(.invalidGrant, "the code is unknown, expired or used")
    }
  }

  private func check(verifier: String?, challenge: String?) throws(OAuthError) {
    switch (verifier, challenge) {
    case (nil, nil): return
    case (nil, _?): throw OAuthError(.invalidGrant, "code_verifier is missing")
    // The challenge was taken away on the road (RFC 9700 §4.8.2).
    case (_?, nil): throw OAuthError(.invalidGrant, "code_verifier without a code_challenge")
    case (let verifier?, let challenge?):
      guard (43...128).contains(verifier.utf8.count), verifier.utf8.allSatisfy(PKCE.isUnreserved),
        Secret.equal(Secret.digest(verifier).base64URL, challenge)
      else { throw OAuthError(.invalidGrant, "code_verifier does not belong to code_challenge") }
    }
  }

  private func revokeFamily(ofUsedCode digest: [UInt8], client: Client, now: Instant) async throws {
    try await database.transaction { [self] transaction in
      let revoked = try await transaction.execute(
        """
        UPDATE \(schema).token_family f SET revoked_at = \(now) FROM \(schema).authorization_code c
        WHERE c.digest = \(digest) AND c.used_at IS NOT NULL AND f.id = c.family AND f.client = \(client.id)
          AND f.revoked_at IS NULL
        """)
      guard revoked > 0 else { return }
      try await announceRevocation(in: transaction)
      logger.warning("an authorization code came twice", metadata: ["client": "\(client.id)"])
    }
  }

  /// Whether tokens of a family may be made; holds it open until the end of the transaction.
  private func isOpen(_ family: Family, now: Instant, in transaction: Transaction) async throws -> Bool {
    try await transaction.one(
      """
      SELECT 1 AS found FROM \(schema).token_family f JOIN \(schema).account a ON a.id = f.person
      WHERE f.id = \(family.id) AND f.revoked_at IS NULL AND f.expires_at > \(now) AND a.state = 'active' FOR SHARE OF f
      """) != nil
  }

  // MARK: Refresh

  private enum Refreshing: Sendable {
    case granted(Family, IssuedTokens)
    case unknown
    case reused
  }

  /// Gives a new pair for a refresh token, which is thereby spent (RFC 9700 §4.14.2).
  func refresh(_ form: Parameters, client: Client) async throws -> TokenAnswer {
    guard let token = form["refresh_token"] else { throw OAuthError(.invalidRequest, "refresh_token is missing") }
    let (digest, now) = (Secret.digest(token), clock.now())
    let asked = form["scope"]?.split(separator: " ").map(String.init)
    let outcome = try await database.transaction { [self] transaction -> Refreshing in
      let row = try await transaction.one(
        """
        SELECT t.family, t.rotated_at, t.expires_at, f.client, f.person, f.session, f.scope, f.auth_time
        FROM \(schema).refresh_token t JOIN \(schema).token_family f ON f.id = t.family
        WHERE t.digest = \(digest) AND f.client = \(client.id) FOR UPDATE OF t
        """)
      guard let row else { return .unknown }
      let family = try Family(row)
      if let rotated = try row.getIfPresent("rotated_at", as: Instant.self), now - rotated > IdentityService.refreshGrace {
        let revoked = try await transaction.execute(
          "UPDATE \(schema).token_family SET revoked_at = \(now) WHERE id = \(family.id) AND revoked_at IS NULL")
        if revoked > 0 { try await announceRevocation(in: transaction) }
        return .reused
      }
      guard try row.get("expires_at", as: Instant.self) > now, try await isOpen(family, now: now, in: transaction) else {
        return .unknown
      }
      if let asked, !Set(family.scope).isSuperset(of: asked) {
        throw OAuthError(.invalidScope, "scope is more than was granted")
      }
      try await transaction.execute(
        "UPDATE \(schema).refresh_token SET rotated_at = \(now) WHERE digest = \(digest) AND rotated_at IS NULL")
      try await transaction.execute(
        "UPDATE \(schema).token_family SET expires_at = \(now + IdentityService.refreshLifetime) WHERE id = \(family.id)")
      return .granted(
        family, try await issue(family, scope: asked ?? family.scope, refreshes: true, now: now, in: transaction))
    }
    switch outcome {
    case .granted(let family, let issued): return try await answer(issued, of: family, nonce: nil, now: now)
    case .unknown: throw OAuthError(.invalidGrant, "the refresh token is unknown, expired or revoked")
    case .reused:
      logger.warning("a refresh token came again after its rotation", metadata: ["client": "\(client.id)"])
      throw OAuthError(.invalidGrant, "the refresh token is unknown, expired or revoked")
    }
  }

  // MARK: Issue

  private struct IssuedTokens: Sendable {
    let access: String
    let refresh: String?
    let scope: [String]
  }

  private func issue(
    _ family: Family, scope: [String], refreshes: Bool, now: Instant, in transaction: Transaction
  ) async throws -> IssuedTokens {
    let issued = IssuedTokens(
      access: Secret.random(bytes: 32), refresh: refreshes ? Secret.random(bytes: 32) : nil, scope: scope)
    try await transaction.execute(
      """
      INSERT INTO \(schema).access_token (digest, family, scope, expires_at)
      VALUES (\(Secret.digest(issued.access)), \(family.id), \(scope), \(now + IdentityService.accessLifetime))
      """)
    if let refresh = issued.refresh {
      try await transaction.execute(
        """
        INSERT INTO \(schema).refresh_token (digest, family, issued_at, expires_at)
        VALUES (\(Secret.digest(refresh)), \(family.id), \(now), \(now + IdentityService.refreshLifetime))
        """)
    }
    return issued
  }

  /// Signs outside of the transaction: the keys may have to be read, and a connection that waits for another is a deadlock.
  private func answer(_ issued: IssuedTokens, of family: Family, nonce: String?, now: Instant) async throws -> TokenAnswer {
    let claims = IDTokenClaims(
      iss: issuerIdentifier, sub: family.person.description, aud: family.client,
      exp: (now + IdentityService.idTokenLifetime).seconds, iat: now.seconds, authTime: family.authTime.seconds, nonce: nonce,
      sid: family.session.text, atHash: IDTokenClaims.hash(of: issued.access))
    return TokenAnswer(
      accessToken: issued.access, expiresIn: Int(IdentityService.accessLifetime.components.seconds),
      refreshToken: issued.refresh, idToken: try await keys.sign(claims, now: now), scope: issued.scope.joined(separator: " "))
  }

  // MARK: Access tokens

  /// Whom an access token stands for, as relying parties ask.
  public func bearer(_ token: String) async throws -> (session: UUID, person: PersonID)? {
    try await session(bearer: token).map { ($0.session, $0.person) }
  }

  /// Whom an access token stands for; `nil` when it is unknown, expired or revoked. Answered from memory for some seconds; a
  /// revocation on any node is seen at once.
  public func session(bearer token: String) async throws -> BearerSession? {
    guard token.utf8.count == 43 else { return nil }
    let digest = Secret.digest(token)
    let found = try await bearers.value(for: digest) {
      let row = try await database.one(
        """
        SELECT t.scope, t.expires_at, f.person, f.session, f.client, f.claims
        FROM \(schema).access_token t JOIN \(schema).token_family f ON f.id = t.family
          JOIN \(schema).account a ON a.id = f.person
        WHERE t.digest = \(digest) AND f.revoked_at IS NULL AND a.state = 'active'
        """)
      return try row.map { row in
        BearerSession(
          person: try row.get("person"), session: try row.get("session"), client: try row.get("client"),
          scope: Set(try row.get("scope", as: [String].self)), expires: try row.get("expires_at"),
          claims: Set(try row.get("claims", as: [String].self)))
      }
    }
    return found.flatMap { $0.expires > clock.now() ? $0 : nil }
  }
}
