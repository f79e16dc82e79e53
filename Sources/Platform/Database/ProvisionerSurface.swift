/// What PostgreSQL opens to every role of a database and no service needs.
enum Surface {
  /// Functions of `pg_catalog` that reach beyond the caller's own tables: advisory locks (in a table the server shares), large
  /// objects (no schema holds them), files, exported snapshots, and words in the write-ahead log. The newest versions of
  /// PostgreSQL keep file functions from PUBLIC; one that was opened is closed again.
  static let functions =
    "^(pg_(try_)?advisory_.*|lo_.*|loread|lowrite|pg_read_.*|pg_ls_.*|pg_stat_file|pg_export_snapshot|pg_logical_emit_message)$"

  /// What services of the core take turns by; a transaction's end gives the lock back.
  static let turnFunctions = ["pg_catalog.pg_advisory_xact_lock(bigint)", "pg_catalog.pg_advisory_xact_lock_shared(bigint)"]

  /// What the owner of the database needs to provision, migrate and archive when he is no superuser.
  static let adminFunctions =
    turnFunctions + ["pg_catalog.pg_try_advisory_xact_lock(bigint)", "pg_catalog.pg_export_snapshot()"]

  /// Extensions whose functions leave the database, in the name of the server.
  static let reachingExtensions = [
    "adminpack", "dblink", "file_fdw", "http", "lo", "plperlu", "plpython3u", "plsh", "pltclu", "postgres_fdw",
  ]

  /// One way that is open to PUBLIC.
  struct Opening: Sendable {
    enum Kind: String, Sendable, CaseIterable, SQLDecodable {
      case function
      case language
      case `extension`
      /// This database's own rights.
      case database
      /// Another database one may connect to.
      case connect
      /// Making things in the schema `public`.
      case schema
    }
    let kind: Kind
    let name: String
  }
}

extension Provisioner {
  /// Within the provisioner's turn.
  func secure(_ transaction: Transaction) async throws -> ProvisioningReport {
    var report = ProvisioningReport()
    let row = try await transaction.one(
      """
      SELECT r.rolsuper AS is_superuser, pg_has_role(current_user, d.datdba, 'MEMBER') AS owns_database,
        o.rolname::text AS owner, o.rolsuper AS owner_is_superuser
      FROM pg_database AS d JOIN pg_roles AS o ON o.oid = d.datdba, pg_roles AS r
      WHERE d.datname = current_database() AND r.rolname = current_user
      """)
    let isSuperuser: Bool = try row?.get("is_superuser") ?? false
    let ownsDatabase: Bool = try row?.get("owns_database") ?? false
    var script: [String] = []
    if isSuperuser {
      try await ensureOwnersRole(&script, transaction)
    }
    let openings = try await openings(transaction)
    if isSuperuser, let row, try !row.get("owner_is_superuser") {
      script += try await needs(
        ofOwner: row.get("owner"), whileOpen: openings.contains { $0.kind == .function }, transaction)
    }
    for opening in openings {
      if let statement = closing(opening, isSuperuser: isSuperuser, ownsDatabase: ownsDatabase) { script.append(statement) }
    }
    let open = openings.filter { closing($0, isSuperuser: isSuperuser, ownsDatabase: ownsDatabase) == nil }
    for kind in Surface.Opening.Kind.allCases {
      let names = open.filter { $0.kind == kind }.map(\.name)
      if !names.isEmpty { report.note(warning(kind, names)) }
    }
    if !script.isEmpty { try await transaction.run(script: script.joined(separator: ";\n")) }
    return report
  }

  private func ensureOwnersRole(_ script: inout [String], _ transaction: Transaction) async throws {
    let role = Provisioner.ownersRole(database: admin.settings.database)
    try await ensureOwner(role, transaction)
    let languages = try await transaction.query(
      """
      SELECT lanname::text AS name FROM pg_language
      WHERE lanpltrusted AND NOT EXISTS (
        SELECT FROM aclexplode(lanacl) AS a WHERE a.grantee = to_regrole(quote_ident(\(role))) AND a.privilege_type = 'USAGE')
      """)
    for language in languages {
      script.append(
        "GRANT USAGE ON LANGUAGE \(Quoting.identifier(try language.get("name"))) TO \(Quoting.identifier(role))")
    }
  }

  /// The owner of the database provisions, too, and takes turns by advisory locks.
  /// - Parameter whileOpen: whether he may have the right only as everybody has it still.
  private func needs(ofOwner owner: String, whileOpen: Bool, _ transaction: Transaction) async throws -> [String] {
    let missing = try await transaction.query(
      """
      SELECT f.name FROM unnest(\(Surface.adminFunctions)) AS f(name)
      WHERE \(whileOpen) OR NOT has_function_privilege(\(owner), f.name, 'EXECUTE')
      """)
    return try missing.map {
      "GRANT EXECUTE ON FUNCTION \(try $0.get("name", as: String.self)) TO \(Quoting.identifier(owner))"
    }
  }

  private func openings(_ transaction: Transaction) async throws -> [Surface.Opening] {
    let rows = try await transaction.query(
      """
      SELECT 'function' AS kind, format('pg_catalog.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) AS name
      FROM pg_proc AS p
      WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ \(Surface.functions)
        AND has_function_privilege('public', p.oid, 'EXECUTE')
      UNION ALL
      SELECT 'language', quote_ident(lanname) FROM pg_language
      WHERE lanpltrusted AND lanname <> 'sql' AND has_language_privilege('public', oid, 'USAGE')
      UNION ALL
      SELECT 'extension', extname FROM pg_extension WHERE extname = ANY(\(Surface.reachingExtensions))
      UNION ALL
      SELECT CASE WHEN datname = current_database() THEN 'database' ELSE 'connect' END, datname FROM pg_database
      WHERE datallowconn AND (has_database_privilege('public', oid, 'CONNECT')
        OR datname = current_database() AND has_database_privilege('public', oid, 'TEMPORARY, CREATE'))
      UNION ALL
      SELECT 'schema', 'public' FROM pg_namespace WHERE nspname = 'public' AND has_schema_privilege('public', oid, 'CREATE')
      ORDER BY 1, 2
      """)
    return try rows.map { row in
      Surface.Opening(kind: try row.get("kind"), name: try row.get("name"))
    }
  }

  /// The statement that closes it, if that is ours to do: what others of the server rely on is not.
  private func closing(_ opening: Surface.Opening, isSuperuser: Bool, ownsDatabase: Bool) -> String? {
    let name = opening.name
    switch opening.kind {
    case .function: return isSuperuser ? "REVOKE EXECUTE ON FUNCTION \(name) FROM PUBLIC" : nil
    case .language: return isSuperuser ? "REVOKE USAGE ON LANGUAGE \(name) FROM PUBLIC" : nil
    case .extension: return nil
    case .database:
      return isSuperuser || ownsDatabase
        ? "REVOKE CONNECT, CREATE, TEMPORARY ON DATABASE \(Quoting.identifier(name)) FROM PUBLIC" : nil
    case .connect:
      return isSuperuser && ownsServer ? "REVOKE CONNECT, TEMPORARY ON DATABASE \(Quoting.identifier(name)) FROM PUBLIC" : nil
    case .schema: return isSuperuser || ownsDatabase ? "REVOKE CREATE ON SCHEMA public FROM PUBLIC" : nil
    }
  }

  private func warning(_ kind: Surface.Opening.Kind, _ names: [String]) -> String {
    let list =
      names.count > 6 ? names.prefix(5).joined(separator: ", ") + " and \(names.count - 5) more" : names.joined(separator: ", ")
    return switch kind {
    case .function: "every role may call \(list); a superuser has to provision, or revoke EXECUTE from PUBLIC"
    case .language:
      "every role may run code of its own (DO) in \(list); a superuser has to provision, or revoke USAGE from PUBLIC"
    case .extension:
      "the extension \(list) is installed, whose functions leave the database; drop it or revoke EXECUTE from PUBLIC"
    case .database: "every role may connect to \(list) and make temporary tables; its owner has to revoke that from PUBLIC"
    case .connect: "every role of this server may connect to \(list); revoke CONNECT there, or name our roles in pg_hba.conf"
    case .schema: "every role may make tables in the schema public; its owner has to revoke CREATE from PUBLIC"
    }
  }
}
