import Foundation
import Kit
import TenantKit
import TenantSupport
import Testing
import Web

@testable import Prep

/// The routes as a browser and a program meet them.
@Suite struct PrepPagesTests {
  private let mina = PersonID(UUID.v7())

  @Test func aVisitorSeesTopicsAndTheWayIn() async throws {
    try await withPrep { prep in
      let page = try await Browser(prep).get("/")
      #expect(page.status == 200)
      #expect(page.text.contains("이차식과 이차방정식"))
      #expect(page.text.contains("로그인하고 시작하기"))
      #expect(!page.text.contains("<meter"))
      let json = try await Browser(prep, program: true).get("/")
      #expect(json.value["dailyGoal"] == 10)
      #expect(json.value["answeredToday"] == nil)
      let start = try await Browser(prep).get("/practice/\(UUID.v7().text)")
      #expect(start.status == 303)
      #expect(start.location?.hasPrefix("/signin") == true)
    }
  }

  @Test func aPersonPractisesAndSeesRightWrongAndWhy() async throws {
    try await withPrep { prep in
      let browser = try Browser(prep, person: mina)
      #expect(try await browser.get("/").text.contains("연습 시작하기"))
      let started = try await browser.post("/practice", "topic=sentence-completion")
      #expect(started.status == 303)
      let path = try #require(started.location)
      let item = try await browser.get(path)
      #expect(item.text.contains("빈칸에 알맞은 것을 고르세요."))
      #expect(item.text.contains(#"<p class="said" lang="en">Mina was ____ to leave"#))
      #expect(!item.text.contains("떠나기 싫었다는"))
      #expect(try await browser.get("/").text.contains(#"href="\#(path)">이어서 풀기"#))
      let refused = try await browser.post("\(path)/answer", "answer=9")
      #expect(refused.status == 422)
      #expect(refused.text.contains("answer-error"))
      #expect(try await browser.post("\(path)/answer", "answer=0").location == path)
      let result = try await browser.get(path)
      #expect(result.text.contains("아쉬워요"))
      #expect(result.text.contains("떠나기 싫었다는 뜻이에요."))
      #expect(result.text.contains("choice wrong"))
      #expect(result.text.contains("choice right"))
      #expect(result.text.contains(#"name="topic" value="sentence-completion""#))
      let other = try await browser.post("\(path)/answer", "answer=1")
      #expect(other.status == 409)
      let history = try await browser.get("/history")
      #expect(history.text.contains("틀림"))
      #expect(history.text.contains(path))
    }
  }

  @Test func aNumberIsTypedAndMistypedWithoutLoss() async throws {
    try await withPrep { prep in
      let browser = try Browser(prep, person: mina)
      let path = try #require(try await browser.post("/practice", "topic=ratios").location)
      let refused = try await browser.post("\(path)/answer", "answer=1%2C5")
      #expect(refused.status == 422)
      #expect(refused.text.contains(#"value="1,5""#))
      #expect(refused.text.contains("숫자로 적어 주세요."))
      #expect(prep.entitlements.used(mina) == 1)
      #expect(try await prep.count("skill") == 0)
      _ = try await browser.post("\(path)/answer", "answer=%EF%BC%91%EF%BC%8E%EF%BC%95")
      #expect(try await browser.get(path).text.contains("맞았어요"))
    }
  }

  @Test func aProgramPractisesInJSON() async throws {
    try await withPrep { prep in
      let program = try Browser(prep, person: mina, program: true, language: "en")
      let started = try await program.post("/practice", #"{"topic": "quadratics"}"#)
      #expect(started.status == 201)
      let id = try #require(started.value["id"]?.string)
      #expect(started.value["item"]?["topicTitle"] == "Quadratics")
      #expect(started.value["result"] == nil)
      #expect(!started.text.contains("vertex is (p, q)"))
      #expect(started.value["allowance"]?["left"] == 99)
      #expect(try await program.post("/practice", "{}").status == 200)
      #expect(try await program.post("/practice/\(id)/answer", #"{"answer": "two"}"#).status == 422)
      #expect(try await program.post("/practice/\(id)/answer", "{}").status == 422)
      let answered = try await program.post("/practice/\(id)/answer", #"{"answer": 0}"#)
      #expect(answered.status == 200)
      #expect(answered.value["result"]?["correct"] == true)
      #expect(answered.value["result"]?["explanation"] == "The vertex is (p, q).")
      #expect(try await program.post("/practice/\(id)/answer", #"{"answer": "0"}"#).text == answered.text)
      let conflict = try await program.post("/practice/\(id)/answer", #"{"answer": 1}"#)
      #expect(conflict.status == 409)
      #expect(conflict.value["type"]?.string?.hasSuffix("/problems/conflict") == true)
      guard case .array(let attempts)? = try await program.get("/history").value["attempts"] else {
        Issue.record("no attempts")
        return
      }
      #expect(attempts.first?["id"]?.string == id)
    }
  }

  @Test func pastTheLimitPeopleGetAPageAndProgramsTheProblem() async throws {
    try await withPrep(limit: 1) { prep in
      let browser = try Browser(prep, person: mina)
      let path = try #require(try await browser.post("/practice", "").location)
      _ = try await browser.post("\(path)/answer", "skip=1")
      let page = try await browser.post("/practice", "")
      #expect(page.status == 402)
      #expect(page.text.contains("이번 달 1문제를 다 풀었어요"))
      #expect(page.text.contains("2026년 12월 1일"))
      #expect(page.text.contains("19,900원"))
      #expect(page.text.contains("프리미엄"))
      let problem = try await Browser(prep, person: mina, program: true).post("/practice", "{}")
      #expect(problem.status == 402)
      #expect(problem.value["limit"] == 1)
      #expect(problem.value["type"]?.string?.hasSuffix("/problems/quota-exceeded") == true)
      let english = try await Browser(prep, person: mina, language: "en").post("/practice", "")
      #expect(english.text.contains("$14.99"))
    }
  }

  @Test func everyPageReadsInBothLanguages() async throws {
    try await withPrep(limit: 3) { prep in
      for language in ["ko", "en"] {
        let person = PersonID(UUID.v7())
        let browser = try Browser(prep, person: person, language: language)
        var pages: [String: String] = ["history-empty": try await browser.get("/history").text]
        for (name, answer) in [("right", "answer=0"), ("number", "answer=1%2F2"), ("skipped", "skip=1")] {
          prep.clock.advance(.seconds(40))
          let topic = name == "number" ? "topic=ratios" : name == "right" ? "topic=quadratics" : "topic=sentence-completion"
          let path = try #require(try await browser.post("/practice", topic).location)
          pages["item-\(name)"] = try await browser.get(path).text
          pages["home-\(name)"] = try await browser.get("/").text
          _ = try await browser.post("\(path)/answer", answer)
          pages["result-\(name)"] = try await browser.get(path).text
        }
        pages["home"] = try await browser.get("/").text
        pages["history"] = try await browser.get("/history").text
        pages["quota"] = try await browser.post("/practice", "").text
        pages["visitor"] = try await Browser(prep, language: language).get("/").text
        for (name, text) in pages {
          // A key without a text reads as itself, and a hole that was not filled as its name.
          let key = text.firstMatch(of: /[^a-z]prep\.[a-z.]+/).map { String($0.output) }
          let hole = text.firstMatch(of: /\{[a-z]+\}/).map { String($0.output) }
          let isWhole = text.contains(#"<main class="page"#)
          #expect(key == nil, "\(name) \(language)")
          #expect(hole == nil, "\(name) \(language)")
          #expect(isWhole, "\(name) \(language)")
          // For whoever wants to look at them in a browser.
          if let folder = ProcessInfo.processInfo.environment["PREP_PAGES"] {
            try text.write(toFile: "\(folder)/\(name)-\(language).html", atomically: true, encoding: .utf8)
          }
        }
      }
    }
  }

  @Test func settingsAreReadAndMistakesTold() throws {
    func read(_ yaml: String) throws -> Prep.Settings {
      let document = try ConfigDocument(yaml: yaml, file: "tenants.yaml")
      let settings = Prep.Settings(reading: document.root.section("settings"))
      try document.finish()
      return settings
    }
    let settings = try read("settings: {packages: [a, b], daily_goal: 5, subjects: [math]}")
    #expect(settings.packages == ["a", "b"])
    #expect(settings.dailyGoal == 5)
    #expect(settings.subjects == ["math"])
    #expect(try read("settings: {packages: [a]}").dailyGoal == 10)
    #expect(throws: ConfigMistakes.self) { try read("settings: {daily_goal: 5}") }
    #expect(throws: ConfigMistakes.self) { try read("settings: {packages: []}") }
    #expect(throws: ConfigMistakes.self) { try read("settings: {packages: [a], goal: 5}") }
  }
}
