public import Database
public import Kit
import TenantKit

extension KCulture {
  /// Every step she has opened, every lesson with its answers, every card with its reviews.
  public func export(_ person: PersonID) async throws -> JSONValue {
    let (schema, database) = (tenant.schema, services.database)
    let steps = try await database.query(
      "SELECT step, opened_at FROM \(schema).opening WHERE person = \(person) AND opened_at IS NOT NULL ORDER BY opened_at, step")
    let lessons = try await database.query(
      """
      SELECT l.id::text AS id, l.step, l.started_at, l.completed_at, l.correct, l.total, coalesce((
        SELECT jsonb_agg(jsonb_build_object('exercise', a.exercise, 'given', a.given, 'correct', a.correct,
          'answeredAt', a.answered_at) ORDER BY a.exercise)
        FROM \(schema).answer a WHERE a.lesson = l.id), '[]'::jsonb) AS answers
      FROM \(schema).lesson l WHERE l.person = \(person) ORDER BY l.started_at, l.id
      """)
    let cards = try await database.query(
      """
      SELECT c.id::text AS id, c.kind, c.face, c.step, c.added_at, c.due_at, c.stability, c.difficulty, coalesce((
        SELECT jsonb_agg(jsonb_build_object('number', r.number, 'recall', r.recall, 'elapsedDays', r.elapsed_days,
          'intervalDays', r.interval_days, 'reviewedAt', r.reviewed_at) ORDER BY r.number)
        FROM \(schema).review r WHERE r.card = c.id), '[]'::jsonb) AS reviews
      FROM \(schema).card c WHERE c.person = \(person) ORDER BY c.added_at, c.id
      """)
    return [
      "steps": .array(
        try steps.map {
          ["step": .string(try $0.get("step")), "openedAt": .string(try $0.get("opened_at", as: Instant.self).rfc3339)]
        }),
      "lessons": .array(
        try lessons.map { row in
          [
            "id": .string(try row.get("id")), "step": .string(try row.get("step")),
            "startedAt": .string(try row.get("started_at", as: Instant.self).rfc3339),
            "completedAt": try row.getIfPresent("completed_at", as: Instant.self).map { .string($0.rfc3339) } ?? .null,
            "correct": try row.getIfPresent("correct", as: Int.self).map { .integer(Int64($0)) } ?? .null,
            "total": try row.getIfPresent("total", as: Int.self).map { .integer(Int64($0)) } ?? .null,
            "answers": try row.get("answers", as: JSONValue.self),
          ]
        }),
      "cards": .array(
        try cards.map { row in
          [
            "id": .string(try row.get("id")), "kind": .string(try row.get("kind")), "face": .string(try row.get("face")),
            "step": .string(try row.get("step")),
            "addedAt": .string(try row.get("added_at", as: Instant.self).rfc3339),
            "due": .string(try row.get("due_at", as: Instant.self).rfc3339),
            "stability": try row.getIfPresent("stability", as: Double.self).map { .number($0) } ?? .null,
            "difficulty": try row.getIfPresent("difficulty", as: Double.self).map { .number($0) } ?? .null,
            "reviews": try row.get("reviews", as: JSONValue.self),
          ]
        }),
    ]
  }

  /// Nobody else needs what she learned: all of it goes. Parts go before what they belong to, so that each is counted.
  public func erase(_ person: PersonID, in transaction: Transaction) async throws -> [String: Int] {
    let schema = tenant.schema
    return [
      "answer": try await transaction.execute(
        "DELETE FROM \(schema).answer WHERE lesson IN (SELECT id FROM \(schema).lesson WHERE person = \(person))"),
      "lesson": try await transaction.execute("DELETE FROM \(schema).lesson WHERE person = \(person)"),
      "opening": try await transaction.execute("DELETE FROM \(schema).opening WHERE person = \(person)"),
      "review": try await transaction.execute("DELETE FROM \(schema).review WHERE person = \(person)"),
      "card": try await transaction.execute("DELETE FROM \(schema).card WHERE person = \(person)"),
      "request_key": try await transaction.execute("DELETE FROM \(schema).request_key WHERE person = \(person)"),
    ]
  }
}
