public import Database
public import Kit

/// What consoles published that the configuration's file doesn't say: for the merge of both.
public struct ConsoleEdit: Sendable {
  public let plan: Plan
  public let version: Int
  /// Whether the console made the plan; else it changed one of the file.
  public let isMadeInConsole: Bool
  /// Who published it, by an opaque id.
  public let by: String?
  public let at: Instant
}

extension PlanStore {
  /// Plans on sale whose newest version is a console's.
  ///
  /// Reads a database of an earlier release, too: of one that doesn't tell, versions of the file's plans are the file's.
  /// - Parameter executor: anything that may read the schema.
  public static func consoleEdits(in executor: some SQLExecutor, schema: Schema) async throws -> [ConsoleEdit] {
    let rows = try await executor.query(
      """
      SELECT plan.origin, newest.version, newest.document, newest.published_at, to_jsonb(newest) ->> 'published_by' AS by
      FROM \(schema).plan CROSS JOIN LATERAL (
        SELECT * FROM \(schema).plan_version WHERE plan = plan.id ORDER BY version DESC LIMIT 1
      ) AS newest
      WHERE withdrawn_at IS NULL AND 'console' IN (plan.origin, to_jsonb(newest) ->> 'origin') ORDER BY plan.id
      """)
    return try rows.map { row in
      ConsoleEdit(
        plan: try plan(row), version: try row.get("version"),
        isMadeInConsole: try row.get("origin", as: String.self) == Origin.console.rawValue, by: try row.getIfPresent("by"),
        at: try row.get("published_at"))
    }
  }
}
