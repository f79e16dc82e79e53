import Database
import Kit

/// Packages and items in the database.
struct PackageStore: Sendable {
  let schema: Schema

  // MARK: Reading

  func stamps(_ database: some SQLExecutor) async throws -> [String: ItemIndex.Stamp] {
    let rows = try await database.query("SELECT id, version, digest FROM \(schema).package")
    return try Dictionary(
      uniqueKeysWithValues: rows.map { row in
        (try row.get("id", as: String.self), try ItemIndex.Stamp(version: row.get("version"), digest: row.get("digest")))
      })
  }

  /// The items of some packages, by package, and whether each is withdrawn.
  func items(
    _ packages: [String], _ database: some SQLExecutor
  ) async throws -> [(
    package: String, item: LibraryItem, isWithdrawn: Bool
  )] {
    let rows = try await database.query(
      """
      SELECT id, package, subject, topic, level, difficulty, discrimination, guess, kind, prompt, choices, answer,
        explanation, withdrawn
      FROM \(schema).item WHERE package = ANY(\(packages))
      """)
    return try rows.map { row in
      guard case .array(let choices) = try row.get("choices", as: JSONValue.self) else {
        throw DatabaseError(.decoding(column: "choices"), explanation: "expected a JSON array")
      }
      let item = LibraryItem(
        id: try row.get("id"), subject: try row.get("subject"), topic: try row.get("topic"), level: try row.get("level"),
        difficulty: try row.get("difficulty"), discrimination: try row.get("discrimination"), guess: try row.get("guess"),
        kind: LibraryItem.Kind(rawValue: try row.get("kind")) ?? .choice,
        prompt: LocalizedText(document: try row.get("prompt")), choices: choices.map(LocalizedText.init(document:)),
        answer: try row.get("answer"), explanation: LocalizedText(document: try row.get("explanation")))
      return (try row.get("package"), item, try row.get("withdrawn"))
    }
  }

  /// Items that belong to a package outside of `packages`.
  func strangers(_ ids: [String], packages: [String], _ database: some SQLExecutor) async throws -> [String: String] {
    let rows = try await database.query(
      "SELECT id, package FROM \(schema).item WHERE id = ANY(\(ids)) AND package <> ALL(\(packages))")
    return try Dictionary(uniqueKeysWithValues: rows.map { (try $0.get("id", as: String.self), try $0.get("package")) })
  }

  /// SHA-256, chained over pieces of a mebibyte so that no statement is large. The server has the hash at hand.
  func digest(_ bytes: [UInt8], _ database: some SQLExecutor) async throws -> [UInt8] {
    var digest: [UInt8] = []
    var start = 0
    repeat {
      let piece = Array(bytes[start..<min(start + 1_048_576, bytes.count)])
      guard let row = try await database.one("SELECT sha256(\(digest) || \(piece)) AS digest") else { return digest }
      digest = try row.get("digest")
      start += piece.count
    } while start < bytes.count
    return digest
  }

  // MARK: Writing

  /// Holds off every other load of the package until the transaction ends.
  func lock(_ package: String, _ transaction: Transaction) async throws {
    try await transaction.execute(
      "SELECT pg_advisory_xact_lock(hashtextextended(\("\(schema.name).package.\(package)"), 0))")
  }

  func stamp(_ package: String, _ transaction: Transaction) async throws -> ItemIndex.Stamp? {
    guard
      let row = try await transaction.one("SELECT version, digest FROM \(schema).package WHERE id = \(package)")
    else { return nil }
    return try ItemIndex.Stamp(version: row.get("version"), digest: row.get("digest"))
  }

  func save(_ package: Package, digest: [UInt8], at now: Instant, _ transaction: Transaction) async throws {
    try await transaction.execute(
      """
      INSERT INTO \(schema).package (id, version, kind, title, digest, loaded_at)
      VALUES (\(package.id), \(package.version), \(package.kind), \(package.title.document), \(digest), \(now))
      ON CONFLICT (id) DO UPDATE SET version = excluded.version, kind = excluded.kind, title = excluded.title,
        digest = excluded.digest, loaded_at = excluded.loaded_at
      """)
  }

  /// Writes items that are new or other than before.
  func save(_ items: [LibraryItem], of package: String, _ transaction: Transaction) async throws -> (new: Int, changed: Int) {
    var (new, changed) = (0, 0)
    for start in stride(from: 0, to: items.count, by: 500) {
      let chunk = JSONValue.array(items[start..<min(start + 500, items.count)].map(\.document))
      let rows = try await transaction.query(
        """
        INSERT INTO \(schema).item AS known (id, package, subject, topic, level, difficulty, discrimination, guess, kind, prompt,
          choices, answer, explanation)
        SELECT id, \(package), subject, topic, level, difficulty, discrimination, guess, kind, prompt, choices, answer, explanation
        FROM jsonb_to_recordset(\(chunk)) AS line (id text, subject text, topic text, level text, difficulty double precision,
          discrimination double precision, guess double precision, kind text, prompt jsonb, choices jsonb, answer text,
          explanation jsonb)
        ON CONFLICT (id) DO UPDATE SET package = excluded.package, subject = excluded.subject, topic = excluded.topic,
          level = excluded.level, difficulty = excluded.difficulty, discrimination = excluded.discrimination,
          guess = excluded.guess, kind = excluded.kind, prompt = excluded.prompt, choices = excluded.choices,
          answer = excluded.answer, explanation = excluded.explanation, withdrawn = false
        WHERE (known.package, known.subject, known.topic, known.level, known.difficulty, known.discrimination, known.guess,
          known.kind, known.prompt, known.choices, known.answer, known.explanation, known.withdrawn)
          IS DISTINCT FROM (excluded.package, excluded.subject, excluded.topic, excluded.level, excluded.difficulty,
          excluded.discrimination, excluded.guess, excluded.kind, excluded.prompt, excluded.choices, excluded.answer,
          excluded.explanation, false)
        -- A row that was there has been locked by this statement, which shows in xmax.
        RETURNING known.xmax = 0 AS is_new
        """)
      for row in rows {
        if try row.get("is_new") { new += 1 } else { changed += 1 }
      }
    }
    return (new, changed)
  }

  /// Marks what a package does not hold any more.
  func withdraw(_ package: String, allBut ids: [String], _ transaction: Transaction) async throws -> Int {
    try await transaction.execute(
      "UPDATE \(schema).item SET withdrawn = true WHERE package = \(package) AND NOT withdrawn AND id <> ALL(\(ids))")
  }
}

extension LocalizedText {
  init(document: JSONValue) { self.init(ko: document["ko"]?.string ?? "", en: document["en"]?.string) }
  var document: JSONValue {
    var members: [String: JSONValue] = ["ko": .string(ko)]
    if let en { members["en"] = .string(en) }
    return .object(members)
  }
}

extension LibraryItem {
  /// As the statement that saves items reads it.
  var document: JSONValue {
    [
      "id": .string(id), "subject": .string(subject), "topic": .string(topic), "level": .string(level),
      "difficulty": .number(difficulty), "discrimination": .number(discrimination), "guess": .number(guess),
      "kind": .string(kind.rawValue), "prompt": prompt.document, "choices": .array(choices.map(\.document)),
      "answer": .string(answer), "explanation": explanation.document,
    ]
  }
}
