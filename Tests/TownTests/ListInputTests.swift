import Foundation
import Kit
import Testing
import Web

@testable import Town

/// What people type, before it meets a database.
@Suite struct ListInputTests {
  // MARK: Hashtags

  @Test(arguments: [
    ("#일출", "일출"), ("Sunrise_2026", "sunrise_2026"), ("＃주차", "주차"), ("Café", "café"), ("ㅋㅋ", "ㅋㅋ"),
    ("일출", "일출"),  // Decomposed, as macOS types it.
  ])
  func aHashtagIsLowerCaseWithoutItsSign(typed: String, tag: String) {
    #expect(Hashtag.normal(typed) == tag)
  }

  @Test(arguments: ["", "#", "a b", "하-이", "日本", "🍊", "<b>", "a%", String(repeating: "가", count: 21)])
  func otherTextIsNoHashtag(text: String) { #expect(Hashtag.normal(text) == nil) }

  @Test(arguments: ["#일출 #주차", "일출,주차", "#일출#주차", " 일출  #주차 #일출 "])
  func hashtagsAreReadHoweverTheyAreParted(typed: String) {
    var input = Input(["hashtags": .string(typed)])
    #expect(Hashtag.read(&input, "hashtags") == ["일출", "주차"])
    #expect(input.fields.isEmpty)
  }

  @Test func hashtagsAreReadFromAListOfJSONAndCounted() {
    var input = Input(["hashtags": ["#가", "나"]])
    #expect(Hashtag.read(&input, "hashtags") == ["가", "나"])
    var many = Input(["hashtags": ["1", "2", "3", "4", "5", "6"]])
    _ = Hashtag.read(&many, "hashtags")
    #expect(many.fields.map(\.code) == ["tooMany"])
    var wrong = Input(["hashtags": [1]])
    _ = Hashtag.read(&wrong, "hashtags")
    #expect(wrong.fields.map(\.code) == ["type"])
  }

  // MARK: Questions

  private func refused(_ values: [String: JSONValue]) -> [String] {
    do throws(Problem) {
      _ = try QuestionDraft(Input(values), area: .jeju)
      return []
    } catch {
      return error.fields.map { "\($0.name) \($0.code)" }
    }
  }

  @Test func allMistakesAreNamedAtOnce() {
    #expect(
      refused(["title": "주차", "body": " ", "category": "travel", "hashtags": "a%", "latitude": 33.4, "urgency": "soon"])
        == [
          "title tooShort", "body required", "category choice", "hashtags type", "longitude together", "urgency choice",
        ])
    #expect(refused([:]) == ["title required", "body required", "category required"])
  }

  @Test func aPlaceLiesInTheTownsArea() throws {
    let good: [String: JSONValue] = ["title": "주차 괜찮나요?", "body": "b", "category": "traffic"]
    #expect(
      refused(good.merging(["latitude": 35.1, "longitude": 129.0]) { $1 }) == ["latitude outOfRange", "longitude outOfRange"])
    #expect(refused(good.merging(["latitude": "33.4x", "longitude": "126.5"]) { $1 }) == ["latitude type"])
    let typed = try QuestionDraft(Input(good.merging(["latitude": "33.458", "longitude": "126.9"]) { $1 }), area: .jeju)
    #expect(typed.place?.coordinates == Coordinates(latitude: 33.458, longitude: 126.9))
    let nested = try QuestionDraft(
      Input(good.merging(["place": ["name": "성산", "latitude": 33.458, "longitude": 126.9]]) { $1 }), area: .jeju)
    #expect(nested.place == Place(name: "성산", coordinates: Coordinates(latitude: 33.458, longitude: 126.9)))
    #expect(try QuestionDraft(Input(good), area: .jeju).place == nil)
  }

  @Test func lineEndsBecomeOneKind() throws {
    let draft = try QuestionDraft(Input(["title": "주차\n괜찮나요?", "body": "a\r\nb\rc", "category": "etc"]), area: .jeju)
    #expect(draft.title == "주차 괜찮나요?")
    #expect(draft.body == "a\nb\nc")
    #expect(draft.urgency == .normal)
  }

  // MARK: Lists

  @Test func aSearchIsPartedIntoWordsAndItsPatternsAreEscaped() {
    #expect(SearchWords("  제주+흑돼지, #일출 ").words == ["제주", "흑돼지", "일출"])
    #expect(SearchWords("50%_\\").patterns == ["%50\\%\\_\\\\%"])
    #expect(SearchWords("\u{0}").isEmpty)
    #expect(SearchWords((1...20).map(String.init).joined(separator: " ")).words.count == SearchWords.most)
  }

  @Test(arguments: QuestionOrder.allCases)
  func aCursorIsReadAsItWasWritten(order: QuestionOrder) {
    let cursor = QuestionCursor(
      order: order, rank: 41, created: Instant(microseconds: 1_772_000_000_123_456), id: UUID.v7())
    #expect(QuestionCursor(cursor.text) == cursor)
    #expect(cursor.text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
  }

  @Test(arguments: [
    "", "x", String(repeating: "A", count: 44), String(repeating: "!", count: 44), String(repeating: "_", count: 44),
  ])
  func aMadeUpCursorIsRefused(text: String) { #expect(QuestionCursor(text) == nil) }

  @Test func aFilterRefusesWhatMeansNothingAndNamesItAll() {
    let query = ["order": "best", "category": "cars", "tag": "a b", "after": "zzz"]
    #expect(throws: Problem.self) { try QuestionFilter { query[$0] } }
    do throws(Problem) {
      _ = try QuestionFilter { query[$0] }
    } catch {
      #expect(error.kind == .invalidInput)
      #expect(error.fields.map(\.name) == ["order", "category", "tag", "after"])
    }
    let cursor = QuestionCursor(order: .popular, rank: 1, created: Instant(seconds: 1), id: UUID())
    #expect(throws: Problem.self) { try QuestionFilter { ["after": cursor.text][$0] } }
  }

  @Test func aFiltersAddressReadsBackAsTheFilter() throws {
    let query = ["order": "popular", "category": "food", "tag": "흑돼지", "q": "제주 & 맛집"]
    let filter = try QuestionFilter { query[$0] }
    let components = try #require(URLComponents(string: filter.url))
    let again = try QuestionFilter { name in components.queryItems?.first { $0.name == name }?.value }
    #expect(again == filter)
    #expect(filter.url.hasPrefix("/search?"))
    #expect(QuestionFilter().url == "/questions")
  }

  // MARK: Ids

  @Test func aNameMakesOneIdOfVersionEight() {
    let id = UUID.named("jeju/sample/jeju-0001")
    #expect(id == UUID.named("jeju/sample/jeju-0001"))
    #expect(id != UUID.named("busan/sample/jeju-0001"))
    #expect(id.uuid.6 >> 4 == 8)
    #expect(id.uuid.8 >> 6 == 0b10)
    #expect(Set((0..<10_000).map { UUID.named("answer/\($0)") }).count == 10_000)
  }

  // MARK: Settings

  private func settings(_ yaml: String) throws -> (TownSettings, [String]) {
    let document = try ConfigDocument(yaml: yaml, file: "tenants.yaml")
    let settings = TownSettings(reading: document.root.section("settings"))
    do throws(ConfigMistakes) {
      try document.finish()
      return (settings, [])
    } catch {
      return (settings, error.mistakes.map(\.key))
    }
  }

  @Test func settingsAreReadAndTheirMistakesNamed() throws {
    let (good, none) = try settings(
      "settings: {area: {south: 35.0, north: 35.3, west: 128.9, east: 129.3}, answer_target: 15m, accepted_points: 50}")
    #expect(none.isEmpty)
    #expect(good.area == Area(latitudes: 35.0...35.3, longitudes: 128.9...129.3))
    #expect(good.answerTarget == .minutes(15))
    #expect(good.acceptedPoints == 50)
    let (_, mistakes) = try settings("settings: {area: {south: 35.3, north: 35.0, west: 128.9, east: 129.3}, answer_target: 1s}")
    #expect(Set(mistakes) == ["settings.area.north", "settings.answer_target"])
    #expect(try settings("settings: {answer_target: 10m}").1 == ["settings.area"])
  }
}
