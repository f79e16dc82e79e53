import Crypto
import Foundation
public import Logging

/// Brings a schema to the newest of its migrations.
///
/// Each migration is a transaction of its own, under the schema's owner role, with the schema first in `search_path`. Any
/// number of nodes may migrate at once: an advisory lock lets one through at a time, and what one has applied the next
/// finds done.
public struct Migrator: Sendable {
  private let admin: Database
  private let logger: Logger
  private let lockTimeout: Duration
  private let turnTimeout: Duration

  /// - Parameters:
  ///   - admin: connects as a member of the owner roles.
  ///   - lockTimeout: how long a migration waits for a table that is in use. While it waits, all who come after wait too.
  ///   - turnTimeout: how long to wait while another node migrates the schema.
  public init(
    admin: Database, logger: Logger, lockTimeout: Duration = .seconds(5), turnTimeout: Duration = .seconds(600)
  ) {
    self.admin = admin
    self.logger = logger
    self.lockTimeout = lockTimeout
    self.turnTimeout = turnTimeout
  }

  /// Applies what is missing.
  ///
  /// A schema may have several journals: the platform's own tables are counted apart from those of the schema's service.
  /// In the files, `{schema}`, `{owner}` and `{role}` stand for the quoted names of the schema and of its two roles.
  /// - Returns: the numbers of the migrations applied now.
  /// - Throws: ``MigrationError``, or ``DatabaseError`` when the server can't be reached. The migrations before the one that
  ///   failed stay.
  @discardableResult
  public func migrate(
    schema: Schema, ownerRole: String, loginRole: String, migrations: [Migration], journal: Schema = .migrations
  ) async throws -> [Int] {
    let plan = MigrationPlan(
      schema: schema, journal: journal, ownerRole: ownerRole, loginRole: loginRole, migrations: migrations)
    let deadline = ContinuousClock.now + turnTimeout
    var applied: [Int] = []
    while true {
      do {
        guard let migration = try await applyNext(of: plan) else { return applied }
        applied.append(migration.number)
        logger.info("migrated", metadata: ["schema": "\(schema)", "file": "\(migration.file)"])
      } catch is NotOurTurn where ContinuousClock.now < deadline {
        logger.info("another node is migrating, waiting", metadata: ["schema": "\(schema)"])
      } catch is NotOurTurn {
        throw MigrationError.busy(schema: schema)
      }
    }
  }

  private struct NotOurTurn: Error {}

  private func applyNext(of plan: MigrationPlan) async throws -> Migration? {
    try await admin.transaction(attempts: 1) { transaction in
      try await waitForTurn(plan.schema, transaction)
      try await prepare(plan, transaction)
      let rows = try await transaction.query(
        "SELECT number, name, checksum FROM \(plan.schema).\(plan.journal) ORDER BY number")
      let records = try rows.map {
        MigrationPlan.Record(number: try $0.get("number"), name: try $0.get("name"), checksum: try $0.get("checksum"))
      }
      guard let next = try plan.next(after: records) else { return nil }
      try await apply(next, of: plan, transaction)
      return next
    }
  }

  private func waitForTurn(_ schema: Schema, _ transaction: Transaction) async throws {
    do {
      try await transaction.run(script: "SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = 0")
      _ = try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended(\("metropolis migrate \(schema)"), 0))")
    } catch let error as DatabaseError where error.state == .lockNotAvailable {
      throw NotOurTurn()
    }
  }

  private func prepare(_ plan: MigrationPlan, _ transaction: Transaction) async throws {
    try await transaction.run(
      script: """
        SET LOCAL lock_timeout = \(lockTimeout.wholeMilliseconds);
        SET LOCAL ROLE \(Quoting.identifier(plan.ownerRole));
        SET LOCAL search_path = \(plan.schema.quoted), public;
        """)
    let table = "\(plan.schema.quoted).\(plan.journal.quoted)"
    let found = try await transaction.one("SELECT to_regclass(\(table)) IS NOT NULL AS is_here")
    guard try found?.get("is_here") != true else { return }
    try await transaction.run(
      script: """
        CREATE TABLE \(table) (
          number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
        REVOKE INSERT, UPDATE, DELETE ON \(table) FROM \(Quoting.identifier(plan.loginRole));
        """)
  }

  private func apply(_ migration: Migration, of plan: MigrationPlan, _ transaction: Transaction) async throws {
    let script = plan.script(of: migration)
    let before = try await transactionID(transaction)
    // One by one, since the server says where a fault of syntax is, and nothing of where any other is.
    for statement in SQLScript.statements(of: script) ?? [.init(text: script, line: 1)] {
      do {
        try await transaction.run(script: statement.text)
      } catch let error as DatabaseError where !error.isUnavailable && error.kind != .cancelled {
        let within = error.position.map { MigrationPlan.line(of: $0, in: statement.text) } ?? 1
        throw MigrationError.failed(
          schema: plan.schema, file: migration.file, line: statement.line + within - 1, cause: error)
      }
    }
    guard try await transactionID(transaction) == before else {
      throw MigrationError.invalidFile(
        name: migration.file, reason: "found COMMIT or ROLLBACK, expected none; schema \(plan.schema) may be migrated by half")
    }
    _ = try await transaction.execute(
      """
      INSERT INTO \(plan.schema).\(plan.journal) (number, name, checksum)
      VALUES (\(migration.number), \(migration.name), \(MigrationPlan.checksum(of: migration)))
      """)
  }

  private func transactionID(_ transaction: Transaction) async throws -> String? {
    try await transaction.one("SELECT pg_current_xact_id()::text AS id")?.get("id")
  }
}

extension Schema {
  /// The journal of a schema's own migrations.
  public static let migrations = Schema("schema_migration")!
}

/// What is to be applied to a schema, and what that schema says of itself. Pure.
struct MigrationPlan: Sendable {
  struct Record: Sendable {
    let number: Int
    let name: String
    let checksum: String
  }

  let schema: Schema
  /// The table that says what was applied.
  let journal: Schema
  let ownerRole: String
  let loginRole: String
  let migrations: [Migration]

  /// SHA-256 of the file, in lower-case hexadecimal.
  static func checksum(of migration: Migration) -> String {
    SHA256.hash(data: Data(migration.sql.utf8)).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  /// The first migration that `records`, in order, do not have. `nil` when all are applied.
  func next(after records: [Record]) throws -> Migration? {
    for (index, record) in records.enumerated() {
      guard record.number == index + 1 else {
        throw MigrationError.gap(schema: schema, found: record.number, expected: index + 1)
      }
      guard index < migrations.count else {
        throw MigrationError.unknownApplied(
          schema: schema, number: record.number, name: record.name, known: migrations.count)
      }
      let found = MigrationPlan.checksum(of: migrations[index])
      guard found == record.checksum else {
        throw MigrationError.changed(schema: schema, file: migrations[index].file, found: found, expected: record.checksum)
      }
    }
    return migrations.dropFirst(records.count).first
  }

  func script(of migration: Migration) -> String {
    migration.sql
      .replacingOccurrences(of: "{schema}", with: schema.quoted)
      .replacingOccurrences(of: "{owner}", with: Quoting.identifier(ownerRole))
      .replacingOccurrences(of: "{role}", with: Quoting.identifier(loginRole))
  }

  /// The line, from 1, of a character's position, from 1.
  static func line(of position: Int, in script: String) -> Int {
    script.unicodeScalars.prefix(position - 1).count { $0 == "\n" } + 1
  }
}
