import Database
import Foundation
import Kit
import Logging
import Synchronization

/// Takes a tenant's schema out of its database into a file, and brings it back.
///
/// Every step can be the last of a process: the schema is dropped only after its dump is on the disk, whole, and compared with
/// it; and whatever was begun is begun again by the next run.
struct TenantArchive: Sendable {
  /// Where a test can end the process.
  enum Step: Sendable, CaseIterable { case fenced, dumped, compared, settled, dropped, provisioned, filled, checked }

  let folder: String
  let logger: Logger
  /// How long the relay may take for the last events of a tenant that nobody writes to any more.
  var patience: Duration = .seconds(10)
  var reached: @Sendable (Step) async throws -> Void = { _ in }

  /// What a restore found.
  struct Restored: Sendable {
    let manifest: ArchiveManifest
    let rows: Int
  }

  // MARK: Archive

  /// Dumps, verifies, drops. The tenant's role can't log in from here on.
  ///
  /// - Returns: `nil` when there is no schema: then it was archived before, or never lived.
  /// - Throws: ``FleetFailure``, or ``Database/DatabaseError``; the schema is there then.
  func archive(_ member: FleetMember, in database: FleetDatabase) async throws -> ArchiveManifest? {
    try await withAdmin(database) { admin in
      guard try await TenantArchive.isThere(member.schema, admin) else { return nil }
      try await FleetRecords(admin: admin).prepare()
      try await drain(member.schema, admin)
      try await fence(database.role(member.schema, .login), admin)
      try await reached(.fenced)
      try ArchiveFiles.makeFolder(folder)
      try ArchiveFiles.removePartial(of: member.id, in: folder)
      let manifest = try await dump(member, in: database, admin)
      try await reached(.settled)
      try await drop(member, in: database, manifest, admin)
      try await reached(.dropped)
      return manifest
    }
  }

  /// Gives the relay time to take the events; what it has not taken then waits in the archive.
  private func drain(_ schema: Schema, _ admin: Database) async throws {
    let found = try await admin.one("SELECT to_regclass(\("\(schema.quoted).outbox")) IS NOT NULL AS is_here")
    guard try found?.get("is_here") == true else { return }
    let deadline = ContinuousClock.now + patience
    while try await admin.one("SELECT 1 FROM \(schema).outbox LIMIT 1") != nil, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Nobody writes any more: the role can't log in, and who was in is out.
  private func fence(_ role: String, _ admin: Database) async throws {
    guard try await admin.one("SELECT 1 FROM pg_roles WHERE rolname = \(role)") != nil else { return }
    try await admin.execute("ALTER ROLE \(identifier: role) NOLOGIN")
    let left = try await admin.query(
      "SELECT pg_terminate_backend(pid, 10000) AS is_out FROM pg_stat_activity WHERE usename = \(role)")
    guard try left.allSatisfy({ try $0.get("is_out") }) else {
      throw FleetFailure(reason: "a session of \(role) does not end: look for it in pg_stat_activity")
    }
  }

  private func dump(
    _ member: FleetMember, in database: FleetDatabase, _ admin: Database
  ) async throws -> ArchiveManifest {
    try await admin.transaction(.repeatableRead, attempts: 1) { transaction in
      let turn = try await transaction.one(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(\("metropolis archive \(member.schema)"), 0)) AS is_ours")
      guard try turn?.get("is_ours") == true else { throw FleetFailure(reason: "another process is archiving \(member.id)") }
      let row = try await transaction.one(
        """
        SELECT pg_export_snapshot() AS snapshot, current_setting('server_version_num')::int AS version, now() AS taken
        """)
      guard let row else { throw FleetFailure(reason: "the server gives no snapshot") }
      let version: Int = try row.get("version")
      let taken: Instant = try row.get("taken")
      let content = try await SchemaContent.count(member.schema, in: transaction)
      let file = "\(member.id)-\(TenantArchive.stamp(taken)).dump"
      let (path, partial) = ("\(folder)/\(file)", "\(folder)/\(file).partial")
      let tools = try PostgresTools(forServer: version / 10_000)
      // Made first, so that it is ours alone from its first byte on.
      guard FileManager.default.createFile(atPath: partial, contents: nil, attributes: [.posixPermissions: 0o600]) else {
        throw FleetFailure(reason: "\(partial) can't be written")
      }
      try await tools.run(
        "pg_dump",
        [
          "--format=custom", "--schema=\(member.schema.quoted)", "--snapshot=\(try row.get("snapshot", as: String.self))",
          "--file=\(partial)", "--no-password", "--dbname=\(PostgresTools.connection(database.settings))",
        ], on: database.settings)
      try await reached(.dumped)
      try await compare(partial, with: content, tools)
      try await reached(.compared)
      let (sha256, bytes) = try ArchiveFiles.digest(partial)
      let manifest = ArchiveManifest(
        tenant: member.id, schema: member.schema.name, database: database.settings.database,
        ownerRole: database.role(member.schema, .owner), loginRole: database.role(member.schema, .login), taken: taken.date,
        serverVersion: version, rows: content.rows, sequences: content.sequences,
        migrations: try await TenantArchive.journals(of: member, content, transaction),
        undelivered: content.rows["outbox"] ?? 0, file: file, bytes: bytes, sha256: sha256)
      try ArchiveFiles.settle(partial, as: path)
      try manifest.write(into: folder)
      return manifest
    }
  }

  /// The list of what the dump holds, and every row of it, against what was counted at the same instant.
  private func compare(_ path: String, with content: SchemaContent, _ tools: PostgresTools) async throws {
    let list = Collected()
    try await tools.run("pg_restore", ["--list", path]) { list.append($0) }
    let entries = list.text.split(separator: "\n").filter { $0.contains(" TABLE DATA ") }.count
    guard entries == content.rows.count else {
      throw FleetFailure(reason: "the dump lists the data of \(entries) tables, expected \(content.rows.count)")
    }
    let counter = Counting()
    try await tools.run("pg_restore", ["--data-only", "--file=-", path]) { counter.take($0) }
    let differences = SchemaContent(rows: counter.rows).differences(from: SchemaContent(rows: content.rows))
    guard differences.isEmpty else {
      throw FleetFailure(reason: "the dump differs from the schema: \(differences.joined(separator: "; "))")
    }
  }

  private func drop(
    _ member: FleetMember, in database: FleetDatabase, _ manifest: ArchiveManifest, _ admin: Database
  ) async throws {
    try await admin.transaction { transaction in
      let now = try await SchemaContent.count(member.schema, in: transaction)
      let differences = now.differences(from: SchemaContent(rows: manifest.rows, sequences: manifest.sequences))
      guard differences.isEmpty else {
        throw FleetFailure(
          reason: "somebody changed \(member.schema) while it was archived: \(differences.joined(separator: "; "))")
      }
      try await transaction.execute("DROP SCHEMA \(member.schema) CASCADE")
      try await FleetRecords.archived(member, in: database, archive: manifest.name, transaction)
    }
    logger.notice("tenant archived", metadata: ["tenant": "\(member.id)", "archive": "\(manifest.file)"])
  }

  // MARK: Restore

  /// Brings a tenant's schema back from its newest archive, as it was. It is migrated forward afterwards, like any other.
  ///
  /// - Returns: `nil` when there is nothing to restore: its schema is there, or it was never archived.
  func restore(_ member: FleetMember, in database: FleetDatabase) async throws -> Restored? {
    try await withAdmin(database) { admin in
      guard let name = try await FleetRecords(admin: admin).archive(of: member.schema) else { return nil }
      let manifest = try ArchiveManifest.read("\(folder)/\(name)")
      let path = "\(folder)/\(manifest.file)"
      let (owner, login) = (database.role(member.schema, .owner), database.role(member.schema, .login))
      guard manifest.ownerRole == owner, manifest.loginRole == login, manifest.schema == member.schema.name else {
        throw FleetFailure(
          reason: "\(manifest.file) was taken in database \(manifest.database): restore it there, then move the tenant")
      }
      guard try ArchiveFiles.digest(path).sha256 == manifest.sha256 else {
        throw FleetFailure(reason: "\(path) is not the file its manifest describes: its SHA-256 differs")
      }
      let expected = SchemaContent(rows: manifest.rows, sequences: manifest.sequences)
      // Killed before the record was taken back, it is filled already.
      if try await content(of: member.schema, admin) != expected {
        try await Provisioner(admin: admin, ownsServer: database.ownsServer).provision(
          schema: member.schema, ownerRole: owner, loginRole: login, password: database.password(member.schema),
          durability: member.durability, bounds: member.bounds)
        try await reached(.provisioned)
        let tools = try PostgresTools(forServer: manifest.serverVersion / 10_000)
        try await tools.run(
          "pg_restore",
          [
            "--single-transaction", "--exit-on-error", "--schema=\(member.schema.name)", "--no-password",
            "--dbname=\(PostgresTools.connection(database.settings))", path,
          ], on: database.settings)
        try await reached(.filled)
      }
      let differences = try await content(of: member.schema, admin).differences(from: expected)
      guard differences.isEmpty else {
        throw FleetFailure(reason: "what was restored differs from \(manifest.file): \(differences.joined(separator: "; "))")
      }
      try await reached(.checked)
      try await FleetRecords(admin: admin).forget(member.schema)
      logger.notice("tenant restored", metadata: ["tenant": "\(member.id)", "archive": "\(manifest.file)"])
      return Restored(manifest: manifest, rows: manifest.rows.values.reduce(0, +))
    }
  }

  private func content(of schema: Schema, _ admin: Database) async throws -> SchemaContent {
    try await admin.transaction(.repeatableRead) { try await SchemaContent.count(schema, in: $0) }
  }

  // MARK: Parts

  /// With time for tables of any size.
  private func withAdmin<R: Sendable>(_ database: FleetDatabase, _ body: (Database) async throws -> R) async throws -> R {
    let pool = PoolSettings(
      connections: 2, waitTimeout: .seconds(30), connectTimeout: .seconds(5), statementTimeout: .seconds(6 * 3_600),
      idleInTransactionTimeout: .seconds(6 * 3_600))
    let admin = Database(
      database.settings, pool: pool, name: "archive of \(database.name)", logger: logger, loop: database.loop)
    do {
      let result = try await body(admin)
      await admin.close()
      return result
    } catch {
      await admin.close()
      throw error
    }
  }

  private static func isThere(_ schema: Schema, _ admin: Database) async throws -> Bool {
    try await admin.one("SELECT 1 FROM pg_namespace WHERE nspname = \(schema.name)") != nil
  }

  private static func journals(
    of member: FleetMember, _ content: SchemaContent, _ transaction: Transaction
  ) async throws -> [String: Int] {
    var newest: [String: Int] = [:]
    for (journal, _) in member.plan.journals where content.rows[journal.name] != nil {
      let row = try await transaction.one("SELECT coalesce(max(number), 0) AS newest FROM \(member.schema).\(journal)")
      newest[journal.name] = try row?.get("newest") ?? 0
    }
    return newest
  }

  /// `20261121T123456Z`.
  private static func stamp(_ instant: Instant) -> String {
    instant.rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
  }
}

/// What a program writes, from whichever thread.
private final class Collected: Sendable {
  private let data = Mutex(Data())
  func append(_ piece: Data) { data.withLock { $0.append(piece) } }
  var text: String { data.withLock { String(decoding: $0, as: UTF8.self) } }
}

private final class Counting: Sendable {
  private let counter = Mutex(DumpCounter())
  func take(_ piece: Data) { counter.withLock { $0.take(piece) } }
  var rows: [String: Int] { counter.withLock { $0.rows } }
}
