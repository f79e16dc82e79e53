import Database
import Foundation
import Kit
import Support
import Synchronization
import Testing

@testable import Metropolis

@Suite("A fleet of tenant schemas") struct FleetTests {
  @Test("is made and migrated, and made again has nothing to do")
  func twice() async throws {
    try await withDatabases(2) { tests in
      let bench = FleetBench(tests)
      let heard = Heard()
      let first = await bench.fleet.migrate(bench.members(6), progress: heard.hear, event: heard.hear)
      #expect(first.isComplete, "\(first.summary)")
      #expect(first["t0"] == .migrated(["001-step1.sql"]))
      #expect(heard.progress.map(\.done) == Array(1...6) && heard.progress.allSatisfy { $0.total == 6 })
      #expect(heard.events.count == 6 && heard.events.allSatisfy { $0.event == .migrated })
      let schemas = try await FleetBench.schemas(with: "body", in: tests[0])
      #expect(schemas == 3)

      let second = await bench.fleet.migrate(bench.members(6), progress: heard.hear, event: heard.hear)
      #expect(second.count { $0 == .current } == 6)
      #expect(heard.events.count == 6)
      // The records may be wrong about a schema; asked itself, it says that all is done.
      let thorough = await bench.fleet.migrate(bench.members(6), isThorough: true)
      #expect(thorough.count { $0 == .migrated([]) } == 6, "\(thorough.summary)")
    }
  }

  @Test("its roles have rights to the data of their schema")
  func roles() async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests)
      _ = await bench.fleet.migrate(bench.members(1))
      let schema = Schema("t_t0")!
      let tenant = tests[0].connect(
        user: Provisioner.roleName(database: tests[0].name, schema: schema, .login), password: "test t_t0")
      let written = try await tenant.execute("INSERT INTO \(schema).note (id, body) VALUES (1, 'one')")
      #expect(written == 1)
      await #expect(throws: DatabaseError.self) { _ = try await tenant.query("SELECT * FROM fleet.member") }
      await tenant.close()
    }
  }

  @Test("a schema that was dropped, and a role, are seen and made again")
  func dropped() async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests)
      _ = await bench.fleet.migrate(bench.members(2))
      try await tests[0].database.execute("DROP SCHEMA t_t1 CASCADE")
      let report = await bench.fleet.migrate(bench.members(2))
      #expect(report["t0"] == .current)
      #expect(report["t1"] == .migrated(["001-step1.sql"]))
    }
  }

  @Test("what changes of a tenant is done: its durability, its password, its migrations")
  func changes() async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests)
      var members = bench.members(2)
      _ = await bench.fleet.migrate(members)
      members[1] = FleetMember(
        id: "t1", database: "d0", schema: members[1].schema, bounds: .tenant, durability: .async, plan: members[1].plan)
      let report = await bench.fleet.migrate(members)
      #expect(report["t0"] == .current)
      #expect(report["t1"] == .migrated([]))
    }
  }

  @Test("a release that is older than the schemas runs on them; one that is newer is refused until they are migrated")
  func releases() async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests)
      let (old, new) = (bench.members(3), bench.members(3, plan: FleetBench.plan(2)))
      #expect(await bench.fleet.look(old).refusal(of: "t0")?.reason.contains("metropolis apply") == true)
      _ = await bench.fleet.migrate(old)
      let early = await bench.fleet.look(new)
      #expect(early.refusal(of: "t2")?.reason.contains("not been migrated") == true)
      #expect(await bench.fleet.look(old).isComplete)
      _ = await bench.fleet.migrate(new)
      let late = await bench.fleet.look(old)
      #expect(late.count { $0 == .ahead } == 3 && late.refusal(of: "t0") == nil)
      // An old release that would migrate leaves them as they are, and the records too.
      let back = await bench.fleet.migrate(old)
      #expect(back.count { $0 == .ahead } == 3, "\(back.summary)")
      #expect(await bench.fleet.migrate(new).count { $0 == .current } == 3)
    }
  }

  @Test("a lock that someone holds for a while is waited for with pauses; the others go on meanwhile")
  func locked() async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests, workers: 2)
      _ = await bench.fleet.migrate(bench.members(4))
      let heard = Heard()
      let (held, hold) = AsyncStream.makeStream(of: Void.self)
      let (retried, told) = AsyncStream.makeStream(of: Void.self)
      let holder = Task {
        try await tests[0].connect().transaction { transaction in
          _ = try await transaction.query("SELECT 1 FROM t_t1.note")
          hold.finish()
          // Held until the migration has given way once.
          for await _ in retried { break }
        }
      }
      for await _ in held {}
      let members = bench.members(4, plan: FleetBench.plan(2))
      let report = await bench.fleet.migrate(
        members,
        event: { event in
          heard.hear(event)
          if event.event == .retried { told.yield() }
        })
      try await holder.value
      #expect(report.isComplete, "\(report.summary)")
      #expect(heard.events.contains { $0.event == .retried && $0.tenant == "t1" })
      #expect(heard.events.last?.tenant == "t1")
    }
  }

  @Test("a lock that is never given up fails its tenant alone, and says so")
  func lockedForGood() async throws {
    try await withDatabases(1) { tests in
      let patience = Fleet.Patience(
        lockTimeout: .milliseconds(20), attempts: 3, firstDelay: .milliseconds(5), mostDelay: .milliseconds(10))
      let bench = FleetBench(tests, patience: patience)
      _ = await bench.fleet.migrate(bench.members(3))
      let members = bench.members(3, plan: FleetBench.plan(2))
      let report = try await tests[0].connect().transaction { transaction in
        _ = try await transaction.query("SELECT 1 FROM t_t1.note")
        return await bench.fleet.migrate(members)
      }
      #expect(report.failures.map(\.id) == ["t1"])
      #expect(report.refusal(of: "t1")?.file == "002-step2.sql")
      #expect(report["t2"] == .migrated(["002-step2.sql"]))
      #expect(await bench.fleet.migrate(members).isComplete)
    }
  }

  @Test("a server that is away costs its own tenants their turn, nobody else's; they are not refused")
  func away() async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests, patience: .quick)
      var nowhere = tests[0].settings
      nowhere.host = "/tmp/nowhere"
      let fleet = Fleet(
        bench.databases + [
          FleetDatabase(name: "east", settings: nowhere, loop: tests[0].loop, ownsServer: false, password: { _ in "x" })
        ], patience: .quick, logger: tests[0].logger)
      let lost = (0..<50).map { number in
        FleetMember(
          id: "e\(number)", database: "east", schema: Schema("t_e\(number)")!, bounds: .tenant, durability: .sync,
          plan: FleetBench.plan(1))
      }
      let report = await fleet.migrate(bench.members(2) + lost)
      #expect(report.notReached.count == 50 && report.failures.isEmpty)
      #expect(report.refusal(of: "e7") == nil)
      #expect(report["t0"] == .migrated(["001-step1.sql"]))
      #expect(report.summary.contains("e0, e1, e10, e11, e12 and 45 more: database east"))
    }
  }

  @Test("a tenant whose database isn't configured is told, and refused")
  func unknownDatabase() async throws {
    try await withDatabases(1) { tests in
      let bench = FleetBench(tests)
      let member = FleetMember(
        id: "lost", database: "west", schema: Schema("t_lost")!, bounds: .tenant, durability: .sync, plan: FleetBench.plan(1))
      let report = await bench.fleet.migrate([member] + bench.members(1))
      #expect(report.refusal(of: "lost")?.reason == "databases has no west")
      #expect(report["t0"] != nil)
    }
  }

  @Test("progress: rate and time left")
  func progress() {
    let progress = FleetProgress(total: 1_000, done: 417, failed: 1, elapsed: .seconds(10))
    #expect(progress.line == "417 of 1000 schemas, 41/s, 14 s left, 1 failed")
    #expect(FleetProgress(total: 4, done: 4, failed: 0, elapsed: .seconds(2)).line == "4 of 4 schemas, 2.0/s")
    #expect(FleetProgress(total: 4, done: 0, failed: 0, elapsed: .zero).remaining == nil)
  }
}
