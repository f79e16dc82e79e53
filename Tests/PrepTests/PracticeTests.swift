import Database
import Foundation
import Kit
import Support
import TenantKit
import TenantSupport
import Testing

@testable import Prep

@Suite struct PracticeTests {
  private let mina = PersonID(UUID.v7())

  @Test func anItemTakesOneUnitAndIsServedUntilItIsAnswered() async throws {
    try await withPrep { prep in
      let first = try await prep.serve(mina)
      #expect(first.isNew)
      #expect(prep.entitlements.used(mina) == 1)
      let again = try await prep.serve(mina)
      #expect(again.attempt.id == first.attempt.id)
      #expect(!again.isNew)
      #expect(prep.entitlements.used(mina) == 1)
      _ = try await prep.answer(first, .skipped)
      let next = try await prep.serve(mina)
      #expect(next.attempt.itemID != first.attempt.itemID)
      #expect(prep.entitlements.used(mina) == 2)
    }
  }

  @Test func requestsSideBySideServeOneItemForOneUnit() async throws {
    try await withPrep { prep in
      let ids = try await withThrowingTaskGroup(of: UUID.self) { group in
        for _ in 0..<12 { group.addTask { try await prep.serve(mina).attempt.id } }
        return try await group.reduce(into: Set<UUID>()) { $0.insert($1) }
      }
      #expect(ids.count == 1)
      #expect(try await prep.count("attempt") == 1)
      #expect(prep.entitlements.used(mina) == 1)
    }
  }

  @Test func theSameKeyIsTheSameRequest() async throws {
    try await withPrep { prep in
      let ids = try await withThrowingTaskGroup(of: UUID.self) { group in
        for _ in 0..<8 { group.addTask { try await prep.serve(mina, key: "k1").attempt.id } }
        return try await group.reduce(into: Set<UUID>()) { $0.insert($1) }
      }
      #expect(ids.count == 1)
      #expect(prep.entitlements.used(mina) == 1)
      let served = try await prep.serve(mina, key: "k1")
      _ = try await prep.answer(served, .skipped)
      // Answered or not: what the key made is what it gives.
      #expect(try await prep.serve(mina, key: "k1").attempt.id == served.attempt.id)
      #expect(try await prep.serve(mina, key: "k2").attempt.id != served.attempt.id)
      #expect(prep.entitlements.used(mina) == 2)
      await #expect(throws: Problem(.keyReused)) { try await prep.serve(mina, topic: "ratios", key: "k1") }
    }
  }

  @Test func theUnitGoesBackWhenTheItemCanNotBeServed() async throws {
    try await withPrep { prep in
      try await prep.test.database.execute(
        "ALTER TABLE \(prep.schema).attempt ADD CONSTRAINT refuse CHECK (item_id = '') NOT VALID")
      await #expect(throws: DatabaseError.self) { try await prep.serve(mina, key: "k") }
      #expect(prep.entitlements.used(mina) == 0)
      try await prep.test.database.execute("ALTER TABLE \(prep.schema).attempt DROP CONSTRAINT refuse")
      _ = try await prep.serve(mina, key: "k")
      #expect(prep.entitlements.used(mina) == 1)
    }
  }

  @Test func whereNothingIsLeftTheRefusalComesThrough() async throws {
    try await withPrep(limit: 2) { prep in
      for _ in 0..<2 { _ = try await prep.answer(try await prep.serve(mina), .skipped) }
      let problem = await #expect(throws: Problem.self) { try await prep.serve(mina) }
      #expect(problem?.kind == .quotaExceeded)
      #expect(try await prep.count("attempt") == 2)
      #expect(try await prep.serve(PersonID(UUID.v7())).isNew)
    }
  }

  @Test func aTopicThatIsNotThereTakesNothing() async throws {
    try await withPrep { prep in
      let problem = await #expect(throws: Problem.self) { try await prep.serve(mina, topic: "alchemy") }
      #expect(problem?.fields.first?.name == "topic")
      #expect(prep.entitlements.used(mina) == 0)
      let served = try await prep.serve(mina, topic: "ratios")
      #expect(served.item.topic == "ratios")
      #expect(served.attempt.isByTopic)
    }
  }

  @Test func aPrepWithoutItemsSaysSo() async throws {
    try await withPrep(settings: Prep.Settings(packages: ["other"])) { prep in
      await #expect(throws: Practice.Refusal.noItems) { try await prep.serve(mina) }
    }
    try await withPrep(settings: Prep.Settings(packages: ["p"], subjects: ["english"])) { prep in
      let served = try await prep.serve(mina)
      #expect(served.item.subject == "english")
    }
  }

  @Test func anItemComesAgainOnlyWhenAllWereMet() async throws {
    try await withPrep { prep in
      var met: [String] = []
      for _ in 0..<TestItems.all.count {
        prep.clock.advance(.seconds(30))
        let served = try await prep.serve(mina)
        met.append(served.item.id)
        _ = try await prep.answer(served, .skipped)
      }
      #expect(Set(met).count == TestItems.all.count)
      prep.clock.advance(.seconds(30))
      let again = try await prep.serve(mina, topic: "ratios")
      #expect(again.item.id == met.first { $0.hasPrefix("n") })
    }
  }

  @Test func anOpenItemThatTheLibraryLostIsLetGo() async throws {
    try await withPrep { prep in
      let lost = try await prep.serve(mina, topic: "ratios")
      prep.library.remove(lost.item.id)
      let next = try await prep.serve(mina)
      #expect(next.attempt.id != lost.attempt.id)
      #expect(prep.entitlements.used(mina) == 1)
      #expect(try await prep.count("attempt") == 1)
    }
  }

  @Test func anAnswerCountsOnceAndStands() async throws {
    try await withPrep { prep in
      let served = try await prep.serve(mina, topic: "quadratics")
      let answers = try await withThrowingTaskGroup(of: Attempt.self) { group in
        for _ in 0..<8 { group.addTask { try await prep.answer(served, .choice(0)) } }
        return try await group.reduce(into: Set<Attempt>()) { $0.insert($1) }
      }
      #expect(answers.count == 1)
      #expect(answers.first?.result?.isCorrect == true)
      await #expect(throws: Practice.Refusal.answeredOtherwise) { try await prep.answer(served, .choice(1)) }
      await #expect(throws: Practice.Refusal.answeredOtherwise) { try await prep.answer(served, .skipped) }
      let skill = try await prep.practice.store.skills(of: mina, prep.database)["quadratics"]
      #expect(skill?.answered == 1)
      #expect(skill?.correct == 1)
      let expected = Elo.update(ability: 0, difficulty: served.item.difficulty, guess: 0.25, correct: true).ability
      #expect(skill?.ability == expected)
      let activities = try await prep.activities()
      #expect(activities.count == 1)
      #expect(activities.first?["verb"] == "http://adlnet.gov/expapi/verbs/answered")
      #expect(activities.first?["objectType"] == "http://adlnet.gov/expapi/activities/question")
      #expect(activities.first?["success"] == true)
      #expect(activities.first?["objectPath"]?.string == "/practice/\(served.attempt.id.text)")
    }
  }

  @Test func aNumberIsRightByItsValue() async throws {
    try await withPrep { prep in
      let served = try await prep.serve(mina, topic: "ratios")
      let typed = try #require(ExactNumber("3/2"))
      #expect(try await prep.answer(served, .number(typed, typed: "3/2")).result?.isCorrect == true)
      // The same value typed another way is the same answer.
      let again = try await prep.answer(served, .number(ExactNumber("1.50")!, typed: "1.50"))
      #expect(again.result?.given == "3/2")
      await #expect(throws: Practice.Refusal.answeredOtherwise) {
        try await prep.answer(served, .number(ExactNumber("2")!, typed: "2"))
      }
    }
  }

  @Test func othersDoNotSeeHerAttempts() async throws {
    try await withPrep { prep in
      let served = try await prep.serve(mina)
      let other = PersonID(UUID.v7())
      await #expect(throws: Problem(.notFound)) { try await prep.practice.attempt(served.attempt.id, of: other) }
      await #expect(throws: Problem(.notFound)) {
        try await prep.practice.answer(
          served.attempt.id, of: other, item: served.item, with: .skipped, name: LocalizedText(ko: "문제"))
      }
    }
  }

  @Test func theStandingCountsTodayInTheTenantsZone() async throws {
    try await withPrep { prep in
      _ = try await prep.answer(try await prep.serve(mina), .skipped)
      // 12:00 in Seoul; twelve hours on it is the next day there and still the same in UTC.
      prep.clock.advance(.hours(12))
      _ = try await prep.answer(try await prep.serve(mina), .skipped)
      let standing = try await prep.practice.standing(mina)
      #expect(standing.answeredToday == 1)
      #expect(standing.streak == 2)
      #expect(standing.open == nil)
      #expect(standing.allowance == .limited(limit: 100, used: 2, renews: Instant(rfc3339: "2026-11-30T15:00:00Z")!))
    }
  }

  @Test func whatItHoldsOnAPersonIsGivenOutAndErased() async throws {
    try await withPrep { prep in
      let (other, served) = (PersonID(UUID.v7()), try await prep.serve(mina, topic: "ratios", key: "k"))
      _ = try await prep.answer(served, .number(ExactNumber("2")!, typed: "2"))
      _ = try await prep.serve(mina)
      _ = try await prep.serve(other)
      guard case .array(let attempts)? = try await prep.prep.export(mina)["attempts"],
        case .array(let skills)? = try await prep.prep.export(mina)["skills"]
      else {
        Issue.record("no lists")
        return
      }
      #expect(attempts.count == 2)
      #expect(attempts.contains { $0["given"] == "2" && $0["correct"] == false })
      #expect(skills.first?["topic"] == "ratios")
      let erased = try await prep.database.transaction { try await prep.prep.erase(mina, in: $0) }
      #expect(erased == ["attempt": 2, "skill": 1, "request_key": 1])
      #expect(try await prep.prep.export(mina) == ["attempts": [], "skills": []])
      #expect(try await prep.count("attempt") == 1)
    }
  }
}
