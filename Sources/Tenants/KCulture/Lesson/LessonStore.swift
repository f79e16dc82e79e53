import Database
import Foundation
import Kit

/// One way of a person through the exercises of a step.
struct Lesson: Hashable, Sendable, Identifiable {
  let id: UUID
  let person: PersonID
  let step: String
  let started: Instant
  var result: Result?
  /// By the exercise's number.
  var answers: [Int: Given]

  struct Given: Hashable, Sendable {
    /// `nil` when she did not know.
    let given: String?
    let isCorrect: Bool
    let answered: Instant
  }

  struct Result: Hashable, Sendable {
    let completed: Instant
    let correct: Int
    let total: Int
    /// Cards it added.
    let added: Int
    /// From 0 to 1.
    var score: Double { Double(correct) / Double(total) }
  }

  /// The first exercise without an answer.
  func next(of step: Step) -> Exercise? { step.exercises.first { answers[$0.number] == nil } }
}

/// How far a person is with a step that she has opened.
struct StepProgress: Hashable, Sendable {
  /// Per cent of her best lesson; `nil` before one was completed.
  let best: Int?
  /// The lesson she is in the middle of.
  let open: UUID?
}

/// Openings, lessons and answers of one tenant.
struct LessonStore: Sendable {
  let schema: Schema

  // MARK: Openings

  /// The id that a person's opening of a step has, and whether it is open. Made when there is none.
  func claim(
    _ step: String, by person: PersonID, id: UUID, at now: Instant, _ executor: some SQLExecutor
  ) async throws -> (id: UUID, isOpen: Bool) {
    try await executor.execute(
      """
      INSERT INTO \(schema).opening (id, person, step, claimed_at) VALUES (\(id), \(person), \(step), \(now))
      ON CONFLICT (person, step) DO NOTHING
      """)
    guard
      let row = try await executor.one(
        "SELECT id, opened_at IS NOT NULL AS open FROM \(schema).opening WHERE person = \(person) AND step = \(step)")
    else { throw Problem(.conflict, ["reason": step]) }
    return (try row.get("id"), try row.get("open"))
  }

  func open(_ id: UUID, at now: Instant, _ executor: some SQLExecutor) async throws {
    try await executor.execute("UPDATE \(schema).opening SET opened_at = \(now) WHERE id = \(id) AND opened_at IS NULL")
  }

  func isOpen(_ step: String, to person: PersonID, _ executor: some SQLExecutor) async throws -> Bool {
    try await executor.one(
      "SELECT 1 FROM \(schema).opening WHERE person = \(person) AND step = \(step) AND opened_at IS NOT NULL") != nil
  }

  /// The steps a person has opened, with how far she is.
  func progress(of person: PersonID, _ executor: some SQLExecutor) async throws -> [String: StepProgress] {
    let rows = try await executor.query(
      """
      SELECT o.step, max(round(100.0 * l.correct / l.total))::integer AS best,
        (array_agg(l.id) FILTER (WHERE l.id IS NOT NULL AND l.completed_at IS NULL))[1] AS open
      FROM \(schema).opening o LEFT JOIN \(schema).lesson l ON l.person = o.person AND l.step = o.step
      WHERE o.person = \(person) AND o.opened_at IS NOT NULL GROUP BY o.step
      """)
    return try Dictionary(
      uniqueKeysWithValues: rows.map { row in
        (
          try row.get("step", as: String.self),
          StepProgress(best: try row.getIfPresent("best"), open: try row.getIfPresent("open"))
        )
      })
  }

  // MARK: Lessons

  private var columns: SQL { "id, person, step, started_at, completed_at, correct, total, added" }

  private func lesson(_ row: Row, _ executor: some SQLExecutor) async throws -> Lesson {
    var lesson = Lesson(
      id: try row.get("id"), person: try row.get("person"), step: try row.get("step"), started: try row.get("started_at"),
      answers: [:])
    if let completed = try row.getIfPresent("completed_at", as: Instant.self) {
      lesson.result = Lesson.Result(
        completed: completed, correct: try row.get("correct"), total: try row.get("total"), added: try row.get("added"))
    }
    let answers = try await executor.query(
      "SELECT exercise, given, correct, answered_at FROM \(schema).answer WHERE lesson = \(lesson.id)")
    for row in answers {
      lesson.answers[try row.get("exercise")] = Lesson.Given(
        given: try row.getIfPresent("given"), isCorrect: try row.get("correct"), answered: try row.get("answered_at"))
    }
    return lesson
  }

  /// A lesson of this person; others' are not to be found.
  func find(_ id: UUID, of person: PersonID, _ executor: some SQLExecutor) async throws -> Lesson? {
    guard
      let row = try await executor.one(
        "SELECT \(sql: columns) FROM \(schema).lesson WHERE id = \(id) AND person = \(person)")
    else { return nil }
    return try await lesson(row, executor)
  }

  func findForUpdate(_ id: UUID, of person: PersonID, _ transaction: Transaction) async throws -> Lesson? {
    guard
      let row = try await transaction.one(
        "SELECT \(sql: columns) FROM \(schema).lesson WHERE id = \(id) AND person = \(person) FOR UPDATE")
    else { return nil }
    return try await lesson(row, transaction)
  }

  /// The lesson she is in the middle of, or a new one.
  func start(
    _ step: String, by person: PersonID, id: UUID, at now: Instant, _ executor: some SQLExecutor
  ) async throws -> (lesson: Lesson, isNew: Bool) {
    let made = try await executor.execute(
      """
      INSERT INTO \(schema).lesson (id, person, step, started_at) VALUES (\(id), \(person), \(step), \(now))
      ON CONFLICT (person, step) WHERE completed_at IS NULL DO NOTHING
      """)
    let row = try await executor.one(
      "SELECT \(sql: columns) FROM \(schema).lesson WHERE person = \(person) AND step = \(step) AND completed_at IS NULL")
    // Completed by a parallel request in between: she may begin again.
    guard let row else { throw Problem(.conflict, ["reason": step]) }
    return (try await lesson(row, executor), made == 1)
  }

  func save(_ given: Lesson.Given, to exercise: Int, of lesson: UUID, _ transaction: Transaction) async throws {
    try await transaction.execute(
      """
      INSERT INTO \(schema).answer (lesson, exercise, given, correct, answered_at)
      VALUES (\(lesson), \(exercise), \(given.given), \(given.isCorrect), \(given.answered))
      """)
  }

  func complete(_ lesson: UUID, _ result: Lesson.Result, _ transaction: Transaction) async throws {
    try await transaction.execute(
      """
      UPDATE \(schema).lesson SET completed_at = \(result.completed), correct = \(result.correct), total = \(result.total),
        added = \(result.added)
      WHERE id = \(lesson)
      """)
  }
}
