extension Provisioner {
  /// Sets what a login role's sessions start with in this database. Settings of the role, not of the connection: they hold
  /// through poolers, and for whoever else connects as the role.
  func ensureSettings(
    of role: String, _ durability: Durability, _ bounds: RoleBounds, _ report: inout ProvisioningReport,
    _ transaction: Transaction
  ) async throws {
    var wanted = [
      "synchronous_commit": durability.synchronousCommit,
      "statement_timeout": "\(bounds.statementTimeout.wholeMilliseconds)",
      "idle_in_transaction_session_timeout": "\(bounds.idleInTransactionTimeout.wholeMilliseconds)",
      "work_mem": "\(bounds.workMemoryMegabytes * 1_024)",
      // Parallel workers would multiply what one connection takes, and keep their own priority beside a lowered one.
      "max_parallel_workers_per_gather": "0",
    ]
    let row = try await transaction.one(
      """
      SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
        EXISTS (SELECT FROM pg_db_role_setting AS s WHERE s.setrole = r.oid AND s.setdatabase = 0) AS is_altered,
        coalesce((
          SELECT s.setconfig FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
          WHERE s.setrole = r.oid AND d.datname = current_database()
        ), '{}') AS settings
      FROM pg_roles AS r WHERE r.rolname = \(role)
      """)
    if try row?.get("is_superuser") == true {
      wanted["temp_file_limit"] = "\(bounds.temporaryFileMegabytes * 1_024)"
    } else {
      report.note(
        "only a superuser can bound temporary files: set temp_file_limit in postgresql.conf, or let a superuser provision")
    }
    let found: [String] = try row?.get("settings") ?? []
    let isAltered: Bool = try row?.get("is_altered") ?? false
    guard isAltered || Set(found) != Set(wanted.map { "\($0.key)=\($0.value)" }) else { return }
    let (role, database) = (Quoting.identifier(role), Quoting.identifier(admin.settings.database))
    // A role may change its own settings: what it has set is cleared.
    var script = isAltered ? ["ALTER ROLE \(role) RESET ALL"] : []
    script.append("ALTER ROLE \(role) IN DATABASE \(database) RESET ALL")
    script += wanted.sorted { $0.key < $1.key }.map {
      "ALTER ROLE \(role) IN DATABASE \(database) SET \($0.key) = \(Quoting.literal($0.value))"
    }
    try await transaction.run(script: script.joined(separator: ";\n"))
  }

  /// Gives back what was taken from PUBLIC, to whom needs it: languages to owners, whose migrations make functions; the two
  /// functions of transactional advisory locks to a service that takes turns by them, and to its owner for functions that run
  /// as the owner.
  func ensureNeeds(ownerRole: String, loginRole: String, _ bounds: RoleBounds, _ transaction: Transaction) async throws {
    let owners = Provisioner.ownersRole(database: admin.settings.database)
    var script: [String] = []
    let row = try await transaction.one(
      """
      SELECT to_regrole(quote_ident(\(owners))) IS NULL
        OR pg_has_role(\(ownerRole), to_regrole(quote_ident(\(owners)))::oid, 'MEMBER') AS is_member
      """)
    if try row?.get("is_member") == false {
      script.append("GRANT \(Quoting.identifier(owners)) TO \(Quoting.identifier(ownerRole))")
    }
    let rights = try await transaction.query(
      """
      SELECT f.name, r.role, has_function_privilege(r.role, f.name, 'EXECUTE') AS has_right
      FROM unnest(\(Surface.turnFunctions)) AS f(name), unnest(\([ownerRole, loginRole])) AS r(role)
      """)
    for row in rights {
      let (name, role, hasRight) = (
        try row.get("name", as: String.self), Quoting.identifier(try row.get("role")), try row.get("has_right", as: Bool.self)
      )
      if bounds.usesAdvisoryLocks, !hasRight { script.append("GRANT EXECUTE ON FUNCTION \(name) TO \(role)") }
      if !bounds.usesAdvisoryLocks, hasRight { script.append("REVOKE EXECUTE ON FUNCTION \(name) FROM \(role)") }
    }
    guard !script.isEmpty else { return }
    try await transaction.run(script: script.joined(separator: ";\n"))
  }
}
