import Database
import Foundation
import Keys
public import Kit
public import Web

/// An application that signs people in here (RFC 6749 §2).
struct Client: Sendable, Equatable {
  let id: String
  let name: LocalizedText
  /// `nil` for a public client: it can't keep a secret, and has PKCE.
  let secretDigest: [UInt8]?
  let redirectURIs: [String]
  let postLogoutRedirectURIs: [String]
  let isFirstParty: Bool

  var isPublic: Bool { secretDigest == nil }

  /// Whether a secret is the client's.
  func accepts(secret: String) -> Bool {
    guard let secretDigest else { return false }
    return Secret.equal(Secret.digest(secret).base64URL, secretDigest.base64URL)
  }
}

/// Why a client can't be registered.
public struct ClientRegistrationError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

extension IdentityService {
  /// Registers one of the city's own sites, or brings its registration up to date. Its secret is made from the master key:
  /// `password("client:<id>")`.
  public func registerFirstParty(id: String, name: LocalizedText, origin: Origin) async throws {
    try await save(
      Client(
        id: id, name: name, secretDigest: Secret.digest(masterKey.password("client:\(id)")),
        redirectURIs: [origin.url("/signin/callback")], postLogoutRedirectURIs: [origin.url("/")], isFirstParty: true))
  }

  /// Registers sites of the city that are not registered so yet: with hundreds of them, one query where nothing changed.
  /// - Returns: how many were.
  @discardableResult
  public func registerFirstParties(_ sites: [Site]) async throws -> Int {
    let rows = try await database.query("SELECT id, name, redirect_uris FROM \(schema).client WHERE first_party")
    var known: [String: (name: JSONValue, redirectURIs: [String])] = [:]
    for row in rows { known[try row.get("id")] = (try row.get("name"), try row.get("redirect_uris")) }
    let behind = sites.filter { site in
      guard let found = known[site.id] else { return true }
      return found.redirectURIs != [site.origin.url("/signin/callback")] || found.name["ko"]?.string != site.name.ko
        || found.name["en"]?.string != site.name.en
    }
    for site in behind { try await registerFirstParty(id: site.id, name: site.name, origin: site.origin) }
    return behind.count
  }

  /// Registers a client of others, or replaces its registration.
  ///
  /// - Parameters:
  ///   - secret: random, 32 bytes in base64url; kept as a digest only. `nil` makes a public client: its codes need PKCE.
  /// - Throws: ``ClientRegistrationError`` when an id, an address or a secret can't be taken.
  public func registerClient(
    id: String, name: LocalizedText, redirectURIs: [String], secret: String? = nil, postLogoutRedirectURIs: [String] = []
  ) async throws {
    guard (1...64).contains(id.utf8.count),
      id.utf8.allSatisfy({
        (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || "-._".utf8.contains($0)
      })
    else {
      throw ClientRegistrationError(
        description: "client id “\(id)”: expected 1 to 64 letters, digits, hyphens, dots, underscores")
    }
    guard !redirectURIs.isEmpty else { throw ClientRegistrationError(description: "client \(id): expected a redirect URI") }
    for uri in redirectURIs + postLogoutRedirectURIs {
      if let reason = RedirectURI.refusal(of: uri) {
        throw ClientRegistrationError(description: "client \(id): redirect URI \(uri): \(reason)")
      }
    }
    if let known = try await client(id), known.isFirstParty {
      throw ClientRegistrationError(description: "client \(id) is one of the city's own sites")
    }
    if let secret, secret.utf8.count < 32 {
      throw ClientRegistrationError(description: "client \(id): the secret has \(secret.utf8.count) bytes, expected 32 at least")
    }
    try await save(
      Client(
        id: id, name: name, secretDigest: secret.map { Secret.digest($0) }, redirectURIs: redirectURIs,
        postLogoutRedirectURIs: postLogoutRedirectURIs, isFirstParty: false))
  }

  private func save(_ client: Client) async throws {
    let name: JSONValue = ["ko": .string(client.name.ko), "en": client.name.en.map { .string($0) } ?? .null]
    try await database.execute(
      """
      INSERT INTO \(schema).client
        (id, name, kind, secret_digest, redirect_uris, post_logout_redirect_uris, first_party, created_at)
      VALUES (\(client.id), \(name), \(client.isPublic ? "public" : "confidential"), \(client.secretDigest),
        \(client.redirectURIs), \(client.postLogoutRedirectURIs), \(client.isFirstParty), \(clock.now()))
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, secret_digest = excluded.secret_digest,
        redirect_uris = excluded.redirect_uris, post_logout_redirect_uris = excluded.post_logout_redirect_uris,
        first_party = excluded.first_party
      """)
  }

  func client(_ id: String) async throws -> Client? {
    let row = try await database.one(
      """
      SELECT name, secret_digest, redirect_uris, post_logout_redirect_uris, first_party FROM \(schema).client WHERE id = \(id)
      """)
    guard let row else { return nil }
    let name = try row.get("name", as: JSONValue.self)
    return Client(
      id: id, name: LocalizedText(ko: name["ko"]?.string ?? id, en: name["en"]?.string),
      secretDigest: try row.getIfPresent("secret_digest"), redirectURIs: try row.get("redirect_uris"),
      postLogoutRedirectURIs: try row.get("post_logout_redirect_uris"), isFirstParty: try row.get("first_party"))
  }
}
