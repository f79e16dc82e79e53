import Database
import Foundation
import Kit
import Logging
import Support
import Synchronization

@testable import Billing

/// The service on a real server, as its login role, on any day one likes.
struct Bench: Sendable {
  static let schema = Schema("billing")!

  let test: TestDatabase
  let database: Database
  let clock: TestClock
  let service: BillingService

  var ledger: Ledger { service.ledger }

  /// The same service as another node has it: with a memory of its own.
  func node(_ catalogue: PlanCatalogue? = nil) -> BillingService {
    Bench.service(database, clock, catalogue ?? service.catalogue)
  }

  func count(_ table: String) async throws -> Int {
    try await database.one("SELECT count(*) FROM \(Bench.schema).\(identifier: table)")!.get(0)
  }

  static func service(_ database: Database, _ clock: TestClock, _ catalogue: PlanCatalogue) -> BillingService {
    BillingService(
      database: database, schema: schema, clock: clock.domain, timeZone: TimeZone(identifier: "Asia/Seoul")!,
      catalogue: catalogue, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }
}

func withBilling(
  _ catalogue: PlanCatalogue = .sample, at now: String = "2026-11-21T00:00:00Z", _ body: (Bench) async throws -> Void
) async throws {
  try await withDatabase { test in
    let database = try await test.makeSchema(
      Bench.schema, migrations: try BillingService.migrations,
      pool: PoolSettings(connections: 12, waitTimeout: .seconds(30)))
    let clock = TestClock(Instant(rfc3339: now)!)
    try await body(
      Bench(test: test, database: database, clock: clock, service: Bench.service(database, clock, catalogue)))
    await database.close()
  }
}

final class TestClock: Sendable {
  private let instant: Mutex<Instant>
  init(_ instant: Instant) { self.instant = Mutex(instant) }
  var domain: DomainClock { DomainClock { self.instant.withLock { $0 } } }
  func set(_ text: String) { instant.withLock { $0 = Instant(rfc3339: text)! } }
}

extension TenantID {
  static let jeju = TenantID("jeju")!
  static let univprep = TenantID("univprep")!
  static let majorprep = TenantID("majorprep")!
  static let dreamseed = TenantID("dreamseed")!
}

extension PersonID {
  static var anyone: PersonID { PersonID(UUID()) }
}

extension PlanCatalogue {
  static let features = ["prep.item": LocalizedText(ko: "문제", en: "item")]
  static let tenants: [(id: TenantID, module: String)] = [
    (.dreamseed, "prep"), (.univprep, "prep"), (.majorprep, "prep"), (.jeju, "town"),
  ]

  /// Three units a month of one shared allowance, and plans that lift it.
  static let sample = make(limit: 3)

  static func make(limit: Int, pool: Grant.Pool = .shared) -> PlanCatalogue {
    PlanCatalogue(
      plans: [
        Plan(
          id: PlanID("free")!, owner: .city, name: LocalizedText(ko: "무료", en: "Free"),
          grants: [.feature("prep.item", at: .module("prep"), .limited(limit, pool: pool))]),
        Plan(
          id: PlanID("premium")!, owner: .city, name: LocalizedText(ko: "프리미엄", en: "Premium"),
          prices: [Money(49_900, .krw), Money(3_999, .usd)],
          grants: [.feature("prep.item", at: .module("prep"), .unlimited)]),
        Plan(
          id: PlanID("student")!, owner: .city, name: LocalizedText(ko: "학생", en: "Student"),
          prices: [Money(19_900, .krw), Money(1_499, .usd)],
          grants: [
            .feature("prep.item", at: .tenants([.dreamseed]), .unlimited),
            .choice(count: 1, of: [.univprep, .majorprep], features: ["prep.item"]),
          ]),
      ], tenants: tenants, features: features)
  }
}
