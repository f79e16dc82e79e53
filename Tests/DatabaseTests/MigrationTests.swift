import Support
import Testing

@testable import Database

@Suite struct MigrationFileTests {
  @Test func `Files are put in order of their numbers`() throws {
    let migrations = try Migration.read(["Schema/002-places.sql": "b", "001-accounts-and-keys.sql": "a"])
    #expect(migrations.map(\.name) == ["accounts-and-keys", "places"])
    #expect(migrations.map(\.file) == ["001-accounts-and-keys.sql", "002-places.sql"])
  }

  @Test(arguments: [
    ["001-a.sql", "003-b.sql"], ["002-a.sql"], ["001-a.sql", "001-b.sql"], ["a.sql"], ["001-.sql"], ["001-a.txt"], ["000-a.sql"],
  ])
  func `A gap, a doubled number and a strange name are refused`(files: [String]) {
    let contents = Dictionary(uniqueKeysWithValues: files.map { ($0, "SELECT 1") })
    #expect(throws: MigrationError.self) { try Migration.read(contents) }
  }

  @Test func `The tokens become quoted names, and other braces stay`() {
    let migration = Migration(number: 1, name: "a", sql: "GRANT SELECT ON {schema}.t TO {role}; -- {owner} '{}' {other}")
    let plan = MigrationPlan(
      schema: Schema("town")!, journal: .migrations, ownerRole: "o\"x", loginRole: "db.town.login", migrations: [migration])
    #expect(plan.script(of: migration) == #"GRANT SELECT ON "town".t TO "db.town.login"; -- "o""x" '{}' {other}"#)
  }

  @Test func `A role's name tells database, schema and kind, in 63 bytes`() {
    let town = Schema("town_jeju")!
    #expect(Provisioner.roleName(database: "city", schema: town, .login) == "city.town_jeju.login")
    let long = String(repeating: "도", count: 30)
    let owner = Provisioner.roleName(database: long, schema: town, .owner)
    #expect(owner.utf8.count <= 63 && owner != Provisioner.roleName(database: long, schema: town, .login))
    #expect(owner == Provisioner.roleName(database: long, schema: town, .owner))
  }

  @Test func `A verifier is what PostgreSQL makes of the password`() {
    // RFC 7677 §3 has the same password and salt; stored key and server key were taken from PostgreSQL 15.
    let salt: [UInt8] = [0x5B, 0x6D, 0x99, 0x68, 0x9D, 0x12, 0x35, 0x8E, 0xEC, 0xA0, 0x4B, 0x14, 0x12, 0x36, 0xFA, 0x81]
    #expect(
      ScramVerifier.make(password: "pencil", salt: salt)
        == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        + ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
  }
}

@Suite struct MigratorTests {
  let schema = Schema("town")!
  let accounts = Migration(number: 1, name: "accounts", sql: "CREATE TABLE {schema}.account (id int); CREATE TABLE plain ();")
  let places = Migration(number: 2, name: "places", sql: "ALTER TABLE account ADD place text; INSERT INTO account VALUES (1);")

  private func migrate(_ test: TestDatabase, _ migrations: [Migration]) async throws -> [Int] {
    let owner = Provisioner.roleName(database: test.name, schema: schema, .owner)
    let login = Provisioner.roleName(database: test.name, schema: schema, .login)
    try await Provisioner(admin: test.database).provision(
      schema: schema, ownerRole: owner, loginRole: login, password: "secret")
    return try await Migrator(admin: test.database, logger: test.logger).migrate(
      schema: schema, ownerRole: owner, loginRole: login, migrations: migrations)
  }

  private func error(_ run: () async throws -> [Int]) async -> MigrationError? {
    do { _ = try await run() } catch { return error as? MigrationError }
    return nil
  }

  @Test func `Migrations are applied once, in order, by the owner, in the schema`() async throws {
    try await withDatabase { test in
      #expect(try await migrate(test, [accounts]) == [1])
      #expect(try await migrate(test, [accounts, places]) == [2])
      #expect(try await migrate(test, [accounts, places]) == [])
      let tables = try await test.database.query(
        "SELECT tablename::text AS name, tableowner::text AS owner FROM pg_tables WHERE schemaname = 'town' ORDER BY 1")
      #expect(try tables.map { try $0.get("name", as: String.self) } == ["account", "plain", "schema_migration"])
      #expect(try tables.allSatisfy { try $0.get("owner") == "\(test.name).town.owner" })
      let row = try await test.database.one(
        "SELECT name, applied_at <= now() AS past FROM town.schema_migration WHERE number = 2")
      #expect(try row?.get("name") == "places")
      #expect(try row?.get("past") == true)
    }
  }

  @Test func `A file changed after it was applied is refused`() async throws {
    try await withDatabase { test in
      _ = try await migrate(test, [accounts, places])
      let changed = Migration(number: 1, name: "accounts", sql: accounts.sql + " -- better")
      let error = await error { try await migrate(test, [changed, places]) }
      guard case .changed(schema, "001-accounts.sql", let found, let expected)? = error else {
        Issue.record("found \(String(describing: error))")
        return
      }
      #expect(found == MigrationPlan.checksum(of: changed) && expected == MigrationPlan.checksum(of: accounts))
      #expect(error.map { "\($0)".contains("town") && "\($0)".contains("001-accounts.sql") } == true)
    }
  }

  @Test func `A schema migrated by a newer release is refused`() async throws {
    try await withDatabase { test in
      _ = try await migrate(test, [accounts, places])
      let error = await error { try await migrate(test, [accounts]) }
      guard case .unknownApplied(schema, number: 2, name: "places", known: 1)? = error else {
        Issue.record("found \(String(describing: error))")
        return
      }
    }
  }

  @Test func `A gap among the applied is refused`() async throws {
    try await withDatabase { test in
      _ = try await migrate(test, [accounts, places])
      try await test.database.execute("DELETE FROM town.schema_migration WHERE number = 1")
      let error = await error { try await migrate(test, [accounts, places]) }
      guard case .gap(schema, found: 2, expected: 1)? = error else {
        Issue.record("found \(String(describing: error))")
        return
      }
    }
  }

  @Test func `A migration that fails leaves the schema as it was and names the line`() async throws {
    try await withDatabase { test in
      let broken = Migration(number: 2, name: "broken", sql: "CREATE TABLE half (id int);\n\nCREATE TABLE half (id nonsense);\n")
      let error = await error { try await migrate(test, [accounts, broken]) }
      guard case .failed(schema, "002-broken.sql", line: 3, _)? = error else {
        Issue.record("found \(String(describing: error))")
        return
      }
      let isGone: Bool? = try await test.database.one("SELECT to_regclass('town.half') IS NULL AS gone")?.get("gone")
      let last: Int? = try await test.database.one("SELECT max(number) AS n FROM town.schema_migration")?.get("n")
      #expect(isGone == true && last == 1)
      let mended = Migration(number: 2, name: "broken", sql: "CREATE TABLE half (id int);")
      #expect(try await migrate(test, [accounts, mended]) == [2])
    }
  }

  @Test func `Two journals of a schema are counted apart`() async throws {
    try await withDatabase { test in
      _ = try await migrate(test, [accounts])
      let applied = try await Migrator(admin: test.database, logger: test.logger).migrate(
        schema: schema, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login",
        migrations: [Migration(number: 1, name: "outbox", sql: "CREATE TABLE outbox ()")], journal: Schema("platform_migration")!)
      #expect(applied == [1])
      #expect(try await migrate(test, [accounts, places]) == [2])
    }
  }

  @Test func `A migration with a COMMIT in it is found out`() async throws {
    try await withDatabase { test in
      let error = await error {
        try await migrate(test, [Migration(number: 1, name: "loose", sql: "CREATE TABLE a (); COMMIT; CREATE TABLE b ();")])
      }
      guard case .invalidFile(name: "001-loose.sql", _)? = error else {
        Issue.record("found \(String(describing: error))")
        return
      }
    }
  }

  @Test func `Of migrators that come at once, one applies and the others find it done`() async throws {
    try await withDatabase { test in
      let slow = Migration(number: 3, name: "slow", sql: "SELECT pg_sleep(0.2); CREATE TABLE slow ();")
      _ = try await migrate(test, [])
      let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
        for number in 1...5 {
          group.addTask {
            let admin = test.connect(pool: PoolSettings(connections: 1), name: "migrator \(number)")
            return try await Migrator(admin: admin, logger: test.logger).migrate(
              schema: schema, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login",
              migrations: [accounts, places, slow])
          }
        }
        return try await group.reduce([], +)
      }
      #expect(applied.sorted() == [1, 2, 3])
    }
  }

  @Test func `A migration does not wait for a table in use for ever`() async throws {
    try await withDatabase { test in
      _ = try await migrate(test, [accounts])
      let started = ContinuousClock.now
      try await test.connect().transaction { transaction in
        _ = try await transaction.query("SELECT * FROM town.account")
        let migrator = Migrator(admin: test.database, logger: test.logger, lockTimeout: .milliseconds(100))
        let error = await error {
          try await migrator.migrate(
            schema: schema, ownerRole: "\(test.name).town.owner", loginRole: "\(test.name).town.login",
            migrations: [accounts, places])
        }
        guard case .failed(_, _, _, let cause)? = error, cause.state == .lockNotAvailable else {
          Issue.record("found \(String(describing: error))")
          return
        }
      }
      #expect(ContinuousClock.now - started < .seconds(5))
    }
  }
}
