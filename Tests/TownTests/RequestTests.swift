import Foundation
import HTTPTypes
import Kit
import Synchronization
import Testing

@testable import Town

/// The town as browsers and programs meet it.
@Suite struct RequestTests {
  private let question: JSONValue = [
    "title": "흑돼지 맛집 알려 주세요", "body": "저녁에 가요.", "category": "food", "hashtags": ["흑돼지"],
    "place": ["name": "제주시", "latitude": 33.5, "longitude": 126.5],
  ]

  @Test func aProgramAsksAnswersAcceptsAndReads() async throws {
    try await TownBench.with { (bench: TownBench) async throws in
      #expect(try await bench.send(.post, "/questions", body: question).status == 401)
      let asked = try await bench.send(.post, "/questions", as: bench.asker, body: question, key: "k")
      #expect(asked.status == 201, "\(asked.text)")
      let id = try #require(asked.json?["id"]?.string)
      let again = try await bench.send(.post, "/questions", as: bench.asker, body: question, key: "k")
      #expect(again.json?["id"]?.string == id)
      let answered = try await bench.send(.post, "/questions/\(id)/answers", as: bench.answerer, body: ["body": "동문시장이요"])
      #expect(answered.status == 201, "\(answered.text)")
      let answer = try #require(answered.json?["id"]?.string)
      #expect(try await bench.send(.post, "/answers/\(answer)/accept", as: bench.answerer, body: [:]).status == 403)
      let accepted = try await bench.send(.post, "/answers/\(answer)/accept", as: bench.asker, body: [:])
      #expect(accepted.status == 200, "\(accepted.text)")
      #expect(accepted.json?["points"] == 30)
      #expect(try await bench.send(.post, "/answers/\(answer)/accept", as: bench.asker, body: [:]).json == accepted.json)
      let shown = try await bench.send(.get, "/questions/\(id)")
      #expect(shown.json?["state"] == "resolved")
      #expect(shown.json?["author"]?["name"] == "하늘")
      #expect(shown.json?["isMine"] == false)
      #expect(shown.json?["place"]?["latitude"] == 33.5)
      let list = try await bench.send(.get, "/questions?category=food&q=%ED%9D%91%EB%8F%BC%EC%A7%80+%EB%A7%9B%EC%A7%91")
      guard case .array(let questions)? = list.json?["questions"] else { return #expect(Bool(false), "\(list.text)") }
      #expect(questions.map { $0["id"]?.string } == [id])
      let liked = try await bench.send(.post, "/questions/\(id)/like", as: bench.other, body: [:])
      #expect(liked.json == ["question": .string(id), "isLiked": true, "likeCount": 1])
      let late = try await bench.send(.delete, "/answers/\(answer)", as: bench.answerer)
      #expect(late.status == 409)
      #expect(late.text.contains("채택된 답변은"))
      #expect(try await bench.send(.delete, "/questions/\(id)", as: bench.asker).status == 204)
      #expect(try await bench.send(.get, "/questions/\(id)").status == 404)
      #expect(try await bench.send(.get, "/me/questions", as: bench.asker).json?["questions"] == [])
    }
  }

  @Test func aProgramsStaleEditIsRefusedWithWhatStandsThere() async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask()
      func put(_ title: String, _ version: Int64?) async throws -> TownBench.Reply {
        var body: [String: JSONValue] = ["title": .string(title), "body": "b", "category": "etc"]
        body["version"] = version.map { .integer($0) }
        return try await bench.send(.put, "/questions/\(id.text)", as: bench.asker, body: .object(body))
      }
      #expect(try await put("고친 제목이에요", 1).json?["version"] == 2)
      let stale = try await put("늦은 제목이에요", 1)
      #expect(stale.status == 409)
      #expect(stale.json?["current"]?["title"] == "고친 제목이에요")
      #expect(try await put("판 없이 고쳐요", nil).status == 200)
      let invalid = try await put("짧", 2)
      #expect(invalid.status == 422)
    }
  }

  @Test func badRequestsGetOneClearAnswer() async throws {
    try await TownBench.with { (bench: TownBench) async throws in
      #expect(try await bench.send(.get, "/questions/nothing").status == 404)
      #expect(try await bench.send(.get, "/questions/\(UUID())").status == 404)
      #expect(try await bench.send(.get, "/questions?order=best").status == 422)
      #expect(try await bench.send(.get, "/questions?after=zzz").status == 422)
      #expect(try await bench.send(.get, "/questions?q=%00").status == 200)
      #expect(try await bench.send(.post, "/questions", as: bench.asker, body: ["title": 5]).status == 422)
      #expect(
        try await bench.send(.post, "/questions", as: bench.asker, body: ["title": "\u{0}\u{0}\u{0}\u{0}\u{0}"]).status == 422)
      #expect(try await bench.send(.post, "/questions/\(UUID())/answers", as: bench.asker, body: ["body": "x"]).status == 404)
    }
  }

  @Test(arguments: ["ko", "en"])
  func peopleSeePagesWithoutAMissingText(language: String) async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask(
        "<b>굵은</b> 질문이에요", ["hashtags": "일출", "placeName": "성산", "latitude": 33.4, "longitude": 126.8])
      let waiting = try await bench.answer(id)
      let own = try await bench.answer(id, by: bench.asker)
      let solved = try await bench.ask("해결된 질문이에요")
      _ = try await bench.town.accept(try await bench.answer(solved), by: bench.asker, at: bench.now)
      let answered = try await bench.ask("지울 질문이에요")
      _ = try await bench.answer(answered)
      try await bench.town.delete(answered, by: bench.asker)
      let paths = [
        "/", "/questions?order=popular", "/search?q=%EC%A7%88%EB%AC%B8", "/search?q=zzz", "/questions?tag=none", "/questions/new",
        "/questions/\(id.text)", "/questions/\(solved.text)", "/questions/\(answered.text)", "/questions/\(id.text)/edit",
        "/answers/\(own.text)/edit", "/me/questions",
      ]
      for path in paths {
        let page = try await bench.send(.get, path, as: bench.asker, .person, language: language)
        #expect(page.status == 200, "\(path)")
        #expect(page.text.contains("<main"), "\(path)")
        #expect(!page.text.contains("town."), "a text is missing: \(path)")
        #expect(!page.text.contains("Optional("), "\(path)")
        #expect(!page.text.contains("<b>굵은"), "\(path)")
      }
      let shown = try await bench.send(.get, "/questions/\(id.text)", as: bench.asker, .person, language: language).text
      #expect(shown.contains("/answers/\(waiting.text)/accept"))
      #expect(!shown.contains("/answers/\(own.text)/accept"))
      #expect(shown.contains("openstreetmap.org/?mlat=33.40000&amp;mlon=126.80000"))
      let visitor = try await bench.send(.get, "/questions/\(id.text)", .person, language: language).text
      #expect(visitor.contains("/signin?return_to=/questions/\(id.text)"))
      #expect(!visitor.contains("/accept\""))
      #expect(try await bench.send(.get, "/questions/new", .person).location?.hasPrefix("/signin") == true)
    }
  }

  @Test func aFormKeepsWhatWasTypedAndSaysWhatIsWrong() async throws {
    try await TownBench.with { bench in
      let form =
        "title=%EC%A3%BC%EC%B0%A8&body=%EB%82%B4%EC%9A%A9%EC%9D%B4%EC%97%90%EC%9A%94&category=food&urgency=urgent&latitude=&longitude="
      let page = try await bench.send(.post, "/questions", as: bench.asker, .person, form: form)
      #expect(page.status == 422)
      for text in [
        "value=\"주차\"", "내용이에요</textarea>", "value=\"food\" selected", "value=\"urgent\" checked", "5자 이상", "aria-invalid",
      ] {
        #expect(page.text.contains(text), "\(text)")
      }
      let good = try await bench.send(
        .post, "/questions", as: bench.asker, .person, form: form.replacing("%EC%A3%BC%EC%B0%A8", with: "abcdefg"))
      #expect(good.status == 303)
      let path = try #require(good.location)
      let answer = try await bench.send(.post, path + "/answers", as: bench.answerer, .person, form: "body=")
      #expect(answer.status == 422)
      #expect(answer.text.contains("body-error"))
    }
  }

  @Test func aPersonsStaleEditShowsBoth() async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask()
      #expect(try await bench.town.edit(id, to: try bench.draft("먼저 고친 제목"), version: 1, by: bench.asker, at: bench.now))
      let form = "title=late+title&body=mine&category=etc&version=1"
      let page = try await bench.send(.post, "/questions/\(id.text)", as: bench.asker, .person, form: form)
      #expect(page.status == 409)
      #expect(page.text.contains("먼저 고친 제목"))
      #expect(page.text.contains("value=\"late title\""))
      #expect(page.text.contains("name=\"version\" value=\"2\""))
      let again = try await bench.send(
        .post, "/questions/\(id.text)", as: bench.asker, .person, form: form.replacing("version=1", with: "version=2"))
      #expect(again.status == 303)
    }
  }

  @Test func aListNeedsNeitherNamesNorPoints() async throws {
    try await TownBench.with { bench in
      let id = try await bench.ask()
      #expect(try await bench.send(.get, "/", as: bench.asker, .person).text.contains("60 P"))
      bench.people.isAway.withLock { $0 = true }
      #expect(try await bench.send(.get, "/", as: bench.asker, .person).status == 200)
      #expect(try await bench.send(.get, "/questions/\(id.text)").json?["author"] == ["name": "이웃", "isGone": false])
      bench.people.isAway.withLock { $0 = false }
      bench.people.names.withLock { $0 = [:] }
      #expect(try await bench.send(.get, "/questions/\(id.text)").json?["author"] == ["name": "떠난 이웃", "isGone": true])
    }
  }
}
