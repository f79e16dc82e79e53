import Database
import Foundation
import Keys
import Kit

/// A session at one site.
struct SiteSession: Sendable {
  let id: UUID
  let person: PersonID
  /// The issuer's session behind it.
  let sid: UUID
  let expires: Instant
}

/// The table of site sessions. A cookie's secret is kept as its digest.
struct SiteSessionStore: Sendable {
  static let lifetime = Duration.days(30)

  let database: Database
  let schema: Schema
  let sealer: Sealer

  private func context(_ id: UUID) -> String { "site-session/\(id.text)" }

  /// Makes a session.
  /// - Returns: the cookie's secret.
  func make(site: String, person: PersonID, sid: UUID, idToken: String, now: Instant) async throws -> String {
    let (token, id) = (Secret.random(bytes: 32), UUID.v7(at: now))
    try await database.execute(
      """
      INSERT INTO \(schema).site_session (digest, id, site, person, sid, id_token_sealed, created_at, expires_at)
      VALUES (\(Secret.digest(token)), \(id), \(site), \(person), \(sid), \(sealer.seal(idToken, context: context(id))), \(now),
        \(now + SiteSessionStore.lifetime))
      """)
    return token
  }

  func find(digest: [UInt8], site: String, now: Instant) async throws -> SiteSession? {
    let row = try await database.one(
      """
      SELECT id, person, sid, expires_at FROM \(schema).site_session
      WHERE digest = \(digest) AND site = \(site) AND expires_at > \(now)
      """)
    return try row.map {
      SiteSession(id: try $0.get("id"), person: try $0.get("person"), sid: try $0.get("sid"), expires: try $0.get("expires_at"))
    }
  }

  /// Ends a session.
  /// - Returns: the ID token it was made with; `nil` when there was no such session.
  func end(digest: [UInt8], site: String) async throws -> String? {
    let row = try await database.one(
      "DELETE FROM \(schema).site_session WHERE digest = \(digest) AND site = \(site) RETURNING id, id_token_sealed")
    guard let row else { return nil }
    return sealer.open(try row.get("id_token_sealed"), context: context(try row.get("id")))
  }

  func purge(now: Instant) async throws -> [String: Int] {
    ["site_session": try await database.execute("DELETE FROM \(schema).site_session WHERE expires_at <= \(now)")]
  }

  func export(_ person: PersonID) async throws -> JSONValue {
    let rows = try await database.query(
      "SELECT site, created_at FROM \(schema).site_session WHERE person = \(person) ORDER BY created_at")
    return [
      "sessions": .array(
        try rows.map { row in
          [
            "site": .string(try row.get("site")),
            "created_at": .string(try row.get("created_at", as: Instant.self).rfc3339),
          ]
        })
    ]
  }

  func erase(_ person: PersonID) async throws -> [String: Int] {
    ["site_session": try await database.execute("DELETE FROM \(schema).site_session WHERE person = \(person)")]
  }
}
