import Database
import Foundation
import Kit
import TenantKit
import Web

/// A question's likes after a person's like or its withdrawal.
struct LikeView: Encodable, Sendable {
  let question: String
  let isLiked: Bool
  let likeCount: Int
}

extension Shape {
  static let like = Shape.object([("question", .uuid), ("isLiked", .boolean), ("likeCount", .integer)])
}

extension Town {
  static let likeEndpoints: [Endpoint<Town>] = [
    .post("/questions/{id}/like", likeRules("likeQuestion", "Like a question; a person likes it once")) { town, visit in
      try await town.like(visit, true)
    },
    .post("/questions/{id}/unlike", likeRules("unlikeQuestion", "Take a like back")) { town, visit in
      try await town.like(visit, false)
    },
  ]

  private static func likeRules(_ id: String, _ summary: String) -> EndpointRules {
    .init(access: .signedIn, operation: Web.Operation(id, summary, output: .like, problems: [.notFound]))
  }

  private func like(_ visit: Visit, _ wanted: Bool) async throws -> Answer {
    let id = try visit.id()
    let person = try visit.requireSession().person
    let count = try await (wanted ? like(id, by: person, at: visit.now) : unlike(id, by: person))
    return visit.wantsJSON
      ? .json(LikeView(question: id.text, isLiked: wanted, likeCount: count)) : .redirect("/questions/\(id.text)")
  }

  /// - Returns: how many like the question now.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func like(_ id: UUID, by person: PersonID, at now: Instant) async throws -> Int {
    try await database.transaction { transaction in
      let inserted = try await transaction.execute(
        """
        INSERT INTO \(schema).question_like (question, person, created_at)
        SELECT q.id, \(person), \(now) FROM \(schema).question q WHERE q.id = \(id) AND q.state <> 'deleted'
        ON CONFLICT (question, person) DO NOTHING
        """)
      guard inserted == 1 else { return try await likeCount(id, in: transaction) }
      let row = try await transaction.one(
        "UPDATE \(schema).question SET like_count = like_count + 1 WHERE id = \(id) RETURNING like_count, category")
      guard let row else { throw Problem(.notFound) }
      try touch([id], in: transaction)
      // One id for all times: liked, withdrawn and liked again is one statement.
      try services.outbox.record(
        Activity(
          id: made("liked", id, person), person: person, verb: Vocabulary.liked, objectType: Vocabulary.topic,
          objectPath: "/questions/\(id.text)", objectName: try row.get("category", as: Category.self).questionName,
          occurred: now),
        in: transaction)
      return try row.get("like_count", as: Int.self)
    }
  }

  /// - Returns: how many like the question now.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func unlike(_ id: UUID, by person: PersonID) async throws -> Int {
    try await database.transaction { transaction in
      let deleted = try await transaction.execute(
        "DELETE FROM \(schema).question_like WHERE question = \(id) AND person = \(person)")
      if deleted == 1 {
        try await transaction.execute("UPDATE \(schema).question SET like_count = like_count - 1 WHERE id = \(id)")
        try touch([id], in: transaction)
      }
      return try await likeCount(id, in: transaction)
    }
  }

  func isLiked(_ id: UUID, by person: PersonID?) async throws -> Bool {
    guard let person else { return false }
    return try await database.one(
      "SELECT 1 FROM \(schema).question_like WHERE question = \(id) AND person = \(person)") != nil
  }

  private func likeCount(_ id: UUID, in transaction: Transaction) async throws -> Int {
    let row = try await transaction.one(
      "SELECT like_count FROM \(schema).question WHERE id = \(id) AND state <> 'deleted'")
    guard let row else { throw Problem(.notFound) }
    return try row.get("like_count")
  }
}
