import Database
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Jobs
import Keys
import Kit
import Logging
import NIOCore
import Support
import Synchronization
import TenantKit
import Web

@testable import KCulture

/// A school on a database of its own, as its login role, with the platform's parts replaced by small ones in memory.
struct TestSchool: Sendable {
  static let schema = Schema("my_ktube")!
  static let site = Site(
    id: "my-ktube", origin: Origin(scheme: "http", host: "my-ktube.localhost", port: 8080),
    name: LocalizedText(ko: "My-Ktube", en: "My-Ktube"),
    summary: LocalizedText(ko: "한글부터 시작하는 한국어", en: "Korean from Hangul on"),
    look: Look(accent: Colour("#D6336C")!, mark: "한"), languages: [.ko, .en], timeZone: TimeZone(identifier: "Asia/Seoul")!,
    tenant: TenantID("my-ktube"), kind: "kculture", menu: KCulture.menu)

  let school: KCulture
  let entitlements: CountedEntitlements
  let clock: TestClock
  let database: Database
  let test: TestDatabase

  func count(_ table: String) async throws -> Int {
    try await database.one("SELECT count(*) FROM \(TestSchool.schema).\(identifier: table)")!.get(0)
  }

  /// The activities in the outbox, in their order.
  func activities() async throws -> [JSONValue] {
    try await database.query("SELECT payload FROM \(TestSchool.schema).outbox ORDER BY seq").map { try $0.get(0) }
  }

  func step(_ order: Int) async throws -> Step { try await school.courses.course().steps[order - 1] }

  /// Answers every exercise of a step; those of `wrong` are skipped.
  func complete(_ order: Int, by person: PersonID, wrong: Set<Int> = []) async throws -> Lesson {
    let step = try await step(order)
    var lesson = try await school.lessons.start(step, by: person).lesson
    for exercise in step.exercises {
      let given: GivenAnswer = wrong.contains(exercise.number) ? .skipped : .text(exercise.answer)
      lesson = try await answer(exercise, of: lesson, step, given)
    }
    return lesson
  }

  func answer(_ exercise: Exercise, of lesson: Lesson, _ step: Step, _ given: GivenAnswer) async throws -> Lesson {
    try await school.lessons.answer(
      lesson.id, of: lesson.person, step: step, exercise: exercise, with: given, name: LocalizedText(ko: "문제", en: "Exercise"))
  }

  func grade(_ card: Card, _ recall: Recall, review: Int? = nil) async throws -> Card {
    try await school.cards.grade(card.id, of: card.person, recall, review: review) { LocalizedText(ko: $0.face, en: $0.face) }
  }
}

func withSchool(limit: Int = 100, _ body: (TestSchool) async throws -> Void) async throws {
  try await withDatabase { test in
    // The platform's tables come first, as they do in a city.
    let platform = try OutboxTable.migrations
    let own = try Migration.read(KCulture.resources.filter { $0.key.hasSuffix(".sql") })
      .map { Migration(number: $0.number + platform.count, name: $0.name, sql: $0.sql) }
    let database = try await test.makeSchema(TestSchool.schema, migrations: platform + own)
    let clock = TestClock()
    let entitlements = CountedEntitlements(limit: limit)
    let services = TenantServices(
      database: database, outbox: TableOutbox(table: OutboxTable(schema: TestSchool.schema, tenant: nil, wake: {})),
      entitlements: entitlements, people: Nobody(), points: NoPoints(), content: try PathLibrary(),
      clock: DomainClock { clock.now })
    let school = KCulture(
      tenant: Tenant(id: TestSchool.site.tenant!, site: TestSchool.site, schema: TestSchool.schema),
      settings: KCulture.Settings(path: "hangul-path"), services: services)
    try await body(
      TestSchool(school: school, entitlements: entitlements, clock: clock, database: database, test: test))
    await database.close()
  }
}

final class TestClock: Sendable {
  private let instant = Mutex(Instant(rfc3339: "2026-11-21T03:00:00Z")!)
  var now: Instant { instant.withLock { $0 } }
  func advance(_ duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// Counts as the entitlements of the city do: a key takes one unit however often it comes, a released one takes anew.
final class CountedEntitlements: Entitlements {
  private let taken = Mutex<[PersonID: Set<UUID>]>([:])
  let limit: Int

  init(limit: Int) { self.limit = limit }

  func used(_ person: PersonID) -> Int { taken.withLock { $0[person]?.count ?? 0 } }

  private var renews: Instant { CivilDate("2026-12-01")!.start(in: TestSchool.site.timeZone) }

  func check(_ person: PersonID, _ feature: String, at tenant: TenantID) async throws -> Allowance {
    .limited(limit: limit, used: used(person), renews: renews)
  }

  func consume(_ person: PersonID, _ feature: String, at tenant: TenantID, key: UUID) async throws -> Allowance {
    let used = taken.withLock { taken -> Int? in
      if taken[person]?.contains(key) != true, (taken[person]?.count ?? 0) >= limit { return nil }
      taken[person, default: []].insert(key)
      return taken[person]?.count
    }
    guard let used else {
      throw Problem(
        .quotaExceeded, ["feature": feature, "limit": "\(limit)", "renews": "2026-12-01"],
        members: [
          "feature": .string(feature), "limit": .integer(Int64(limit)), "used": .integer(Int64(limit)), "renews": "2026-12-01",
          "plans": [
            [
              "id": "k-culture", "name": ["ko": "글로벌 K-컬처", "en": "Global K-Culture"], "every": "month", "unlimited": true,
              "choice": false,
              "prices": [["amount": "19.99", "currency": "USD"], ["amount": "24900", "currency": "KRW"]],
            ]
          ],
        ])
    }
    return .limited(limit: limit, used: used, renews: renews)
  }

  func release(_ person: PersonID, key: UUID) async throws {
    _ = taken.withLock { $0[person]?.remove(key) }
  }
}

/// The path of this repository, read as it stands.
struct PathLibrary: ContentLibrary {
  private let steps: [ContentLesson]

  init() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("content/hangul-path/lessons.jsonl")
    steps = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(ContentLesson.self, from: Data($0.utf8))
    }
  }

  func lessons(packages: [String]) async throws -> [ContentLesson] { packages == ["hangul-path"] ? steps : [] }
  func items(
    packages: [String], topic: String?, near difficulty: Double, excluding seen: Set<String>, limit: Int
  ) async throws -> [ContentItem] { [] }
  func item(_ id: String) async throws -> ContentItem? { nil }
  func topics(packages: [String]) async throws -> [(subject: String, topic: String, count: Int)] { [] }
}

/// Writes activities as events, in the transaction.
struct TableOutbox: Outbox {
  let table: OutboxTable

  func emit(_ event: DomainEvent, in transaction: Transaction) async throws {
    try await table.write(
      Event(id: event.id, type: event.type, tenant: nil, occurred: event.occurred, payload: event.payload), in: transaction)
  }

  func record(_ activity: Activity, in transaction: Transaction) async throws {
    let payload: JSONValue = [
      "id": .string(activity.id.text), "verb": .string(activity.verb), "objectType": .string(activity.objectType),
      "objectPath": .string(activity.objectPath), "objectName": .string(activity.objectName.ko),
      "success": activity.success.map { .bool($0) } ?? .null, "score": activity.score.map { .number($0) } ?? .null,
      "extensions": .object(activity.extensions),
    ]
    try await table.write(
      Event(id: activity.id, type: "activity.recorded", tenant: nil, occurred: activity.occurred, payload: payload),
      in: transaction)
  }
}

struct Nobody: PeopleDirectory {
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String] { [:] }
}

struct NoPoints: PointsBalances {
  func balance(_ person: PersonID) async throws -> Money { Money(0, .points) }
}

/// Sends requests to a school through its router, as one person or nobody.
struct Browser: Sendable {
  struct Reply: Sendable {
    let status: Int
    let location: String?
    let text: String
    var value: JSONValue { (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null }
  }

  private struct Person: SessionReader {
    let person: PersonID?
    func session(of request: Request, on site: Site) async throws -> Session? {
      // Proven by a token, so that forms need none of their own; the tokens of forms are tested where they are made.
      person.map { Session(id: $0.uuid, person: $0, displayName: "미나", proof: .bearer, roles: []) }
    }
  }

  private struct NoLimit: RateLimiter {
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  private let school: TestSchool
  private let router: SiteRouter
  private let program: Bool
  private let language: String

  init(_ school: TestSchool, person: PersonID? = nil, program: Bool = false, language: String = "ko") throws {
    self.school = school
    self.program = program
    self.language = language
    router = SiteRouter(
      routes: KCulture.endpoints.map { SiteRouter.Route($0) }, renderer: try Renderer([("kculture", KCulture.resources)]),
      sessions: Person(person: person), limiter: NoLimit(), key: MasterKey(bytes: Array(repeating: 7, count: 32)))
  }

  func get(_ path: String) async throws -> Reply { try await send(.get, path, body: nil) }
  func post(_ path: String, _ body: String) async throws -> Reply { try await send(.post, path, body: body) }

  private func send(_ method: HTTPRequest.Method, _ path: String, body: String?) async throws -> Reply {
    var head = HTTPRequest(method: method, scheme: "http", authority: TestSchool.site.origin.authority, path: path)
    head.headerFields[.accept] = program ? "application/json" : "text/html"
    head.headerFields[.acceptLanguage] = language
    if body != nil {
      head.headerFields[.contentType] = program ? "application/json" : "application/x-www-form-urlencoded"
    }
    let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body ?? "")))
    let cities = CityMap(city: TestSchool.site, issuer: TestSchool.site, tenants: [TestSchool.site], isDevelopment: true)
    let outcome = await router.respond(
      to: Arrival(
        request: request, site: TestSchool.site, cities: cities, now: school.clock.now, requestID: "test",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      owner: school.school)
    let writer = Collector()
    try await outcome.response.body.write(writer)
    return Reply(
      status: outcome.response.status.code, location: outcome.response.headers[.location], text: writer.text)
  }
}

private final class Collector: ResponseBodyWriter, @unchecked Sendable {
  // Written by one task, read when it has ended.
  private(set) var text = ""
  func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
