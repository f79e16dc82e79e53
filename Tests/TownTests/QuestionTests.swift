import Foundation
import Kit
import Testing

@testable import Town

/// Asking, editing, deleting.
@Suite struct QuestionTests {
  @Test func aQuestionIsThereWithItsEventAndItsActivity() async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask(
        "흑돼지 맛집 알려 주세요", ["hashtags": "#흑돼지", "placeName": "제주시", "latitude": 33.5, "longitude": 126.5, "urgency": "urgent"])
      let question = try await bench.town.question(id, for: nil)
      #expect(question.title == "흑돼지 맛집 알려 주세요")
      #expect(question.hashtags == ["흑돼지"])
      #expect(question.place == Place(name: "제주시", coordinates: Coordinates(latitude: 33.5, longitude: 126.5)))
      #expect(question.isPressing)
      let events = try await bench.events("question.created")
      #expect(
        events == [
          [
            "question": .string(id.text), "author": .string(bench.asker.description), "category": "traffic", "urgency": "urgent",
            "latitude": 33.5, "longitude": 126.5,
          ]
        ])
      #expect(try await bench.verbs(of: bench.asker) == [Vocabulary.asked])
    }
  }

  @Test func aRepeatedRequestAsksOnceEvenInParallel() async throws {
    try await TownBench.with { bench in
      let draft = try bench.draft()
      let ids = try await withThrowingTaskGroup(of: UUID.self) { group in
        for _ in 0..<16 { group.addTask { try await bench.town.ask(draft, by: bench.asker, key: "k", at: bench.now).id } }
        return try await group.reduce(into: Set<UUID>()) { $0.insert($1) }
      }
      #expect(ids.count == 1)
      #expect(try await bench.titles([:]).count == 1)
      #expect(try await bench.events("question.created").count == 1)
      // Another's key of the same name is another key; the same key with other words is a mistake.
      let others = try await bench.town.ask(draft, by: bench.other, key: "k", at: bench.now).id
      #expect(!ids.contains(others))
      await #expect(throws: Problem(.keyReused)) {
        try await bench.town.ask(try bench.draft("다른 질문이에요"), by: bench.asker, key: "k", at: bench.now)
      }
    }
  }

  @Test func onlyItsAuthorEditsAQuestionAndNoEditIsLostUnseen() async throws {
    try await TownBench.with { bench in
      let (town, id) = (bench.town, try await bench.ask())
      let (first, second) = (try bench.draft("먼저 고친 제목"), try bench.draft("나중에 고친 제목"))
      #expect(try await town.edit(id, to: first, version: 1, by: bench.asker, at: bench.now))
      #expect(try await !town.edit(id, to: second, version: 1, by: bench.asker, at: bench.now))
      #expect(try await town.question(id, for: nil).title == "먼저 고친 제목")
      #expect(try await town.edit(id, to: second, version: 2, by: bench.asker, at: bench.now))
      let question = try await town.question(id, for: nil)
      #expect(question.version == 3)
      #expect(question.edited != nil)
      await #expect(throws: Problem(.forbidden)) {
        try await town.edit(id, to: first, version: 3, by: bench.other, at: bench.now)
      }
      await #expect(throws: Problem(.notFound)) {
        try await town.edit(UUID(), to: first, version: nil, by: bench.asker, at: bench.now)
      }
    }
  }

  @Test func anUnansweredQuestionIsDeletedForGood() async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask()
      await #expect(throws: Problem(.forbidden)) { try await bench.town.delete(id, by: bench.other) }
      _ = try await bench.town.like(id, by: bench.other, at: bench.now)
      _ = try await bench.answer(id, by: bench.asker)
      try await bench.town.delete(id, by: bench.asker)
      await #expect(throws: Problem(.notFound)) { try await bench.town.question(id, for: bench.asker) }
    }
  }

  @Test func anAnsweredQuestionIsBlankedAndHidden() async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask("비밀 이야기예요", ["hashtags": "비밀", "placeName": "우리 집", "latitude": 33.5, "longitude": 126.5])
      let answer = try await bench.answer(id)
      try await bench.town.delete(id, by: bench.asker)
      try await bench.town.delete(id, by: bench.asker)
      await #expect(throws: Problem(.notFound)) { try await bench.town.question(id, for: nil) }
      await #expect(throws: Problem(.notFound)) { try await bench.town.question(id, for: bench.answerer) }
      await #expect(throws: Problem(.notFound)) { try await bench.town.delete(id, by: bench.other) }
      let blank = try await bench.town.question(id, for: bench.asker)
      #expect(blank.title.isEmpty && blank.body.isEmpty && blank.hashtags.isEmpty && blank.place == nil)
      #expect(try await bench.titles([:]).isEmpty)
      #expect(try await bench.titles(["q": "비밀"]).isEmpty)
      await #expect(throws: Problem(.notFound)) { try await bench.town.accept(answer, by: bench.asker, at: bench.now) }
      await #expect(throws: Problem(.notFound)) { try await bench.answer(id, by: bench.other) }
      await #expect(throws: Problem(.notFound)) { try await bench.town.like(id, by: bench.other, at: bench.now) }
    }
  }

  @Test func aPersonLikesAQuestionOnce() async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 { group.addTask { _ = try await bench.town.like(id, by: bench.other, at: bench.now) } }
        try await group.waitForAll()
      }
      #expect(try await bench.town.like(id, by: bench.answerer, at: bench.now) == 2)
      #expect(try await bench.town.isLiked(id, by: bench.other))
      #expect(try await bench.town.unlike(id, by: bench.other) == 1)
      #expect(try await bench.town.unlike(id, by: bench.other) == 1)
      #expect(try await bench.town.like(id, by: bench.other, at: bench.now) == 2)
      #expect(try await bench.verbs(of: bench.other) == [Vocabulary.liked])
    }
  }
}
