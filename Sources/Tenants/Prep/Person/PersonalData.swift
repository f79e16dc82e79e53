public import Database
public import Kit
import TenantKit

extension Prep {
  /// Every attempt and every ability.
  public func export(_ person: PersonID) async throws -> JSONValue {
    let (schema, database) = (tenant.schema, services.database)
    let attempts = try await database.query(
      """
      SELECT id::text AS id, item_id, topic, served_at, answered_at, given, correct
      FROM \(schema).attempt WHERE person = \(person) ORDER BY served_at, id
      """)
    let skills = try await practice.store.skills(of: person, database)
    return [
      "attempts": .array(
        try attempts.map { row in
          [
            "id": .string(try row.get("id")), "item": .string(try row.get("item_id")), "topic": .string(try row.get("topic")),
            "servedAt": .string(try row.get("served_at", as: Instant.self).rfc3339),
            "answeredAt": try row.getIfPresent("answered_at", as: Instant.self).map { .string($0.rfc3339) } ?? .null,
            "given": try row.getIfPresent("given", as: String.self).map { .string($0) } ?? .null,
            "correct": try row.getIfPresent("correct", as: Bool.self).map { .bool($0) } ?? .null,
          ]
        }),
      "skills": .array(
        skills.values.sorted { $0.topic < $1.topic }.map { skill in
          [
            "topic": .string(skill.topic), "ability": .number(skill.ability), "answered": .integer(Int64(skill.answered)),
            "correct": .integer(Int64(skill.correct)), "updatedAt": .string(skill.updated.rfc3339),
          ]
        }),
    ]
  }

  /// Nobody else needs what she practised: all of it goes.
  public func erase(_ person: PersonID, in transaction: Transaction) async throws -> [String: Int] {
    let schema = tenant.schema
    try services.freshness.touch(["practice:\(person)"], in: transaction)
    return [
      "attempt": try await transaction.execute("DELETE FROM \(schema).attempt WHERE person = \(person)"),
      "skill": try await transaction.execute("DELETE FROM \(schema).skill WHERE person = \(person)"),
      "request_key": try await transaction.execute("DELETE FROM \(schema).request_key WHERE person = \(person)"),
    ]
  }
}
