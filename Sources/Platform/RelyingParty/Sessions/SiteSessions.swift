import Foundation
public import HTTPTypes
public import Hummingbird
import Keys
import Kit
import Synchronization
public import Web

/// The sessions of every site but the issuer: a cookie of that site, or an access token in `Authorization` (RFC 6750).
///
/// What a session is changes seldom and is remembered for five seconds, its roles too. Whether the session itself lives is
/// asked every time, of the authority's memory.
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

  private struct Memory {
    var known: [CacheKey: Known] = [:]
    /// How often all was forgotten. What was asked for before is not kept after.
    var generation = 0
  }

  private static let lifetime = Duration.seconds(5)
  private static let capacity = 50_000

  private let service: RelyingPartyService
  private let memory = Mutex(Memory())

  public init(_ service: RelyingPartyService) { self.service = service }

  /// Everything remembered is asked for again: a role or a session changed somewhere.
  public func forget() {
    memory.withLock { memory in
      memory.known.removeAll(keepingCapacity: true)
      memory.generation += 1
    }
  }

  public func remembered(_ head: HTTPRequest, on site: Site) -> Session?? {
    let fields = head.headerFields
    // A request that brings an access token means that one, not the cookie a browser adds by itself.
    guard fields[.authorization] == nil else { return nil }
    guard let cookie = SiteSessions.cookie(fields, on: site) else { return .some(nil) }
    guard let found = known(CacheKey(site: site.id, digest: Secret.digest(cookie))),
      let isLive = service.authority.remembersLive(found.sid)
    else { return nil }
    return .some(isLive ? found.session : nil)
  }

  public func session(of request: Request, on site: Site) async throws -> Session? {
    let generation = memory.withLock(\.generation)
    if let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") {
      return try await bearer(header.dropFirst(7).trimmed, on: site, generation: generation)
    }
    guard let cookie = SiteSessions.cookie(request.headers, on: site) else { return nil }
    let key = CacheKey(site: site.id, digest: Secret.digest(cookie))
    if let found = known(key) {
      return try await service.authority.isLive(found.sid) ? found.session : nil
    }
    guard let row = try await service.store.find(digest: key.digest, site: site.id, now: service.clock.now()),
      try await service.authority.isLive(row.sid),
      let session = try await session(id: row.id, person: row.person, proof: .cookie, on: site)
    else { return nil }
    remember(key, session, sid: row.sid, expires: row.expires, generation: generation)
    return session
  }

  /// The secret of the session's cookie, if the request has one of its form.
  private static func cookie(_ fields: HTTPFields, on site: Site) -> String? {
    guard let value = fields.cookie(site.cookieName(RelyingPartyService.sessionCookie)), value.utf8.count == 43 else {
      return nil
    }
    return String(value)
  }

  private func bearer(_ token: String, on site: Site, generation: Int) async throws -> Session? {
    guard let found = try await service.authority.bearer(token) else { return nil }
    let key = CacheKey(site: site.id, digest: Secret.digest(token))
    if let known = known(key) { return known.session }
    // A program may come to a tenant that its person has never signed in to.
    _ = try await service.authority.join(found.person, at: site.membershipName)
    guard let session = try await session(id: found.session, person: found.person, proof: .bearer, on: site) else { return nil }
    remember(key, session, sid: found.session, expires: service.clock.now() + .days(1), generation: generation)
    return session
  }

  private func session(id: UUID, person: PersonID, proof: Session.Proof, on site: Site) async throws -> Session? {
    guard let name = try await service.authority.names([person])[person] else { return nil }
    let roles = try await service.authority.roles(of: person, at: site.membershipName)
    return Session(id: id, person: person, displayName: name, proof: proof, roles: roles)
  }

  private func known(_ key: CacheKey) -> Known? {
    guard let found = memory.withLock({ $0.known[key] }), found.until > .now, found.expires > service.clock.now() else {
      return nil
    }
    return found
  }

  private func remember(_ key: CacheKey, _ session: Session, sid: UUID, expires: Instant, generation: Int) {
    let entry = Known(session: session, sid: sid, expires: expires, until: .now + SiteSessions.lifetime)
    memory.withLock { memory in
      guard memory.generation == generation else { return }
      if memory.known.count >= SiteSessions.capacity { memory.known.removeAll(keepingCapacity: true) }
      memory.known[key] = entry
    }
  }
}
