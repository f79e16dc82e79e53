import Foundation
import Kit
import TenantKit
import TenantSupport
import Web

@testable import KCulture

/// A school on a database of its own.
typealias TestSchool = TestTenant<KCulture>

enum School {
  static let site = Site(
    id: "my-ktube", origin: Origin(scheme: "http", host: "my-ktube.localhost", port: 8080),
    name: LocalizedText(ko: "My-Ktube", en: "My-Ktube"),
    summary: LocalizedText(ko: "한글부터 시작하는 한국어", en: "Korean from Hangul on"),
    look: Look(accent: Colour("#D6336C")!, mark: "한"), languages: [.ko, .en], timeZone: TimeZone(identifier: "Asia/Seoul")!,
    tenant: TenantID("my-ktube"), kind: "kculture", menu: KCulture.menu)
}

extension TestTenant<KCulture> {
  var school: KCulture { module }

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
  let plans: JSONValue = [
    [
      "id": "k-culture", "name": ["ko": "글로벌 K-컬처", "en": "Global K-Culture"], "every": "month", "unlimited": true,
      "choice": false, "prices": [["amount": "19.99", "currency": "USD"], ["amount": "24900", "currency": "KRW"]],
    ]
  ]
  try await TestSchool.with(
    site: School.site, settings: KCulture.Settings(path: "hangul-path"), library: try PathLibrary(), limit: limit,
    plans: plans, body)
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
