import Foundation
import Kit
import Web

/// A record of a package of kind `questions` (`content/README.md`).
struct SampleQuestion: Decodable, Sendable {
  struct Place: Decodable, Sendable {
    let name: String?
    let latitude: Double?
    let longitude: Double?
  }
  struct Answer: Decodable, Sendable {
    let author: String
    let body: String
    let hoursAgo: Double
    let accepted: Bool

    enum CodingKeys: String, CodingKey {
      case author, body, accepted
      case hoursAgo = "hours_ago"
    }
  }

  let id: String
  let tenant: String
  let category: String
  let title: String
  let body: String
  let hashtags: [String]
  let place: Place?
  let urgency: String
  let author: String
  let hoursAgo: Double
  let likes: Int
  let answers: [Answer]

  enum CodingKeys: String, CodingKey {
    case id, tenant, category, title, body, hashtags, place, urgency, author, likes, answers
    case hoursAgo = "hours_ago"
  }

  init(_ record: JSONValue) throws {
    let name = record["id"]?.string ?? "without an id"
    do {
      self = try JSONDecoder().decode(SampleQuestion.self, from: try JSONEncoder().encode(record))
    } catch {
      throw SampleContentError(record: name, reason: "a member is missing or of another type")
    }
  }

  /// Looked at as if somebody typed it, except where it lies: a town may be made smaller than its samples.
  func draft() throws -> QuestionDraft {
    var values: [String: JSONValue] = [
      "title": .string(title), "body": .string(body), "category": .string(category), "urgency": .string(urgency),
      "hashtags": .array(hashtags.map { .string($0) }),
    ]
    if let name = place?.name { values["placeName"] = .string(name) }
    if let latitude = place?.latitude { values["latitude"] = .number(latitude) }
    if let longitude = place?.longitude { values["longitude"] = .number(longitude) }
    do {
      return try QuestionDraft(.init(values), area: .earth)
    } catch {
      let fields = error.fields.map { "\($0.name) (\($0.code))" }.joined(separator: ", ")
      throw SampleContentError(record: id, reason: "can't be taken: \(fields)")
    }
  }
}

/// Why sample content was not loaded.
struct SampleContentError: Error, Hashable, CustomStringConvertible {
  let record: String
  let reason: String
  var description: String { "record \(record): \(reason)" }
}

extension Area {
  static let earth = Area(latitudes: -90...90, longitudes: -180...180)
}
