import Database
import Foundation
import Jobs
import Kit
import Logging
import Synchronization

@testable import Billing

/// Billing on a private server, as the city has it: under its login role, with the city's pools, durable.
struct Bench: Sendable {
  static let schema = Schema("billing")!
  static let tenant = TenantID("univprep")!
  /// Free, without end, and three times.
  static let (endless, scarce, unlimited) = ("prep.item", "prep.exam", "prep.hint")
  /// As many persons and accounts take turns, so that they rarely wait for each other.
  static let persons = 1_000

  let admin: Database
  let database: Database
  /// A client of its own with as many connections.
  let connect: @Sendable (_ connections: Int) -> Database
  let clock: BenchClock
  let billing: BillingService
  let server: EmbeddedServer

  /// - Parameter connections: of the pool; pgbench has as many.
  init(data: String, connections: Int) async throws {
    var logger = Logger(label: "bench") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    server = try await EmbeddedServer.attachOrStart(data: data, logger: logger)
    let loop = DatabaseLoop()
    admin = Database(server.settings, pool: PoolSettings(connections: 2), name: "admin", logger: logger, loop: loop)
    let owner = Provisioner.roleName(database: server.settings.database, schema: Bench.schema, .owner)
    let login = Provisioner.roleName(database: server.settings.database, schema: Bench.schema, .login)
    try await Provisioner(admin: admin).provision(
      schema: Bench.schema, ownerRole: owner, loginRole: login, password: "bench",
      bounds: RoleBounds(connections: 100, usesAdvisoryLocks: true))
    let migrator = Migrator(admin: admin, logger: logger)
    try await migrator.migrate(
      schema: Bench.schema, ownerRole: owner, loginRole: login, migrations: try OutboxTable.migrations,
      journal: Schema("platform_migrations")!)
    try await migrator.migrate(
      schema: Bench.schema, ownerRole: owner, loginRole: login, migrations: try BillingService.migrations)
    let settings = server.settings.with(user: login, password: "bench")
    connect = { [logger] connections in
      Database(
        settings, pool: PoolSettings(connections: connections, waitTimeout: .seconds(30)), name: Bench.schema.name,
        logger: logger, loop: loop)
    }
    database = connect(connections)
    clock = BenchClock()
    billing = BillingService(
      database: database, schema: Bench.schema, clock: clock.domain, timeZone: TimeZone(identifier: "Asia/Seoul")!,
      catalogue: Bench.catalogue,
      selling: BillingService.Selling(
        sellers: [Seller(id: "seller", name: "판매자", country: "KR")], seller: "seller", earners: [:],
        gateway: GenerousGateway(), gatewayOrigins: []),
      outbox: OutboxTable(schema: Bench.schema, tenant: nil, wake: {}), logger: logger)
    try await billing.prepare()
  }

  func stop() async {
    await database.close()
    await admin.close()
    await server.stop()
  }

  /// A person, or an account, by her number: 1 is …0001.
  static func id(_ number: Int) -> UUID { ids[number] }

  private static let ids = (0...persons).map { number in
    let digits = String(number, radix: 16)
    return UUID(uuidString: "00000000-0000-0000-0000-" + String(repeating: "0", count: 12 - digits.count) + digits)!
  }

  private static var catalogue: PlanCatalogue {
    PlanCatalogue(
      plans: [
        Plan(
          id: PlanID("free")!, owner: .city, name: LocalizedText(ko: "무료"),
          grants: [
            .feature(endless, at: .module("prep"), .limited(1_000_000_000, pool: .shared)),
            .feature(scarce, at: .module("prep"), .limited(3, pool: .shared)),
            .feature(unlimited, at: .module("prep"), .unlimited),
          ]),
        Plan(
          id: PlanID("student")!, owner: .city, name: LocalizedText(ko: "학생"), prices: [Money(19_900, .krw)],
          grants: [.choice(count: 1, of: [tenant], features: [unlimited])]),
      ], tenants: [(tenant, "prep")],
      features: [endless, scarce, unlimited].reduce(into: [:]) { $0[$1] = LocalizedText(ko: $1) })
  }
}

/// The machine's clock, until it is set.
final class BenchClock: Sendable {
  private let set = Mutex<Instant?>(nil)
  var domain: DomainClock { DomainClock { self.set.withLock { $0 } ?? .now } }
  func stand(at instant: Instant?) { set.withLock { $0 = instant } }
}

/// Takes every charge at once, in memory.
struct GenerousGateway: PaymentGateway {
  let name = "memory"

  func charge(_ request: ChargeRequest) async throws(GatewayFailure) -> GatewayPayment {
    GatewayPayment(
      id: "pay_\(request.reference.text)", reference: request.reference, amount: request.amount, state: .succeeded,
      failure: nil, method: nil)
  }
  func checkout(_ request: CheckoutRequest) async throws(GatewayFailure) -> GatewayCheckout { throw .notDone("no_pages") }
  func payments(reference: UUID) async throws(GatewayFailure) -> [GatewayPayment] { [] }
  func refund(_ payment: String, amount: Money, reference: UUID) async throws(GatewayFailure) -> GatewayRefund {
    throw .notDone("no_refunds")
  }
  func event(body: Data, header: (String) -> String?, now: Instant) -> GatewayEvent? { nil }
}
