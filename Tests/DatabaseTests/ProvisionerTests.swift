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
      let again = try await test.makeSchema(town, migrations: [things])
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
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 1...6 {
          group.addTask { _ = try await test.makeSchema(Schema("s\(number % 3)")!, migrations: [things]) }
        }
        try await group.waitForAll()
      }
      #expect(try await test.database.one("SELECT count(*) AS n FROM pg_namespace WHERE nspname ~ '^s[012]$'")?.get("n") == 3)
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
}
