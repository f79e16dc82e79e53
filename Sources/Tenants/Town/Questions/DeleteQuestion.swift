import Database
import Foundation
import Kit
import Web

extension Town {
  static let deleteEndpoints: [Endpoint<Town>] = [
    .post("/questions/{id}/delete", .init(access: .signedIn)) { try await $0.delete($1) },
    .delete(
      "/questions/{id}",
      .init(
        access: .signedIn,
        operation: Web.Operation(
          "deleteQuestion", "Delete one's own question", status: 204, problems: [.forbidden, .notFound]))
    ) { try await $0.delete($1) },
  ]

  func delete(_ visit: Visit) async throws -> Answer {
    try await delete(try visit.id(), by: try visit.requireSession().person)
    return visit.wantsJSON ? .noContent : .redirect("/questions")
  }

  /// A question nobody else has answered is gone. One that others answered is blanked: what they wrote stays theirs.
  ///
  /// Deleting a blanked question again does nothing.
  /// - Throws: ``Kit/Problem`` `not-found`, `forbidden`.
  func delete(_ id: UUID, by person: PersonID) async throws {
    try await database.transaction { transaction in
      let row = try await transaction.one("SELECT author, state FROM \(schema).question WHERE id = \(id) FOR UPDATE")
      guard let row else { throw Problem(.notFound) }
      let isDeleted = try row.get("state", as: Question.State.self) == .deleted
      guard try row.get("author", as: PersonID?.self) == person else { throw Problem(isDeleted ? .notFound : .forbidden) }
      if isDeleted { return }
      let removed = try await transaction.execute(
        """
        DELETE FROM \(schema).question q WHERE q.id = \(id) AND NOT EXISTS (
          SELECT FROM \(schema).answer a WHERE a.question = q.id AND a.state = 'given' AND a.author IS DISTINCT FROM \(person))
        """)
      if removed == 0 {
        try await transaction.execute("UPDATE \(schema).question SET \(sql: Town.blanked) WHERE id = \(id)")
      }
      try touch([id], in: transaction)
    }
    await counts.forget()
    await trending.forget()
  }

  /// What a deleted question keeps: who asked, when, and what was accepted.
  static let blanked: SQL = """
    title = '', body = '', hashtags = '{}', place_name = NULL, latitude = NULL, longitude = NULL, state = 'deleted', \
    version = version + 1
    """
}
