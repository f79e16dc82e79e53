import Database
import Foundation
import Testing

/// A module whose SQL has gone bad, or that somebody else directs: what PostgreSQL keeps from it.
@Suite(.serialized) struct HostileModuleTests {
  @Test func `With its own connection in its hands a module reads and changes nothing foreign`() async throws {
    try await HostileCity.with { city in
      let secrets = [city.neighbourSecret, city.coreSecret]
      func expectNoSecret(in answer: RawSession.Answer, _ what: String) {
        for secret in secrets { #expect(!answer.text.contains(secret), "a secret came out of: \(what)") }
      }
      // A neighbour in the middle of something, its statement's text full of what it works on.
      let victim = try await city.session(HostileCity.neighbour)
      async let busy = victim.run(
        "SELECT pg_sleep(600) FROM neighbour.person WHERE name = '\(city.neighbourSecret)0' LIMIT 1")
      let before = try await Contents(city)

      for attack in Attack.all {
        let session = try await city.session()
        let answer = await session.run(attack.script)
        expectNoSecret(in: answer, attack.script)
        switch attack.outcome {
        case .denied: #expect(answer.state == "42501", "\(attack): \(answer.state ?? "done") \(answer.text.prefix(200))")
        case .refused: #expect(answer.isRefused, "\(attack)")
        case .harmless: #expect(!answer.isRefused, "\(attack): \(answer.text.prefix(200))")
        }
      }
      let session = try await city.session()
      // By way of names that a catalog tells: where long values are kept, and functions by number.
      let toast = await session.run("SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'letter'")
      #expect(toast.text.hasPrefix("pg_toast.pg_toast_"))
      let chunks = await session.run("SELECT * FROM \(toast.text)")
      #expect(chunks.state == "42501")
      expectNoSecret(in: chunks, "TOAST")
      #expect(await !session.makeLargeObject())
      // Of others, pg_stat_activity tells that they are there, and no more.
      let seen = await session.run("SELECT query FROM pg_stat_activity WHERE pid = \(victim.backend)")
      #expect(seen.text == "<insufficient privilege>\n")
      for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        #expect(await session.run("SELECT \(function)(\(victim.backend))").state == "42501")
      }

      #expect(try await Contents(city) == before)
      try await city.admin.execute("SELECT pg_cancel_backend(\(victim.backend))")
      #expect(await busy.state == "57014")
    }
  }

  @Test func `Text that is injected through a careless statement gets no further than the role`() async throws {
    try await HostileCity.with { city in
      let database = city.client(HostileCity.mole)
      // What a module must not do, done: a person's words become part of the text.
      func search(_ words: String) async throws -> [String] {
        let rows = try await database.query(careless("SELECT title FROM mole.note WHERE title = '\(words)'"))
        return try rows.map { try $0.get(0) }
      }
      let all = try await search("' OR 'x' = 'x")
      #expect(all.count == 100)
      let injections = [
        "' UNION SELECT name FROM neighbour.person --", "' UNION SELECT name FROM ledger.account --",
        "' UNION SELECT set_config('role', 'metropolis.neighbour.login', false) --",
        "' UNION SELECT query_to_xml('TABLE neighbour.person', true, false, '')::text --",
        "' UNION SELECT rolpassword FROM pg_authid --", "' UNION SELECT pg_read_file('/etc/passwd') --",
        "' UNION SELECT pg_advisory_lock(1)::text --", "'; DELETE FROM mole.note --", "'; SET ROLE metropolis --",
        "' UNION SELECT lo_from_bytea(0, 'x')::text --", "' UNION SELECT neighbour.reveal() --",
      ]
      for words in injections {
        await #expect(throws: DatabaseError.self, "\(words)") { _ = try await search(words) }
      }
      // One statement at a time: what followed a semicolon was not run.
      let afterwards = try await search("' OR 'x' = 'x")
      #expect(afterwards == all)
      await database.close()
    }
  }

  @Test func `Other databases, other roles and replication are closed at the door`() async throws {
    try await HostileCity.with { city in
      try await city.admin.execute("CREATE DATABASE elsewhere")
      // Made later, it is open to all, until the provisioner comes by again.
      let report = try await Provisioner(admin: city.admin, ownsServer: true).secure()
      #expect(report.warnings == [])
      for database in ["postgres", "template1", "elsewhere"] {
        let error = await #expect(throws: RawSession.Refused.self) {
          _ = try await city.session(HostileCity.mole, ["dbname": database])
        }
        #expect(error?.words.contains("permission denied for database") == true)
      }
      for option in ["role", "session_authorization"] {
        for name in ["metropolis", "metropolis.neighbour.login", "metropolis.mole.owner"] {
          await #expect(throws: RawSession.Refused.self) {
            _ = try await city.session(HostileCity.mole, ["options": "-c \(option)=\(name)"])
          }
        }
      }
      for mode in ["true", "database"] {
        await #expect(throws: RawSession.Refused.self) {
          _ = try await city.session(HostileCity.mole, ["replication": mode])
        }
      }
    }
  }

  @Test func `Who listens on a foreign channel hears that something was, and not what`() async throws {
    try await HostileCity.with { city in
      let session = try await city.session()
      #expect(await !session.run("LISTEN neighbour; LISTEN ledger").isRefused)
      let neighbour = city.client(HostileCity.neighbour)
      try await neighbour.transaction { transaction in
        try await transaction.execute("INSERT INTO neighbour.person (name) VALUES (\(city.neighbourSecret))")
        try await transaction.execute("NOTIFY neighbour")
      }
      var heard: [String] = []
      while heard.isEmpty {
        _ = await session.run("SELECT 1")
        heard += await session.notifications()
      }
      #expect(heard == ["neighbour:"])
      // The other way: it may knock at another's door, whose service looks and finds nothing.
      let knocks = neighbour.listen(on: "neighbour")
      var iterator = knocks.makeAsyncIterator()
      _ = await iterator.next()
      _ = await session.run("SELECT pg_notify('neighbour', 'DROP TABLE person')")
      #expect(await iterator.next() != nil)
      await neighbour.close()
    }
  }

  /// Rows of the schemas that are not the mole's, and what roles and settings there are.
  private struct Contents: Equatable {
    let lines: [String]

    init(_ city: HostileCity) async throws {
      let rows = try await city.admin.query(
        """
        SELECT 'person ' || count(*) || ' ' || min(name) FROM neighbour.person
        UNION ALL SELECT 'account ' || count(*) || ' ' || min(name) FROM ledger.account
        UNION ALL SELECT 'note ' || count(*) FROM mole.note
        UNION ALL SELECT 'ticket ' || last_value || is_called FROM neighbour.ticket
        UNION ALL SELECT 'role ' || rolname || rolsuper || rolcreaterole || rolbypassrls || rolconnlimit || coalesce(rolpassword, '')
          FROM pg_authid
        UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole FROM pg_auth_members
        UNION ALL SELECT 'setting ' || setrole::regrole || setconfig::text FROM pg_db_role_setting
        UNION ALL SELECT 'relation ' || oid::regclass || coalesce(relacl::text, '') FROM pg_class WHERE relkind IN ('r', 'S', 'v')
        UNION ALL SELECT 'function ' || oid::regprocedure || coalesce(proacl::text, '') FROM pg_proc
        UNION ALL SELECT 'schema ' || nspname || coalesce(nspacl::text, '') FROM pg_namespace
        UNION ALL SELECT 'database ' || datname || coalesce(datacl::text, '') FROM pg_database
        UNION ALL SELECT 'object ' || oid FROM pg_largeobject_metadata
        UNION ALL SELECT 'extension ' || extname FROM pg_extension
        ORDER BY 1
        """)
      lines = try rows.map { try $0.get(0) }
    }
  }
}
