import Database
import Foundation
import Kit
import Web

/// A row of `answer`.
struct AnswerRow: Sendable, Identifiable {
  /// What a question's page shows at most.
  static let most = 200

  let id: UUID
  let question: UUID
  /// `nil` once the account is erased.
  let author: PersonID?
  let body: String
  /// Blanked; seen only where it had been accepted.
  let isDeleted: Bool
  let version: Int
  let created: Instant
  let edited: Instant?

  static let columns: SQL = "a.id, a.question, a.author, a.body, a.state, a.version, a.created_at, a.edited_at"

  /// The same beside a question's columns, with names of their own, and the answer's place on the page.
  static let joinedColumns: SQL = """
    a.place, a.id AS answer_id, a.question AS answer_question, a.author AS answer_author, a.body AS answer_body,
    a.state AS answer_state, a.version AS answer_version, a.created_at AS answer_created_at, a.edited_at AS answer_edited_at
    """
  /// Counted from 1: the accepted one first, then the oldest.
  static let place: SQL = "row_number() OVER (ORDER BY (a.id = q.accepted_answer) IS TRUE DESC, a.created_at, a.id)"

  init(_ row: Row) throws { try self.init(row, prefix: "") }

  static func joined(_ row: Row) throws -> AnswerRow { try AnswerRow(row, prefix: "answer_") }

  private init(_ row: Row, prefix: String) throws {
    id = try row.get(prefix + "id")
    question = try row.get(prefix + "question")
    author = try row.get(prefix + "author")
    body = try row.get(prefix + "body")
    isDeleted = try row.get(prefix + "state", as: String.self) == "deleted"
    version = try row.get(prefix + "version")
    created = try row.get(prefix + "created_at")
    edited = try row.get(prefix + "edited_at")
  }
}

extension Town {
  /// The answers to a question, the accepted one first, then the oldest.
  func answers(to question: UUID) async throws -> [AnswerRow] {
    try await database.query(
      """
      SELECT \(sql: AnswerRow.columns)
      FROM \(schema).answer a JOIN \(schema).question q ON q.id = a.question
      WHERE a.question = \(question) AND (a.state = 'given' OR a.id = q.accepted_answer)
      ORDER BY (a.id = q.accepted_answer) IS TRUE DESC, a.created_at, a.id LIMIT \(AnswerRow.most)
      """
    ).map(AnswerRow.init)
  }

  /// An answer that is there for others, under a question that is.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func answer(_ id: UUID) async throws -> AnswerRow {
    let row = try await database.one(
      """
      SELECT \(sql: AnswerRow.columns) FROM \(schema).answer a JOIN \(schema).question q ON q.id = a.question
      WHERE a.id = \(id) AND a.state = 'given' AND q.state <> 'deleted'
      """)
    guard let row else { throw Problem(.notFound) }
    return try AnswerRow(row)
  }
}

extension Town {
  /// What changes an answer's standing holds its question's row first. A statement of its own: what is read after it is
  /// read as the one before left it.
  func lockQuestion(of answer: UUID, in transaction: Transaction) async throws {
    try await transaction.execute(
      """
      SELECT FROM \(schema).question WHERE id = (SELECT question FROM \(schema).answer WHERE id = \(answer)) FOR NO KEY UPDATE
      """)
  }
}

/// An answer in JSON.
struct AnswerView: Encodable, Sendable {
  let id: String
  let question: String
  let body: String
  let author: AuthorView
  let isMine: Bool
  let isAccepted: Bool
  let createdAt: Instant
  let editedAt: Instant?
  let version: Int

  init(_ answer: AnswerRow, by author: AuthorView, isAccepted: Bool, for visit: Visit) {
    id = answer.id.text
    question = answer.question.text
    body = answer.body
    self.author = author
    isMine = visit.session.map { $0.person == answer.author } ?? false
    self.isAccepted = isAccepted
    createdAt = answer.created
    editedAt = answer.edited
    version = answer.version
  }
}

/// What a person wants to answer: checked.
struct AnswerDraft: Hashable, Sendable {
  static let bodyLength = 1...2_000
  let body: String

  /// - Throws: ``Kit/Problem`` `invalid-input`.
  init(_ given: Input) throws(Problem) {
    var input = given
    body = input.text("body", length: AnswerDraft.bodyLength).unixLines
    try input.check()
  }

  init(body: String) { self.body = body }
}

extension Shape {
  static let answer = Shape.object([
    ("id", .uuid), ("question", .uuid), ("body", .string), ("author", .author), ("isMine", .boolean),
    ("isAccepted", .boolean), ("createdAt", .instant), ("editedAt?", .instant), ("version", .integer),
  ])
  static let answerInput = Shape.object([("body", .text(AnswerDraft.bodyLength)), ("version?", .integer)])
}
