import Database
import Kit

/// Lessons in the database. They come and go with the package that they belong to.
extension PackageStore {
  /// The lessons of some packages that are given, by package.
  func lessons(
    _ packages: [String], _ database: some SQLExecutor
  ) async throws -> [(package: String, lesson: LibraryLesson)] {
    let rows = try await database.query(
      "SELECT id, package, position, unit, title, body FROM \(schema).lesson WHERE package = ANY(\(packages)) AND NOT withdrawn")
    return try rows.map { row in
      (
        try row.get("package"),
        LibraryLesson(
          id: try row.get("id"), order: try row.get("position"), unit: try row.get("unit"),
          title: LocalizedText(document: try row.get("title")), body: try row.get("body"))
      )
    }
  }

  /// Lessons that belong to a package outside of `packages`.
  func lessonStrangers(
    _ ids: [String], packages: [String], _ database: some SQLExecutor
  ) async throws -> [String: String] {
    let rows = try await database.query(
      "SELECT id, package FROM \(schema).lesson WHERE id = ANY(\(ids)) AND package <> ALL(\(packages))")
    return try Dictionary(uniqueKeysWithValues: rows.map { (try $0.get("id", as: String.self), try $0.get("package")) })
  }

  /// Writes lessons that are new or other than before.
  func save(
    _ lessons: [LibraryLesson], of package: String, _ transaction: Transaction
  ) async throws -> (new: Int, changed: Int) {
    guard !lessons.isEmpty else { return (0, 0) }
    let documents = JSONValue.array(lessons.map(\.document))
    let rows = try await transaction.query(
      """
      INSERT INTO \(schema).lesson AS known (id, package, position, unit, title, body)
      SELECT id, \(package), position, unit, title, body
      FROM jsonb_to_recordset(\(documents)) AS line (id text, position integer, unit text, title jsonb, body jsonb)
      ON CONFLICT (id) DO UPDATE SET package = excluded.package, position = excluded.position, unit = excluded.unit,
        title = excluded.title, body = excluded.body, withdrawn = false
      WHERE (known.package, known.position, known.unit, known.title, known.body, known.withdrawn)
        IS DISTINCT FROM (excluded.package, excluded.position, excluded.unit, excluded.title, excluded.body, false)
      -- A row that was there has been locked by this statement, which shows in xmax.
      RETURNING known.xmax = 0 AS is_new
      """)
    let new = try rows.count { try $0.get("is_new") }
    return (new, rows.count - new)
  }

  /// Marks what a package does not hold any more.
  func withdrawLessons(_ package: String, allBut ids: [String], _ transaction: Transaction) async throws -> Int {
    try await transaction.execute(
      "UPDATE \(schema).lesson SET withdrawn = true WHERE package = \(package) AND NOT withdrawn AND id <> ALL(\(ids))")
  }
}

extension LibraryLesson {
  /// As the statement that saves lessons reads it.
  fileprivate var document: JSONValue {
    [
      "id": .string(id), "position": .integer(Int64(order)), "unit": .string(unit), "title": title.document, "body": body,
    ]
  }
}
