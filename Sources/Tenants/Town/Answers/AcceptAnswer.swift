import Database
import Foundation
import Kit
import TenantKit
import Web

/// An accepted answer, the same however often the acceptance is repeated.
struct Acceptance: Hashable, Sendable {
  let question: UUID
  let answer: UUID
  let points: Int
  let at: Instant
}

struct AcceptanceView: Encodable, Sendable {
  let question: String
  let answer: String
  let points: Int
  let acceptedAt: Instant

  init(_ acceptance: Acceptance) {
    question = acceptance.question.text
    answer = acceptance.answer.text
    points = acceptance.points
    acceptedAt = acceptance.at
  }
}

extension Shape {
  static let acceptance = Shape.object([
    ("question", .uuid), ("answer", .uuid), ("points", .integer), ("acceptedAt", .instant),
  ])
}

extension Town {
  static let acceptEndpoints: [Endpoint<Town>] = [
    .post(
      "/answers/{id}/accept",
      .init(
        access: .signedIn,
        operation: Web.Operation(
          "acceptAnswer", "Accept an answer to one's own question; its author gets points, once", output: .acceptance,
          problems: [.forbidden, .notFound, .conflict]))
    ) { try await $0.accept($1) }
  ]

  func accept(_ visit: Visit) async throws -> Answer {
    let person = try visit.requireSession().person
    let id = try visit.id()
    let acceptance = try await visit.explaining { try await accept(id, by: person, at: visit.now) }
    guard visit.wantsJSON else {
      return .redirect("/questions/\(acceptance.question.text)#answer-\(acceptance.answer.text)")
    }
    return .json(AcceptanceView(acceptance))
  }

  /// Accepts an answer: by the author of the question, an answer of somebody else, one per question.
  ///
  /// Repeated for the same answer it gives what it gave first, and nothing more is paid.
  /// - Throws: ``Kit/Problem`` `not-found`, `forbidden`; ``Refusal/alreadyAccepted``.
  func accept(_ id: UUID, by person: PersonID, at now: Instant) async throws -> Acceptance {
    try await database.transaction { try await accept(id, by: person, at: now, in: $0) }
  }

  func accept(_ id: UUID, by person: PersonID, at now: Instant, in transaction: Transaction) async throws -> Acceptance {
    // The lock makes the others wait, the condition of the UPDATE below lets one through: either alone would do.
    try await lockQuestion(of: id, in: transaction)
    let row = try await transaction.one(
      """
      SELECT q.id AS question, q.author AS asker, q.category, q.accepted_answer, q.accepted_at, q.accepted_points,
        a.author AS answerer
      FROM \(schema).answer a JOIN \(schema).question q ON q.id = a.question
      WHERE a.id = \(id) AND a.state = 'given' AND q.state <> 'deleted'
      """)
    guard let row else { throw Problem(.notFound) }
    let question: UUID = try row.get("question")
    let answerer: PersonID? = try row.get("answerer")
    guard try row.get("asker", as: PersonID?.self) == person, answerer != person else { throw Problem(.forbidden) }
    if let accepted: UUID = try row.get("accepted_answer") {
      guard accepted == id else { throw Refusal.alreadyAccepted }
      return Acceptance(
        question: question, answer: id, points: try row.get("accepted_points"), at: try row.get("accepted_at"))
    }
    // A given answer has its author: erasing an account blanks what it wrote.
    guard let answerer else { throw Problem(.notFound) }
    let points = settings.acceptedPoints
    let updated = try await transaction.execute(
      """
      UPDATE \(schema).question
      SET accepted_answer = \(id), accepted_at = \(now), accepted_points = \(points), state = 'resolved'
      WHERE id = \(question) AND accepted_answer IS NULL AND author = \(person)
      """)
    guard updated == 1 else { throw Refusal.alreadyAccepted }
    try touch([question], in: transaction)
    try services.outbox.emit(
      DomainEvent(
        id: made("answer.accepted", id), type: "answer.accepted", occurred: now,
        payload: [
          "answer": .string(id.text), "question": .string(question.text), "author": .string(answerer.uuid.text),
          "points": .integer(Int64(points)),
        ]),
      in: transaction)
    try services.outbox.record(
      Activity(
        id: made("accepted", id), person: person, verb: Vocabulary.accepted, objectType: Vocabulary.reply,
        objectPath: "/answers/\(id.text)", objectName: try row.get("category", as: Category.self).answerName, occurred: now),
      in: transaction)
    return Acceptance(question: question, answer: id, points: points, at: now)
  }
}
