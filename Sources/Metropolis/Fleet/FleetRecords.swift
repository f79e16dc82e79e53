import Database
import Foundation
import Kit

/// What a database says of the schemas in it: one table, read whole by one statement, so that asking a thousand schemas whether
/// anything is to do costs a few milliseconds.
///
/// It belongs to the admin; no service's role can reach it. A row says what was finished, never what was begun: cut off in
/// between, the next run asks the schema's own journal and finds it done.
struct FleetRecords: Sendable {
  enum State: String, Sendable, SQLEncodable, SQLDecodable, CaseIterable {
    case ready
    case failed
    case archived
  }

  struct Record: Sendable {
    let schema: Schema
    let state: State
    let provisioned: String
    let migrated: String
    /// By journal.
    let applied: [String: Int]
    let failure: FleetFailure?
    /// Whether the schema and both its roles are there.
    let isWhole: Bool
  }

  let admin: Database

  /// - Returns: nothing where no fleet has been yet.
  func read() async throws -> [Schema: Record] {
    let rows: Rows
    do {
      rows = try await admin.query(
        """
        SELECT m.schema, m.state, m.provisioned, m.migrated, m.applied, m.file, m.line, m.reason,
          n.oid IS NOT NULL AND o.oid IS NOT NULL AND l.oid IS NOT NULL AS is_whole
        FROM fleet.member AS m
          LEFT JOIN pg_namespace AS n ON n.nspname = m.schema
          LEFT JOIN pg_roles AS o ON o.rolname = m.owner_role
          LEFT JOIN pg_roles AS l ON l.rolname = m.login_role
        """)
    } catch let error as DatabaseError where error.state == .undefinedTable || error.state == .invalidSchemaName {
      return [:]
    }
    return try rows.reduce(into: [:]) { records, row in
      guard let schema = Schema(try row.get("schema", as: String.self)) else { return }
      let reason = try row.getIfPresent("reason", as: String.self)
      records[schema] = Record(
        schema: schema, state: try row.get("state"), provisioned: try row.get("provisioned"), migrated: try row.get("migrated"),
        applied: FleetRecords.counts(try row.get("applied")),
        failure: try reason.map {
          FleetFailure(file: try row.getIfPresent("file"), line: try row.getIfPresent("line"), reason: $0)
        }, isWhole: try row.get("is_whole"))
    }
  }

  /// Makes the table where there is none.
  func prepare() async throws {
    try await admin.transaction { transaction in
      _ = try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('metropolis fleet', 0))")
      try await transaction.execute("CREATE SCHEMA IF NOT EXISTS fleet")
      try await transaction.execute(
        """
        CREATE TABLE IF NOT EXISTS fleet.member (
          schema text CONSTRAINT member_pkey PRIMARY KEY,
          tenant text NOT NULL,
          owner_role text NOT NULL,
          login_role text NOT NULL,
          state text NOT NULL CONSTRAINT member_state_check CHECK (state IN ('ready', 'failed', 'archived')),
          provisioned text NOT NULL,
          migrated text NOT NULL,
          applied jsonb NOT NULL,
          file text,
          line int,
          reason text,
          changed_at timestamptz NOT NULL DEFAULT now())
        """)
    }
  }

  func ready(_ member: FleetMember, in database: FleetDatabase) async throws {
    let applied = JSONValue.object(member.plan.counts.mapValues { .integer(Int64($0)) })
    try await admin.execute(
      FleetRecords.upsert(
        member, in: database, .ready, provisioned: database.provisioning(of: member), migrated: member.plan.digest,
        applied: applied))
  }

  /// What it had reached before stays.
  func failed(_ member: FleetMember, in database: FleetDatabase, _ failure: FleetFailure) async throws {
    try await admin.execute(
      FleetRecords.upsert(
        member, in: database, .failed, provisioned: "", migrated: "", applied: [:], file: failure.file, line: failure.line,
        reason: failure.reason))
  }

  /// Its data are in an archive, its schema is gone: said by the transaction that drops it.
  ///
  /// - Parameter archive: the manifest's name.
  static func archived(
    _ member: FleetMember, in database: FleetDatabase, archive: String, _ transaction: Transaction
  ) async throws {
    try await transaction.execute(
      upsert(member, in: database, .archived, provisioned: "", migrated: "", applied: [:], reason: archive))
  }

  /// The manifest of a schema that is archived; `nil` for one that isn't.
  func archive(of schema: Schema) async throws -> String? {
    do {
      let row = try await admin.one(
        "SELECT reason FROM fleet.member WHERE schema = \(schema.name) AND state = 'archived'")
      return try row?.getIfPresent("reason")
    } catch let error as DatabaseError where error.state == .undefinedTable || error.state == .invalidSchemaName {
      return nil
    }
  }

  func forget(_ schema: Schema) async throws {
    try await admin.execute("DELETE FROM fleet.member WHERE schema = \(schema.name)")
  }

  private static func upsert(
    _ member: FleetMember, in database: FleetDatabase, _ state: State, provisioned: String, migrated: String,
    applied: JSONValue, file: String? = nil, line: Int? = nil, reason: String? = nil
  ) -> SQL {
    """
    INSERT INTO fleet.member AS m
      (schema, tenant, owner_role, login_role, state, provisioned, migrated, applied, file, line, reason)
    VALUES (\(member.schema.name), \(member.id), \(database.role(member.schema, .owner)),
      \(database.role(member.schema, .login)), \(state), \(provisioned), \(migrated), \(applied), \(file), \(line), \(reason))
    ON CONFLICT (schema) DO UPDATE SET state = excluded.state, tenant = excluded.tenant, owner_role = excluded.owner_role,
      login_role = excluded.login_role,
      provisioned = CASE WHEN excluded.state = 'failed' THEN m.provisioned ELSE excluded.provisioned END,
      migrated = excluded.migrated,
      applied = CASE WHEN excluded.state = 'failed' THEN m.applied ELSE excluded.applied END,
      file = excluded.file, line = excluded.line, reason = excluded.reason, changed_at = now()
    """
  }

  private static func counts(_ value: JSONValue) -> [String: Int] {
    guard case .object(let members) = value else { return [:] }
    return members.compactMapValues { if case .integer(let count) = $0 { Int(count) } else { nil } }
  }
}

extension SQLState {
  /// invalid_schema_name.
  static let invalidSchemaName = SQLState(rawValue: "3F000")
}
