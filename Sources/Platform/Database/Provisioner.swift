import Crypto
import Foundation

/// Makes what a schema lives on: its two roles, their rights, and the extensions of the database.
///
/// The owner role can't log in; migrations run under it. The login role has rights to the data only, in this one schema.
public struct Provisioner: Sendable {
  public enum RoleKind: String, Sendable {
    case owner
    case login
  }

  private let admin: Database

  /// - Parameter admin: connects as a superuser, or as a role with CREATEROLE that may create schemas in the database.
  public init(admin: Database) { self.admin = admin }

  /// A name for a role of a schema: `<database>.<schema>.<kind>`. Roles are of the whole server, so the database is in it;
  /// no schema's name has a point, so no two schemas share a role. Longer than 63 bytes, its end becomes a hash.
  public static func roleName(database: String, schema: Schema, _ kind: RoleKind) -> String {
    let name = "\(database).\(schema).\(kind.rawValue)"
    guard name.utf8.count > 63 else { return name }
    let hash = SHA256.hash(data: Data(name.utf8)).prefix(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
    var start = name
    while start.utf8.count > 46 { start.removeLast() }
    return start + "." + hash.joined()
  }

  /// Makes sure the database has these extensions, in schema `public`.
  /// - Throws: ``ProvisioningError``.
  public func ensureExtensions(_ names: [String]) async throws {
    try await admin.transaction { transaction in
      try await lock(transaction)
      for name in names {
        guard try await transaction.one("SELECT 1 FROM pg_extension WHERE extname = \(name)") == nil else { continue }
        guard try await transaction.one("SELECT 1 FROM pg_available_extensions WHERE name = \(name)") != nil else {
          throw ProvisioningError.extensionMissing(name)
        }
        do {
          try await transaction.execute("CREATE EXTENSION \(identifier: name) SCHEMA public")
        } catch let error as DatabaseError where error.state == .insufficientPrivilege {
          throw ProvisioningError.notAllowed(user: admin.settings.user, action: "CREATE EXTENSION \(name)")
        }
      }
    }
  }

  /// Makes the schema and its roles, or brings them to this state; what is as it should be stays.
  ///
  /// Rights to tables, sequences and functions are given by default privileges, as migrations make them: a right that a
  /// migration takes away is not given back.
  /// - Parameter password: of the login role; printable ASCII.
  /// - Throws: ``ProvisioningError``, or ``DatabaseError``.
  public func provision(schema: Schema, ownerRole: String, loginRole: String, password: String) async throws {
    let verifier = ScramVerifier.make(password: password)
    do {
      try await admin.transaction { transaction in
        try await lock(transaction)
        try await ensureRole(ownerRole, "NOLOGIN", transaction)
        try await ensureRole(loginRole, "LOGIN NOINHERIT PASSWORD \(Quoting.literal(verifier))", transaction)
        try await becomeMember(of: ownerRole, transaction)
        try await ensureSchema(schema, owner: ownerRole, transaction)
        try await transaction.run(script: grants(schema: schema, ownerRole: ownerRole, loginRole: loginRole))
      }
    } catch let error as DatabaseError where error.state == .insufficientPrivilege {
      throw ProvisioningError.notAllowed(user: admin.settings.user, action: error.message ?? "provision \(schema)")
    }
  }

  /// One at a time in a database: grants on the same object, made at once, fail.
  private func lock(_ transaction: Transaction) async throws {
    _ = try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('metropolis provision', 0))")
  }

  private func ensureRole(_ name: String, _ options: String, _ transaction: Transaction) async throws {
    let found = try await transaction.one(
      """
      SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS is_powerful
      FROM pg_roles WHERE rolname = \(name)
      """)
    if try found?.get("is_powerful") == true { throw ProvisioningError.powerfulRole(name) }
    try await transaction.run(
      script: "\(found == nil ? "CREATE" : "ALTER") ROLE \(Quoting.identifier(name)) WITH \(options)")
  }

  /// A superuser may act as any role; others must be members of it.
  private func becomeMember(of role: String, _ transaction: Transaction) async throws {
    let row = try await transaction.one("SELECT pg_has_role(current_user, \(role), 'MEMBER') AS is_member")
    if try row?.get("is_member") != true {
      try await transaction.run(script: "GRANT \(Quoting.identifier(role)) TO CURRENT_USER")
    }
  }

  private func ensureSchema(_ schema: Schema, owner: String, _ transaction: Transaction) async throws {
    let found = try await transaction.one(
      "SELECT pg_get_userbyid(nspowner)::text AS owner FROM pg_namespace WHERE nspname = \(schema.name)")
    guard let found else {
      try await transaction.execute("CREATE SCHEMA \(schema) AUTHORIZATION \(identifier: owner)")
      return
    }
    let foundOwner: String = try found.get("owner")
    guard foundOwner == owner else {
      throw ProvisioningError.foreignSchema(schema: schema, found: foundOwner, expected: owner)
    }
  }

  private func grants(schema: Schema, ownerRole: String, loginRole: String) -> String {
    let (owner, login) = (Quoting.identifier(ownerRole), Quoting.identifier(loginRole))
    let database = Quoting.identifier(admin.settings.database)
    return """
      REVOKE CREATE, TEMPORARY ON DATABASE \(database) FROM PUBLIC;
      REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      GRANT CONNECT ON DATABASE \(database) TO \(login);
      SET LOCAL ROLE \(owner);
      GRANT USAGE ON SCHEMA \(schema.quoted) TO \(login);
      ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
      ALTER DEFAULT PRIVILEGES IN SCHEMA \(schema.quoted) GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO \(login);
      ALTER DEFAULT PRIVILEGES IN SCHEMA \(schema.quoted) GRANT USAGE ON SEQUENCES TO \(login);
      ALTER DEFAULT PRIVILEGES IN SCHEMA \(schema.quoted) GRANT EXECUTE ON FUNCTIONS TO \(login);
      RESET ROLE;
      """
  }
}

/// Why a schema could not be provisioned.
public enum ProvisioningError: Error, Sendable, CustomStringConvertible {
  case extensionMissing(String)
  case notAllowed(user: String, action: String)
  case powerfulRole(String)
  case foreignSchema(schema: Schema, found: String, expected: String)

  public var description: String {
    switch self {
    case .extensionMissing(let name):
      "the PostgreSQL server does not have the extension \(name); it is part of Debian's postgresql package "
        + "(elsewhere: postgresql-contrib)"
    case .notAllowed(let user, let action):
      "the database user \(user) lacks a right (\(action)); expected a superuser, or a role with CREATEROLE that owns the database"
    case .powerfulRole(let name):
      "the role \(name) exists and has rights to the whole server, expected none; rename it or take them away"
    case .foreignSchema(let schema, let found, let expected):
      "the schema \(schema) exists and belongs to \(found), expected \(expected); use another database or remove it"
    }
  }
}
