public import Database
import Foundation
public import Kit

extension Town {
  /// What a person asked, answered and liked here.
  public func export(_ person: PersonID) async throws -> JSONValue {
    async let questions = database.query(
      "SELECT \(sql: Question.columns) FROM \(schema).question q WHERE q.author = \(person) ORDER BY q.created_at, q.id")
    async let answers = database.query(
      "SELECT \(sql: AnswerRow.columns) FROM \(schema).answer a WHERE a.author = \(person) ORDER BY a.created_at, a.id")
    async let likes = database.query(
      "SELECT question, created_at FROM \(schema).question_like WHERE person = \(person) ORDER BY created_at, question")
    return .object([
      "questions": .array(try await questions.map { Town.exported(try Question($0)) }),
      "answers": .array(try await answers.map { Town.exported(try AnswerRow($0)) }),
      "likes": .array(
        try await likes.map { row in
          [
            "question": .string(try row.get("question", as: UUID.self).text),
            "createdAt": .string(try row.get("created_at", as: Instant.self).rfc3339),
          ]
        }),
    ])
  }

  private static func exported(_ question: Question) -> JSONValue {
    var members: [String: JSONValue] = [
      "id": .string(question.id.text), "title": .string(question.title), "body": .string(question.body),
      "category": .string(question.category.rawValue), "hashtags": .array(question.hashtags.map { .string($0) }),
      "urgency": .string(question.urgency.rawValue), "state": .string(question.state.rawValue),
      "createdAt": .string(question.created.rfc3339),
    ]
    if let name = question.place?.name { members["placeName"] = .string(name) }
    if let point = question.place?.coordinates {
      members["latitude"] = .number(point.latitude)
      members["longitude"] = .number(point.longitude)
    }
    if let accepted = question.acceptedAnswer { members["acceptedAnswer"] = .string(accepted.text) }
    if let edited = question.edited { members["editedAt"] = .string(edited.rfc3339) }
    return .object(members)
  }

  private static func exported(_ answer: AnswerRow) -> JSONValue {
    var members: [String: JSONValue] = [
      "id": .string(answer.id.text), "question": .string(answer.question.text), "body": .string(answer.body),
      "isDeleted": .bool(answer.isDeleted), "createdAt": .string(answer.created.rfc3339),
    ]
    if let edited = answer.edited { members["editedAt"] = .string(edited.rfc3339) }
    return .object(members)
  }

  /// Her questions go with what hangs on them, unless others have answered: then a blank without author stays. Her answers
  /// become blanks without author, her likes go. Doing it again finds nothing.
  public func erase(_ person: PersonID, in transaction: Transaction) async throws -> [String: Int] {
    // One order for all that lock questions: by id.
    let touched = try await transaction.query(
      """
      SELECT q.id FROM \(schema).question q
      WHERE q.author = \(person)
        OR q.id IN (SELECT question FROM \(schema).answer WHERE author = \(person))
        OR q.id IN (SELECT question FROM \(schema).question_like WHERE person = \(person))
      ORDER BY q.id FOR UPDATE
      """
    ).map { try $0.get("id", as: UUID.self) }
    try touch(touched, in: transaction)
    let likes = try await transaction.execute(
      """
      WITH gone AS (DELETE FROM \(schema).question_like WHERE person = \(person) RETURNING question)
      UPDATE \(schema).question q SET like_count = like_count - 1 FROM gone WHERE q.id = gone.question
      """)
    try await transaction.execute(
      """
      UPDATE \(schema).question q SET answer_count = answer_count - hers.count
      FROM (
        SELECT question, count(*)::integer AS count FROM \(schema).answer
        WHERE author = \(person) AND state = 'given' GROUP BY question) AS hers
      WHERE q.id = hers.question
      """)
    let answers = try await transaction.execute(
      "UPDATE \(schema).answer SET author = NULL, body = '', state = 'deleted' WHERE author = \(person)")
    let deleted = try await transaction.execute(
      """
      DELETE FROM \(schema).question q WHERE q.author = \(person)
        AND NOT EXISTS (SELECT FROM \(schema).answer a WHERE a.question = q.id AND a.state = 'given')
      """)
    let blanked = try await transaction.execute(
      "UPDATE \(schema).question SET \(sql: Town.blanked), author = NULL WHERE author = \(person)")
    let keys = try await transaction.execute("DELETE FROM \(schema).request_key WHERE person = \(person)")
    let (counts, trending) = (counts, trending)
    transaction.afterCommit {
      Task {
        await counts.forget()
        await trending.forget()
      }
    }
    return ["question": deleted + blanked, "answer": answers, "question_like": likes, "request_key": keys]
  }
}
