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

/// What is counted over the store: use, a person's progress, a tenant's figures.
@Suite struct UsageTests {
  private static let schema = Schema("records")!

  /// A store whose clock stands where a test puts it.
  private final class Bench: Sendable {
    let database: Database
    let service: RecordsService
    private let clock: Clock

    final class Clock: Sendable {
      private let instant: Mutex<Instant>
      init(_ now: Instant) { instant = Mutex(now) }
      var now: Instant {
        get { instant.withLock { $0 } }
        set { instant.withLock { $0 = newValue } }
      }
    }

    init(_ database: Database, now: Instant) {
      self.database = database
      let clock = Clock(now)
      self.clock = clock
      service = RecordsService(
        database: database, schema: UsageTests.schema, city: { TestCity.map }, clock: DomainClock { clock.now },
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func stand(at time: Instant) { clock.now = time }

    /// Records an act that came to the store at `stored`.
    func record(
      _ person: PersonID, _ verb: String = "answered", in tenant: String? = "jeju", at occurred: Instant, stored: Instant? = nil,
      path: String = "/items/1", success: Bool? = nil, times: Int = 1
    ) async throws {
      let events = (0..<times).map { _ in
        Event(
          id: UUID.v7(), type: "activity.recorded", tenant: tenant.flatMap { TenantID($0) }, occurred: occurred,
          payload: TestCity.activity(person, verb, path: path, success: success))
      }
      let now = clock.now
      clock.now = stored ?? occurred
      try await service.apply(events)
      clock.now = now
    }

    func usage(_ from: Instant, _ to: Instant, before: Instant, page: Int = 10_000) async throws -> [Use] {
      var uses: [Use] = []
      try await service.usage(from: from, to: to, happenedBefore: before, page: page) { uses.append(Use($0, $1.text, $2)) }
      return uses
    }
  }

  private struct Use: Hashable {
    let person: PersonID
    let tenant: String
    let count: Int
    init(_ person: PersonID, _ tenant: String, _ count: Int) {
      (self.person, self.tenant, self.count) = (person, tenant, count)
    }
  }

  private func withBench(now: Instant = .morning, _ body: (Bench) async throws -> Void) async throws {
    try await withDatabase { test in
      let database = try await test.makeSchema(UsageTests.schema, migrations: try RecordsService.migrations)
      try await body(Bench(database, now: now))
      await database.close()
    }
  }

  private func time(_ text: String) -> Instant { Instant(rfc3339: text)! }

  @Test func useIsCountedByPersonAndTenantInOrderWhateverThePage() async throws {
    try await withBench { bench in
      let october = (time("2026-10-01T00:00:00Z"), time("2026-11-01T00:00:00Z"), time("2026-11-04T00:00:00Z"))
      var expected: [Use] = []
      for number in 0..<6 {
        let person = PersonID(UUID.v7())
        for (tenant, count) in [("jeju", 1 + number), ("univprep", 3)] {
          try await bench.record(person, in: tenant, at: october.0 + .hours(number), times: count)
          expected.append(Use(person, tenant, count))
        }
        // In the month that is read beside it, but no use of this one.
        try await bench.record(person, at: october.1 + .hours(1), times: 4)
        try await bench.record(person, at: october.2 + .hours(1), times: 2)
      }
      // Only here, and on the city's own site: nobody's use.
      try await bench.record(PersonID(UUID.v7()), at: october.1 + .hours(2), times: 3)
      try await bench.record(PersonID(UUID.v7()), in: nil, at: october.0 + .hours(2), times: 3)
      expected.sort { ($0.person.description, $0.tenant) < ($1.person.description, $1.tenant) }
      for page in [1, 2, 3, 7, 45, 10_000] {
        #expect(try await bench.usage(october.0, october.2, before: october.1, page: page) == expected, "\(page)")
      }
      #expect(try await bench.usage(october.2, october.2, before: october.1).isEmpty)
      #expect(try await bench.usage(october.2, october.0, before: october.1).isEmpty)
    }
  }

  @Test func whatComesLateCountsUntilTheCloseAndThenInTheNextMonth() async throws {
    try await withBench { bench in
      let person = PersonID(UUID.v7())
      let (end, close) = (time("2026-10-31T15:00:00Z"), time("2026-11-03T15:00:00Z"))
      try await bench.record(person, at: end - .microseconds(1), stored: close - .microseconds(1))
      try await bench.record(person, at: end - .microseconds(1), stored: close)
      try await bench.record(person, at: end, stored: end)
      let october = try await bench.usage(time("2026-10-03T15:00:00Z"), close, before: end)
      #expect(october == [Use(person, "jeju", 1)])
      let november = try await bench.usage(close, time("2026-12-03T15:00:00Z"), before: time("2026-11-30T15:00:00Z"))
      #expect(november == [Use(person, "jeju", 1)], "late by more than three days")
      // What happened in November before October's close is November's; its finance asks for it by that.
      let between = try await bench.usage(end, close, before: time("2026-11-30T15:00:00Z"))
      #expect(between == [Use(person, "jeju", 2)])
    }
  }

  @Test func aCountIsExplainedByItsStatements() async throws {
    try await withBench { bench in
      let (person, other) = (PersonID(UUID.v7()), PersonID(UUID.v7()))
      let (from, end, to) = (time("2026-10-01T00:00:00Z"), time("2026-11-01T00:00:00Z"), time("2026-11-04T00:00:00Z"))
      try await bench.record(person, at: from, path: "/items/1")
      try await bench.record(other, at: from + .hours(1), path: "/items/2")
      try await bench.record(person, in: "univprep", at: from + .hours(1))
      try await bench.record(person, at: end - .hours(1), stored: to - .hours(1), path: "/items/3")
      try await bench.record(person, at: end + .hours(1), path: "/items/4")
      try await bench.record(PersonID(UUID.v7()), at: from, path: "/items/5")
      func paths(_ people: [PersonID], before: Instant? = end, limit: Int = 100) async throws -> [String] {
        let tenant = TenantID("jeju")!
        return try await bench.service.statements(
          of: people, at: tenant, stored: from..<to, happenedBefore: before, limit: limit
        ).map { String($0.entry.object.suffix(1)) }
      }
      #expect(try await paths([person, other]) == ["1", "2", "3"])
      #expect(try await paths([person, other], limit: 2) == ["1", "2"])
      #expect(try await paths([person]) == ["1", "3"])
      #expect(try await paths([person], before: nil) == ["1", "4", "3"])
      #expect(try await paths([]).isEmpty)
      let all = try await bench.service.statements(of: [person, other], at: TenantID("jeju")!, stored: from..<to)
      #expect(all.map(\.person) == [person, other, person, person])
      #expect(all[0].entry.objectName(.en) == "Where to park?")
    }
  }

  @Test func progressIsCountedByTenantAndByTheCitysDays() async throws {
    // 2026-11-21 09:00 in Seoul.
    try await withBench { bench in
      let person = PersonID(UUID.v7())
      // Half past eleven in the evening and half past midnight in Seoul are two days, though one of UTC.
      let (evening, night) = (time("2026-11-19T14:30:00Z"), time("2026-11-19T15:30:00Z"))
      try await bench.record(person, in: "univprep", at: evening, success: true)
      try await bench.record(person, in: "univprep", at: night, success: false)
      try await bench.record(person, in: "univprep", at: night + .minutes(1), success: true)
      try await bench.record(person, "completed", in: "univprep", at: night + .minutes(2), path: "/lessons/1", times: 2)
      try await bench.record(person, "completed", in: "univprep", at: evening, path: "/lessons/1")
      try await bench.record(person, "completed", in: "univprep", at: evening, path: "/lessons/2")
      try await bench.record(person, "asked", at: time("2026-11-20T23:00:00Z"))
      // Before the first midnight, and another's.
      try await bench.record(person, in: "univprep", at: time("2026-11-14T14:59:59Z"), success: true)
      try await bench.record(PersonID(UUID.v7()), in: "univprep", at: evening)

      let progress = try await bench.service.progress(of: person, days: 7)
      #expect(progress.tenants.map(\.tenant) == ["jeju", "univprep"])
      let prep = progress.tenants[1]
      #expect(prep.activities == 7 && prep.answered == 3 && prep.correct == 2)
      #expect(prep.lessonsCompleted == 2 && prep.activeDays == 2 && prep.lastActivity == night + .minutes(2))
      let town = progress.tenants[0]
      #expect(town.activities == 1 && town.answered == 0 && town.lessonsCompleted == 0 && town.activeDays == 1)
      #expect(progress.days.map(\.activities) == [0, 0, 0, 0, 3, 4, 1])
      #expect(progress.days.first?.day == CivilDate("2026-11-15") && progress.days.last?.day == CivilDate("2026-11-21"))
      #expect(progress.activities == 8 && progress.activeDays == 3)
      #expect(try await bench.service.progress(of: person, days: 8).activities == 9)

      let nobody = try await bench.service.progress(of: PersonID(UUID.v7()), days: 0)
      #expect(nobody.tenants.isEmpty && nobody.days.map(\.activities) == [0])
      #expect(try await bench.service.progress(of: person, days: 100_000).days.count == 366)
    }
  }

  @Test func aTenantsFiguresAreThereForEveryDay() async throws {
    try await withBench { bench in
      let (person, other) = (PersonID(UUID.v7()), PersonID(UUID.v7()))
      try await bench.record(person, at: time("2026-11-19T15:30:00Z"), times: 3)
      try await bench.record(other, at: time("2026-11-20T14:00:00Z"))
      try await bench.record(other, at: time("2026-11-20T15:00:00Z"))
      try await bench.record(other, in: "univprep", at: time("2026-11-20T14:00:00Z"))
      let figures = try await bench.service.figures(at: TenantID("jeju")!, days: 3)
      #expect(figures.map(\.day.description) == ["2026-11-19", "2026-11-20", "2026-11-21"])
      #expect(figures.map(\.people) == [0, 2, 1])
      #expect(figures.map(\.activities) == [0, 4, 1])
      #expect(try await bench.service.figures(at: TenantID("nowhere")!, days: 1).map(\.activities) == [0])
    }
  }

  @Test func useIsReadFromTheIndexInOrder() async throws {
    try await withBench { bench in
      try await bench.record(PersonID(UUID.v7()), at: .morning, times: 50)
      let plan = try await bench.database.transaction { transaction in
        try await transaction.execute("SET LOCAL enable_seqscan = off")
        try await transaction.execute("SET LOCAL enable_sort = off")
        return try await transaction.query(
          """
          EXPLAIN (COSTS OFF) SELECT person, tenant, seq, stored, timestamp FROM \(UsageTests.schema).statement
          WHERE stored >= '2026-11-01T00:00:00Z' AND stored < '2026-12-01T00:00:00Z'
            AND (person, tenant, seq) > ('80000000-0000-0000-0000-000000000000', 'jeju', 5)
          ORDER BY person, tenant, seq LIMIT 10000
          """
        ).map { try $0.get(0, as: String.self) }
      }
      #expect(plan.contains { $0.contains("Index Only Scan") } && !plan.contains { $0.contains("Sort") }, "\(plan)")
    }
  }
}
