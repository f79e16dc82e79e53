import Database
import Foundation
import Kit
import Web

extension Town {
  static let editEndpoints: [Endpoint<Town>] = [
    .get("/questions/{id}/edit", .init(access: .signedIn)) { try await $0.editForm($1) },
    .post("/questions/{id}", .init(access: .signedIn, limit: "post")) { try await $0.edit($1) },
    .put(
      "/questions/{id}",
      .init(
        access: .signedIn, limit: "post",
        operation: Web.Operation(
          "editQuestion", "Replace one's own question; with the version it was read in, an edit in between is not overwritten",
          input: .questionInput, output: .question, problems: [.forbidden, .notFound, .conflict]))
    ) { try await $0.edit($1) },
  ]

  func editForm(_ visit: Visit) async throws -> Answer {
    let question = try await ownQuestion(try visit.id(), visit)
    return .page(QuestionForm(visit: visit, town: self, question: question).page)
  }

  func edit(_ visit: Visit) async throws -> Answer {
    let id = try visit.id()
    let person = try visit.requireSession().person
    var input = try await visit.input()
    let current = try await ownQuestion(id, visit)
    let version = input.int("version", in: 1...Int(Int32.max))
    let draft: QuestionDraft
    do {
      try input.check()
      draft = try QuestionDraft(input, area: settings.area)
    } catch {
      guard error.kind == .invalidInput, !visit.wantsJSON else { throw error }
      return .page(
        QuestionForm(visit: visit, town: self, input: input, problem: error, question: current).page, status: httpStatus(422))
    }
    guard try await edit(id, to: draft, version: version, by: person, at: visit.now) else {
      let now = try await ownQuestion(id, visit)
      guard visit.wantsJSON else {
        let form = QuestionForm(visit: visit, town: self, input: input, question: now, stale: true)
        return .page(form.page, status: httpStatus(409))
      }
      throw Problem(
        .conflict, ["reason": visit.text("town.refusal.edited")],
        members: ["current": ["title": .string(now.title), "body": .string(now.body), "version": .integer(Int64(now.version))]])
    }
    return visit.wantsJSON ? .json(try await view(of: id, visit)) : .redirect("/questions/\(id.text)")
  }

  /// - Parameter version: the one the draft was made from; `nil` replaces whatever is there.
  /// - Returns: `false` when the question has another version by now.
  /// - Throws: ``Kit/Problem`` `not-found`, `forbidden`.
  func edit(_ id: UUID, to draft: QuestionDraft, version: Int?, by person: PersonID, at now: Instant) async throws -> Bool {
    let edited = try await database.transaction { transaction in
      let edited = try await transaction.execute(
        """
        UPDATE \(schema).question SET
          title = \(draft.title), body = \(draft.body), category = \(draft.category), hashtags = \(draft.hashtags),
          place_name = \(draft.place?.name), latitude = \(draft.place?.coordinates?.latitude),
          longitude = \(draft.place?.coordinates?.longitude), urgency = \(draft.urgency), edited_at = \(now), version = version + 1
        WHERE id = \(id) AND author = \(person) AND state <> 'deleted'
          AND version = coalesce(\(version.map(Int32.init)), version)
        """)
      if edited == 1 { try touch([id], in: transaction) }
      return edited
    }
    if edited == 1 { return true }
    let question = try await question(id, for: nil)
    guard question.author == person else { throw Problem(.forbidden) }
    return false
  }

  /// - Throws: ``Kit/Problem`` `not-signed-in`, `not-found`, `forbidden`.
  private func ownQuestion(_ id: UUID, _ visit: Visit) async throws -> Question {
    let person = try visit.requireSession().person
    let question = try await question(id, for: nil)
    guard question.author == person else { throw Problem(.forbidden) }
    return question
  }
}
