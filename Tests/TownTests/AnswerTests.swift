import Database
import Foundation
import Kit
import Testing

@testable import Town

/// Answering and accepting.
@Suite struct AnswerTests {
  @Test func anAnswerIsAcceptedOnceHoweverOftenAndHoweverParallel() async throws {
    try await TownBench.with { bench in
      let question = try await bench.ask()
      let answer = try await bench.answer(question)
      let acceptances = try await withThrowingTaskGroup(of: Acceptance.self) { group in
        for _ in 0..<32 {
          group.addTask {
            bench.clock.move(.seconds(1))
            return try await bench.town.accept(answer, by: bench.asker, at: bench.now)
          }
        }
        return try await group.reduce(into: Set<Acceptance>()) { $0.insert($1) }
      }
      #expect(acceptances.count == 1)
      #expect(
        try await bench.events("answer.accepted") == [
          [
            "answer": .string(answer.text), "question": .string(question.text), "author": .string(bench.answerer.description),
            "points": 30,
          ]
        ])
      #expect(try await bench.verbs(of: bench.asker) == [Vocabulary.asked, Vocabulary.accepted])
      let shown = try await bench.town.question(question, for: nil)
      #expect(shown.state == .resolved)
      #expect(shown.acceptedAnswer == answer)
    }
  }

  @Test func ofTwoAnswersAcceptedAtOnceOneIs() async throws {
    try await TownBench.with { bench in
      let question = try await bench.ask()
      let answers = [try await bench.answer(question), try await bench.answer(question, by: bench.other)]
      let refusals = await withTaskGroup(of: Bool.self) { group in
        for index in 0..<16 {
          group.addTask { (try? await bench.town.accept(answers[index % 2], by: bench.asker, at: bench.now)) == nil }
        }
        return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      #expect(refusals == 8)
      #expect(try await bench.events("answer.accepted").count == 1)
    }
  }

  @Test func whoMayAcceptWhat() async throws {
    try await TownBench.with { bench in
      let question = try await bench.ask()
      let answer = try await bench.answer(question)
      let own = try await bench.answer(question, by: bench.asker)
      let town = bench.town
      await #expect(throws: Problem(.forbidden)) { try await town.accept(answer, by: bench.answerer, at: bench.now) }
      await #expect(throws: Problem(.forbidden)) { try await town.accept(own, by: bench.asker, at: bench.now) }
      await #expect(throws: Problem(.notFound)) { try await town.accept(UUID(), by: bench.asker, at: bench.now) }
      let late = try await bench.answer(question, by: bench.other)
      _ = try await town.accept(answer, by: bench.asker, at: bench.now)
      await #expect(throws: Refusal.alreadyAccepted) { try await town.accept(late, by: bench.asker, at: bench.now) }
    }
  }

  @Test func theFirstAnswerOfSomebodyElseIsTheOneThatCounts() async throws {
    try await TownBench.with { bench in
      let question = try await bench.ask()
      _ = try await bench.answer(question, by: bench.asker)
      #expect(try await bench.town.question(question, for: nil).firstAnswer == nil)
      _ = try await bench.answer(question)
      let first = bench.now
      _ = try await bench.answer(question, by: bench.other)
      let shown = try await bench.town.question(question, for: nil)
      #expect(shown.firstAnswer == first)
      #expect(shown.answerCount == 3)
      #expect(try await bench.verbs(of: bench.answerer) == [Vocabulary.replied])
    }
  }

  @Test func aRepeatedAnswerIsGivenOnce() async throws {
    try await TownBench.with { bench in
      let question = try await bench.ask()
      let draft = AnswerDraft(body: "한 번만")
      let first = try await bench.town.answer(question, draft, by: bench.answerer, key: "k", at: bench.now)
      let second = try await bench.town.answer(question, draft, by: bench.answerer, key: "k", at: bench.now)
      #expect(first == second)
      #expect(try await bench.town.question(question, for: nil).answerCount == 1)
      await #expect(throws: Problem(.keyReused)) {
        try await bench.town.answer(question, AnswerDraft(body: "다른 말"), by: bench.answerer, key: "k", at: bench.now)
      }
    }
  }

  @Test func onesOwnAnswerIsChangedUntilItIsAccepted() async throws {
    try await TownBench.with { bench in
      let town = bench.town
      let question = try await bench.ask()
      let answer = try await bench.answer(question)
      let spare = try await bench.answer(question)
      let draft = AnswerDraft(body: "고친 답변")
      #expect(try await town.edit(answer: answer, to: draft, version: 1, by: bench.answerer, at: bench.now))
      #expect(try await !town.edit(answer: answer, to: draft, version: 1, by: bench.answerer, at: bench.now))
      await #expect(throws: Problem(.forbidden)) {
        try await town.edit(answer: answer, to: draft, version: 2, by: bench.other, at: bench.now)
      }
      await #expect(throws: Problem(.forbidden)) { try await town.delete(answer: answer, by: bench.asker) }
      try await town.delete(answer: spare, by: bench.answerer)
      try await town.delete(answer: spare, by: bench.answerer)
      #expect(try await town.question(question, for: nil).answerCount == 1)
      #expect(try await town.answers(to: question).map(\.body) == ["고친 답변"])
      await #expect(throws: Problem(.notFound)) { try await town.accept(spare, by: bench.asker, at: bench.now) }
      _ = try await town.accept(answer, by: bench.asker, at: bench.now)
      await #expect(throws: Refusal.acceptedAnswer) { try await town.delete(answer: answer, by: bench.answerer) }
      await #expect(throws: Refusal.acceptedAnswer) {
        try await town.edit(answer: answer, to: draft, version: 2, by: bench.answerer, at: bench.now)
      }
    }
  }

  @Test func acceptingAndDeletingAnAnswerAtOnceLeavesOneOfThem() async throws {
    try await TownBench.with { bench in
      for _ in 0..<10 {
        let question = try await bench.ask()
        let answer = try await bench.answer(question)
        async let accepted = try? bench.town.accept(answer, by: bench.asker, at: bench.now)
        async let deleted = try? bench.town.delete(answer: answer, by: bench.answerer)
        let (isAccepted, isDeleted) = (await accepted != nil, await deleted != nil)
        #expect(isAccepted != isDeleted)
      }
    }
  }
}
