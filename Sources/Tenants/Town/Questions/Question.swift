import Database
import Foundation
import Kit

/// What a question is about.
enum Category: String, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
  case food, stay, traffic, play, life, weather, shopping, etc

  var title: LocalizedText {
    switch self {
    case .food: LocalizedText(ko: "맛집", en: "Food")
    case .stay: LocalizedText(ko: "숙소", en: "Stays")
    case .traffic: LocalizedText(ko: "교통", en: "Getting around")
    case .play: LocalizedText(ko: "놀거리", en: "Things to do")
    case .life: LocalizedText(ko: "생활", en: "Daily life")
    case .weather: LocalizedText(ko: "날씨", en: "Weather")
    case .shopping: LocalizedText(ko: "쇼핑", en: "Shopping")
    case .etc: LocalizedText(ko: "그 밖에", en: "Other")
    }
  }
}

enum Urgency: String, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
  case normal, urgent
}

/// A row of `question`.
struct Question: Sendable, Identifiable {
  enum State: String, Sendable, SQLEncodable, SQLDecodable {
    case open, resolved
    /// Blanked by its author, kept because others have answered it.
    case deleted
  }

  let id: UUID
  /// `nil` once the account is erased.
  let author: PersonID?
  let title: String
  /// In lists its beginning only.
  let body: String
  let category: Category
  let hashtags: [String]
  let place: Place?
  let urgency: Urgency
  let state: State
  let acceptedAnswer: UUID?
  let answerCount: Int
  let likeCount: Int
  let popularity: Int
  let version: Int
  let created: Instant
  let edited: Instant?
  /// When somebody else answered first.
  let firstAnswer: Instant?

  /// Urgent, and still without an answer that helped.
  var isPressing: Bool { urgency == .urgent && state == .open }

  /// Its author sees it even when she has deleted it.
  func isShown(to reader: PersonID?) -> Bool { state != .deleted || (reader != nil && author == reader) }

  /// Columns of `question q` that ``init(_:)`` reads.
  static let columns = columns(body: "q.body")
  static let columnsOfList = columns(body: "left(q.body, 200)")

  /// - Parameter body: what is read as the body.
  static func columns(body: SQL) -> SQL {
    """
    q.id, q.author, q.title, \(sql: body) AS body, q.category, q.hashtags, q.place_name, q.latitude, q.longitude, q.urgency,
    q.state, q.accepted_answer, q.answer_count, q.like_count, q.popularity, q.version, q.created_at, q.edited_at,
    q.first_answer_at
    """
  }

  init(_ row: Row) throws {
    id = try row.get("id")
    author = try row.get("author")
    title = try row.get("title")
    body = try row.get("body")
    category = try row.get("category")
    hashtags = try row.get("hashtags")
    let latitude: Double? = try row.get("latitude")
    let longitude: Double? = try row.get("longitude")
    var coordinates: Coordinates?
    if let latitude, let longitude { coordinates = Coordinates(latitude: latitude, longitude: longitude) }
    place = Place(name: try row.get("place_name"), coordinates: coordinates)
    urgency = try row.get("urgency")
    state = try row.get("state")
    acceptedAnswer = try row.get("accepted_answer")
    answerCount = try row.get("answer_count")
    likeCount = try row.get("like_count")
    popularity = try row.get("popularity")
    version = try row.get("version")
    created = try row.get("created_at")
    edited = try row.get("edited_at")
    firstAnswer = try row.get("first_answer_at")
  }
}

extension Town {
  /// A question by its id; its author sees it even when she has deleted it.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func question(_ id: UUID, for reader: PersonID?) async throws -> Question {
    let row = try await database.one("SELECT \(sql: Question.columns) FROM \(schema).question q WHERE q.id = \(id)")
    guard let row else { throw Problem(.notFound) }
    let question = try Question(row)
    guard question.isShown(to: reader) else { throw Problem(.notFound) }
    return question
  }
}
