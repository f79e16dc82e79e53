import Foundation
import Kit
import Testing
import Web

@testable import Records

/// Documents and sentences: values in, values out.
@Suite struct StatementTests {
  private func statement(_ payload: JSONValue, at occurred: Instant = .morning) throws -> JSONValue {
    let statement = try Statement(
      RecordedActivity(payload), id: UUID(uuidString: "019AF000-0000-7000-8000-000000000001")!, occurred: occurred,
      stored: .morning + .seconds(1), site: TestCity.jeju, issuer: TestCity.map.issuer.origin,
      city: TestCity.map.city.origin)
    return try JSONDecoder().decode(JSONValue.self, from: Data(statement.payload.utf8))
  }

  @Test func aStatementHasEveryPartTheStandardAsksFor() throws {
    let person = PersonID(UUID.v7())
    let found = try statement(
      TestCity.activity(person, "answered", score: 1, success: true, extensions: ["topic": "수학", "https://x.example/y": 2]),
      at: Instant(rfc3339: "2026-11-21T01:02:03.000456Z")!)
    let expected: JSONValue = [
      "id": "019af000-0000-7000-8000-000000000001",
      "actor": [
        "objectType": "Agent", "account": ["homePage": "http://id.localhost:8080/", "name": .string("\(person)")],
      ],
      "verb": [
        "id": "http://adlnet.gov/expapi/verbs/answered", "display": ["ko": "답했어요", "en": "answered"],
      ],
      "object": [
        "objectType": "Activity", "id": "http://jeju.localhost:8080/questions/1",
        "definition": [
          "name": ["ko": "주차 어디서 해요?", "en": "Where to park?"],
          "type": "http://adlnet.gov/expapi/activities/question",
        ],
      ],
      "result": ["success": true, "score": ["scaled": 1]],
      "context": [
        "platform": "jeju",
        "extensions": ["http://localhost:8080/xapi/extensions/topic": "수학", "https://x.example/y": 2],
      ],
      "timestamp": "2026-11-21T01:02:03.000456Z",
      "stored": "2026-11-21T00:00:01.000Z",
      "authority": ["objectType": "Agent", "account": ["homePage": "http://localhost:8080/", "name": "jeju"]],
      "version": "2.0.0",
    ]
    #expect(found == expected)
  }

  @Test func aStatementWithoutResultHasNone() throws {
    let found = try statement(TestCity.activity(PersonID(UUID.v7()), "asked"))
    #expect(found["result"] == nil)
    #expect(found["context"]?["extensions"] == nil)
  }

  @Test(
    arguments: [
      ("person", "nobody"), ("verb", "asked"), ("verb", "http://x/a b"), ("objectType", ""), ("objectPath", "questions/1"),
      ("objectPath", "/questions/<1>"), ("objectName", nil), ("success", "yes"), ("score", 1.5), ("score", "1"),
      ("extensions", []), ("extensions", ["a b": 1]),
    ] as [(String, JSONValue?)])
  func whatWouldNotBeValidIsRefused(member: String, value: JSONValue?) throws {
    guard case .object(var members) = TestCity.activity(PersonID(UUID.v7()), "asked") else { return }
    members[member] = value
    #expect(throws: InvalidActivity(member: member)) { try statement(.object(members)) }
  }

  @Test func irisAreTold() {
    for good in ["http://a/b", "urn:uuid:1", "https://w3id.org/xapi/adl/verbs/satisfied", "https://예시.kr/한글"] {
      #expect(IRI.isValid(good), "\(good)")
    }
    for bad in ["", "a", ":x", "1a:x", "http:", "http://a b", "http://a\nb", "http://a/{b}"] {
      #expect(!IRI.isValid(bad), "\(bad)")
    }
  }

  @Test func timesKeepEveryDigit() {
    #expect(Instant(microseconds: 1_000_001).statementText == "1970-01-01T00:00:01.000001Z")
    #expect(Instant(microseconds: 1_120_000).statementText == "1970-01-01T00:00:01.120Z")
    #expect(Instant(rfc3339: Instant(microseconds: 1_764_000_000_123_456).statementText)?.microseconds == 1_764_000_000_123_456)
  }

  @Test func cursorsAreReadBack() {
    let cursor = TimelineCursor(timestamp: .morning, id: UUID.v7())
    #expect(TimelineCursor(cursor.description) == cursor)
    for bad in ["", "1", "x.019af000-0000-7000-8000-000000000001", "1.x", "-1.\(cursor.id)", "9223372036854775807.\(cursor.id)"] {
      #expect(TimelineCursor(bad) == nil)
    }
  }

  @Test func sentencesAreLocalised() throws {
    let catalogue = try Catalogue([("records", RecordsService.resources)])
    func sentence(_ verb: String, _ success: Bool?, _ language: Language) -> String {
      let entry = TimelineEntry(
        id: UUID.v7(), tenant: "jeju", verb: verb, object: "http://jeju.localhost:8080/questions/1", objectType: "",
        objectName: LocalizedText(ko: "{tenant} 주차", en: "Parking"), timestamp: .morning, stored: .morning, success: success,
        score: nil)
      return TimelineSentence(entry, tenant: TestCity.jeju.name(language), catalogue: catalogue, language: language).text
    }
    let verbs = "http://adlnet.gov/expapi/verbs/"
    #expect(sentence(verbs + "asked", nil, .ko) == "동네물어봐 제주에서 질문했어요: {tenant} 주차")
    #expect(sentence(verbs + "asked", nil, .en) == "Asked in Ask Jeju: Parking")
    #expect(sentence(verbs + "answered", nil, .en) == "Answered in Ask Jeju: Parking")
    #expect(sentence(verbs + "answered", true, .en) == "Answered right in Ask Jeju: Parking")
    #expect(sentence(verbs + "answered", false, .ko) == "동네물어봐 제주에서 문제를 풀었어요. 이번엔 틀렸어요: {tenant} 주차")
    #expect(sentence("http://activitystrea.ms/schema/1.0/accept", nil, .en) == "Accepted an answer in Ask Jeju: Parking")
    #expect(sentence("http://elsewhere.example/danced", nil, .en) == "Was active in Ask Jeju: Parking")
  }
}
