import Database
import Foundation
import Keys
import Kit
import Logging

/// The database server this process works with: the one `DATABASE_URL` names, or a private cluster in the data directory.
struct DatabaseServer: Sendable {
  /// Connects with the rights to make schemas and roles. Used at start and by commands, never by requests.
  let admin: Database
  private let settings: ConnectionSettings
  private let loop: DatabaseLoop
  private let embedded: EmbeddedServer?
  private let key: MasterKey
  private let logger: Logger

  init(url: String?, data: String, key: MasterKey, logger: Logger) async throws {
    self.key = key
    self.logger = logger
    loop = DatabaseLoop()
    if let url {
      embedded = nil
      settings = try ConnectionSettings(url: url)
    } else {
      let server = try await EmbeddedServer.attachOrStart(data: data, logger: logger)
      embedded = server
      settings = server.settings
    }
    admin = Database(
      settings, pool: PoolSettings(connections: 2, waitTimeout: .seconds(30), connectTimeout: .seconds(5)), name: "admin",
      logger: logger, loop: loop)
  }

  /// Brings a schema to where its service needs it: roles, rights, the platform's tables, its own migrations.
  ///
  /// - Parameter journals: each service that has tables in the schema counts its own migrations.
  func prepare(_ schema: Schema, journals: [(journal: Schema, migrations: [Migration])]) async throws {
    let (owner, login) = (role(schema, .owner), role(schema, .login))
    try await Provisioner(admin: admin).provision(
      schema: schema, ownerRole: owner, loginRole: login, password: password(schema))
    let migrator = Migrator(admin: admin, logger: logger)
    for (journal, migrations) in journals {
      try await migrator.migrate(
        schema: schema, ownerRole: owner, loginRole: login, migrations: migrations, journal: journal)
    }
  }

  /// A client with the rights of one schema's login role and no others.
  func client(_ schema: Schema, connections: Int) -> Database {
    Database(
      settings.with(user: role(schema, .login), password: password(schema)), pool: PoolSettings(connections: connections),
      name: schema.name, logger: logger, loop: loop)
  }

  private func role(_ schema: Schema, _ kind: Provisioner.RoleKind) -> String {
    Provisioner.roleName(database: settings.database, schema: schema, kind)
  }

  private func password(_ schema: Schema) -> String { key.password("role:\(settings.database):\(schema)") }

  /// Ends the connections, and the private cluster if this process started it.
  func stop() async {
    await admin.close()
    await embedded?.stop()
    loop.stop()
  }
}

extension Schema {
  /// The journal of the tables that every schema has from the platform.
  static let platformMigrations = Schema("platform_migration")!
  /// The journal of the composition root's own tables.
  static let cityMigrations = Schema("city_migration")!
}
