import Database
public import Foundation
import HTTPTypes
public import Hummingbird
import Keys
public import Kit
public import Web

/// A browser's session at the issuer.
struct BrowserSession: Sendable {
  let id: UUID
  let person: PersonID
  let authTime: Instant
}

extension IdentityService {
  static let sessionCookie = "session"
  static let sessionLifetime = Duration.days(30)
  /// How often it is noted that a session is used.
  private static let seenEvery = Duration.minutes(10)

  /// Signs a person in at this browser: a new cookie, whatever the browser brought (session fixation).
  ///
  /// The session of someone else in this browser ends; her own goes on under a new secret, so that a password given again
  /// doesn't sign her out at the tenants.
  func startSession(_ person: PersonID, visit: Visit) async throws {
    let token = Secret.random(bytes: 32)
    let now = visit.now
    let expires = now + IdentityService.sessionLifetime
    let agent = UserAgent.summary(visit.request.headers[.userAgent] ?? "")
    let present = visit.session.flatMap { $0.proof == .cookie ? $0 : nil }
    try await database.transaction { [self] transaction in
      var continued = 0
      if let present, present.person == person {
        continued = try await transaction.execute(
          """
          UPDATE \(schema).browser_session
          SET token_digest = \(Secret.digest(token)), auth_time = \(now), last_seen = \(now), expires_at = \(expires)
          WHERE id = \(present.id) AND revoked_at IS NULL
          """)
      } else if let present {
        try await revoke(session: present.id, actor: present.person, now: now, in: transaction)
      }
      if continued == 0 {
        let id = UUID.v7(at: now)
        try await transaction.execute(
          """
          INSERT INTO \(schema).browser_session
            (id, person, token_digest, auth_time, created_at, last_seen, expires_at, user_agent)
          VALUES (\(id), \(person), \(Secret.digest(token)), \(now), \(now), \(now), \(expires), \(agent))
          """)
        try await audit("session.started", actor: person, subject: id, at: now, in: transaction)
      }
    }
    visit.setCookie(IdentityService.sessionCookie, token, maxAge: Int(IdentityService.sessionLifetime.components.seconds))
  }

  /// Ends a session, and with it every token made in it, in the transaction.
  func revoke(session: UUID, actor: PersonID?, now: Instant, in transaction: Transaction) async throws {
    let ended = try await transaction.execute(
      "UPDATE \(schema).browser_session SET revoked_at = \(now) WHERE id = \(session) AND revoked_at IS NULL")
    guard ended == 1 else { return }
    try await transaction.execute(
      "UPDATE \(schema).token_family SET revoked_at = \(now) WHERE session = \(session) AND revoked_at IS NULL")
    try await announceRevocation(in: transaction)
    try await audit("session.ended", actor: actor, subject: session, at: now, in: transaction)
  }

  /// Signs out everywhere: ends a session at the issuer, at every relying party, and every token made in it.
  public func revoke(session: UUID, actor: PersonID? = nil) async throws {
    let now = clock.now()
    try await database.transaction { [self] in try await revoke(session: session, actor: actor, now: now, in: $0) }
  }

  /// Ends all sessions of a person: an operator's measure, and what a changed password asks for.
  public func revokeSessions(of person: PersonID, actor: PersonID? = nil) async throws {
    let now = clock.now()
    try await database.transaction { [self] in try await revokeSessions(of: person, actor: actor, now: now, in: $0) }
  }

  /// Ends all sessions of a person in the transaction.
  func revokeSessions(of person: PersonID, actor: PersonID?, now: Instant, in transaction: Transaction) async throws {
    let rows = try await transaction.query(
      "SELECT id FROM \(schema).browser_session WHERE person = \(person) AND revoked_at IS NULL ORDER BY id FOR UPDATE")
    for row in rows { try await revoke(session: try row.get("id"), actor: actor, now: now, in: transaction) }
  }

  /// Whether a session lives. Answered from memory for some seconds; a revocation on any node is seen at once.
  public func isLive(session: UUID) async throws -> Bool {
    let expires = try await liveSessions.value(for: session) {
      let row = try await database.one(
        """
        SELECT s.expires_at FROM \(schema).browser_session s JOIN \(schema).account a ON a.id = s.person
        WHERE s.id = \(session) AND s.revoked_at IS NULL AND a.state = 'active'
        """)
      return try row?.get("expires_at", as: Instant.self)
    }
    return expires.map { $0 > clock.now() } ?? false
  }

  /// Whether a session lives, as far as it is known from the last seconds; `nil` when it has to be asked.
  public func remembersLive(session: UUID) -> Bool? {
    guard let known = liveSessions[session] else { return nil }
    return known.map { $0 > clock.now() } ?? false
  }

  func browserSession(_ id: UUID, now: Instant) async throws -> BrowserSession? {
    let row = try await database.one(
      """
      SELECT person, auth_time FROM \(schema).browser_session
      WHERE id = \(id) AND revoked_at IS NULL AND expires_at > \(now)
      """)
    return try row.map { BrowserSession(id: id, person: try $0.get("person"), authTime: try $0.get("auth_time")) }
  }

  /// Who a session cookie's secret belongs to.
  func session(cookie token: String, now: Instant) async throws -> Session? {
    guard token.utf8.count == 43 else { return nil }
    let row = try await database.one(
      """
      SELECT s.id, s.person, s.last_seen, a.display_name,
        ARRAY(SELECT role FROM \(schema).membership m WHERE m.person = s.person AND m.tenant = \(IdentityService.city)) AS roles
      FROM \(schema).browser_session s JOIN \(schema).account a ON a.id = s.person
      WHERE s.token_digest = \(Secret.digest(token)) AND s.revoked_at IS NULL AND s.expires_at > \(now) AND a.state = 'active'
      """)
    guard let row else { return nil }
    let id = try row.get("id", as: UUID.self)
    if now - (try row.get("last_seen", as: Instant.self)) > IdentityService.seenEvery {
      try await database.execute("UPDATE \(schema).browser_session SET last_seen = \(now) WHERE id = \(id)")
    }
    return Session(
      id: id, person: try row.get("person"), displayName: try row.get("display_name"), proof: .cookie,
      roles: Set(try row.get("roles", as: [String].self)))
  }
}

/// The sessions of the issuer's own site.
public struct IssuerSessions: SessionReader {
  private let service: IdentityService
  public init(_ service: IdentityService) { self.service = service }

  public func session(of request: Request, on site: Site) async throws -> Session? {
    guard let cookie = request.cookies[site.cookieName(IdentityService.sessionCookie)] else { return nil }
    return try await service.session(cookie: cookie.value, now: service.clock.now())
  }
}

/// What is kept of a `User-Agent`: enough for a person to know her own device by.
enum UserAgent {
  static func summary(_ header: String) -> String {
    let browsers = [
      ("Edg/", "Edge"), ("Whale/", "Whale"), ("SamsungBrowser/", "Samsung Internet"), ("OPR/", "Opera"), ("Firefox/", "Firefox"),
      ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ]
    let systems = [
      ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
      ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    ]
    let found = [browsers, systems].compactMap { known in known.first { header.contains($0.0) }?.1 }
    return found.isEmpty ? "" : found.joined(separator: ", ")
  }
}
