import Database
import Foundation
import HTTPTypes
import Hummingbird
import Jobs
import Keys
import Kit
import Logging
import NIOCore
import Support
import Synchronization
import TenantKit
import Web

@testable import Town

/// A town on a database of its own, with doubles for what the platform gives it.
struct TownBench: Sendable {
  let town: Town
  let clock: SettableClock
  let people = People()
  let asker = PersonID(UUID())
  let answerer = PersonID(UUID())
  let other = PersonID(UUID())
  private let site: Site
  private let cities: CityMap

  static func with<R: Sendable>(_ body: (TownBench) async throws -> R) async throws -> R {
    try await withDatabase { test in
      let platform = try OutboxTable.migrations
      let own = try Migration.read(Town.resources.filter { $0.key.hasSuffix(".sql") })
      let database = try await test.makeSchema(
        Schema("jeju")!, migrations: platform + own.map { .init(number: $0.number + platform.count, name: $0.name, sql: $0.sql) },
        pool: PoolSettings(connections: 8))
      let result = try await body(try TownBench(database))
      await database.close()
      return result
    }
  }

  private init(_ database: Database) throws {
    let schema = Schema("jeju")!
    let zone = TimeZone(identifier: "Asia/Seoul")!
    func site(_ id: String, _ tenant: TenantID? = nil) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: LocalizedText(ko: "제주", en: "Jeju"),
        summary: LocalizedText(ko: "요약", en: "Summary"), look: Look(accent: Colour("#E8590C")!, mark: "제"),
        languages: [.ko, .en], timeZone: zone, tenant: tenant)
    }
    self.site = site("jeju", TenantID("jeju"))
    cities = CityMap(city: site("city"), issuer: site("id"), tenants: [self.site], isDevelopment: true)
    clock = SettableClock()
    let names = [asker: "하늘", answerer: "바다", other: "오름"]
    people.names.withLock { $0 = names }
    town = Town(
      tenant: Tenant(id: TenantID("jeju")!, site: self.site, schema: schema), settings: TownSettings(area: .jeju),
      services: TenantServices(
        database: database, outbox: TestOutbox(table: OutboxTable(schema: schema, tenant: TenantID("jeju")) {}),
        entitlements: Open(), people: people, points: people, content: Open(), clock: clock.domain))
  }

  var now: Instant { clock.domain.now() }

  func draft(_ title: String = "성산일출봉 주차 괜찮나요?", _ more: [String: JSONValue] = [:]) throws -> QuestionDraft {
    let values: [String: JSONValue] = ["title": .string(title), "body": "아이 둘과 가요.", "category": "traffic"]
    return try QuestionDraft(Input(values.merging(more) { $1 }), area: .jeju)
  }

  /// A new question of the asker's, a minute after the last thing.
  @discardableResult
  func ask(_ title: String = "성산일출봉 주차 괜찮나요?", _ more: [String: JSONValue] = [:], by person: PersonID? = nil) async throws -> UUID
  {
    clock.move(.minutes(1))
    return try await town.ask(try draft(title, more), by: person ?? asker, key: nil, at: now).id
  }

  func answer(_ question: UUID, by person: PersonID? = nil) async throws -> UUID {
    clock.move(.minutes(1))
    return try await town.answer(question, AnswerDraft(body: "새벽에 오세요."), by: person ?? answerer, key: nil, at: now)
  }

  func titles(_ query: [String: String]) async throws -> [String] {
    try await town.questions(try QuestionFilter { query[$0] }).page.map(\.title)
  }

  /// What waits in the outbox, by type.
  func events(_ type: String) async throws -> [JSONValue] {
    try await town.database.query(
      "SELECT payload FROM \(town.schema).outbox WHERE type = \(type) ORDER BY seq"
    ).map { try $0.get("payload") }
  }

  func verbs(of person: PersonID) async throws -> [String] {
    try await events("activity.recorded").filter { $0["person"]?.string == person.description }.compactMap { $0["verb"]?.string }
  }

  // MARK: Requests

  struct Reply {
    let status: Int
    let text: String
    let location: String?
    var json: JSONValue? { try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }
  }

  enum Client { case person, program }

  /// One request on the town's site. A bearer token stands for the sign-in of both, so that no form token is asked for.
  func send(
    _ method: HTTPRequest.Method, _ path: String, as person: PersonID? = nil, _ client: Client = .program,
    body: JSONValue? = nil, form: String? = nil, key: String? = nil, language: String = "ko"
  ) async throws -> Reply {
    let fixed = Fixed(person: person)
    let router = SiteRouter(
      routes: Town.endpoints.map(SiteRouter.Route.init), renderer: try Renderer([("town", Town.resources)]), sessions: fixed,
      limiter: fixed, key: MasterKey(bytes: Array(repeating: 1, count: 32)))
    var fields = HTTPFields()
    fields[.accept] = client == .program ? "application/json" : "text/html"
    fields[.acceptLanguage] = language
    var bytes = Data()
    if let body {
      fields[.contentType] = "application/json"
      bytes = try JSONEncoder().encode(body)
    } else if let form {
      fields[.contentType] = "application/x-www-form-urlencoded"
      bytes = Data(form.utf8)
    }
    if let key { fields[HTTPField.Name("Idempotency-Key")!] = key }
    let outcome = await router.respond(
      to: Arrival(
        request: Request(
          head: HTTPRequest(method: method, scheme: "http", authority: "jeju.localhost:8080", path: path, headerFields: fields),
          body: RequestBody(buffer: ByteBuffer(bytes: bytes))),
        site: site, cities: cities, now: now, requestID: "r", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      owner: town)
    let written = Written()
    try await outcome.response.body.write(written)
    return Reply(
      status: outcome.response.status.code, text: await written.text, location: outcome.response.headers[.location])
  }
}

final class SettableClock: Sendable {
  private let time = Mutex(Instant(rfc3339: "2026-03-09T07:20:00Z")!)
  var domain: DomainClock { DomainClock { self.time.withLock { $0 } } }
  func move(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// The names and points of a few people; either can be made to fail.
final class People: PeopleDirectory, PointsBalances {
  let names = Mutex<[PersonID: String]>([:])
  let isAway = Mutex(false)

  func names(_ people: Set<PersonID>) async throws -> [PersonID: String] {
    if isAway.withLock({ $0 }) { throw Problem(.unavailable) }
    return names.withLock { $0.filter { people.contains($0.key) } }
  }
  func balance(_ person: PersonID) async throws -> Money {
    if isAway.withLock({ $0 }) { throw Problem(.unavailable) }
    return Money(60, .points)
  }
}

/// A platform without limits or library.
struct Open: Entitlements, ContentLibrary {
  func check(_ person: PersonID, _ feature: String, at tenant: TenantID) async throws -> Allowance { .unlimited }
  func consume(_ person: PersonID, _ feature: String, at tenant: TenantID, key: UUID) async throws -> Allowance { .unlimited }
  func release(_ person: PersonID, key: UUID) async throws {}
  func items(
    packages: [String], topic: String?, near difficulty: Double, excluding seen: Set<String>, limit: Int
  ) async throws
    -> [ContentItem]
  { [] }
  func item(_ id: String) async throws -> ContentItem? { nil }
  func topics(packages: [String]) async throws -> [(subject: String, topic: String, count: Int)] { [] }
}

struct TestOutbox: TenantKit.Outbox {
  let table: OutboxTable

  func emit(_ event: DomainEvent, in transaction: Transaction) throws {
    try table.write(
      Event(
        id: event.id, type: event.type, version: event.version, tenant: table.tenant, occurred: event.occurred,
        payload: event.payload), in: transaction)
  }

  func record(_ activity: Activity, in transaction: Transaction) throws {
    try table.write(
      Event(
        id: activity.id, type: "activity.recorded", tenant: table.tenant, occurred: activity.occurred,
        payload: [
          "person": .string(activity.person.description), "verb": .string(activity.verb), "path": .string(activity.objectPath),
          "name": .string(activity.objectName.ko),
        ]), in: transaction)
  }
}

private struct Fixed: SessionReader, RateLimiter {
  let person: PersonID?
  func session(of request: Request, on site: Site) async throws -> Session? {
    person.map { Session(id: UUID(), person: $0, displayName: "하늘", proof: .bearer, roles: []) }
  }
  func admit(_ rule: String, visit: Visit) async throws {}
}

/// Collects a response's body.
private actor WrittenBytes {
  var bytes: [UInt8] = []
  func add(_ more: [UInt8]) { bytes += more }
}

private struct Written: ResponseBodyWriter {
  let collected = WrittenBytes()
  var text: String { get async { String(decoding: await collected.bytes, as: UTF8.self) } }
  mutating func write(_ buffer: ByteBuffer) async throws { await collected.add(Array(buffer.readableBytesView)) }
  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
