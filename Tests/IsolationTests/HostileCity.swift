import Database
import Foundation
import Logging

/// A city on a server of its own: a core service, a neighbour with secrets, and a module that has gone bad.
struct HostileCity: Sendable {
  let server: EmbeddedServer
  let admin: Database
  let loop: DatabaseLoop
  let logger: Logger
  /// What must never be seen by the mole: different in every run.
  let neighbourSecret = "neighbour-\(UUID().uuidString)"
  let coreSecret = "core-\(UUID().uuidString)"

  static let core = Schema("ledger")!
  static let neighbour = Schema("neighbour")!
  static let mole = Schema("mole")!
  /// Connections of the mole's role.
  static let moleBounds = RoleBounds(connections: 16, temporaryFileMegabytes: 16)

  /// Starts the server, hands the city to the body, and takes both away.
  static func with(_ body: (HostileCity) async throws -> Void) async throws {
    let folder = "/tmp/metropolis-isolation-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var tuning = EmbeddedServer.Tuning()
    tuning.isDurable = false
    tuning.connections = 60
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let loop = DatabaseLoop()
    let server = try await EmbeddedServer.attachOrStart(data: folder, tuning: tuning, logger: logger)
    let admin = Database(
      server.settings, pool: PoolSettings(connections: 3, waitTimeout: .seconds(30)), name: "admin", logger: logger, loop: loop)
    let city = HostileCity(server: server, admin: admin, loop: loop, logger: logger)
    do {
      try await city.build()
      try await body(city)
    } catch {
      await city.end()
      throw error
    }
    await city.end()
  }

  private func end() async {
    await admin.close()
    await server.stop()
    loop.stop()
  }

  private func build() async throws {
    try await Provisioner(admin: admin).ensureExtensions(["pg_trgm"])
    try await make(HostileCity.core, .core, script: ledger)
    try await make(HostileCity.neighbour, .tenant, script: people)
    try await make(HostileCity.mole, HostileCity.moleBounds, script: notes)
    let core = client(HostileCity.core)
    try await core.execute("INSERT INTO ledger.account (name) VALUES (\(coreSecret))")
    let neighbour = client(HostileCity.neighbour)
    try await neighbour.execute(
      "INSERT INTO neighbour.person (name) SELECT \(neighbourSecret) || (i % 3)::text FROM generate_series(1, 300) AS i")
    // So long that it stands in a table of its own beside.
    try await neighbour.execute(
      """
      INSERT INTO neighbour.letter (body)
      SELECT \(neighbourSecret) || string_agg(md5(i::text), '') FROM generate_series(1, 2000) AS i
      """)
    try await admin.execute("ANALYZE")
    await core.close()
    await neighbour.close()
  }

  private func make(_ schema: Schema, _ bounds: RoleBounds, script: String) async throws {
    try await Provisioner(admin: admin, ownsServer: true).provision(
      schema: schema, ownerRole: role(schema, .owner), loginRole: role(schema, .login), password: "secret", bounds: bounds)
    try await Migrator(admin: admin, logger: logger).migrate(
      schema: schema, ownerRole: role(schema, .owner), loginRole: role(schema, .login),
      migrations: [Migration(number: 1, name: "all", sql: script)])
  }

  func role(_ schema: Schema, _ kind: Provisioner.RoleKind) -> String {
    Provisioner.roleName(database: server.settings.database, schema: schema, kind)
  }

  /// A client of a service, as the city makes it.
  func client(
    _ schema: Schema,
    pool: PoolSettings = PoolSettings(connections: 3, waitTimeout: .seconds(15), connectTimeout: .seconds(15)),
    name: String? = nil
  ) -> Database {
    Database(
      server.settings.with(user: role(schema, .login), password: "secret"), pool: pool, name: name ?? schema.name,
      logger: logger, loop: loop)
  }

  /// The mole's own connection, in its own hands.
  func session(_ schema: Schema = mole, _ parameters: [String: String] = [:]) async throws -> RawSession {
    try await RawSession(server.settings.with(user: role(schema, .login), password: "secret"), parameters)
  }

  // MARK: Their schemas

  private var ledger: String {
    """
    CREATE TABLE account (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
    CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
    CREATE FUNCTION turn() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ SELECT pg_advisory_xact_lock(7) $$;
    """
  }

  private var people: String {
    """
    CREATE TYPE mood AS ENUM ('calm');
    CREATE TABLE person (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood);
    CREATE TABLE letter (body text NOT NULL);
    ALTER TABLE letter ALTER body SET STORAGE EXTERNAL;
    CREATE SEQUENCE ticket;
    CREATE VIEW people AS SELECT name FROM person;
    CREATE STATISTICS names ON id, name FROM person;
    CREATE FUNCTION reveal() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = {schema} AS
      $$ SELECT name FROM person LIMIT 1 $$;
    """
  }

  private var notes: String {
    """
    CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL);
    INSERT INTO note (title) SELECT 'note ' || i FROM generate_series(1, 100) AS i;
    """
  }
}
