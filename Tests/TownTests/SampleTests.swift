import Database
import Foundation
import Kit
import Testing

@testable import Town

/// Sample content, and what a person may take with her or have removed.
@Suite struct SampleTests {
  private func records(_ package: String) throws -> [JSONValue] {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../content/\(package)/questions.jsonl")
    return try String(contentsOf: root.standardized, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8))
    }
  }

  private let authors = Dictionary(uniqueKeysWithValues: (1...8).map { ("sample-\($0)", PersonID(UUID())) })

  @Test func samplesAreLoadedOnceAndPaidForOnce() async throws {
    try await TownBench.with { bench in
      let records = try records("town-jeju") + records("town-busan")
      let here = records.filter { $0["tenant"]?.string == "jeju" }
      #expect(try await bench.town.load(records, authors: authors) == here.count)
      let paid = try await bench.events("answer.accepted").count
      let accepted = here.filter { record in
        guard case .array(let answers)? = record["answers"] else { return false }
        return answers.contains { $0["accepted"] == true }
      }
      #expect(paid == accepted.count)
      #expect(paid > 0)
      bench.clock.move(.hours(5))
      #expect(try await bench.town.load(records, authors: authors) == 0)
      #expect(try await bench.events("answer.accepted").count == paid)
      let times = try await bench.town.questions(QuestionFilter()).page.map(\.created)
      #expect(times.allSatisfy { $0 < bench.now })
      #expect(try await bench.titles(["q": "성판악"]) == ["성판악으로 백록담 가려는데 예약해야 하나요?"])
    }
  }

  @Test func aWrongSampleIsNamed() async throws {
    try await TownBench.with { bench in
      await #expect(throws: SampleContentError(record: "x", reason: "a member is missing or of another type")) {
        try await bench.town.load([["id": "x", "tenant": "jeju"]], authors: authors)
      }
      let record = try #require(try records("town-jeju").first)
      await #expect(
        throws: SampleContentError(record: "jeju-0001", reason: "found author sample-1, expected one of the sample accounts")
      ) {
        try await bench.town.load([record], authors: [:])
      }
    }
  }

  @Test func aPersonTakesWhatSheWroteAndIsForgotten() async throws {
    try await TownBench.with { bench in
      let town = bench.town
      let answered = try await bench.ask("답을 받은 질문")
      let alone = try await bench.ask("답이 없는 질문")
      let others = try await bench.ask("다른 사람의 질문", by: bench.other)
      _ = try await bench.answer(answered)
      let hers = try await bench.answer(others, by: bench.asker)
      _ = try await town.accept(hers, by: bench.other, at: bench.now)
      _ = try await town.like(others, by: bench.asker, at: bench.now)
      _ = try await town.ask(try bench.draft(), by: bench.asker, key: "k", at: bench.now)

      let export = try await town.export(bench.asker)
      guard case .array(let questions)? = export["questions"], case .array(let answers)? = export["answers"],
        case .array(let likes)? = export["likes"]
      else { return #expect(Bool(false), "\(export)") }
      #expect(questions.count == 3)
      #expect(answers.map { $0["body"]?.string } == ["새벽에 오세요."])
      #expect(likes.count == 1)

      let proof = try await town.database.transaction { try await town.erase(bench.asker, in: $0) }
      #expect(proof == ["question": 3, "answer": 1, "question_like": 1, "request_key": 1])
      let again = try await town.database.transaction { try await town.erase(bench.asker, in: $0) }
      #expect(again.values.allSatisfy { $0 == 0 })
      #expect(try await town.export(bench.asker) == ["questions": [], "answers": [], "likes": []])
      await #expect(throws: Problem(.notFound)) { try await town.question(alone, for: nil) }
      await #expect(throws: Problem(.notFound)) { try await town.question(answered, for: bench.asker) }
      let left = try await town.question(others, for: nil)
      #expect(left.likeCount == 0)
      #expect(left.answerCount == 0)
      #expect(left.acceptedAnswer == hers)
      #expect(try await town.answers(to: others).map(\.isDeleted) == [true])
      let traces = try await town.database.one(
        """
        SELECT (SELECT count(*) FROM \(town.schema).question WHERE author = \(bench.asker))
          + (SELECT count(*) FROM \(town.schema).answer WHERE author = \(bench.asker)) AS count
        """)
      #expect(try traces?.get("count", as: Int.self) == 0)
    }
  }
}
