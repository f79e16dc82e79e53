import Database
import Foundation
import Kit
import Support
import Testing

@testable import Metropolis

@Suite("A tenant goes into an archive and comes back") struct ArchiveTests {
  /// Everything a dump can lose: sequences, partitions, functions and triggers, rights, odd names, rows that look like the
  /// end of rows.
  private static let plan = FleetPlan([
    (
      .migrations,
      [
        Migration(
          number: 1, name: "everything",
          sql: #"""
            CREATE TABLE note (
              id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT note_pkey PRIMARY KEY, body text, seal bytea,
              at timestamptz NOT NULL DEFAULT now());
            CREATE TABLE "Odd; name" ("a ""b""" text);
            CREATE TABLE monthly (at date NOT NULL, n int NOT NULL) PARTITION BY RANGE (at);
            CREATE TABLE monthly_2026_11 PARTITION OF monthly FOR VALUES FROM ('2026-11-01') TO ('2026-12-01');
            CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := upper(NEW.body); RETURN NEW; END $$;
            CREATE TRIGGER note_shout BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION shout();
            CREATE INDEX note_body_idx ON note USING gin (body public.gin_trgm_ops);
            CREATE TABLE sealed (id int CONSTRAINT sealed_pkey PRIMARY KEY);
            REVOKE INSERT, UPDATE, DELETE ON sealed FROM {role};
            """#)
      ]
    )
  ])

  private struct Cut: Error {}

  private static func fill(_ schema: Schema, _ test: TestDatabase) async throws {
    let login = Provisioner.roleName(database: test.name, schema: schema, .login)
    let tenant = test.connect(user: login, password: "test \(schema)")
    for body in ["one\ntwo", #"\."#, #"back\slash"#, "COPY t.x (a) FROM stdin;", ""] {
      try await tenant.execute("INSERT INTO \(schema).note (body, seal) VALUES (\(body), '\\x00ff')")
    }
    try await tenant.execute("INSERT INTO \(schema).note (body) SELECT NULL FROM generate_series(1, 500)")
    try await tenant.execute("INSERT INTO \(schema).\(identifier: "Odd; name") VALUES ('x'), (NULL)")
    try await tenant.execute("INSERT INTO \(schema).monthly SELECT '2026-11-21', g FROM generate_series(1, 40) AS g")
    await tenant.close()
  }

  /// All rows as text, whose order doesn't count.
  private static func rows(_ schema: Schema, _ test: TestDatabase) async throws -> Set<String> {
    var rows: Set<String> = []
    for table in ["note", "Odd; name", "monthly"] {
      let found = try await test.database.query("SELECT t::text AS row FROM \(schema).\(identifier: table) AS t")
      for row in found { rows.insert("\(table) \(try row.get("row", as: String.self))") }
    }
    return rows
  }

  private func withTenant(
    _ body: (FleetBench, FleetMember, TestDatabase, _ folder: String) async throws -> Void
  ) async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests)
      let member = bench.members(1, plan: ArchiveTests.plan)[0]
      let report = await bench.fleet.migrate([member])
      try #require(report.isComplete, "\(report.summary)")
      try await ArchiveTests.fill(member.schema, tests[0])
      let folder = NSTemporaryDirectory() + "archives-\(UUID().uuidString)"
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try await body(bench, member, tests[0], folder)
    }
  }

  @Test("nothing is lost or changed: rows, sequences, triggers, rights; then it is migrated forward")
  func roundTrip() async throws {
    try await withTenant { bench, member, test, folder in
      let (database, schema) = (bench.databases[0], member.schema)
      let before = try await ArchiveTests.rows(schema, test)
      let archive = TenantArchive(folder: folder, logger: test.logger)

      let manifest = try #require(try await archive.archive(member, in: database))
      #expect(manifest.rows["note"] == 505 && manifest.rows["monthly_2026_11"] == 40 && manifest.rows["sealed"] == 0)
      #expect(manifest.migrations == ["schema_migration": 1])
      let gone = try await test.database.one("SELECT to_regnamespace('t_t0') IS NULL AS gone")
      #expect(try gone?.get("gone") == true)
      let kept = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(kept == [manifest.file, manifest.name])
      let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(manifest.file)")[.posixPermissions] as? Int
      #expect(mode == 0o600)
      // Again: there is nothing to archive any more.
      let again = try await archive.archive(member, in: database)
      #expect(again == nil)

      let restored = try #require(try await archive.restore(member, in: database))
      #expect(restored.rows == manifest.rows.values.reduce(0, +))
      let after = try await ArchiveTests.rows(schema, test)
      #expect(after == before)
      let forward = FleetMember(
        id: member.id, database: member.database, schema: schema, bounds: .tenant, durability: .sync,
        plan: FleetPlan([
          (
            .migrations,
            member.plan.journals[0].migrations + [Migration(number: 2, name: "more", sql: "CREATE TABLE more (a int);")]
          )
        ]))
      let report = await bench.fleet.migrate([forward])
      #expect(report["t0"] == .migrated(["002-more.sql"]), "\(report.summary)")

      // Its role is let in again, with the rights it had and no more; numbers go on where they stood.
      let tenant = test.connect(
        user: Provisioner.roleName(database: test.name, schema: schema, .login), password: "test \(schema)")
      let row = try await tenant.one("INSERT INTO \(schema).note (body) VALUES ('again') RETURNING id, body")
      #expect(try row?.get("id") == 506 && row?.get("body") == "AGAIN")
      await #expect(throws: DatabaseError.self) { try await tenant.execute("INSERT INTO \(schema).sealed VALUES (1)") }
      await tenant.close()
      let none = try await archive.restore(forward, in: database)
      #expect(none == nil)
    }
  }

  @Test("ended at any step, nothing is lost, and the next run completes it", arguments: TenantArchive.Step.allCases)
  func cut(_ step: TenantArchive.Step) async throws {
    try await withTenant { bench, member, test, folder in
      let database = bench.databases[0]
      let before = try await ArchiveTests.rows(member.schema, test)
      let cut = TenantArchive(folder: folder, logger: test.logger) { if $0 == step { throw Cut() } }
      let whole = TenantArchive(folder: folder, logger: test.logger)
      do { _ = try await cut.archive(member, in: database) } catch is Cut {}
      _ = try await whole.archive(member, in: database)
      let gone = try await test.database.one("SELECT to_regnamespace('t_t0') IS NULL AS gone")
      #expect(try gone?.get("gone") == true)
      do { _ = try await cut.restore(member, in: database) } catch is Cut {}
      _ = try await whole.restore(member, in: database)
      let after = try await ArchiveTests.rows(member.schema, test)
      #expect(after == before)
      let report = await bench.fleet.migrate([member])
      #expect(report["t0"] == .migrated([]), "\(report.summary)")
      let partial = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".partial") }
      #expect(partial.isEmpty)
    }
  }

  @Test("whoever is connected is put out before the data are taken, and can't come back in")
  func fence() async throws {
    try await withTenant { bench, member, test, folder in
      let login = Provisioner.roleName(database: test.name, schema: member.schema, .login)
      let tenant = test.connect(user: login, password: "test \(member.schema)")
      _ = try await tenant.query("SELECT 1")
      let archive = TenantArchive(folder: folder, logger: test.logger) { if $0 == .fenced { throw Cut() } }
      await #expect(throws: Cut.self) { _ = try await archive.archive(member, in: bench.databases[0]) }
      let before = try await ArchiveTests.rows(member.schema, test)
      await #expect(throws: DatabaseError.self) { try await tenant.execute("INSERT INTO t_t0.note (body) VALUES ('late')") }
      await tenant.close()
      let after = try await ArchiveTests.rows(member.schema, test)
      #expect(after == before)
    }
  }

  @Test("a schema that changes meanwhile is not dropped; a dump that was tampered with is not restored")
  func refusals() async throws {
    try await withTenant { bench, member, test, folder in
      let database = bench.databases[0]
      // Only an administrator can write now; then the dump is not all there is.
      let changed = TenantArchive(folder: folder, logger: test.logger) { step in
        guard step == .settled else { return }
        try await test.database.execute("DELETE FROM t_t0.note WHERE body IS NULL")
      }
      await #expect(throws: FleetFailure.self) { _ = try await changed.archive(member, in: database) }
      let still = try await test.database.one("SELECT to_regnamespace('t_t0') IS NOT NULL AS here")
      #expect(try still?.get("here") == true)

      let archive = TenantArchive(folder: folder, logger: test.logger)
      let manifest = try #require(try await archive.archive(member, in: database))
      let path = "\(folder)/\(manifest.file)"
      let whole = try #require(FileManager.default.contents(atPath: path))
      var spoilt = whole
      spoilt[spoilt.count / 2] ^= 1
      try spoilt.write(to: URL(fileURLWithPath: path))
      let failure = await #expect(throws: FleetFailure.self) { _ = try await archive.restore(member, in: database) }
      #expect(failure?.reason.contains("SHA-256") == true)
      try whole.write(to: URL(fileURLWithPath: path))
      let restored = try await archive.restore(member, in: database)
      #expect(restored?.manifest.rows["note"] == 5)
    }
  }

  @Test("rows are counted in the text of a dump, however it is cut into pieces")
  func counting() {
    let text =
      "SET x;\nCOPY t_a.note (id, body) FROM stdin;\n1\tone\n2\t\\\\.\n\\.\n\nCOPY t_a.\"Odd; name\" (a) FROM stdin;\n\\.\n"
    for size in [1, 2, 7, 1_000] {
      var counter = DumpCounter()
      let data = Data(text.utf8)
      for start in stride(from: 0, to: data.count, by: size) { counter.take(data[start..<min(start + size, data.count)]) }
      #expect(counter.rows == ["note": 2, "Odd; name": 0])
    }
  }
}
