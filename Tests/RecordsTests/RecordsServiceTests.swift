import Database
import Foundation
import Jobs
import Kit
import Logging
import Support
import Synchronization
import Testing
import Web

@testable import Records

/// The store on a real server, as its login role.
@Suite struct RecordsServiceTests {
  private static let schema = Schema("records")!

  private struct Bench: Sendable {
    let test: TestDatabase
    let database: Database
    let service: RecordsService

    func count(_ table: String) async throws -> Int {
      try await database.one("SELECT count(*) FROM \(schema).\(identifier: table)")!.get(0)
    }
  }

  private func withService(now: Instant = .morning, _ body: (Bench) async throws -> Void) async throws {
    try await withDatabase { test in
      let database = try await test.makeSchema(RecordsServiceTests.schema, migrations: try RecordsService.migrations)
      let service = RecordsService(
        database: database, schema: RecordsServiceTests.schema, city: { TestCity.map }, clock: DomainClock { now },
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      try await body(Bench(test: test, database: database, service: service))
      await database.close()
    }
  }

  private func event(
    _ person: PersonID, _ verb: String = "asked", in tenant: String = "jeju", at occurred: Instant = .morning,
    id: UUID = .v7(), payload: JSONValue? = nil
  ) -> Event {
    Event(
      id: id, type: "activity.recorded", tenant: TenantID(tenant), occurred: occurred,
      payload: payload ?? TestCity.activity(person, verb))
  }

  @Test func anEventIsRecordedOnceHoweverOftenItComes() async throws {
    try await withService { bench in
      let person = PersonID(UUID.v7())
      let events = (0..<5).map { _ in event(person) }
      try await bench.service.apply(events + events)
      try await bench.service.apply(events)
      try await withThrowingTaskGroup { group in
        for _ in 0..<8 { group.addTask { try await bench.service.apply(events + [event(person, id: events[0].id)]) } }
        try await group.waitForAll()
      }
      #expect(try await bench.count("statement") == 5)
      #expect(try await bench.count("statement_key") == 5)
    }
  }

  @Test func theSameIdInAnotherTenantIsAnotherStatement() async throws {
    try await withService { bench in
      let person = PersonID(UUID.v7())
      let id = UUID.v7()
      try await bench.service.apply([event(person, id: id), event(person, in: "univprep", id: id)])
      #expect(try await bench.count("statement") == 2)
    }
  }

  @Test func columnsSayWhatTheDocumentSays() async throws {
    try await withService { bench in
      let person = PersonID(UUID.v7())
      let occurred = Instant.morning + .microseconds(456)
      try await bench.service.apply([
        event(
          person, at: occurred, payload: TestCity.activity(person, "answered", score: 0.25, success: false))
      ])
      let row = try #require(try await bench.database.one("SELECT * FROM \(RecordsServiceTests.schema).statement"))
      #expect(try row.get("tenant", as: String.self) == "jeju")
      #expect(try row.get("person", as: PersonID.self) == person)
      #expect(try row.get("verb", as: String.self) == "http://adlnet.gov/expapi/verbs/answered")
      #expect(try row.get("object", as: String.self) == "http://jeju.localhost:8080/questions/1")
      #expect(try row.get("timestamp", as: Instant.self) == occurred)
      #expect(try row.get("stored", as: Instant.self) == .morning)
      #expect(try row.get("success", as: Bool.self) == false)
      #expect(try row.get("score", as: Double.self) == 0.25)
      let document = try JSONDecoder().decode(JSONValue.self, from: Data(try row.get("payload", as: String.self).utf8))
      #expect(document["timestamp"]?.string == "2026-11-21T00:00:00.000456Z")
    }
  }

  @Test func aTimelineGoesOverAllTenantsByTimeThenIdNewestFirst() async throws {
    try await withService { bench in
      let person = PersonID(UUID.v7())
      // Recorded in another order than done, and two of them at the same time.
      let times: [Int64] = [3, 1, 2, 2, 5, 4]
      let events = times.enumerated().map { index, second in
        event(person, in: index % 2 == 0 ? "jeju" : "univprep", at: .morning + .seconds(second))
      }
      try await bench.service.apply(events + [event(PersonID(UUID.v7()))])
      let expected = events.sorted { ($0.occurred, $0.id.text) > ($1.occurred, $1.id.text) }.map(\.id)

      let whole = try await bench.service.timeline(person)
      #expect(whole.entries.map(\.id) == expected)
      #expect(Set(whole.entries.map(\.tenant)) == ["jeju", "univprep"])
      #expect(whole.next == nil)

      var found: [UUID] = []
      var cursor: TimelineCursor?
      repeat {
        let page = try await bench.service.timeline(person, before: cursor, limit: 2)
        #expect(page.entries.count == 2)
        found += page.entries.map(\.id)
        cursor = page.next
      } while cursor != nil
      #expect(found == expected)
    }
  }

  @Test func aBadEventIsRefusedAndNothingOfItsBatchIsStored() async throws {
    try await withService { bench in
      let person = PersonID(UUID.v7())
      let bad = event(person, payload: ["person": .string("\(person)")])
      await #expect(throws: InvalidActivity(member: "verb")) { try await bench.service.apply([event(person), bad]) }
      await #expect(throws: UnknownTenant.self) { try await bench.service.apply([event(person, in: "nowhere")]) }
      let count = try await bench.count("statement")
      #expect(count == 0)
    }
  }

  @Test func whoIsErasedStaysErased() async throws {
    try await withService { bench in
      let (person, other) = (PersonID(UUID.v7()), PersonID(UUID.v7()))
      let events = [event(person), event(person, in: "univprep"), event(other)]
      try await bench.service.apply(events)
      #expect(try await bench.service.export(person)["statements"] != .array([]))

      #expect(try await bench.service.erase(person) == ["statement": 2])
      #expect(try await bench.service.export(person) == ["statements": []])
      #expect(try await bench.service.timeline(other).entries.count == 1)

      // The events come again, and one that was on its way.
      try await bench.service.apply(events + [event(person)])
      #expect(try await bench.service.timeline(person).entries.isEmpty)
      #expect(try await bench.count("statement") == 1)
      #expect(try await bench.count("statement_key") == 4)
      let left = try await bench.database.query(
        "SELECT 1 FROM \(RecordsServiceTests.schema).statement_key WHERE seq IS NULL")
      #expect(left.count == 3)
      #expect(try await bench.service.erase(person) == ["statement": 0])
    }
  }

  @Test func erasingBesideRecordingLeavesNothing() async throws {
    try await withService { bench in
      let person = PersonID(UUID.v7())
      try await withThrowingTaskGroup { group in
        for _ in 0..<20 { group.addTask { try await bench.service.apply([event(person), event(person)]) } }
        group.addTask { _ = try await bench.service.erase(person) }
        try await group.waitForAll()
      }
      #expect(try await bench.count("statement") == 0)
    }
  }

  @Test func partitionsAreMadeAheadOnce() async throws {
    try await withService { bench in
      let far = Instant(rfc3339: "2031-12-31T23:59:59Z")!
      #expect(try await bench.service.ensurePartitions(now: far, months: 2) == 2)
      #expect(try await bench.service.ensurePartitions(now: far, months: 3) == 1)
      let names = try await bench.database.query(
        """
        SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = '\(RecordsServiceTests.schema).statement'::regclass AND c.relname >= 'statement_203'
        ORDER BY 1
        """
      ).map { try $0.get(0, as: String.self) }
      #expect(names == ["statement_203112", "statement_203201", "statement_203202"])
      await #expect(throws: DatabaseError.self) { try await bench.service.ensurePartitions(now: far, months: 25) }
    }
  }

  @Test func manyMayMakePartitionsAtOnce() async throws {
    try await withService { bench in
      let far = Instant(rfc3339: "2031-01-01T00:00:00Z")!
      let made = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<4 { group.addTask { try await bench.service.ensurePartitions(now: far, months: 12) } }
        return try await group.reduce(0, +)
      }
      #expect(made == 12)
    }
  }

  @Test func aMonthNobodyPreparedIsPreparedByItsFirstStatement() async throws {
    let turn = Instant(rfc3339: "2035-07-31T23:59:59.999Z")!
    try await withService(now: turn) { bench in
      let person = PersonID(UUID.v7())
      try await bench.service.apply([event(person, at: turn)])
      let part = try await bench.database.one(
        "SELECT tableoid::regclass::text FROM \(RecordsServiceTests.schema).statement")?.get(0, as: String.self)
      #expect(part == "records.statement_203507")
    }
  }

  @Test func theLoginRoleCanMakeNoOtherTable() async throws {
    try await withService { bench in
      await #expect(throws: DatabaseError.self) {
        try await bench.database.execute("CREATE TABLE \(RecordsServiceTests.schema).mine (id int)")
      }
    }
  }

  @Test func aPanelThatFailsOrHangsIsLeftOut() async {
    struct Broken: Error {}
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let failed: Int? = await panel("a", logger: logger) { throw Broken() }
    let late: Int? = await panel("b", logger: logger, deadline: .milliseconds(20)) {
      try await Task.sleep(for: .seconds(60))
      return 1
    }
    let good: Int? = await panel("c", logger: logger) { 1 }
    #expect(failed == nil)
    #expect(late == nil)
    #expect(good == 1)
  }
}
