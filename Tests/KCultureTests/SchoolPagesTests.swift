import Foundation
import Kit
import TenantKit
import TenantSupport
import Testing
import Web

@testable import KCulture

/// The routes as a browser and a program meet them.
@Suite struct SchoolPagesTests {
  private let mina = PersonID(UUID.v7())

  @Test func aVisitorSeesThePathAndReadsTheFirstStep() async throws {
    try await withSchool { school in
      let visitor = try Browser(school)
      let home = try await visitor.get("/")
      #expect(home.status == 200)
      #expect(home.text.contains("첫 모음 ㅏ와 ㅣ"))
      #expect(home.text.contains("첫걸음 둘러보기"))
      let first = try await visitor.get("/steps/hangul-01")
      #expect(first.text.contains("로그인하고 연습하기"))
      #expect(first.text.contains("ㅇ + ㅏ"))
      let second = try await visitor.get("/steps/hangul-02")
      #expect(second.status == 200)
      #expect(!second.text.contains("figure class=\"syllable"))
      #expect(try await visitor.get("/steps/hangul-99").status == 404)
      #expect(try await visitor.get("/review").location?.hasPrefix("/signin") == true)
      let json = try await Browser(school, program: true).get("/")
      #expect(json.value["next"] == "hangul-01")
      #expect(json.value["dueCards"] == nil)
    }
  }

  @Test func aPersonTakesALessonAndReviewsItsCards() async throws {
    try await withSchool { school in
      let browser = try Browser(school, person: mina)
      #expect(try await browser.get("/").text.contains("첫 레슨 시작하기"))
      #expect(try await browser.post("/steps/hangul-01/start", "").location == "/steps/hangul-01")
      let lesson = try #require(try await browser.post("/steps/hangul-01/start", "go=exercises").location)
      let step = try await school.step(1)
      #expect(try await browser.get(lesson).text.contains("이 소리가 나는 글자를 골라 보세요"))
      let refused = try await browser.post("\(lesson)/exercises/1", "answer=9")
      #expect(refused.status == 422 && refused.text.contains("answer-error"))
      let wrong = try #require(step.exercises[0].choices.firstIndex { $0 != step.exercises[0].answer })
      #expect(try await browser.post("\(lesson)/exercises/1", "answer=\(wrong)").location == "\(lesson)/exercises/1")
      let result = try await browser.get("\(lesson)/exercises/1")
      #expect(result.text.contains("아쉬워요") && result.text.contains("choice wrong") && result.text.contains("choice right"))
      // Back and another choice: what stands is shown.
      #expect(try await browser.post("\(lesson)/exercises/1", "answer=\(1 - wrong)").location == "\(lesson)/exercises/1")
      #expect(try await browser.get("\(lesson)/exercises/1").text.contains("아쉬워요"))
      let right = try #require(step.exercises[1].choices.firstIndex(of: step.exercises[1].answer))
      _ = try await browser.post("\(lesson)/exercises/2", "answer=\(right)")
      let built = try await browser.post("\(lesson)/exercises/3", "initial=%E3%85%87&medial=%E3%85%8F")
      #expect(built.location == "\(lesson)/exercises/3")
      #expect(try await browser.get("\(lesson)/exercises/3").text.contains("맞았어요"))
      #expect(try await browser.post("\(lesson)/exercises/4", "initial=x").status == 422)
      _ = try await browser.post("\(lesson)/exercises/4", "skip=1")
      let read = try #require(step.exercises[4].choices.firstIndex(of: "아이"))
      _ = try await browser.post("\(lesson)/exercises/5", "answer=\(read)")
      let tiles = try await browser.get("\(lesson)/exercises/6?placed=0.0.7.x")
      #expect(tiles.text.contains(#"value="\#(step.exercises[5].tiles[0])""#))
      _ = try await browser.post("\(lesson)/exercises/6", "answer=%EC%95%84%EC%9D%B4")
      let finish = try await browser.get(lesson)
      #expect(finish.text.contains("6문제 중 4문제를 맞혔어요"))
      #expect(finish.text.contains("새 카드 4장이 생겼어요."))
      #expect(try await browser.get("/").text.contains("카드 4장이 기다려요"))

      let front = try await browser.get("/review")
      let turn = try #require(front.text.firstMatch(of: /\/review\?show=([0-9a-f-]+)/)).output.1
      #expect(!front.text.contains("name=\"recall\""))
      let back = try await browser.get("/review?show=\(turn)")
      #expect(back.text.contains("떠올랐어요<small>2일 뒤"))
      for _ in 0..<2 {
        #expect(try await browser.post("/cards/\(turn)/grade", "recall=good&review=1").location == "/review")
      }
      #expect(try await school.count("review") == 1)
      #expect(try await browser.get("/review").text.contains("3장 남았어요"))
      for card in try await school.school.cards.due(to: mina, limit: 9) { _ = try await school.grade(card, .good) }
      let rest = try await browser.get("/review")
      #expect(rest.text.contains("오늘 카드 4장을 복습했어요") && rest.text.contains("2026년 11월 23일에 카드 4장이 돌아와요."))
      #expect(try await browser.get("/cards/\(turn)").text.contains("1번 복습했어요."))
    }
  }

  @Test func aProgramTakesALessonInJSON() async throws {
    try await withSchool { school in
      let program = try Browser(school, person: mina, program: true, language: "en")
      let started = try await program.post("/steps/hangul-30/start", "{}")
      #expect(started.status == 201)
      let id = try #require(started.value["id"]?.string)
      #expect(started.value["allowance"]?["left"] == 99)
      #expect(!started.text.contains("궁물\",\"answer"))
      #expect(try await program.post("/steps/hangul-30/start", "{}").status == 200)
      #expect(try await program.post("/lessons/\(id)/complete", "{}").status == 409)
      #expect(try await program.post("/lessons/\(id)/exercises/1", "{}").status == 422)
      #expect(try await program.post("/lessons/\(id)/exercises/9", #"{"answer": 0}"#).status == 404)
      let step = try await school.step(30)
      for exercise in step.exercises {
        let answer = exercise.choices.firstIndex(of: exercise.answer).map { "\($0)" } ?? "\"\(exercise.answer)\""
        let answered = try await program.post("/lessons/\(id)/exercises/\(exercise.number)", "{\"answer\": \(answer)}")
        #expect(answered.status == 200)
        #expect(
          try await program.get("/lessons/\(id)/exercises/\(exercise.number)").value["result"]?["correct"] == true)
      }
      let conflict = try await program.post("/lessons/\(id)/exercises/1", #"{"skip": true}"#)
      #expect(conflict.status == 409)
      let done = try await program.post("/lessons/\(id)/complete", "{}")
      #expect(done.status == 200 && done.value["score"] == 1 && done.value["cardsAdded"] == 6)
      let review = try await program.get("/review")
      #expect(review.value["due"] == 6)
      guard case .array(let cards)? = review.value["cards"], let card = cards.first?["id"]?.string else {
        Issue.record("no cards")
        return
      }
      #expect(try await program.post("/cards/\(card)/grade", #"{"recall": "soso"}"#).status == 422)
      let graded = try await program.post("/cards/\(card)/grade", #"{"recall": "again", "review": 1}"#)
      #expect(graded.status == 200 && graded.value["isDue"] == false && graded.value["reviews"] == 1)
      #expect(try await program.post("/cards/\(card)/grade", #"{"recall": "again", "review": 1}"#).text == graded.text)
      #expect(try await program.post("/cards/\(card)/grade", #"{"recall": "easy", "review": 1}"#).status == 409)
    }
  }

  @Test func anythingIsReadAloud() async throws {
    try await withSchool { school in
      let program = try Browser(school, program: true)
      let read = try await program.get("/read?text=%EA%B5%AD%EB%AC%BC")
      #expect(read.value["pronunciation"] == "궁물" && read.value["romanization"] == "gungmul")
      #expect(try await program.get("/read").status == 422)
      #expect(try await program.get("/read?text=hello").status == 422)
      #expect(try await program.get("/read?text=" + String(repeating: "%EA%B0%80", count: 101)).status == 422)
      let page = try await Browser(school).get("/read?text=%EA%BD%83%EC%9E%8E%20abc")
      #expect(page.status == 200 && page.text.contains("꼰닙") && page.text.contains("kkonnip"))
      #expect(try await Browser(school).get("/read").status == 200)
      #expect(try await Browser(school).get("/read?text=hello").text.contains("text-error"))
    }
  }

  @Test func pastTheLimitPeopleGetAPageAndProgramsTheProblem() async throws {
    try await withSchool(limit: 1) { school in
      let browser = try Browser(school, person: mina)
      #expect(try await browser.post("/steps/hangul-01/start", "").status == 303)
      let page = try await browser.post("/steps/hangul-02/start", "")
      #expect(page.status == 402)
      #expect(page.text.contains("이번 달 새 레슨 1개를 다 열었어요") && page.text.contains("24,900원"))
      #expect(try await browser.post("/steps/hangul-01/start", "").status == 303)
      let problem = try await Browser(school, person: mina, program: true).post("/steps/hangul-02/start", "{}")
      #expect(problem.status == 402 && problem.value["limit"] == 1)
    }
  }

  @Test func everyPageReadsInBothLanguages() async throws {
    for language in ["ko", "en"] {
      try await withSchool(limit: 41) { school in
        let person = PersonID(UUID.v7())
        let browser = try Browser(school, person: person, language: language)
        var pages: [String: String] = [
          "review-none": try await browser.get("/review").text, "home-new": try await browser.get("/").text,
          "visitor": try await Browser(school, language: language).get("/").text,
          "step-visitor": try await Browser(school, language: language).get("/steps/hangul-01").text,
          "step-closed": try await browser.get("/steps/hangul-07").text,
          "read": try await browser.get("/read?text=%EA%B0%99%EC%9D%B4%20%EA%B0%80%EC%9A%94").text,
          "read-empty": try await browser.get("/read").text, "read-error": try await browser.get("/read?text=x").text,
        ]
        for step in try await school.school.courses.course().steps {
          let lesson = try #require(try await browser.post("/steps/\(step.id)/start", "go=exercises").location)
          pages["step-\(step.order)"] = try await browser.get("/steps/\(step.id)").text
          for exercise in step.exercises {
            pages["exercise-\(step.order)-\(exercise.kind)"] = try await browser.get(lesson).text
            _ = try await browser.post("\(lesson)/exercises/\(exercise.number)", "skip=1")
            pages["result-\(step.order)-\(exercise.kind)"] =
              try await browser.get("\(lesson)/exercises/\(exercise.number)").text
          }
          pages["finish-\(step.order)"] = try await browser.get(lesson).text
          if step.order == 6 { pages["home"] = try await browser.get("/").text }
        }
        pages["home-end"] = try await browser.get("/").text
        let card = try #require(try await school.school.cards.due(to: person, limit: 1).first)
        pages["review"] = try await browser.get("/review").text
        pages["review-back"] = try await browser.get("/review?show=\(card.id.text)").text
        pages["card"] = try await browser.get("/cards/\(card.id.text)").text
        for (name, text) in pages {
          // A key without a text reads as itself, and a hole that was not filled as its name.
          let key = text.firstMatch(of: /[^a-z]kculture\.[a-z.]+/).map { String($0.output) }
          let hole = text.firstMatch(of: /\{[a-z]+\}/).map { String($0.output) }
          #expect(key == nil, "\(name) \(language)")
          #expect(hole == nil, "\(name) \(language)")
          #expect(text.contains(#"<main class="page"#), "\(name) \(language)")
        }
      }
    }
  }
}
