import Database
import Foundation
import Kit
import Support
import Testing

@testable import Metropolis

/// The merge through a real database: what was recorded is the base, what consoles wrote is live.
@Suite("The configuration in the database") struct ConfigurationStoreTests {
  private typealias Sample = ConfigurationSample
  private static let template = DatabaseTemplate("configuration") { test in
    try await Provisioner(admin: test.database).ensureExtensions(["pg_trgm"])
    _ = try await test.makeSchema(.platform, migrations: try ConfigurationStore.migrations)
    for (schema, migrations) in try City.coreSchemas where schema == .billing {
      _ = try await test.makeSchema(schema, migrations: migrations)
    }
  }

  private func withStore<R: Sendable>(_ body: (ConfigurationStore, TestDatabase) async throws -> R) async throws -> R {
    try await withDatabase(ConfigurationStoreTests.template) { test in try await body(ConfigurationStore(test.database), test) }
  }

  private func plan(
    _ file: String, _ test: TestDatabase, take side: ConfigurationMerge.Side? = nil
  ) async throws -> ConfigurationPlan {
    try ConfigurationPlan.make(
      reading: file, file: "city.yaml", applied: try await AppliedConfiguration.read(from: test.database), take: side)
  }

  /// What apply does, but for schemas and plans.
  @discardableResult
  private func apply(
    _ file: String, _ test: TestDatabase, take side: ConfigurationMerge.Side? = nil
  ) async throws -> Int {
    let plan = try await plan(file, test, take: side)
    try plan.assertApplicable()
    return try await plan.record(in: ConfigurationStore(test.database))
  }

  private let share = ConfigurationPath(["flags", "new-search", "share"])

  @Test("a database without tables has nothing applied")
  func empty() async throws {
    try await withDatabase { test in
      let (applied, plan) = (try await AppliedConfiguration.read(from: test.database), try await plan(Sample.yaml, test))
      #expect(applied.version == 0 && plan.hasChanges)
    }
  }

  @Test("what is applied is what nodes follow, word for word; the same again is no version")
  func applying() async throws {
    try await withStore { store, test in
      #expect(try await apply(Sample.yaml, test) == 1)
      #expect(try await apply("# Another comment\n" + Sample.yaml, test) == 1)
      #expect(try await apply(Sample.withGangneung(), test) == 2)
      let newest = try #require(try await store.newest())
      #expect(newest.number == 2 && newest.kind == .file && newest.changedBy == nil)
      #expect(newest.live == Sample.withGangneung() && newest.file == newest.live)
      #expect(try await store.versions(limit: 10).map(\.number) == [2, 1])
      #expect(abs((Instant.now - newest.applied) / .seconds(1)) < 60)
    }
  }

  @Test("every version is told to who listens")
  func notifying() async throws {
    try await withStore { store, test in
      var looks = test.database.listen(on: ConfigurationStore.channel).makeAsyncIterator()
      // The first says that it listens.
      _ = await looks.next()
      try await apply(Sample.yaml, test)
      _ = await looks.next()
      _ = try await store.change([share: .scalar("0")], by: "operator", file: "console")
      _ = await looks.next()
      #expect(try await store.newest()?.number == 2)
    }
  }

  @Test("two who decided on the same version: the second must look again")
  func stale() async throws {
    try await withStore { store, test in
      try await apply(Sample.yaml, test)
      let (one, other) = (try await plan(Sample.withGangneung(), test), try await plan(Sample.replacing("입시", "시험"), test))
      #expect(try await one.record(in: store) == 2)
      await #expect(throws: ConfigurationStore.Stale.self) { try await other.record(in: store) }
      #expect(try await store.newest()?.number == 2)
    }
  }

  @Test("the console's change is live at once, stays over files that say nothing of it, and meets those that do")
  func console() async throws {
    try await withStore { store, test in
      try await apply(Sample.yaml, test)
      #expect(try await store.change([share: .scalar("0")], by: "operator", file: "console") == 2)
      // Again: nothing changes.
      #expect(try await store.change([share: .scalar("0")], by: "operator", file: "console") == 2)
      let live = try Sample.read(try #require(try await store.newest()).live)
      #expect(live.flags["new-search"]?.share == 0)

      // The same file, and one that changes something else: it stays.
      #expect(try await apply(Sample.yaml, test) == 2)
      #expect(try await apply(Sample.withGangneung(), test) == 3)
      let merged = try #require(try await store.newest())
      #expect(merged.file == Sample.withGangneung() && merged.live != merged.file)
      #expect(try Sample.read(merged.live).flags["new-search"]?.share == 0)
      #expect(try Sample.read(merged.live).tenants.count == 3)
      // It stays over the next one, too: the base is the file, not what was made of it.
      #expect(try await !plan(Sample.withGangneung(), test).hasChanges)

      // The file says something else now.
      let file = Sample.withGangneung(Sample.replacing("share: 10", "share: 50"))
      let refused = try await plan(file, test)
      #expect(refused.merge.conflicts.map(\.path) == [share] && !refused.isApplicable)
      #expect(try await apply(file, test, take: .console) == 4)
      #expect(try Sample.read(try #require(try await store.newest()).live).flags["new-search"]?.share == 0)
      // Decided once, it is not asked again; and the file has the next word.
      #expect(try await !plan(file, test).hasChanges)
      let last = Sample.withGangneung(Sample.replacing("share: 10", "share: 60"))
      #expect(try await plan(last, test).merge.conflicts.map(\.path) == [share])
      #expect(try await apply(last, test, take: .file) == 5)
      #expect(try await store.newest()?.live == last)
    }
  }

  @Test("who changed what in the console is known until a file is applied over it")
  func edits() async throws {
    try await withStore { store, test in
      try await apply(Sample.yaml, test)
      _ = try await store.change([share: .scalar("20")], by: "kim", file: "console")
      _ = try await store.change([share: .scalar("30")], by: "lee", file: "console")
      let state = ConfigurationPath(["tenants", "jeju", "state"])
      _ = try await store.change([state: .scalar("disabled")], by: "park", file: "console")
      let applied = try await AppliedConfiguration.read(from: test.database)
      #expect(applied.edit(at: share)?.by == "lee" && applied.edit(at: state)?.by == "park")
      #expect(applied.edit(at: ConfigurationPath(["plans", "free"])) == nil)
      // Back to what the file says: removed is removed.
      _ = try await store.change([state: nil], by: "park", file: "console")
      #expect(try await plan(Sample.yaml, test).merge.kept.map(\.path) == [share])
    }
  }

  @Test("the console can't write a document that isn't right")
  func wrong() async throws {
    try await withStore { store, test in
      try await apply(Sample.yaml, test)
      await #expect(throws: ConfigMistakes.self) {
        try await store.change([ConfigurationPath(["tenants", "jeju", "state"]): .scalar("closed")], by: "x", file: "console")
      }
      #expect(try await store.newest()?.number == 1)
    }
  }

  @Test("four consoles at once: every change is there, each a version")
  func manyConsoles() async throws {
    try await withStore { store, test in
      try await apply(Sample.yaml, test)
      let paths = [
        ["city", "summary"], ["tenants", "jeju", "summary"], ["tenants", "univprep", "summary"],
        ["flags", "new-search", "share"],
      ]
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, path) in paths.enumerated() {
          group.addTask {
            _ = try await store.change([ConfigurationPath(path): .scalar("\(index + 1)")], by: "x", file: "console")
          }
        }
        try await group.waitForAll()
      }
      let live = try ConfigValue(yaml: try #require(try await store.newest()).live, file: "live")
      #expect(try await store.newest()?.number == 5)
      for (index, path) in paths.enumerated() { #expect(live[path] == .scalar("\(index + 1)")) }
    }
  }

  @Test("a database of the release before is read; what it applied is the base")
  func earlierRelease() async throws {
    try await withDatabase { test in
      let first = try ConfigurationStore.migrations.filter { $0.number == 1 }
      _ = try await test.makeSchema(.platform, migrations: first)
      let digest = [UInt8](repeating: 0, count: 32)
      try await test.database.execute(
        "INSERT INTO platform.configuration_version (version, document, digest) VALUES (3, \(Sample.yaml), \(digest))")
      let applied = try await AppliedConfiguration.read(from: test.database)
      #expect(applied.version == 3 && applied.file == Sample.yaml && applied.text == Sample.yaml && applied.edits.isEmpty)
      #expect(try await !plan(Sample.yaml, test).hasChanges)
    }
  }

  // MARK: Plans of the console

  /// As the console publishes: a version of `won` of the file's plan, or a plan of its own.
  private func publish(_ plan: String, won: Int, version: Int, origin: String, in test: TestDatabase) async throws {
    let document = """
      {"id":"\(plan)","owner":"univprep","name":{"ko":"SAT 캠프"},"prices":[{"currency":"KRW","minorUnits":\(won)}],\
      "every":"month","seats":1,"grants":[{"feature":"prep.item","tenants":["univprep"],"unlimited":true}]}
      """
    try await test.database.execute(
      """
      INSERT INTO billing.plan (id, owner, published_at, origin) VALUES (\(plan), 'univprep', now(), \(origin))
      ON CONFLICT (id) DO NOTHING
      """)
    try await test.database.execute(
      """
      INSERT INTO billing.plan_version (plan, version, document, digest, published_at, origin, published_by)
      VALUES (\(plan), \(version), \(JSONText(document)), sha256(convert_to(\(document), 'UTF8')), now(),
        \(version == 1 ? origin : "console"), 'kim')
      """)
  }

  private let price = ConfigurationPath(["plans", "sat-camp", "price", "KRW"])

  @Test("a version an operator published of the file's plan is live: it stays, until the file changes that plan, too")
  func planOfTheFile() async throws {
    try await withStore { store, test in
      try await apply(Sample.yaml, test)
      try await publish("sat-camp", won: 9_000, version: 1, origin: "file", in: test)
      #expect(try await !plan(Sample.yaml, test).hasChanges)
      try await publish("sat-camp", won: 8_000, version: 2, origin: "file", in: test)

      // The unchanged file, and one that changes another plan or another member of this one.
      let same = try await plan(Sample.yaml, test)
      #expect(!same.hasChanges && same.merge.kept.map(\.path) == [price] && same.asserted.isEmpty)
      let elsewhere = try await plan(Sample.replacing("limit: 100", "limit: 120"), test)
      #expect(elsewhere.isApplicable && elsewhere.configuration.text.contains("KRW: 8000"))
      let renamed = try await plan(Sample.replacing("name: SAT 캠프", "name: SAT 집중 캠프"), test)
      #expect(renamed.isApplicable && renamed.asserted.isEmpty)
      #expect(renamed.configuration.text.contains("SAT 집중 캠프") && renamed.configuration.text.contains("KRW: 8000"))

      // Another price in the file: a conflict that names the operator.
      let file = Sample.replacing("KRW: 9000", "KRW: 9900")
      let refused = try await plan(file, test)
      #expect(refused.merge.conflicts.map(\.path) == [price] && refused.merge.conflicts[0].live == .scalar("8000"))
      #expect(ConfigurationReport(plan: refused, isColoured: false).text.contains("console  8000  (by kim, "))
      let byFile = try await plan(file, test, take: .file)
      #expect(byFile.asserted.map { "\($0)" } == ["sat-camp"] && byFile.configuration.text == file)
      let byConsole = try await plan(file, test, take: .console)
      #expect(byConsole.asserted.isEmpty && byConsole.configuration.text.contains("KRW: 8000"))
      // The same price as the console's, in other words: nothing to decide.
      let caughtUp = try await plan(Sample.replacing("price: {KRW: 9000}", "price:\n      KRW: \"8000\""), test)
      #expect(!caughtUp.hasChanges && caughtUp.isApplicable && caughtUp.hasNewFile)
      // Removed in the file while the console changed it.
      let gone = Sample.yaml.replacing(/\ \ sat-camp:\n(    .*\n)+/, with: "")
      #expect(try await plan(gone, test).merge.conflicts.map(\.path.description) == ["plans.sat-camp"])
    }
  }

  @Test("a plan only the console has stays its own; one the file adds under its id is a conflict")
  func planOfTheConsole() async throws {
    try await withStore { store, test in
      try await apply(Sample.yaml, test)
      try await publish("univprep-plus", won: 5_000, version: 1, origin: "console", in: test)
      let same = try await plan(Sample.yaml, test)
      #expect(!same.hasChanges && same.isApplicable && same.configuration.text == Sample.yaml)
      #expect(same.merge.kept.map(\.path.description) == ["plans.univprep-plus"])

      func adding(_ won: Int) -> String {
        Sample.replacing(
          "flags:\n",
          """
            univprep-plus:
              owner: univprep
              name: SAT 캠프
              price: {KRW: \(won)}
              grants: [{feature: prep.item, tenants: [univprep], unlimited: true}]
          flags:

          """)
      }
      #expect(try await plan(adding(6_000), test).merge.conflicts.map(\.path.description) == ["plans.univprep-plus.price.KRW"])
      let byFile = try await plan(adding(6_000), test, take: .file)
      #expect(byFile.isApplicable && byFile.asserted.map { "\($0)" } == ["univprep-plus"])
      let byConsole = try await plan(adding(6_000), test, take: .console)
      #expect(byConsole.isApplicable && byConsole.asserted.isEmpty && !byConsole.configuration.text.contains("univprep-plus"))
      // Added in both alike: the file's from now on.
      let both = try await plan(adding(5_000), test)
      #expect(both.isApplicable && both.asserted.map { "\($0)" } == ["univprep-plus"])
    }
  }
}
