import Database
import Foundation
import Kit
import Web

extension Town {
  static let showEndpoints: [Endpoint<Town>] = [
    .get(
      "/questions/{id}",
      .init(
        limit: "list", cache: Caching(for: .minutes(5), shared: .everyone, tags: ["question:{id}"]),
        operation: Web.Operation("getQuestion", "A question with its answers", output: .question, problems: [.notFound]))
    ) { try await $0.show($1) }
  ]

  /// A question with everything around it, as one reader sees it: read in one statement.
  private struct Shown {
    let question: Question
    let answers: [AnswerRow]
    let isLiked: Bool
    let bylines: Bylines
  }

  private func shown(_ id: UUID, _ visit: Visit) async throws -> Shown {
    let reader = visit.session?.person
    let rows = try await database.query(
      """
      SELECT \(sql: Question.columns(body: "CASE WHEN a.place IS NULL OR a.place = 1 THEN q.body ELSE '' END")),
        EXISTS (SELECT FROM \(schema).question_like l WHERE l.question = q.id AND l.person = \(reader)) AS is_liked,
        \(sql: AnswerRow.joinedColumns)
      FROM \(schema).question q LEFT JOIN LATERAL (
        SELECT \(sql: AnswerRow.columns), \(sql: AnswerRow.place) AS place
        FROM \(schema).answer a WHERE a.question = q.id AND (a.state = 'given' OR a.id = q.accepted_answer)
        ORDER BY place LIMIT \(AnswerRow.most)
      ) a ON true
      WHERE q.id = \(id) ORDER BY a.place
      """)
    guard let first = rows.first else { throw Problem(.notFound) }
    let question = try Question(first)
    guard question.isShown(to: reader) else { throw Problem(.notFound) }
    let answers = try rows.compactMap { row in
      try row.getIfPresent("place", as: Int64.self).map { _ in try AnswerRow.joined(row) }
    }
    let bylines = await bylines(of: [question.author] + answers.map(\.author), visit)
    return Shown(question: question, answers: answers, isLiked: try first.get("is_liked"), bylines: bylines)
  }

  /// - Throws: ``Kit/Problem`` `not-found`.
  func view(of id: UUID, _ visit: Visit) async throws -> QuestionView { view(try await shown(id, visit), visit) }

  /// Of a question that was asked just now: nobody has answered it or liked it.
  func view(ofNew question: Question, _ visit: Visit) async -> QuestionView {
    view(
      Shown(question: question, answers: [], isLiked: false, bylines: await bylines(of: [question.author], visit)), visit)
  }

  private func view(_ shown: Shown, _ visit: Visit) -> QuestionView {
    QuestionView(
      shown.question, by: shown.bylines.author(shown.question.author), for: visit, isLiked: shown.isLiked,
      answers: shown.answers.map { answer in
        AnswerView(
          answer, by: shown.bylines.author(answer.author), isAccepted: answer.id == shown.question.acceptedAnswer, for: visit)
      })
  }

  func show(_ visit: Visit) async throws -> Answer {
    let shown = try await shown(try visit.id(), visit)
    return .page(json: view(shown, visit)) { page(shown, visit) }
  }

  /// The question's page with an answer that could not be taken.
  func page(of id: UUID, refusing input: Input, _ problem: Problem, _ visit: Visit) async throws -> Page {
    page(try await shown(id, visit), refusing: (input, problem), visit)
  }

  private func page(_ shown: Shown, refusing refused: (input: Input, problem: Problem)? = nil, _ visit: Visit) -> Page {
    let question = shown.question
    guard question.state != .deleted else {
      return Page("town.question-deleted", title: visit.text("town.deleted.title"))
    }
    let reader = visit.session?.person
    let isAuthor = reader != nil && reader == question.author
    let path = "/questions/\(question.id.text)"
    var model = cardModel(question, visit)
    model["path"] = path
    model["author"] = shown.bylines.author(question.author).name
    model["text"] = question.body
    model["isAuthor"] = isAuthor
    model["isSignedIn"] = reader != nil
    model["isLiked"] = shown.isLiked
    if let edited = question.edited {
      model["edited"] = visit.text("town.question.edited", ["when": visit.format.ago(edited, now: visit.now)])
    }
    if let first = question.firstAnswer {
      model["firstAnswer"] = visit.text("town.question.firstAnswer", ["time": span(first - question.created, visit)])
    }
    if let place = question.place, let url = place.mapURL, let coordinates = place.coordinates {
      model["map"] = ["mapURL": url, "point": coordinates.text]
    }
    model["hasPlace"] = question.place != nil
    model["deleteText"] = visit.text(
      shown.answers.contains { $0.author != question.author && !$0.isDeleted } ? "town.delete.answered" : "town.delete.text")
    let answers = shown.answers.map { answer -> [String: any Sendable] in
      let isMine = reader != nil && reader == answer.author
      let isAccepted = answer.id == question.acceptedAnswer
      return [
        "answerID": answer.id.text, "writer": shown.bylines.author(answer.author).name, "said": answer.body,
        "isBlank": answer.isDeleted, "at": answer.created.rfc3339, "since": visit.format.ago(answer.created, now: visit.now),
        "isEdited": answer.edited != nil, "isPicked": isAccepted,
        "canAccept": isAuthor && question.state == .open && !isMine && !answer.isDeleted,
        "canChange": isMine && !isAccepted && !answer.isDeleted,
      ]
    }
    model["answers"] = answers
    model["hasAnswers"] = !answers.isEmpty
    model["signInURL"] = "/signin?return_to=\(Renderer.encode(path))"
    model["answerMost"] = "\(AnswerDraft.bodyLength.upperBound)"
    model["answerHint"] = visit.text("town.answer.hint", ["points": "\(settings.acceptedPoints)"])
    model["acceptHint"] = visit.text("town.accept.hint", ["points": "\(settings.acceptedPoints)"])
    model["canAcceptAny"] = answers.contains { $0["canAccept"] as? Bool == true }
    model["field"] = FormState(["body"], input: refused?.input, problem: refused?.problem, visit: visit).fields
    return Page("town.question", title: question.title, model)
  }

  /// `3분`, `2 hours`: the larger unit alone.
  private func span(_ duration: Duration, _ visit: Visit) -> String {
    let minutes = max(1, duration.components.seconds / 60)
    let (unit, count) =
      minutes < 60 ? ("minutes", minutes) : minutes < 1_440 ? ("hours", minutes / 60) : ("days", minutes / 1_440)
    return visit.text("town.span.\(unit)", ["count": visit.format.number(count)])
  }
}
