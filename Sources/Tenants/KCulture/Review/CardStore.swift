import Database
import Foundation
import Kit

/// A letter or word to be remembered.
struct Card: Hashable, Sendable, Identifiable {
  enum Kind: String, Sendable, Codable { case letter, word }

  let id: UUID
  let person: PersonID
  let kind: Kind
  /// What stands on its front.
  let face: String
  let step: String
  var stability: Double?
  var difficulty: Double?
  /// How often it was reviewed.
  var reviews: Int
  var reviewed: Instant?
  var due: Instant

  var memory: Memory? {
    guard let stability, let difficulty else { return nil }
    return Memory(stability: stability, difficulty: difficulty)
  }
}

/// What is due to a person, and what she has done today.
struct CardCounts: Hashable, Sendable {
  let all: Int
  let due: Int
  let reviewedToday: Int
  /// When the first card comes that is not due yet.
  let next: Instant?
  /// How many come then, within the same day.
  let nextCount: Int
}

/// Cards and reviews of one tenant.
struct CardStore: Sendable {
  let schema: Schema

  private var columns: SQL { "id, person, kind, face, step, stability, difficulty, reviews, reviewed_at, due_at" }

  private func card(_ row: Row) throws -> Card {
    Card(
      id: try row.get("id"), person: try row.get("person"),
      kind: Card.Kind(rawValue: try row.get("kind")) ?? .word, face: try row.get("face"), step: try row.get("step"),
      stability: try row.getIfPresent("stability"), difficulty: try row.getIfPresent("difficulty"),
      reviews: try row.get("reviews"), reviewed: try row.getIfPresent("reviewed_at"), due: try row.get("due_at"))
  }

  /// Adds what a step teaches and she has no card of yet; due at once.
  /// - Returns: how many were new.
  func add(_ step: Step, to person: PersonID, at now: Instant, _ transaction: Transaction) async throws -> Int {
    let faces = step.letters.map { (Card.Kind.letter, String($0.letter)) } + step.words.map { (Card.Kind.word, $0.text) }
    var added = 0
    for (index, (kind, face)) in faces.enumerated() {
      // A microsecond apart, so that they come in the order in which they were taught; all of them due by now.
      let due = now - .microseconds(faces.count - index)
      added += try await transaction.execute(
        """
        INSERT INTO \(schema).card (id, person, kind, face, step, added_at, due_at)
        VALUES (\(UUID.v7(at: now)), \(person), \(kind.rawValue), \(face), \(step.id), \(now), \(due))
        ON CONFLICT (person, kind, face) DO NOTHING
        """)
    }
    return added
  }

  /// A card of this person; others' are not to be found.
  func find(_ id: UUID, of person: PersonID, _ executor: some SQLExecutor) async throws -> Card? {
    try await executor.one("SELECT \(sql: columns) FROM \(schema).card WHERE id = \(id) AND person = \(person)").map(card)
  }

  func findForUpdate(_ id: UUID, of person: PersonID, _ transaction: Transaction) async throws -> Card? {
    try await transaction.one(
      "SELECT \(sql: columns) FROM \(schema).card WHERE id = \(id) AND person = \(person) FOR UPDATE"
    ).map(card)
  }

  /// What is due, longest first.
  func due(to person: PersonID, at now: Instant, limit: Int, _ executor: some SQLExecutor) async throws -> [Card] {
    try await executor.query(
      """
      SELECT \(sql: columns) FROM \(schema).card WHERE person = \(person) AND due_at <= \(now) ORDER BY due_at, id LIMIT \(limit)
      """
    ).map(card)
  }

  /// - Parameter today: when her day began.
  func counts(
    of person: PersonID, at now: Instant, today: Instant, _ executor: some SQLExecutor
  ) async throws -> CardCounts {
    let row = try await executor.one(
      """
      SELECT count(*) AS all, count(*) FILTER (WHERE due_at <= \(now)) AS due, min(due_at) FILTER (WHERE due_at > \(now)) AS next,
        (SELECT count(*) FROM \(schema).review WHERE person = \(person) AND reviewed_at >= \(today)) AS reviewed
      FROM \(schema).card WHERE person = \(person)
      """)
    guard let row else { return CardCounts(all: 0, due: 0, reviewedToday: 0, next: nil, nextCount: 0) }
    let next: Instant? = try row.getIfPresent("next")
    var nextCount = 0
    if let next {
      nextCount =
        try await executor.one(
          """
          SELECT count(*) AS count FROM \(schema).card
          WHERE person = \(person) AND due_at >= \(next) AND due_at < \(next + .days(1))
          """)?.get("count") ?? 0
    }
    return CardCounts(
      all: try row.get("all"), due: try row.get("due"), reviewedToday: try row.get("reviewed"), next: next,
      nextCount: nextCount)
  }

  /// How a review of a card was graded.
  func recall(_ number: Int, of card: UUID, _ executor: some SQLExecutor) async throws -> Recall? {
    try await executor.one("SELECT recall FROM \(schema).review WHERE card = \(card) AND number = \(number)")
      .flatMap { Recall(rawValue: try $0.get("recall")) }
  }

  func save(_ card: Card, _ memory: Memory, _ transaction: Transaction) async throws {
    try await transaction.execute(
      """
      UPDATE \(schema).card SET stability = \(memory.stability), difficulty = \(memory.difficulty), reviews = \(card.reviews),
        reviewed_at = \(card.reviewed), due_at = \(card.due)
      WHERE id = \(card.id)
      """)
  }

  func log(
    _ card: Card, _ recall: Recall, _ memory: Memory, elapsed: Int, interval: Int, at now: Instant, _ transaction: Transaction
  ) async throws {
    try await transaction.execute(
      """
      INSERT INTO \(schema).review (card, number, person, recall, elapsed_days, interval_days, stability, difficulty, reviewed_at)
      VALUES (\(card.id), \(card.reviews), \(card.person), \(recall.rawValue), \(elapsed), \(interval), \(memory.stability),
        \(memory.difficulty), \(now))
      """)
  }
}
