import Foundation
import HTTPTypes
public import Hummingbird
import Keys
import Kit
import Synchronization
public import Web

/// The sessions of every site but the issuer: a cookie of that site, or an access token in `Authorization` (RFC 6750).
///
/// What a session is changes seldom and is remembered for five seconds, its roles too: so long a role that was withdrawn
/// still opens doors. Whether the session itself lives is asked every time.
public final class SiteSessions: SessionReader {
  private struct Known: Sendable {
    let session: Session
    let sid: UUID
    let expires: Instant
    let until: ContinuousClock.Instant
  }

  private struct CacheKey: Hashable, Sendable {
    let site: String
    let digest: [UInt8]
  }

  private static let memory = Duration.seconds(5)
  private static let capacity = 50_000

  private let service: RelyingPartyService
  private let known = Mutex<[CacheKey: Known]>([:])

  public init(_ service: RelyingPartyService) { self.service = service }

  public func session(of request: Request, on site: Site) async throws -> Session? {
    // A request that brings an access token means that one, not the cookie a browser adds by itself.
    if let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") {
      return try await bearer(header.dropFirst(7).trimmed, on: site)
    }
    guard let cookie = request.cookies[site.cookieName(RelyingPartyService.sessionCookie)]?.value, cookie.utf8.count == 43
    else { return nil }
    let key = CacheKey(site: site.id, digest: Secret.digest(cookie))
    if let found = remembered(key) {
      return try await service.authority.isLive(found.sid) ? found.session : nil
    }
    guard let row = try await service.store.find(digest: key.digest, site: site.id, now: service.clock.now()),
      try await service.authority.isLive(row.sid),
      let session = try await session(id: row.id, person: row.person, proof: .cookie, on: site)
    else { return nil }
    remember(key, session, sid: row.sid, expires: row.expires)
    return session
  }

  private func bearer(_ token: String, on site: Site) async throws -> Session? {
    guard let found = try await service.authority.bearer(token) else { return nil }
    let key = CacheKey(site: site.id, digest: Secret.digest(token))
    if let known = remembered(key) { return known.session }
    // A program may come to a tenant that its person has never signed in to.
    _ = try await service.authority.join(found.person, at: site.membershipName)
    guard let session = try await session(id: found.session, person: found.person, proof: .bearer, on: site) else { return nil }
    remember(key, session, sid: found.session, expires: service.clock.now() + .days(1))
    return session
  }

  private func session(id: UUID, person: PersonID, proof: Session.Proof, on site: Site) async throws -> Session? {
    guard let name = try await service.authority.names([person])[person] else { return nil }
    let roles = try await service.authority.roles(of: person, at: site.membershipName)
    return Session(id: id, person: person, displayName: name, proof: proof, roles: roles)
  }

  private func remembered(_ key: CacheKey) -> Known? {
    guard let found = known.withLock({ $0[key] }), found.until > .now, found.expires > service.clock.now() else { return nil }
    return found
  }

  private func remember(_ key: CacheKey, _ session: Session, sid: UUID, expires: Instant) {
    let entry = Known(session: session, sid: sid, expires: expires, until: .now + SiteSessions.memory)
    known.withLock { known in
      if known.count >= SiteSessions.capacity { known.removeAll(keepingCapacity: true) }
      known[key] = entry
    }
  }
}
