import Database
import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import RelyingParty
import Support
import Synchronization
import Web

@testable import Identity

/// A city of an issuer, a portal and a town on a database of its own, entered without a socket.
struct TestCity: Sendable {
  static let identitySchema = Schema("identity")!
  static let partySchema = Schema("relying_party")!

  let cities: CityMap
  let identity: IdentityService
  let party: RelyingPartyService
  let routers: [String: SiteRouter]
  let database: Database
  let test: TestDatabase
  let mails: MailLog
  let registered: RegistrationLog
  let clock: TestClock

  var issuer: String { "\(cities.issuer.origin)" }
  var jeju: String { "\(cities.tenants[0].origin)" }
  var city: String { "\(cities.city.origin)" }

  /// Someone with an account.
  @discardableResult
  func account(
    _ email: String = "mina@example.com", password: String = TestCity.password, name: String = "미나"
  ) async throws
    -> PersonID
  {
    try await identity.ensureAccount(email: email, password: password, displayName: name, now: clock.now)
  }

  static let password = "a long enough secret"

  func count(_ table: String) async throws -> Int {
    try await database.one("SELECT count(*) FROM \(TestCity.identitySchema).\(identifier: table)")!.get(0)
  }
}

func withCity(attempts: AttemptLimits = AttemptLimits(), _ body: (TestCity) async throws -> Void) async throws {
  try await withDatabase { test in
    let database = try await test.makeSchema(TestCity.identitySchema, migrations: try IdentityService.migrations)
    let partyDatabase = try await test.makeSchema(TestCity.partySchema, migrations: try RelyingPartyService.migrations)
    func site(_ id: String, _ host: String, _ name: String, tenant: Bool = false) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: host, port: 8080), name: LocalizedText(ko: name),
        summary: LocalizedText(ko: name), look: Look(accent: Colour("#E8590C")!, mark: "제"), languages: [.ko, .en],
        timeZone: TimeZone(identifier: "Asia/Seoul")!, tenant: tenant ? TenantID(id) : nil, kind: tenant ? "town" : "city",
        menu: [])
    }
    let cities = CityMap(
      city: site("city", "localhost", "도시"), issuer: site("id", "id.localhost", "계정"),
      tenants: [site("jeju", "jeju.localhost", "제주", tenant: true), site("busan", "busan.localhost", "부산", tenant: true)],
      isDevelopment: true)
    let (mails, registered, clock) = (MailLog(), RegistrationLog(), TestClock())
    let key = MasterKey(bytes: Array(repeating: 7, count: 32))
    let identity = try await IdentityService(
      database: database, schema: TestCity.identitySchema, issuer: cities.issuer, key: key, clock: DomainClock { clock.now },
      mail: mails, events: registered, logger: test.logger, attempts: attempts, network: { _ in "192.0.2.1" })
    let party = RelyingPartyService(
      database: partyDatabase, schema: TestCity.partySchema, key: key, issuer: cities.issuer,
      transport: DirectTransport(identity: identity), authority: Authority(identity: identity), clock: DomainClock { clock.now })
    let renderer = try Renderer([("identity", IdentityService.resources), ("relyingparty", RelyingPartyService.resources)])
    let home = SiteRouter.Route(
      Endpoint<String>.get("/{page}") { _, visit in .json(["name": try visit.requireSession().displayName]) }, of: "")
    let first = SiteRouter.Route(
      Endpoint<String>.get("/") { _, visit in .json(["name": visit.session?.displayName ?? "visitor"]) }, of: "")
    let sites = SiteRouter(
      routes: party.routes + [home, first], renderer: renderer, sessions: party.sessions, limiter: NoLimits(), key: key)
    let issuer = SiteRouter(
      routes: identity.routes, renderer: renderer, sessions: identity.sessions, limiter: NoLimits(), key: key)
    for site in [cities.city] + cities.tenants {
      try await identity.registerFirstParty(id: site.id, name: site.name, origin: site.origin)
    }
    try await body(
      TestCity(
        cities: cities, identity: identity, party: party, routers: ["id": issuer, "city": sites, "jeju": sites, "busan": sites],
        database: database, test: test, mails: mails, registered: registered, clock: clock))
    await database.close()
    await partyDatabase.close()
  }
}

final class TestClock: Sendable {
  private let instant = Mutex(Instant(rfc3339: "2026-11-21T03:00:00Z")!)
  var now: Instant { instant.withLock { $0 } }
  func advance(_ duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

struct Mail: Sendable {
  let to: String
  let subject: String
  let text: String
  var link: String? { text.firstMatch(of: /http:\S+/).map { String($0.0) } }
  var token: String? { text.firstMatch(of: /token=(\S+)/).map { String($0.1) } }
}

final class MailLog: MailSender {
  private let sent = Mutex<[Mail]>([])
  private let broken = Mutex(false)
  struct Down: Error {}

  var all: [Mail] { sent.withLock { $0 } }
  func breakDown(_ isDown: Bool = true) { broken.withLock { $0 = isDown } }

  func send(to: String, subject: String, text: String, language: Language) async throws {
    if broken.withLock({ $0 }) { throw Down() }
    sent.withLock { $0.append(Mail(to: to, subject: subject, text: text)) }
  }
}

final class RegistrationLog: IdentityEvents {
  private let people = Mutex<[PersonID]>([])
  var all: [PersonID] { people.withLock { $0 } }
  func registered(_ person: PersonID, at: Instant, in: Transaction) async throws { people.withLock { $0.append(person) } }
}

struct NoLimits: RateLimiter {
  func admit(_ rule: String, visit: Visit) async throws {}
}

struct DirectTransport: IssuerTransport {
  let identity: IdentityService
  func post(path: String, form: [String: String], basic: (String, String)?) async throws -> (status: Int, body: Data) {
    try await identity.post(path: path, form: form, basic: basic)
  }
  func get(path: String) async throws -> (status: Int, body: Data) { try await identity.get(path: path) }
}

struct Authority: SessionAuthority {
  let identity: IdentityService
  func isLive(_ session: UUID) async throws -> Bool { try await identity.isLive(session: session) }
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String] { try await identity.names(people) }
  func roles(of person: PersonID, at tenant: String) async throws -> Set<String> {
    try await identity.roles(of: person, at: tenant)
  }
  func join(_ person: PersonID, at tenant: String) async throws -> Set<String> { try await identity.join(person, at: tenant) }
  func bearer(_ token: String) async throws -> (session: UUID, person: PersonID)? { try await identity.bearer(token) }
  func end(_ session: UUID) async throws { try await identity.revoke(session: session) }
}
