import Database
import Foundation
import Kit
import TenantKit
import Web

extension Town {
  static let askEndpoints: [Endpoint<Town>] = [
    .get("/questions/new", .init(access: .signedIn)) { town, visit in .page(QuestionForm(visit: visit, town: town).page) },
    .post(
      "/questions",
      .init(
        access: .signedIn, limit: "post",
        operation: Web.Operation(
          "askQuestion", "Ask; repeated with its Idempotency-Key it is asked once", input: .questionInput, output: .question,
          status: 201, problems: [.keyReused]))
    ) { try await $0.ask($1) },
  ]

  func ask(_ visit: Visit) async throws -> Answer {
    let person = try visit.requireSession().person
    let input = try await visit.input()
    let key = try visit.idempotencyKey(input)
    let draft: QuestionDraft
    do {
      draft = try QuestionDraft(input, area: settings.area)
    } catch {
      guard error.kind == .invalidInput, !visit.wantsJSON else { throw error }
      return .page(QuestionForm(visit: visit, town: self, input: input, problem: error).page, status: httpStatus(422))
    }
    let asked = try await ask(draft, by: person, key: key, at: visit.now)
    guard visit.wantsJSON else { return .redirect("/questions/\(asked.id.text)") }
    let view =
      switch asked {
      case .now(let question): await view(ofNew: question, visit)
      case .before(let id): try await view(of: id, visit)
      }
    return .json(view, status: httpStatus(201))
  }

  enum Asked {
    case now(Question)
    /// By an earlier call with this key.
    case before(UUID)

    var id: UUID {
      switch self {
      case .now(let question): question.id
      case .before(let id): id
      }
    }
  }

  /// - Parameter key: makes a repeated call the same call.
  /// - Throws: ``Kit/Problem`` `idempotency-key-reused`.
  func ask(_ draft: QuestionDraft, by person: PersonID, key: String?, at now: Instant) async throws -> Asked {
    let id = UUID.v7(at: now)
    return try await database.transaction { transaction in
      let first = try await IdempotentRequest.claim(
        key, person: person, content: "ask\u{1F}\(draft.content)", makes: id, schema: schema, in: transaction)
      if let first { return .before(first) }
      guard let question = try await insert(draft, id: id, by: person, at: now, in: transaction) else { return .before(id) }
      return .now(question)
    }
  }

  /// The row, the event and the activity of a new question.
  /// - Returns: `nil` when the question is there already.
  func insert(
    _ draft: QuestionDraft, id: UUID, by person: PersonID, likes: Int = 0, at now: Instant, in transaction: Transaction
  ) async throws -> Question? {
    let row = try await transaction.one(
      """
      INSERT INTO \(schema).question AS q
        (id, author, title, body, category, hashtags, place_name, latitude, longitude, urgency, like_count, created_at)
      VALUES
        (\(id), \(person), \(draft.title), \(draft.body), \(draft.category), \(draft.hashtags), \(draft.place?.name),
         \(draft.place?.coordinates?.latitude), \(draft.place?.coordinates?.longitude), \(draft.urgency), \(Int32(likes)), \(now))
      ON CONFLICT (id) DO NOTHING RETURNING \(sql: Question.columns)
      """)
    guard let row else { return nil }
    try touch([id], in: transaction)
    var payload: [String: JSONValue] = [
      "question": .string(id.text), "author": .string(person.uuid.text), "category": .string(draft.category.rawValue),
      "urgency": .string(draft.urgency.rawValue),
    ]
    if let point = draft.place?.coordinates {
      payload["latitude"] = .number(point.latitude)
      payload["longitude"] = .number(point.longitude)
    }
    try services.outbox.emit(
      DomainEvent(id: made("question.created", id), type: "question.created", occurred: now, payload: .object(payload)),
      in: transaction)
    try services.outbox.record(
      Activity(
        id: made("asked", id), person: person, verb: Vocabulary.asked, objectType: Vocabulary.question,
        objectPath: "/questions/\(id.text)", objectName: draft.category.questionName, occurred: now),
      in: transaction)
    return try Question(row)
  }
}
