import Kit
import Web

/// A question in JSON.
struct QuestionView: Encodable, Sendable {
  let id: String
  let url: String
  let title: String
  /// In lists its first 200 characters.
  let body: String
  let category: String
  let hashtags: [String]
  let place: PlaceView?
  let urgency: String
  let state: String
  let author: AuthorView
  let isMine: Bool
  /// Whether the reader likes it; left out in lists.
  let isLiked: Bool?
  let answerCount: Int
  let likeCount: Int
  let acceptedAnswer: String?
  let createdAt: Instant
  let editedAt: Instant?
  let firstAnswerAt: Instant?
  let version: Int
  /// Left out in lists.
  let answers: [AnswerView]?

  init(
    _ question: Question, by author: AuthorView, for visit: Visit, isLiked: Bool? = nil, answers: [AnswerView]? = nil
  ) {
    id = question.id.text
    url = visit.site.origin.url("/questions/\(question.id.text)")
    title = question.title
    body = question.body
    category = question.category.rawValue
    hashtags = question.hashtags
    place = question.place.map(PlaceView.init)
    urgency = question.urgency.rawValue
    state = question.state.rawValue
    self.author = author
    isMine = visit.session.map { $0.person == question.author } ?? false
    self.isLiked = isLiked
    answerCount = question.answerCount
    likeCount = question.likeCount
    acceptedAnswer = question.acceptedAnswer?.text
    createdAt = question.created
    editedAt = question.edited
    firstAnswerAt = question.firstAnswer
    version = question.version
    self.answers = answers
  }
}

/// A page of the list in JSON.
struct QuestionListView: Encodable, Sendable {
  let questions: [QuestionView]
  /// The cursor of the next page, for `after`; absent on the last.
  let next: String?
  /// Questions in all, by category: as old as 5 minutes.
  let total: Int
  let categories: [String: Int]
  let trendingHashtags: [String]
}

struct OwnQuestionsView: Encodable, Sendable {
  let questions: [QuestionView]
  let next: String?
}

extension Shape {
  static let place = Shape.object([("name?", .string), ("latitude?", .number), ("longitude?", .number)])
  static let author = Shape.object([("name", .string), ("isGone", .boolean)])
  static let questionInList = Shape.object(questionMembers)
  static let question = Shape.object(questionMembers + [("isLiked", .boolean), ("answers", .array(.answer))])
  static let questionList = Shape.object([
    ("questions", .array(.questionInList)), ("next?", .string), ("total", .integer), ("categories", .any),
    ("trendingHashtags", .array(.string)),
  ])
  static let questionInput = Shape.object([
    ("title", .text(QuestionDraft.titleLength)), ("body", .text(QuestionDraft.bodyLength)),
    ("category", .choice(Category.allCases.map(\.rawValue))), ("hashtags?", .array(.string)), ("place?", .place),
    ("placeName?", .string), ("latitude?", .number), ("longitude?", .number),
    ("urgency?", .choice(Urgency.allCases.map(\.rawValue))), ("version?", .integer),
  ])

  private static let questionMembers: [(String, Shape)] = [
    ("id", .uuid), ("url", .string), ("title", .string), ("body", .string),
    ("category", .choice(Category.allCases.map(\.rawValue))), ("hashtags", .array(.string)), ("place?", .place),
    ("urgency", .choice(Urgency.allCases.map(\.rawValue))), ("state", .choice(["open", "resolved", "deleted"])),
    ("author", .author), ("isMine", .boolean), ("answerCount", .integer), ("likeCount", .integer),
    ("acceptedAnswer?", .uuid), ("createdAt", .instant), ("editedAt?", .instant), ("firstAnswerAt?", .instant),
    ("version", .integer),
  ]
}
