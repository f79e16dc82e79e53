import Crypto
import Foundation

/// Makes what a schema lives on: its two roles, their rights, and the extensions of the database.
///
/// The owner role can't log in; migrations run under it. The login role has rights to the data only, in this one schema, and is
/// bounded (``RoleBounds``). What PostgreSQL opens to every role and no service needs is closed (``secure()``), for each schema
/// or, where many are provisioned in one go, once before them (``secured()``).
public struct Provisioner: Sendable {
  public enum RoleKind: String, Sendable {
    case owner
    case login
  }

  let admin: Database
  let ownsServer: Bool
  /// Whether ``secured()`` made this one.
  private var isSecured = false

  /// - Parameters:
  ///   - admin: connects as a superuser, or as a role with CREATEROLE that may create schemas in the database.
  ///   - ownsServer: whether the whole server is ours: then its other databases are closed to our roles, too.
  public init(admin: Database, ownsServer: Bool = false) {
    self.admin = admin
    self.ownsServer = ownsServer
  }

  /// A name for a role of a schema: `<database>.<schema>.<kind>`. Roles are of the whole server, so the database is in it;
  /// no schema's name has a point, so no two schemas share a role. Longer than 63 bytes, its end becomes a hash.
  public static func roleName(database: String, schema: Schema, _ kind: RoleKind) -> String {
    shortened("\(database).\(schema).\(kind.rawValue)")
  }

  /// The role that all owner roles of a database are members of: what every owner needs and no login role may have.
  static func ownersRole(database: String) -> String { shortened("\(database).owners") }

  private static func shortened(_ name: String) -> String {
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

  /// Closes what PostgreSQL opens to every role: see ``Surface``. What only a superuser could close is reported.
  ///
  /// Rights on functions and languages belong to one database, so each database has it done.
  /// - Throws: ``ProvisioningError``, or ``DatabaseError``.
  @discardableResult
  public func secure() async throws -> ProvisioningReport {
    try await asAdmin("secure the database") { try await secure($0) }
  }

  /// Secures the database now and for all schemas that are provisioned by what it returns: to secure reads every function of
  /// PostgreSQL, and a thousand schemas of one run need that once. Not to be kept beyond the run: whoever opened something
  /// meanwhile, the next run closes it.
  /// - Throws: ``ProvisioningError``, or ``DatabaseError``.
  public func secured() async throws -> Provisioner {
    try await secure()
    var secured = self
    secured.isSecured = true
    return secured
  }

  /// Makes the schema and its roles, or brings them to this state; secures the database first, unless this provisioner has
  /// (``secured()``). What is as it should be stays: provisioning again writes nothing.
  ///
  /// Rights to tables, sequences and functions are given by default privileges, as migrations make them: a right that a
  /// migration takes away is not given back.
  /// - Parameters:
  ///   - password: of the login role; printable ASCII.
  ///   - durability: what its COMMITs wait for. Connections that are open keep what they had.
  ///   - bounds: what its login role may use.
  /// - Throws: ``ProvisioningError``, or ``DatabaseError``.
  @discardableResult
  public func provision(
    schema: Schema, ownerRole: String, loginRole: String, password: String, durability: Durability = .sync,
    bounds: RoleBounds = .tenant
  ) async throws -> ProvisioningReport {
    return try await asAdmin("provision \(schema)") { transaction in
      var report = isSecured ? ProvisioningReport() : try await secure(transaction)
      try await ensureOwner(ownerRole, transaction)
      try await ensureLogin(loginRole, password: password, bounds, transaction)
      try await leaveRoles(loginRole, &report, transaction)
      try await becomeMember(of: ownerRole, transaction)
      try await ensureSchema(schema, owner: ownerRole, transaction)
      try await mayConnect(loginRole, transaction)
      try await ensureRights(to: schema, ownerRole: ownerRole, loginRole: loginRole, transaction)
      try await ensureSettings(of: loginRole, durability, bounds, &report, transaction)
      try await ensureNeeds(ownerRole: ownerRole, loginRole: loginRole, bounds, transaction)
      return report
    }
  }

  private func asAdmin(
    _ action: String, _ body: @escaping @Sendable (Transaction) async throws -> ProvisioningReport
  ) async throws -> ProvisioningReport {
    var attempt = 1
    while true {
      do {
        return try await admin.transaction { transaction in
          try await lock(transaction)
          return try await body(transaction)
        }
      } catch let error as DatabaseError where error.state == .internalError && attempt < 5 {
        // "tuple concurrently updated": roles and databases are of the whole server, our turn is of one database.
        attempt += 1
      } catch let error as DatabaseError where error.state == .insufficientPrivilege {
        throw ProvisioningError.notAllowed(user: admin.settings.user, action: error.message ?? action)
      }
    }
  }

  /// One at a time in a database: grants on the same object, made at once, fail.
  private func lock(_ transaction: Transaction) async throws {
    _ = try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('metropolis provision', 0))")
  }

  // MARK: Roles

  /// Without log-in; for owners and what they are members of.
  func ensureOwner(_ name: String, _ transaction: Transaction) async throws {
    let found = try await role(name, transaction)
    guard try found?.get("may_log_in") != false else { return }
    try await transaction.run(script: "\(found == nil ? "CREATE" : "ALTER") ROLE \(Quoting.identifier(name)) WITH NOLOGIN")
  }

  private func ensureLogin(
    _ name: String, password: String, _ bounds: RoleBounds, _ transaction: Transaction
  ) async throws {
    let found = try await role(name, transaction)
    if let found, try found.get("may_log_in"), try !found.get("inherits"), try found.get("connections") == bounds.connections,
      try await hasPassword(password, name, transaction)
    {
      return
    }
    let verifier = ScramVerifier.make(password: password)
    let quoted = Quoting.identifier(name)
    try await transaction.run(
      script: """
        \(found == nil ? "CREATE" : "ALTER") ROLE \(quoted) WITH LOGIN NOINHERIT CONNECTION LIMIT \(bounds.connections)
          PASSWORD \(Quoting.literal(verifier));
        COMMENT ON ROLE \(quoted) IS \(Quoting.literal(Provisioner.stamp(of: password, as: verifier)));
        """)
  }

  private func role(_ name: String, _ transaction: Transaction) async throws -> Row? {
    let found = try await transaction.one(
      """
      SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS is_powerful,
        rolcanlogin AS may_log_in, rolinherit AS inherits, rolconnlimit::bigint AS connections
      FROM pg_roles WHERE rolname = \(name)
      """)
    if try found?.get("is_powerful") == true { throw ProvisioningError.powerfulRole(name) }
    return found
  }

  /// By the stamp on the role, which costs one hash; the verifier itself would cost four thousand, for every schema at every
  /// start. Who is no superuser can't read the verifier, and sets the password again.
  private func hasPassword(_ password: String, _ role: String, _ transaction: Transaction) async throws -> Bool {
    let mayRead = try await transaction.one("SELECT has_column_privilege('pg_authid', 'rolpassword', 'SELECT') AS x")
    guard try mayRead?.get("x") == true else { return false }
    let row = try await transaction.one(
      """
      SELECT rolpassword AS verifier, shobj_description(oid, 'pg_authid') AS stamp FROM pg_authid
      WHERE rolname = \(role) AND rolpassword IS NOT NULL
      """)
    guard let row, let stamp = try row.getIfPresent("stamp", as: String.self) else { return false }
    return stamp == Provisioner.stamp(of: password, as: try row.get("verifier"))
  }

  /// Everybody may read it. Whoever would guess a password by it needs the verifier, too, which has a salt and is the superuser's.
  private static func stamp(of password: String, as verifier: String) -> String {
    let hash = SHA256.hash(data: Data("\(verifier)\n\(password)".utf8))
    return "password " + hash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// NOINHERIT keeps a member's rights from it only until it says SET ROLE.
  private func leaveRoles(_ role: String, _ report: inout ProvisioningReport, _ transaction: Transaction) async throws {
    let groups = try await transaction.query(
      """
      SELECT m.roleid::regrole::text AS name FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
      WHERE r.rolname = \(role)
      """)
    for group in groups {
      let name: String = try group.get("name")
      try await transaction.run(script: "REVOKE \(name) FROM \(Quoting.identifier(role))")
      report.note("the role \(role) was a member of \(name); it no longer is: a login role has its own schema and nothing else")
    }
  }

  /// A superuser may act as any role; others must be members of it.
  private func becomeMember(of role: String, _ transaction: Transaction) async throws {
    let row = try await transaction.one("SELECT pg_has_role(current_user, \(role), 'MEMBER') AS is_member")
    if try row?.get("is_member") != true {
      try await transaction.run(script: "GRANT \(Quoting.identifier(role)) TO CURRENT_USER")
    }
  }

  private func mayConnect(_ role: String, _ transaction: Transaction) async throws {
    let row = try await transaction.one("SELECT has_database_privilege(\(role), current_database(), 'CONNECT') AS x")
    guard try row?.get("x") == false else { return }
    try await transaction.execute(
      "GRANT CONNECT ON DATABASE \(identifier: admin.settings.database) TO \(identifier: role)")
  }

  // MARK: Schema

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

  private func ensureRights(
    to schema: Schema, ownerRole: String, loginRole: String, _ transaction: Transaction
  ) async throws {
    let row = try await transaction.one(
      """
      SELECT has_schema_privilege(l.oid, n.oid, 'USAGE')
        AND 6 = (
          SELECT count(*) FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS a
          WHERE d.defaclrole = o.oid AND d.defaclnamespace = n.oid AND a.grantee = l.oid
            AND d.defaclobjtype::text || a.privilege_type IN ('rSELECT', 'rINSERT', 'rUPDATE', 'rDELETE', 'SUSAGE', 'fEXECUTE'))
        AND EXISTS (
          SELECT FROM pg_default_acl AS d WHERE d.defaclrole = o.oid AND d.defaclnamespace = 0 AND d.defaclobjtype = 'f'
            AND NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) AS a WHERE a.grantee = 0)) AS is_done
      FROM pg_namespace AS n, pg_roles AS o, pg_roles AS l
      WHERE n.nspname = \(schema.name) AND o.rolname = \(ownerRole) AND l.rolname = \(loginRole)
      """)
    guard try row?.get("is_done") != true else { return }
    let (owner, login) = (Quoting.identifier(ownerRole), Quoting.identifier(loginRole))
    try await transaction.run(
      script: """
        SET LOCAL ROLE \(owner);
        GRANT USAGE ON SCHEMA \(schema.quoted) TO \(login);
        ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
        ALTER DEFAULT PRIVILEGES IN SCHEMA \(schema.quoted) GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO \(login);
        ALTER DEFAULT PRIVILEGES IN SCHEMA \(schema.quoted) GRANT USAGE ON SEQUENCES TO \(login);
        ALTER DEFAULT PRIVILEGES IN SCHEMA \(schema.quoted) GRANT EXECUTE ON FUNCTIONS TO \(login);
        RESET ROLE;
        """)
  }
}

extension SQLState {
  static let internalError = SQLState(rawValue: "XX000")
}
