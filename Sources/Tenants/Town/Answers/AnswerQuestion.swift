import Database
import Foundation
import Kit
import TenantKit
import Web

extension Town {
  static let answerEndpoints: [Endpoint<Town>] = [
    .post(
      "/questions/{id}/answers",
      .init(
        access: .signedIn, limit: "post",
        operation: Web.Operation(
          "answerQuestion", "Answer; repeated with its Idempotency-Key it is answered once", input: .answerInput,
          output: .answer, status: 201, problems: [.notFound, .keyReused]))
    ) { try await $0.answer($1) },
    // An answer's own address, as records name it, leads to where it is read.
    .get("/answers/{id}", .init(operation: Web.Operation("getAnswer", "An answer", output: .answer, problems: [.notFound]))) {
      try await $0.showAnswer($1)
    },
  ]

  func answer(_ visit: Visit) async throws -> Answer {
    let question = try visit.id()
    let person = try visit.requireSession().person
    let input = try await visit.input()
    let key = try visit.idempotencyKey(input)
    let draft: AnswerDraft
    do {
      draft = try AnswerDraft(input)
    } catch {
      guard error.kind == .invalidInput, !visit.wantsJSON else { throw error }
      return .page(try await page(of: question, refusing: input, error, visit), status: httpStatus(422))
    }
    let id = try await answer(question, draft, by: person, key: key, at: visit.now)
    guard visit.wantsJSON else { return .redirect("/questions/\(question.text)#answer-\(id.text)") }
    return .json(try await answerView(id, visit), status: httpStatus(201))
  }

  func showAnswer(_ visit: Visit) async throws -> Answer {
    let id = try visit.id()
    if visit.wantsJSON { return .json(try await answerView(id, visit)) }
    let answer = try await answer(id)
    return .redirect("/questions/\(answer.question.text)#answer-\(id.text)")
  }

  func answerView(_ id: UUID, _ visit: Visit) async throws -> AnswerView {
    let answer = try await answer(id)
    let question = try await question(answer.question, for: nil)
    let bylines = await bylines(of: [answer.author], visit)
    return AnswerView(answer, by: bylines.author(answer.author), isAccepted: question.acceptedAnswer == id, for: visit)
  }

  /// - Parameter key: makes a repeated call the same call.
  /// - Returns: the id of the answer; of the first one, when the call is repeated.
  /// - Throws: ``Kit/Problem`` `not-found`, `idempotency-key-reused`.
  func answer(_ question: UUID, _ draft: AnswerDraft, by person: PersonID, key: String?, at now: Instant) async throws -> UUID {
    let id = UUID.v7(at: now)
    return try await database.transaction { transaction in
      let first = try await IdempotentRequest.claim(
        key, person: person, content: "answer\u{1F}\(question.text)\u{1F}\(draft.body)", makes: id, schema: schema,
        in: transaction)
      if let first { return first }
      try await insert(draft, to: question, id: id, by: person, at: now, in: transaction)
      return id
    }
  }

  /// The row and the activity of a new answer.
  func insert(
    _ draft: AnswerDraft, to question: UUID, id: UUID, by person: PersonID, at now: Instant, in transaction: Transaction
  ) async throws {
    let row = try await transaction.one(
      """
      UPDATE \(schema).question SET
        answer_count = answer_count + 1,
        first_answer_at = coalesce(first_answer_at, CASE WHEN author IS DISTINCT FROM \(person) THEN \(now) END)
      WHERE id = \(question) AND state <> 'deleted' RETURNING category
      """)
    guard let row else { throw Problem(.notFound) }
    try await transaction.execute(
      """
      INSERT INTO \(schema).answer (id, question, author, body, created_at)
      VALUES (\(id), \(question), \(person), \(draft.body), \(now))
      """)
    try touch([question], in: transaction)
    try services.outbox.record(
      Activity(
        id: made("replied", id), person: person, verb: Vocabulary.replied, objectType: Vocabulary.reply,
        objectPath: "/answers/\(id.text)", objectName: try row.get("category", as: Category.self).answerName, occurred: now),
      in: transaction)
  }
}
