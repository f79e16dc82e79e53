import Database
import Foundation
import Jobs
import Kit
import Support
import Synchronization
import TenantKit
import Web

@testable import Prep

/// A prep on a database of its own, as its login role, with the platform's parts replaced by small ones in memory.
struct TestPrep: Sendable {
  static let schema = Schema("univprep")!
  static let site = Site(
    id: "univprep", origin: Origin(scheme: "http", host: "univprep.localhost", port: 8080),
    name: LocalizedText(ko: "유니브프렙AI", en: "UnivPrepAI"),
    summary: LocalizedText(ko: "매일 조금씩 푸는 시험 대비 문제", en: "A little practice every day"),
    look: Look(accent: Colour("#862E9C")!, mark: "입"), languages: [.ko, .en], timeZone: TimeZone(identifier: "Asia/Seoul")!,
    tenant: TenantID("univprep"), kind: "prep", menu: Prep.menu)

  let prep: Prep
  let entitlements: CountedEntitlements
  let library: ShelfLibrary
  let clock: TestClock
  let database: Database
  let test: TestDatabase

  var practice: Practice { prep.practice }

  func count(_ table: String) async throws -> Int {
    try await database.one("SELECT count(*) FROM \(TestPrep.schema).\(identifier: table)")!.get(0)
  }

  /// The activities in the outbox, in their order.
  func activities() async throws -> [JSONValue] {
    try await database.query("SELECT payload FROM \(TestPrep.schema).outbox ORDER BY seq").map { try $0.get(0) }
  }

  func serve(_ person: PersonID, topic: String? = nil, key: String? = nil) async throws -> Practice.Served {
    try await practice.serve(person, topic: topic, key: key)
  }

  func answer(_ served: Practice.Served, _ answer: GivenAnswer) async throws -> Attempt {
    try await practice.answer(
      served.attempt.id, of: served.attempt.person, item: served.item, with: answer, name: LocalizedText(ko: "문제", en: "Item"))
  }
}

func withPrep(
  items: [ContentItem] = TestItems.all, limit: Int = 100, settings: Prep.Settings = Prep.Settings(packages: ["p"]),
  _ body: (TestPrep) async throws -> Void
) async throws {
  try await withDatabase { test in
    // The platform's tables come first, as they do in a city.
    let platform = try OutboxTable.migrations
    let own = try Migration.read(Prep.resources.filter { $0.key.hasSuffix(".sql") })
      .map { Migration(number: $0.number + platform.count, name: $0.name, sql: $0.sql) }
    let database = try await test.makeSchema(TestPrep.schema, migrations: platform + own)
    let clock = TestClock()
    let entitlements = CountedEntitlements(limit: limit, clock: clock)
    let library = ShelfLibrary(items)
    let services = TenantServices(
      database: database, outbox: TableOutbox(table: OutboxTable(schema: TestPrep.schema, tenant: nil, wake: {})),
      entitlements: entitlements, people: Nobody(), points: NoPoints(), content: library,
      clock: DomainClock { clock.now })
    let prep = Prep(
      tenant: Tenant(id: TestPrep.site.tenant!, site: TestPrep.site, schema: TestPrep.schema), settings: settings,
      services: services)
    try await body(
      TestPrep(prep: prep, entitlements: entitlements, library: library, clock: clock, database: database, test: test))
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
  private let clock: TestClock
  let limit: Int

  init(limit: Int, clock: TestClock) {
    self.limit = limit
    self.clock = clock
  }

  func used(_ person: PersonID) -> Int { taken.withLock { $0[person]?.count ?? 0 } }

  private var renews: Instant { CivilDate("2026-12-01")!.start(in: TestPrep.site.timeZone) }

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
              "id": "student", "name": ["ko": "학생", "en": "Student"], "every": "month", "unlimited": true, "choice": true,
              "prices": [["amount": "14.99", "currency": "USD"], ["amount": "19900", "currency": "KRW"]],
            ],
            [
              "id": "premium", "name": ["ko": "프리미엄", "en": "Premium"], "every": "month", "unlimited": true, "choice": false,
              "prices": [["amount": "52900", "currency": "KRW"]],
            ],
          ],
        ])
    }
    return .limited(limit: limit, used: used, renews: renews)
  }

  func release(_ person: PersonID, key: UUID) async throws {
    _ = taken.withLock { $0[person]?.remove(key) }
  }
}

/// A library of one package.
final class ShelfLibrary: ContentLibrary {
  private let shelf: Mutex<[ContentItem]>
  init(_ items: [ContentItem]) { shelf = Mutex(items) }

  func remove(_ id: String) { shelf.withLock { $0.removeAll { $0.id == id } } }

  func items(
    packages: [String], topic: String?, near difficulty: Double, excluding seen: Set<String>, limit: Int
  ) async throws
    -> [ContentItem]
  {
    guard packages.contains("p") else { return [] }
    return shelf.withLock { items in
      Array(
        items.filter { (topic == nil || $0.topic == topic) && !seen.contains($0.id) }
          .sorted { abs($0.difficulty - difficulty) < abs($1.difficulty - difficulty) }.prefix(limit))
    }
  }

  func item(_ id: String) async throws -> ContentItem? { shelf.withLock { $0.first { $0.id == id } } }

  func topics(packages: [String]) async throws -> [(subject: String, topic: String, count: Int)] {
    guard packages.contains("p") else { return [] }
    let counts = shelf.withLock { Dictionary(grouping: $0) { [$0.subject, $0.topic] }.mapValues(\.count) }
    return counts.map { ($0[0], $0[1], $1) }.sorted { $0.1 < $1.1 }
  }
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
      "person": .string("\(activity.person)"), "verb": .string(activity.verb), "objectType": .string(activity.objectType),
      "objectPath": .string(activity.objectPath), "success": activity.success.map { .bool($0) } ?? .null,
      "score": activity.score.map { .number($0) } ?? .null, "extensions": .object(activity.extensions),
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

enum TestItems {
  static func choice(_ id: String, topic: String = "quadratics", difficulty: Double = 0) -> ContentItem {
    ContentItem(
      id: id, subject: "math", topic: topic, level: "high", difficulty: difficulty, discrimination: 1.2, guess: 0.25,
      kind: .choice,
      prompt: LocalizedText(ko: "y = (x − 2)² + 3의 꼭짓점은 어디인가요?", en: "Where is the vertex of y = (x − 2)² + 3?"),
      choices: ["(2, 3)", "(−2, 3)", "(2, −3)", "(−2, −3)"].map { LocalizedText(ko: $0, en: $0) }, answer: "0",
      explanation: LocalizedText(ko: "(p, q)가 꼭짓점이에요.", en: "The vertex is (p, q)."))
  }

  static func number(_ id: String) -> ContentItem {
    ContentItem(
      id: id, subject: "math", topic: "ratios", level: "middle", difficulty: -0.5, discrimination: 1, guess: 0, kind: .number,
      prompt: LocalizedText(ko: "3의 절반의 세 배를 3으로 나눈 값은?", en: "Half of three?"), choices: [], answer: "1.5",
      explanation: LocalizedText(ko: "3 ÷ 2 = 1.5예요.", en: "3 ÷ 2 = 1.5."))
  }

  static func passage(_ id: String) -> ContentItem {
    let sentence = "Mina was ____ to leave the party because she was having so much fun."
    return ContentItem(
      id: id, subject: "english", topic: "sentence-completion", level: "high", difficulty: 0.4, discrimination: 1, guess: 0.25,
      kind: .choice,
      prompt: LocalizedText(
        ko: "빈칸에 알맞은 것을 고르세요.\n\n\(sentence)", en: "Choose the word that fits the blank.\n\n\(sentence)"),
      choices: ["proud", "eager", "late", "unwilling"].map { LocalizedText(ko: $0, en: $0) }, answer: "3",
      explanation: LocalizedText(ko: "떠나기 싫었다는 뜻이에요.", en: "She did not want to leave."))
  }

  static let all =
    (1...6).map { choice("q\($0)", difficulty: Double($0) / 2 - 1.5) } + [
      number("n1"), number("n2"), passage("e1"), passage("e2"),
    ]
}
