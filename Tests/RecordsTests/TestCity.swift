import Foundation
import Kit
import Web

/// A city of three tenants to record in.
enum TestCity {
  static let jeju = site("jeju", "동네물어봐 제주", "Ask Jeju", TenantID("jeju"))
  static let univprep = site("univprep", "유니브프렙AI", "Univprep", TenantID("univprep"))
  static let map = CityMap(
    city: Site(
      id: "city", origin: Origin(scheme: "http", host: "localhost", port: 8080), name: LocalizedText(ko: "드림시드", en: "DreamSeed"),
      summary: LocalizedText(ko: "도시"), look: Look(accent: .ink, mark: "드"), languages: [.ko, .en],
      timeZone: TimeZone(identifier: "Asia/Seoul")!),
    issuer: site("id", "드림시드", "DreamSeed", nil), tenants: [jeju, univprep], isDevelopment: true)

  private static func site(_ id: String, _ ko: String, _ en: String, _ tenant: TenantID?) -> Site {
    Site(
      id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: LocalizedText(ko: ko, en: en),
      summary: LocalizedText(ko: "요약"), look: Look(accent: .ink, mark: "제"), languages: [.ko, .en],
      timeZone: TimeZone(identifier: "Asia/Seoul")!, tenant: tenant)
  }

  /// The payload of `activity.recorded`.
  static func activity(
    _ person: PersonID, _ verb: String, path: String = "/questions/1", score: JSONValue? = nil, success: Bool? = nil,
    extensions: [String: JSONValue] = [:]
  ) -> JSONValue {
    var members: [String: JSONValue] = [
      "person": .string("\(person)"), "verb": .string("http://adlnet.gov/expapi/verbs/\(verb)"),
      "objectType": "http://adlnet.gov/expapi/activities/question", "objectPath": .string(path),
      "objectName": ["ko": "주차 어디서 해요?", "en": "Where to park?"], "extensions": .object(extensions),
    ]
    members["score"] = score
    members["success"] = success.map { .bool($0) } ?? .null
    return .object(members)
  }
}

extension Instant {
  /// 2026-11-21T00:00:00Z.
  static let morning = Instant(rfc3339: "2026-11-21T00:00:00Z")!
}
