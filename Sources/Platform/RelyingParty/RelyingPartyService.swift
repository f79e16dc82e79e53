public import Database
public import Foundation
public import Keys
public import Kit
public import Web

/// How every site but the issuer signs people in: the client side of OpenID Connect, each site a client of its own whose id is
/// the site's.
public final class RelyingPartyService: Sendable {
  /// Migrations, templates and texts, by path.
  public static var resources: [String: String] { Embedded.files }

  /// The migrations of its schema.
  /// - Throws: ``Database/MigrationError``.
  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.filter { $0.key.hasSuffix(".sql") }) }
  }

  let issuer: Site
  let transport: any IssuerTransport
  let authority: any SessionAuthority
  let clock: DomainClock
  let key: MasterKey
  let sealer: Sealer
  let keySet: KeySetCache
  let store: SiteSessionStore

  /// - Parameters:
  ///   - database: connected as the login role of `schema`.
  ///   - key: the master key; each site's client secret is made from it (`password("client:<site>")`).
  ///   - issuer: the site whose origin is the issuer identifier.
  public init(
    database: Database, schema: Schema, key: MasterKey, issuer: Site, transport: any IssuerTransport,
    authority: any SessionAuthority, clock: DomainClock
  ) {
    self.issuer = issuer
    self.transport = transport
    self.authority = authority
    self.clock = clock
    self.key = key
    sealer = Sealer(key.key("relying-party:sign-in"))
    keySet = KeySetCache(transport: transport)
    store = SiteSessionStore(database: database, schema: schema, sealer: Sealer(key.key("relying-party:session")))
  }

  /// What every site answers beside its own routes.
  public static let endpoints: [Endpoint<RelyingPartyService>] = signInEndpoints + signOutEndpoints
  /// The sessions of every site but the issuer. Make one and keep it: it remembers.
  public var sessions: SiteSessions { SiteSessions(self) }

  public var routes: [SiteRouter.Route] { RelyingPartyService.endpoints.map { SiteRouter.Route($0, of: self) } }

  /// Deletes sessions that have run out.
  /// - Returns: how many rows of each table went.
  @discardableResult
  public func purgeExpired(now: Instant) async throws -> [String: Int] { try await store.purge(now: now) }

  /// All that is held here on a person.
  public func export(_ person: PersonID) async throws -> JSONValue { try await store.export(person) }

  /// Deletes what is held here on a person.
  /// - Returns: how many rows of each table went: the proof.
  public func erase(_ person: PersonID) async throws -> [String: Int] { try await store.erase(person) }
}

/// The way to the issuer's endpoints for programs: over HTTP, or in this process.
public protocol IssuerTransport: Sendable {
  /// Posts a form to a path of the issuer.
  /// - Parameter basic: client id and secret for `Authorization: Basic`.
  func post(path: String, form: [String: String], basic: (String, String)?) async throws -> (status: Int, body: Data)
  func get(path: String) async throws -> (status: Int, body: Data)
}

/// What only the issuer can say of sessions and people.
public protocol SessionAuthority: Sendable {
  /// Whether a session at the issuer has neither ended nor run out. Asked with every request: answered from memory.
  func isLive(_ session: UUID) async throws -> Bool
  /// The same, if it is known without asking anyone; `nil` when it isn't.
  func remembersLive(_ session: UUID) -> Bool?
  /// Display names. A person who is gone has none.
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String]
  /// - Parameter tenant: a tenant's id, `city`, or `console`, whose roles are a person's posts everywhere: `operator@jeju`.
  func roles(of person: PersonID, at tenant: String) async throws -> Set<String>
  /// Makes a person a member with her first sign-in there; gives her roles. Nobody becomes a member of `console`.
  func join(_ person: PersonID, at tenant: String) async throws -> Set<String>
  /// Whom an access token stands for; `nil` when it is unknown, expired or revoked.
  func bearer(_ token: String) async throws -> (session: UUID, person: PersonID)?
  /// Ends a session everywhere.
  func end(_ session: UUID) async throws
}

extension SessionAuthority {
  public func remembersLive(_ session: UUID) -> Bool? { nil }
}

extension Site {
  /// The name memberships have for this site.
  var membershipName: String { tenant?.text ?? (kind == "console" ? id : "city") }
}
