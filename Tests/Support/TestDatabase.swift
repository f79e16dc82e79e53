public import Database
public import Logging

/// A database of its own for one test, dropped afterwards.
public struct TestDatabase: Sendable {
  /// The superuser, in this database.
  public let settings: ConnectionSettings
  /// Connected as the superuser.
  public let database: Database
  public let loop: DatabaseLoop
  public let logger: Logger

  public var name: String { settings.database }

  /// Another handle on it: under another role, with other bounds.
  public func connect(
    user: String? = nil, password: String? = nil, pool: PoolSettings = PoolSettings(connections: 2), name: String = "test"
  ) -> Database {
    Database(settings.with(user: user, password: password), pool: pool, name: name, logger: logger, loop: loop)
  }

  /// Makes a schema with both its roles and migrates it.
  /// - Parameter bounds: of the login role; those of a service of the core unless stated.
  /// - Returns: a handle under the login role.
  public func makeSchema(
    _ schema: Schema, migrations: [Migration], pool: PoolSettings = PoolSettings(), bounds: RoleBounds = .core
  ) async throws -> Database {
    let owner = Provisioner.roleName(database: name, schema: schema, .owner)
    let login = Provisioner.roleName(database: name, schema: schema, .login)
    try await Provisioner(admin: database).provision(
      schema: schema, ownerRole: owner, loginRole: login, password: "test", bounds: bounds)
    try await Migrator(admin: database, logger: logger).migrate(
      schema: schema, ownerRole: owner, loginRole: login, migrations: migrations)
    return connect(user: login, password: "test", pool: pool, name: schema.name)
  }
}

/// What the databases of some tests have in common: prepared once, then cloned.
///
/// Roles are of the whole server: a clone has the rights its template gave, to the roles the template named.
public struct DatabaseTemplate: Sendable {
  let name: String
  let prepare: @Sendable (TestDatabase) async throws -> Void

  /// - Parameter name: lower-case letters, digits and `_`; one name, one content.
  public init(_ name: String, prepare: @escaping @Sendable (TestDatabase) async throws -> Void) {
    self.name = name
    self.prepare = prepare
  }

  /// Nothing but the extensions of the product.
  public static let empty = DatabaseTemplate("empty") { test in
    try await Provisioner(admin: test.database).ensureExtensions(["pg_trgm"])
  }
}

/// Gives the body a clone of the template, and drops it afterwards. Any number of tests may do so at once; they take turns
/// so that the server's connections suffice.
public func withDatabase<R: Sendable>(
  _ template: DatabaseTemplate = .empty, isolation: isolated (any Actor)? = #isolation,
  _ body: (TestDatabase) async throws -> R
) async throws -> R {
  let test = try await TestServer.shared.lease(template)
  do {
    let result = try await body(test)
    await TestServer.shared.giveBack(test)
    return result
  } catch {
    await TestServer.shared.giveBack(test)
    throw error
  }
}
