import Database
import Foundation
import Kit
import TenantKit
import TenantSupport
import Testing
import Web

@testable import KCulture

/// Lessons and cards on a real server.
@Suite struct LessonTests {
  private let mina = PersonID(UUID.v7())
  private let jun = PersonID(UUID.v7())

  @Test func aLessonIsTakenToItsEnd() async throws {
    try await withSchool { school in
      let lesson = try await school.complete(5, by: mina, wrong: [2])
      let result = try #require(lesson.result)
      #expect(result.correct == 5 && result.total == 6)
      let step = try await school.step(5)
      #expect(result.added == step.letters.count + step.words.count)
      #expect(try await school.count("card") == result.added)
      let activities = try await school.activities()
      #expect(activities.count == 7)
      #expect(activities[1]["success"] == false)
      #expect(activities[6]["verb"]?.string?.hasSuffix("/completed") == true)
      #expect(activities[6]["objectType"]?.string?.hasSuffix("/lesson") == true)
      #expect(activities[6]["objectPath"]?.string == "/steps/hangul-05")
      #expect(activities[6]["id"]?.string == lesson.id.text)
      #expect(activities[6]["score"] == .number(5.0 / 6.0))
      let progress = try await school.school.lessons.store.progress(of: mina, school.database)
      #expect(progress == ["hangul-05": StepProgress(best: 83, open: nil)])
    }
  }

  @Test func anAnswerIsTakenOnceAndTheFirstStands() async throws {
    try await withSchool { school in
      let step = try await school.step(1)
      let lesson = try await school.school.lessons.start(step, by: mina).lesson
      let exercise = step.exercises[0]
      _ = try await school.answer(exercise, of: lesson, step, .text("ㅏ"))
      let again = try await school.answer(exercise, of: lesson, step, .text("ㅏ"))
      #expect(again.answers[1]?.isCorrect == true)
      await #expect(throws: Lessons.Refusal.answeredOtherwise) {
        try await school.answer(exercise, of: lesson, step, .text("ㅣ"))
      }
      #expect(try await school.count("answer") == 1)
      #expect(try await school.activities().count == 1)
      await #expect(throws: Problem(.notFound)) {
        try await school.school.lessons.answer(
          lesson.id, of: jun, step: step, exercise: exercise, with: .skipped, name: LocalizedText(ko: ""))
      }
    }
  }

  @Test func manyAtOnceOpenAStepForOneUnit() async throws {
    try await withSchool(limit: 1) { school in
      let step = try await school.step(3)
      let ids = try await withThrowingTaskGroup(of: UUID.self) { group in
        for _ in 0..<8 { group.addTask { try await school.school.lessons.start(step, by: mina).lesson.id } }
        return try await group.reduce(into: Set<UUID>()) { $0.insert($1) }
      }
      #expect(ids.count == 1)
      #expect(school.entitlements.used(mina) == 1)
      // A step once opened is open for ever: beginning it again takes nothing.
      _ = try await school.complete(3, by: mina)
      _ = try await school.complete(3, by: mina)
      #expect(school.entitlements.used(mina) == 1)
      let next = try await school.step(4)
      await #expect(throws: Problem.self) { try await school.school.lessons.start(next, by: mina) }
      #expect(try await school.school.lessons.store.isOpen("hangul-04", to: mina, school.database) == false)
      #expect(try await school.count("lesson") == 2)
    }
  }

  @Test func theLastAnswerGivenTwiceAtOnceCompletesOnce() async throws {
    try await withSchool { school in
      let step = try await school.step(2)
      let lesson = try await school.school.lessons.start(step, by: mina).lesson
      for exercise in step.exercises.dropLast() {
        _ = try await school.answer(exercise, of: lesson, step, .text(exercise.answer))
      }
      let last = step.exercises[5]
      let added = try await withThrowingTaskGroup(of: Int?.self) { group in
        for _ in 0..<6 {
          group.addTask { try await school.answer(last, of: lesson, step, .text(last.answer)).result?.added }
        }
        return try await group.reduce(into: [Int?]()) { $0.append($1) }
      }
      #expect(Set(added) == [step.letters.count + step.words.count])
      #expect(try await school.activities().count { $0["verb"]?.string?.hasSuffix("/completed") == true } == 1)
    }
  }

  // MARK: Cards

  @Test func cardsComeBackWhenTheyAreDue() async throws {
    try await withSchool { school in
      _ = try await school.complete(1, by: mina)
      let cards = school.school.cards
      let due = try await cards.due(to: mina, limit: 20)
      #expect(due.map(\.face) == ["ㅏ", "ㅣ", "아이", "이"])
      let days = cards.prospects(due[0], at: school.clock.now).map(\.days)
      #expect(days == days.sorted() && days[0] >= 1)
      // Default weights of FSRS-6: Good at first sight is two days.
      let good = try await school.grade(due[0], .good)
      #expect(good.due == CivilDate("2026-11-23")!.start(in: School.site.timeZone))
      #expect(try await cards.counts(of: mina).due == 3)
      for card in due.dropFirst() { _ = try await school.grade(card, .easy) }
      let counts = try await cards.counts(of: mina)
      #expect(counts.due == 0 && counts.reviewedToday == 4 && counts.nextCount == 1)
      #expect(counts.next == good.due)
      school.clock.advance(.days(2))
      let back = try await cards.due(to: mina, limit: 20)
      #expect(back.map(\.face) == ["ㅏ"])
      // 3, 3: eleven days after the second one.
      let second = try await school.grade(back[0], .good)
      #expect(second.due == CivilDate("2026-12-04")!.start(in: School.site.timeZone))
      #expect(second.reviews == 2)
      let last = try #require(try await school.activities().last)
      #expect(last["objectType"]?.string == "https://w3id.org/xapi/flashcards/activity-types/flashcard")
      #expect(last["success"] == true)
      #expect(last["extensions"]?["intervalDays"] == 11)
    }
  }

  @Test func aCardIsGradedOncePerTimeItIsDue() async throws {
    try await withSchool { school in
      _ = try await school.complete(1, by: mina)
      let card = try #require(try await school.school.cards.due(to: mina, limit: 1).first)
      let graded = try await withThrowingTaskGroup(of: Card.self) { group in
        for _ in 0..<6 { group.addTask { try await school.grade(card, .hard, review: 1) } }
        return try await group.reduce(into: Set<Card>()) { $0.insert($1) }
      }
      #expect(graded.count == 1)
      #expect(try await school.count("review") == 1)
      await #expect(throws: Cards.Refusal.notDue) { try await school.grade(card, .easy, review: 1) }
      await #expect(throws: Cards.Refusal.notDue) { try await school.grade(card, .hard) }
      await #expect(throws: Cards.Refusal.notDue) { try await school.grade(card, .hard, review: 2) }
      await #expect(throws: Problem(.notFound)) {
        try await school.school.cards.grade(card.id, of: jun, .good, review: nil) { _ in LocalizedText(ko: "") }
      }
    }
  }

  // MARK: Personal data

  @Test func allOfAPersonIsExportedAndErased() async throws {
    try await withSchool { school in
      for person in [mina, jun] { _ = try await school.complete(1, by: person, wrong: [1]) }
      let card = try #require(try await school.school.cards.due(to: mina, limit: 1).first)
      _ = try await school.grade(card, .again)
      let export = try await school.school.export(mina)
      guard case .array(let lessons)? = export["lessons"], case .array(let cards)? = export["cards"],
        case .array(let answers)? = lessons.first?["answers"], case .array(let steps)? = export["steps"]
      else {
        Issue.record("an export without its parts")
        return
      }
      #expect(steps.count == 1 && lessons.count == 1 && answers.count == 6 && cards.count == 4)
      #expect(answers.first?["given"] == .null)
      #expect(cards.contains { $0["face"] == .string(card.face) && $0["reviews"] != .array([]) })
      let proof = try await school.database.transaction { try await school.school.erase(mina, in: $0) }
      #expect(proof == ["answer": 6, "lesson": 1, "opening": 1, "review": 1, "card": 4, "request_key": 0])
      for (table, left) in ["answer": 6, "lesson": 1, "opening": 1, "review": 0, "card": 4] {
        #expect(try await school.count(table) == left, "\(table)")
      }
    }
  }
}
