import Database
import Foundation
import Kit
import Web

extension Town {
  static let answerEditEndpoints: [Endpoint<Town>] = [
    .get("/answers/{id}/edit", .init(access: .signedIn)) { try await $0.editAnswerForm($1) },
    .post("/answers/{id}", .init(access: .signedIn, limit: "post")) { try await $0.editAnswer($1) },
    .put(
      "/answers/{id}",
      .init(
        access: .signedIn, limit: "post",
        operation: Web.Operation(
          "editAnswer", "Replace one's own answer while it is not accepted", input: .answerInput, output: .answer,
          problems: [.forbidden, .notFound, .conflict]))
    ) { try await $0.editAnswer($1) },
    .post("/answers/{id}/delete", .init(access: .signedIn)) { try await $0.deleteAnswer($1) },
    .delete(
      "/answers/{id}",
      .init(
        access: .signedIn,
        operation: Web.Operation(
          "deleteAnswer", "Delete one's own answer while it is not accepted", status: 204,
          problems: [.forbidden, .notFound, .conflict]))
    ) { try await $0.deleteAnswer($1) },
  ]

  // MARK: Edit

  func editAnswerForm(_ visit: Visit) async throws -> Answer {
    let answer = try await answer(try visit.id())
    guard answer.author == (try visit.requireSession().person) else { throw Problem(.forbidden) }
    return .page(answerPage(answer, visit))
  }

  func editAnswer(_ visit: Visit) async throws -> Answer {
    let person = try visit.requireSession().person
    var input = try await visit.input()
    let current = try await answer(try visit.id())
    guard current.author == person else { throw Problem(.forbidden) }
    let version = input.int("version", in: 1...Int(Int32.max))
    let draft: AnswerDraft
    do {
      try input.check()
      draft = try AnswerDraft(input)
    } catch {
      guard error.kind == .invalidInput, !visit.wantsJSON else { throw error }
      return .page(answerPage(current, input: input, problem: error, visit), status: httpStatus(422))
    }
    let edited = try await visit.explaining {
      try await edit(answer: current.id, to: draft, version: version, by: person, at: visit.now)
    }
    guard edited else {
      let now = try await answer(current.id)
      guard visit.wantsJSON else { return .page(answerPage(now, input: input, stale: true, visit), status: httpStatus(409)) }
      throw Problem(
        .conflict, ["reason": visit.text("town.refusal.edited")],
        members: ["current": ["body": .string(now.body), "version": .integer(Int64(now.version))]])
    }
    if visit.wantsJSON { return .json(try await answerView(current.id, visit)) }
    return .redirect("/questions/\(current.question.text)#answer-\(current.id.text)")
  }

  /// - Returns: `false` when the answer has another version by now.
  /// - Throws: ``Kit/Problem`` `not-found`, `forbidden`; ``Refusal/acceptedAnswer``.
  func edit(answer id: UUID, to draft: AnswerDraft, version: Int?, by person: PersonID, at now: Instant) async throws -> Bool {
    try await database.transaction { transaction in
      guard let question = try await ownAnswer(id, by: person, in: transaction) else { throw Problem(.notFound) }
      try touch([question], in: transaction)
      return try await transaction.execute(
        """
        UPDATE \(schema).answer SET body = \(draft.body), edited_at = \(now), version = version + 1
        WHERE id = \(id) AND version = coalesce(\(version.map(Int32.init)), version)
        """) == 1
    }
  }

  private func answerPage(
    _ answer: AnswerRow, input: Input? = nil, problem: Problem? = nil, stale: Bool = false, _ visit: Visit
  ) -> Page {
    var model: [String: any Sendable] = [
      "field": FormState(["body"], input: input, problem: problem, initial: ["body": answer.body], visit: visit).fields,
      "answerID": answer.id.text, "version": "\(answer.version)", "answerMost": "\(AnswerDraft.bodyLength.upperBound)",
      "back": "/questions/\(answer.question.text)#answer-\(answer.id.text)",
    ]
    if stale { model["current"] = ["text": answer.body] }
    return Page("town.answer-form", title: visit.text("town.answer.edit"), model)
  }

  // MARK: Delete

  func deleteAnswer(_ visit: Visit) async throws -> Answer {
    let person = try visit.requireSession().person
    let id = try visit.id()
    let question = try await visit.explaining { try await delete(answer: id, by: person) }
    return visit.wantsJSON ? .noContent : .redirect("/questions/\(question.text)")
  }

  /// Deleting again does nothing.
  /// - Returns: the question it was an answer to.
  /// - Throws: ``Kit/Problem`` `not-found`, `forbidden`; ``Refusal/acceptedAnswer``.
  @discardableResult
  func delete(answer id: UUID, by person: PersonID) async throws -> UUID {
    try await database.transaction { transaction in
      if let question = try await ownAnswer(id, by: person, in: transaction) {
        try await transaction.execute("UPDATE \(schema).answer SET state = 'deleted', body = '' WHERE id = \(id)")
        try await transaction.execute("UPDATE \(schema).question SET answer_count = answer_count - 1 WHERE id = \(question)")
        try touch([question], in: transaction)
        return question
      }
      let row = try await transaction.one(
        "SELECT question FROM \(schema).answer WHERE id = \(id) AND author = \(person) AND state = 'deleted'")
      guard let row else { throw Problem(.notFound) }
      return try row.get("question")
    }
  }

  /// A given answer of this person's that nobody accepted, its question locked so that nobody does meanwhile.
  /// - Returns: its question; `nil` when there is no such answer.
  private func ownAnswer(_ id: UUID, by person: PersonID, in transaction: Transaction) async throws -> UUID? {
    try await lockQuestion(of: id, in: transaction)
    let row = try await transaction.one(
      """
      SELECT a.author, a.question, q.accepted_answer = a.id AS accepted
      FROM \(schema).answer a JOIN \(schema).question q ON q.id = a.question
      WHERE a.id = \(id) AND a.state = 'given'
      """)
    guard let row else { return nil }
    guard try row.get("author", as: PersonID?.self) == person else { throw Problem(.forbidden) }
    if try row.get("accepted", as: Bool?.self) == true { throw Refusal.acceptedAnswer }
    return try row.get("question", as: UUID.self)
  }
}
