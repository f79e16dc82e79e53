import Database
import Foundation
import Kit

/// One item put before a person, and what became of it.
struct Attempt: Hashable, Sendable, Identifiable {
  let id: UUID
  let person: PersonID
  let itemID: String
  let topic: String
  /// She asked for this topic.
  let isByTopic: Bool
  /// Parameter b when it was served.
  let difficulty: Double
  let served: Instant
  var result: Result?

  struct Result: Hashable, Sendable {
    let answered: Instant
    /// The choice from 0, or the number as typed; `nil` when she did not know.
    let given: String?
    let isCorrect: Bool
    let abilityBefore: Double
    let abilityAfter: Double
  }
}

/// The attempts and skills of one tenant.
struct AttemptStore: Sendable {
  let schema: Schema

  private var columns: SQL {
    "id, person, item_id, topic, by_topic, difficulty, served_at, answered_at, given, correct, ability_before, ability_after"
  }

  private func attempt(_ row: Row) throws -> Attempt {
    var attempt = Attempt(
      id: try row.get("id"), person: try row.get("person"), itemID: try row.get("item_id"), topic: try row.get("topic"),
      isByTopic: try row.get("by_topic"), difficulty: try row.get("difficulty"), served: try row.get("served_at"))
    if let answered = try row.getIfPresent("answered_at", as: Instant.self) {
      attempt.result = Attempt.Result(
        answered: answered, given: try row.getIfPresent("given"), isCorrect: try row.get("correct"),
        abilityBefore: try row.get("ability_before"), abilityAfter: try row.get("ability_after"))
    }
    return attempt
  }

  // MARK: Attempts

  /// An attempt of this person; others' are not to be found.
  func find(_ id: UUID, of person: PersonID, _ executor: some SQLExecutor) async throws -> Attempt? {
    try await executor.one(
      "SELECT \(sql: columns) FROM \(schema).attempt WHERE id = \(id) AND person = \(person)"
    ).map(attempt)
  }

  func findForUpdate(_ id: UUID, of person: PersonID, _ transaction: Transaction) async throws -> Attempt? {
    try await transaction.one(
      "SELECT \(sql: columns) FROM \(schema).attempt WHERE id = \(id) AND person = \(person) FOR UPDATE"
    ).map(attempt)
  }

  /// The item she has not answered yet.
  func open(of person: PersonID, _ executor: some SQLExecutor) async throws -> Attempt? {
    try await executor.one(
      "SELECT \(sql: columns) FROM \(schema).attempt WHERE person = \(person) AND answered_at IS NULL"
    ).map(attempt)
  }

  func insert(_ attempt: Attempt, _ executor: some SQLExecutor) async throws {
    try await executor.execute(
      """
      INSERT INTO \(schema).attempt (id, person, item_id, topic, by_topic, difficulty, served_at)
      VALUES (\(attempt.id), \(attempt.person), \(attempt.itemID), \(attempt.topic), \(attempt.isByTopic),
        \(attempt.difficulty), \(attempt.served))
      """)
  }

  /// Takes back an attempt that has no answer.
  func discard(_ id: UUID, _ executor: some SQLExecutor) async throws -> Bool {
    try await executor.execute("DELETE FROM \(schema).attempt WHERE id = \(id) AND answered_at IS NULL") > 0
  }

  func save(_ result: Attempt.Result, of attempt: Attempt, _ transaction: Transaction) async throws {
    try await transaction.execute(
      """
      UPDATE \(schema).attempt SET answered_at = \(result.answered), given = \(result.given), correct = \(result.isCorrect),
        ability_before = \(result.abilityBefore), ability_after = \(result.abilityAfter)
      WHERE id = \(attempt.id)
      """)
  }

  /// Her answered attempts, latest first.
  func answered(by person: PersonID, limit: Int, _ executor: some SQLExecutor) async throws -> [Attempt] {
    try await executor.query(
      """
      SELECT \(sql: columns) FROM \(schema).attempt WHERE person = \(person) AND answered_at IS NOT NULL
      ORDER BY answered_at DESC, id DESC LIMIT \(limit)
      """
    ).map(attempt)
  }

  /// Items she has met since an instant, and when last.
  func met(by person: PersonID, since: Instant, _ executor: some SQLExecutor) async throws -> [String: Instant] {
    let rows = try await executor.query(
      """
      SELECT item_id, max(answered_at) AS last FROM \(schema).attempt
      WHERE person = \(person) AND answered_at > \(since) GROUP BY item_id
      """)
    return try Dictionary(uniqueKeysWithValues: rows.map { (try $0.get("item_id", as: String.self), try $0.get("last")) })
  }

  /// Days on which she answered something, latest first.
  func days(of person: PersonID, in zone: TimeZone, limit: Int, _ executor: some SQLExecutor) async throws -> [CivilDate] {
    try await executor.query(
      """
      SELECT DISTINCT (answered_at AT TIME ZONE \(zone.identifier))::date AS day FROM \(schema).attempt
      WHERE person = \(person) AND answered_at IS NOT NULL ORDER BY day DESC LIMIT \(limit)
      """
    ).map { try $0.get("day") }
  }

  func countAnswered(by person: PersonID, since: Instant, _ executor: some SQLExecutor) async throws -> Int {
    try await executor.one(
      "SELECT count(*) AS count FROM \(schema).attempt WHERE person = \(person) AND answered_at >= \(since)"
    )?.get("count") ?? 0
  }

  // MARK: Skills

  func skills(of person: PersonID, _ executor: some SQLExecutor) async throws -> [String: Skill] {
    let rows = try await executor.query(
      "SELECT topic, theta, answered, correct, updated_at FROM \(schema).skill WHERE person = \(person)")
    return try Dictionary(
      uniqueKeysWithValues: rows.map { row in
        let topic: String = try row.get("topic")
        return (
          topic,
          Skill(
            topic: topic, ability: try row.get("theta"), answered: try row.get("answered"), correct: try row.get("correct"),
            updated: try row.get("updated_at"))
        )
      })
  }

  func ability(of person: PersonID, topic: String, _ executor: some SQLExecutor) async throws -> Double {
    try await executor.one("SELECT theta FROM \(schema).skill WHERE person = \(person) AND topic = \(topic)")?
      .get("theta") ?? 0
  }

  func move(
    _ person: PersonID, topic: String, to ability: Double, isCorrect: Bool, at now: Instant, _ transaction: Transaction
  ) async throws {
    try await transaction.execute(
      """
      INSERT INTO \(schema).skill AS known (person, topic, theta, answered, correct, updated_at)
      VALUES (\(person), \(topic), \(ability), 1, \(isCorrect ? 1 : 0), \(now))
      ON CONFLICT (person, topic) DO UPDATE SET theta = excluded.theta, answered = known.answered + 1,
        correct = known.correct + excluded.correct, updated_at = excluded.updated_at
      """)
  }
}
