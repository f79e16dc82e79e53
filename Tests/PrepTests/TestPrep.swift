import Database
import Foundation
import Kit
import Support
import Synchronization
import TenantKit
import TenantSupport
import Web

@testable import Prep

/// A prep on a database of its own, and the shelf its items come from.
struct TestPrep: Sendable {
  static let site = Site(
    id: "univprep", origin: Origin(scheme: "http", host: "univprep.localhost", port: 8080),
    name: LocalizedText(ko: "유니브프렙AI", en: "UnivPrepAI"),
    summary: LocalizedText(ko: "매일 조금씩 푸는 시험 대비 문제", en: "A little practice every day"),
    look: Look(accent: Colour("#862E9C")!, mark: "입"), languages: [.ko, .en], timeZone: TimeZone(identifier: "Asia/Seoul")!,
    tenant: TenantID("univprep"), kind: "prep", menu: Prep.menu)

  let tenant: TestTenant<Prep>
  let library: ShelfLibrary

  var prep: Prep { tenant.module }
  var practice: Practice { prep.practice }
  var entitlements: CountedEntitlements { tenant.entitlements }
  var clock: TestClock { tenant.clock }
  var schema: Schema { tenant.schema }
  /// As the tenant's login role.
  var database: Database { tenant.database }
  var test: TestDatabase { tenant.test }

  func count(_ table: String) async throws -> Int { try await tenant.count(table) }
  func activities() async throws -> [JSONValue] { try await tenant.activities() }

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
  let library = ShelfLibrary(items)
  let plans: JSONValue = [
    [
      "id": "student", "name": ["ko": "학생", "en": "Student"], "every": "month", "unlimited": true, "choice": true,
      "prices": [["amount": "14.99", "currency": "USD"], ["amount": "19900", "currency": "KRW"]],
    ],
    [
      "id": "premium", "name": ["ko": "프리미엄", "en": "Premium"], "every": "month", "unlimited": true, "choice": false,
      "prices": [["amount": "52900", "currency": "KRW"]],
    ],
  ]
  try await TestTenant<Prep>.with(
    site: TestPrep.site, settings: settings, library: library, limit: limit, plans: plans
  ) { try await body(TestPrep(tenant: $0, library: library)) }
}

extension Browser<Prep> {
  init(_ prep: TestPrep, person: PersonID? = nil, program: Bool = false, language: String = "ko") throws {
    try self.init(prep.tenant, person: person, program: program, language: language)
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
