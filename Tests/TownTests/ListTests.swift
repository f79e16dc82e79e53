import Database
import Foundation
import Kit
import Testing

@testable import Town

/// Lists, orders, pages, search.
@Suite struct ListTests {
  @Test func pagesDontRepeatOrSkipWhileQuestionsArrive() async throws {
    try await TownBench.with { bench in
      for number in 1...45 { try await bench.ask("질문 번호 \(number)") }
      for order in QuestionOrder.allCases {
        var filter = QuestionFilter()
        filter.order = order
        let before = try await bench.town.database.query("SELECT id FROM \(bench.town.schema).question").count
        var seen: [UUID] = []
        while true {
          let (page, next) = try await bench.town.questions(filter)
          #expect(page.count == 20 || next == nil)
          seen += page.map(\.id)
          guard let next else { break }
          filter.after = QuestionCursor(next.text)
          try await bench.ask("그사이 올라온 질문")
        }
        #expect(seen.count == before, "\(order)")
        #expect(Set(seen).count == before, "\(order)")
      }
    }
  }

  @Test func theOrdersPutFirstWhatTheirNamesSay() async throws {
    try await TownBench.with { bench in
      let old = try await bench.ask("오래된 인기 질문")
      try await bench.ask("급한 질문이에요", ["urgency": "urgent"])
      let solved = try await bench.ask("해결된 급한 질문", ["urgency": "urgent"])
      try await bench.ask("새로운 질문이에요")
      _ = try await bench.answer(old)
      _ = try await bench.town.like(old, by: bench.other, at: bench.now)
      _ = try await bench.town.accept(try await bench.answer(solved), by: bench.asker, at: bench.now)
      #expect(try await bench.titles([:]) == ["새로운 질문이에요", "해결된 급한 질문", "급한 질문이에요", "오래된 인기 질문"])
      #expect(try await bench.titles(["order": "popular"]).prefix(2) == ["오래된 인기 질문", "해결된 급한 질문"])
      #expect(try await bench.titles(["order": "urgent"]) == ["급한 질문이에요", "새로운 질문이에요", "해결된 급한 질문", "오래된 인기 질문"])
    }
  }

  @Test func aListIsNarrowedByCategoryAndHashtag() async throws {
    try await TownBench.with { bench in
      try await bench.ask("흑돼지 어디가 좋아요?", ["category": "food", "hashtags": "흑돼지 저녁"])
      try await bench.ask("버스 언제까지 다녀요?", ["hashtags": "저녁"])
      #expect(try await bench.titles(["category": "food"]) == ["흑돼지 어디가 좋아요?"])
      #expect(try await bench.titles(["tag": "#저녁"]).count == 2)
      #expect(try await bench.titles(["tag": "저녁", "category": "traffic"]) == ["버스 언제까지 다녀요?"])
      #expect(try await bench.town.trendingTags() == ["저녁", "흑돼지"])
      let counts = try await bench.town.currentCounts()
      #expect(counts.categories == [.food: 1, .traffic: 1])
      bench.clock.move(.hours(25))
      await bench.town.trending.forget()
      #expect(try await bench.town.trendingTags().isEmpty)
    }
  }

  @Test(arguments: [
    ("제주", ["제주 흑돼지 맛집", "공항 가는 버스"]), ("흑돼지", ["제주 흑돼지 맛집"]), ("돼지", ["제주 흑돼지 맛집"]), ("꽃", ["벚꽃 언제 피나요"]),
    ("제주 버스", ["공항 가는 버스"]), ("버스 흑돼지", []), ("SUNRISE", ["벚꽃 언제 피나요"]), ("100%", ["100% 현금만 되나요"]), ("%", ["100% 현금만 되나요"]),
    ("_", []), ("개화시기", ["벚꽃 언제 피나요"]), ("'; DROP TABLE question; --", []), ("제주", ["제주 흑돼지 맛집", "공항 가는 버스"]),
  ])
  func koreanIsFoundByPartsOfWords(search: String, expected: [String]) async throws {
    try await TownBench.with { bench in
      try await bench.ask("100% 현금만 되나요", ["body": "시장이에요"])
      try await bench.ask("벚꽃 언제 피나요", ["body": "Sunrise도 보고 싶어요", "hashtags": "개화시기"])
      try await bench.ask("공항 가는 버스", ["body": "제주 시내에서 타요"])
      try await bench.ask("제주 흑돼지 맛집", ["body": "저녁에 가요"])
      #expect(try await bench.titles(["q": search]) == expected)
    }
  }

  @Test func aLongerWordIsFoundByTheTrigramIndex() async throws {
    try await TownBench.with { bench in
      try await bench.ask("흑돼지 어디가 좋아요?")
      let plan = try await bench.town.database.transaction { transaction in
        try await transaction.execute("SET LOCAL enable_seqscan = off")
        try await transaction.execute("SET LOCAL enable_indexscan = off")
        return try await transaction.query(
          "EXPLAIN SELECT id FROM \(bench.town.schema).question WHERE state <> 'deleted' AND search LIKE '%흑돼지%'"
        ).map { try $0.get(0, as: String.self) }
      }
      #expect(plan.contains { $0.contains("question_search") }, "\(plan)")
    }
  }

  @Test func howManyUrgentQuestionsWereAnsweredInTimeIsMeasured() async throws {
    try await TownBench.with { bench in
      let quick = try await bench.ask("급한 질문 하나", ["urgency": "urgent"])
      _ = try await bench.answer(quick)
      let slow = try await bench.ask("급한 질문 둘", ["urgency": "urgent"])
      bench.clock.move(.minutes(30))
      _ = try await bench.answer(slow)
      try await bench.ask("아직 기다리는 질문", ["urgency": "urgent"])
      let counts = try await bench.town.currentCounts()
      #expect(counts.urgentAsked == 2)
      #expect(counts.urgentInTime == 1)
    }
  }
}
