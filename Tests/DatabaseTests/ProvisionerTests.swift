import Support
import Testing

@testable import Database

@Suite struct ProvisionerTests {
  let town = Schema("town")!
  let prep = Schema("prep")!
  let things = Migration(
    number: 1, name: "things",
    sql: """
      CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
      CREATE SEQUENCE ticket;
      CREATE FUNCTION double(x int) RETURNS int LANGUAGE sql AS 'SELECT 2 * x';
      CREATE TABLE journal (id int);
      REVOKE UPDATE, DELETE ON journal FROM {role};
      """)

  private func state(_ run: () async throws -> Void) async -> SQLState? {
    do { try await run() } catch { return (error as? DatabaseError)?.state }
    return nil
  }

  @Test func `The login role works with the data and with nothing else`() async throws {
    try await withDatabase { test in
      let database = try await test.makeSchema(town, migrations: [things])
      _ = try await test.makeSchema(prep, migrations: [things])
      try await database.execute("INSERT INTO \(town).thing (name) VALUES (\("돌하르방"))")
      try await database.execute("UPDATE \(town).thing SET name = \("해녀")")
      #expect(try await database.one("SELECT name FROM \(town).thing")?.get("name") == "해녀")
      try await database.execute("DELETE FROM \(town).thing")
      #expect(try await database.one("SELECT nextval('town.ticket') AS n, town.double(2) AS d")?.get("d") == 4)
      try await database.execute("INSERT INTO \(town).journal VALUES (1)")
      // The extension's functions are there for everybody.
      #expect(try await database.one("SELECT similarity('제주도', '제주') > 0 AS x")?.get("x") == true)
      let forbidden: [SQL] = [
        "CREATE TABLE town.own ()", "CREATE TABLE public.own ()", "CREATE SCHEMA own", "CREATE TEMPORARY TABLE own ()",
        "CREATE ROLE own", "ALTER TABLE town.thing ADD x int", "DROP TABLE town.thing", "TRUNCATE town.thing",
        "UPDATE town.journal SET id = 2", "DELETE FROM town.journal", "INSERT INTO town.schema_migration VALUES (9, '', '')",
        "SELECT * FROM prep.thing", "SELECT prep.double(2)", "SELECT nextval('prep.ticket')",
        SQL(trusted: "SET ROLE \"\(test.name).town.owner\""), SQL(trusted: "SET ROLE \"\(test.name).prep.login\""),
        "SELECT rolpassword FROM pg_authid", "SELECT pg_read_file('/etc/passwd')",
      ]
      for statement in forbidden {
        let found = await state { try await database.execute(statement) }
        #expect(found == .insufficientPrivilege, "\(statement.text)")
      }
    }
  }

  @Test func `Provisioning again changes nothing but the password`() async throws {
    try await withDatabase { test in
      _ = try await test.makeSchema(town, migrations: [things])
      // What is written has a transaction id, and the row a new version.
      func versions() async throws -> [String] {
        try await test.database.query(
          """
          SELECT 'role' || xmin::text FROM pg_authid WHERE rolname LIKE \(test.name + ".%")
          UNION ALL SELECT 'database' || xmin::text FROM pg_database WHERE datname = current_database()
          UNION ALL SELECT 'function' || max(xmin::text::bigint) FROM pg_proc
          UNION ALL SELECT 'right' || xmin::text FROM pg_default_acl
          UNION ALL SELECT 'schema' || xmin::text FROM pg_namespace
          UNION ALL SELECT 'setting' || s.xmin::text FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
            WHERE d.datname = current_database()
          UNION ALL SELECT 'language' || xmin::text FROM pg_language
          UNION ALL SELECT 'member' || m.xmin::text FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
            WHERE r.rolname LIKE \(test.name + ".%")
          ORDER BY 1
          """
        ).map { try $0.get(0) }
      }
      let before = try await versions()
      let again = try await test.makeSchema(town, migrations: [things])
      #expect(try await versions() == before)
      #expect(try await again.one("SELECT count(*) AS n FROM town.thing")?.get("n") == 0)
      // A right that a migration took away is not given back.
      let found = await state { try await again.execute("DELETE FROM town.journal") }
      #expect(found == .insufficientPrivilege)
      try await Provisioner(admin: test.database).provision(
        schema: town, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login", password: "new one")
      let renewed = test.connect(user: "\(test.name).town.login", password: "new one")
      #expect(try await renewed.one("SELECT 1 AS x")?.get("x") == 1)
    }
  }

  @Test func `Many may provision at once`() async throws {
    try await withDatabase { test in
      // They take turns: the last waits for all the others.
      let admin = test.connect(pool: PoolSettings(connections: 4, waitTimeout: .seconds(60)))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 1...6 {
          group.addTask {
            let schema = Schema("s\(number % 3)")!
            try await Provisioner(admin: admin).provision(
              schema: schema, ownerRole: "\(test.name).\(schema).owner", loginRole: "\(test.name).\(schema).login", password: "x")
          }
        }
        try await group.waitForAll()
      }
      #expect(try await admin.one("SELECT count(*) AS n FROM pg_namespace WHERE nspname ~ '^s[012]$'")?.get("n") == 3)
    }
  }

  @Test func `A user with CREATEROLE that owns the database suffices`() async throws {
    try await withDatabase { test in
      let name = "\(test.name)_admin"
      try await test.database.execute("CREATE ROLE \(identifier: name) LOGIN CREATEROLE PASSWORD 'x'")
      try await test.database.execute("ALTER DATABASE \(identifier: test.name) OWNER TO \(identifier: name)")
      let admin = test.connect(user: name, password: "x")
      let (owner, login) = ("\(test.name).town.owner", "\(test.name).town.login")
      for _ in 1...2 {
        try await Provisioner(admin: admin).ensureExtensions(["pg_trgm", "citext"])
        try await Provisioner(admin: admin).provision(schema: town, ownerRole: owner, loginRole: login, password: "y")
        try await Migrator(admin: admin, logger: test.logger).migrate(
          schema: town, ownerRole: owner, loginRole: login, migrations: [things])
      }
      let database = test.connect(user: login, password: "y")
      try await database.execute("INSERT INTO town.thing (name) VALUES ('x')")
    }
  }

  @Test func `What is in the way is named`() async throws {
    try await withDatabase { test in
      let provisioner = Provisioner(admin: test.database)
      func words(_ run: () async throws -> Void) async -> String {
        do { try await run() } catch { return (error as? ProvisioningError)?.description ?? "\(error)" }
        return "nothing"
      }
      let absent = await words { try await provisioner.ensureExtensions(["no_such_extension"]) }
      #expect(absent.contains("no_such_extension"))
      try await test.database.execute("CREATE SCHEMA town")
      let foreign = await words {
        try await provisioner.provision(schema: town, ownerRole: "\(test.name)_o", loginRole: "\(test.name)_l", password: "x")
      }
      #expect(foreign.contains("town") && foreign.contains("belongs to metropolis"))
      let powerful = await words {
        try await provisioner.provision(schema: prep, ownerRole: "\(test.name)_o", loginRole: "metropolis", password: "x")
      }
      #expect(powerful.contains("metropolis"))
      let weak = try await test.makeSchema(Schema("weak")!, migrations: [])
      let notAllowed = await words {
        try await Provisioner(admin: weak).provision(
          schema: prep, ownerRole: "\(test.name)_o", loginRole: "\(test.name)_l", password: "x")
      }
      #expect(notAllowed.contains("CREATEROLE"))
    }
  }

  // MARK: What every role could do

  @Test func `What PostgreSQL opens to every role is closed to tenants, and the core keeps what it takes turns by`() async throws
  {
    try await withDatabase { test in
      let tenant = try await test.makeSchema(town, migrations: [things], bounds: .tenant)
      let core = try await test.makeSchema(prep, migrations: [things], bounds: .core)
      for lock: SQL in ["SELECT pg_advisory_xact_lock(1)", "SELECT pg_advisory_xact_lock_shared(1)"] {
        #expect(await state { try await core.execute(lock) } == nil)
        #expect(await state { try await tenant.execute(lock) } == .insufficientPrivilege)
      }
      let forbidden: [SQL] = [
        "SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_xact_lock(1)", "SELECT pg_advisory_unlock_all()",
        "SELECT lo_create(0)", "SELECT pg_export_snapshot()", "SELECT pg_logical_emit_message(false, 'x', 'y')",
        "DO $$ BEGIN END $$",
      ]
      for statement in forbidden {
        for database in [tenant, core] {
          #expect(await state { try await database.execute(statement) } == .insufficientPrivilege, "\(statement.text)")
        }
      }
      // Taken away again from a service that takes no turns any more.
      _ = try await test.makeSchema(prep, migrations: [things], bounds: .tenant)
      #expect(await state { try await core.execute("SELECT pg_advisory_xact_lock(1)") } == .insufficientPrivilege)
      let open = try await test.database.query(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE proname ~ 'advisory|^lo_' AND has_function_privilege('public', oid, 'EXECUTE')"
      )
      #expect(open.isEmpty)
    }
  }

  @Test func `Many schemas of one run are secured once, before them; the next run closes what was opened meanwhile`() async throws
  {
    try await withDatabase { test in
      func provision(_ schema: Schema, by provisioner: Provisioner) async throws {
        try await provisioner.provision(
          schema: schema, ownerRole: "\(test.name).\(schema).owner", loginRole: "\(test.name).\(schema).login", password: "y")
      }
      let secured = try await Provisioner(admin: test.database).secured()
      try await provision(town, by: secured)
      let tenant = test.connect(user: "\(test.name).town.login", password: "y")
      let forbidden: [SQL] = [
        "SELECT pg_advisory_lock(1)", "SELECT lo_create(0)", "DO $$ BEGIN END $$", "CREATE TEMPORARY TABLE own ()",
      ]
      for statement in forbidden {
        #expect(await state { try await tenant.execute(statement) } == .insufficientPrivilege, "\(statement.text)")
      }
      // Owners have what they need of what was closed.
      try await Migrator(admin: test.database, logger: test.logger).migrate(
        schema: town, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login",
        migrations: [Migration(number: 1, name: "block", sql: "DO $$ BEGIN END $$;")])

      try await test.database.execute("GRANT EXECUTE ON FUNCTION pg_catalog.lo_create(oid) TO PUBLIC")
      try await provision(prep, by: secured)
      #expect(await state { try await tenant.execute("SELECT lo_create(0)") } == nil)
      try await provision(prep, by: Provisioner(admin: test.database))
      #expect(await state { try await tenant.execute("SELECT lo_create(0)") } == .insufficientPrivilege)
    }
  }

  @Test func `Owners write functions and blocks in their migrations`() async throws {
    try await withDatabase { test in
      let code = Migration(
        number: 1, name: "code",
        sql: """
          CREATE TABLE thing (id int);
          DO $$ BEGIN INSERT INTO thing VALUES (1); END $$;
          CREATE FUNCTION things() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM {schema}.thing); END $$;
          """)
      let database = try await test.makeSchema(town, migrations: [code], bounds: .tenant)
      #expect(try await database.one("SELECT town.things() AS n")?.get("n") == 1)
    }
  }

  @Test func `A login role's settings are the role's own, and come back when it changed them`() async throws {
    try await withDatabase { test in
      let provisioner = Provisioner(admin: test.database)
      let login = "\(test.name).town.login"
      func provision(_ durability: Durability) async throws {
        try await provisioner.provision(
          schema: town, ownerRole: "\(test.name).town.owner", loginRole: login, password: "x", durability: durability,
          bounds: RoleBounds(connections: 2, temporaryFileMegabytes: 7))
      }
      func settings() async throws -> [String] {
        let database = test.connect(user: login, password: "x", pool: PoolSettings(connections: 1))
        let row = try await database.one(
          """
          SELECT ARRAY[current_setting('synchronous_commit'), current_setting('temp_file_limit'),
            current_setting('work_mem'), current_setting('max_parallel_workers_per_gather')] AS x
          """)
        let found = try row?.get("x", as: [String].self) ?? []
        await database.close()
        return found
      }
      try await provision(.async)
      #expect(try await settings() == ["off", "7MB", "4MB", "0"])
      try await provision(.sync)
      #expect(try await settings() == ["on", "7MB", "4MB", "0"])
      let database = test.connect(user: login, password: "x", pool: PoolSettings(connections: 1))
      try await database.execute(SQL(trusted: "ALTER ROLE \"\(login)\" SET work_mem = '1GB'"))
      try await database.execute(SQL(trusted: "ALTER ROLE \"\(login)\" IN DATABASE \(test.name) SET work_mem = '1GB'"))
      #expect(await state { try await database.execute("SET temp_file_limit = -1") } == .insufficientPrivilege)
      await database.close()
      try await provision(.sync)
      #expect(try await settings() == ["on", "7MB", "4MB", "0"])
      let limit = try await test.database.one("SELECT rolconnlimit::int AS n, rolinherit FROM pg_roles WHERE rolname = \(login)")
      #expect(try limit?.get("n") == 2)
      #expect(try limit?.get("rolinherit") == false)
    }
  }

  @Test func `A login role that somebody made a member of another is taken out, and it is said`() async throws {
    try await withDatabase { test in
      _ = try await test.makeSchema(town, migrations: [things], bounds: .tenant)
      _ = try await test.makeSchema(prep, migrations: [things], bounds: .tenant)
      try await test.database.execute(
        SQL(trusted: "GRANT \"\(test.name).prep.owner\" TO \"\(test.name).town.login\""))
      let report = try await Provisioner(admin: test.database).provision(
        schema: town, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login", password: "test")
      #expect(report.warnings.contains { $0.contains("was a member of") && $0.contains("prep.owner") })
      let again = try await Provisioner(admin: test.database).provision(
        schema: town, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login", password: "test")
      #expect(!again.warnings.contains { $0.contains("member") })
    }
  }

  @Test func `Who is no superuser closes what is his, and says what is not`() async throws {
    try await withDatabase { test in
      let name = "\(test.name)_weak"
      try await test.database.execute("CREATE ROLE \(identifier: name) LOGIN CREATEROLE PASSWORD 'x'")
      try await test.database.execute("ALTER DATABASE \(identifier: test.name) OWNER TO \(identifier: name)")
      let provisioner = Provisioner(admin: test.connect(user: name, password: "x"))
      let report = try await provisioner.provision(
        schema: town, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login", password: "y")
      for words in ["every role may call", "DO", "temp_file_limit", "pg_hba.conf"] {
        #expect(report.warnings.contains { $0.contains(words) }, "\(words)")
      }
      #expect(!report.warnings.contains { $0.contains("temporary tables") })
      // A superuser comes by; from then on the owner of the database can still take his turns.
      try await Provisioner(admin: test.database).secure()
      let again = try await provisioner.provision(
        schema: town, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login", password: "y")
      #expect(!again.warnings.contains { $0.contains("every role may call") })
      let weak = test.connect(user: name, password: "x")
      #expect(await state { try await weak.execute("SELECT pg_try_advisory_xact_lock(1), pg_export_snapshot()") } == nil)
      #expect(await state { try await weak.execute("SELECT pg_advisory_lock(1)") } == .insufficientPrivilege)
    }
  }
}
