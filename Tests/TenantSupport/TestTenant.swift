public import Database
import Foundation
import Jobs
public import Kit
public import Support
import Synchronization
public import TenantKit
public import Web

/// A module on a database of its own, as its login role, with the platform's parts replaced by small ones in memory.
public struct TestTenant<Module: TenantModule>: Sendable {
  public let module: Module
  public let site: Site
  public let schema: Schema
  public let entitlements: CountedEntitlements
  public let clock: TestClock
  /// As the tenant's login role.
  public let database: Database
  public let test: TestDatabase

  public func count(_ table: String) async throws -> Int {
    try await database.one("SELECT count(*) FROM \(schema).\(identifier: table)")!.get(0)
  }

  /// The activities in the outbox, in their order.
  public func activities() async throws -> [JSONValue] {
    try await database.query("SELECT payload FROM \(schema).outbox ORDER BY seq").map { try $0.get(0) }
  }
}

extension TestTenant {
  /// - Parameters:
  ///   - limit: units a person has in a month.
  ///   - plans: those that lift the limit, as the problem `quota-exceeded` names them.
  public static func with(
    site: Site, settings: Module.Settings, library: any ContentLibrary, limit: Int, plans: JSONValue,
    _ body: (TestTenant) async throws -> Void
  ) async throws {
    try await withDatabase { test in
      let schema = Schema(site.id.replacing("-", with: "_"))!
      // The platform's tables come first, as they do in a city.
      let platform = try OutboxTable.migrations
      let own = try Migration.read(Module.resources.filter { $0.key.hasSuffix(".sql") })
        .map { Migration(number: $0.number + platform.count, name: $0.name, sql: $0.sql) }
      let database = try await test.makeSchema(schema, migrations: platform + own)
      let clock = TestClock()
      let entitlements = CountedEntitlements(limit: limit, zone: site.timeZone, plans: plans)
      let services = TenantServices(
        database: database, outbox: TableOutbox(table: OutboxTable(schema: schema, tenant: nil, wake: {})),
        entitlements: entitlements, people: Nobody(), points: NoPoints(), content: library, clock: DomainClock { clock.now })
      let module = Module(tenant: Tenant(id: site.tenant!, site: site, schema: schema), settings: settings, services: services)
      try await body(
        TestTenant(
          module: module, site: site, schema: schema, entitlements: entitlements, clock: clock, database: database, test: test))
      await database.close()
    }
  }
}

public final class TestClock: Sendable {
  private let instant = Mutex(Instant(rfc3339: "2026-11-21T03:00:00Z")!)
  public var now: Instant { instant.withLock { $0 } }
  public func advance(_ duration: Duration) { instant.withLock { $0 = $0 + duration } }
}
