import Database
import Foundation
import Kit
import Logging
import Support
import Synchronization
import Testing

@testable import Billing

/// Payments on a real server, with a gateway that does as it is told and invoices that take note of being paid.
struct PaymentBench: Sendable {
  static let entity = "dreamseed"

  let database: Database
  let clock: TestClock
  let gateway: ScriptedGateway
  let settler: NotingSettler
  let ledger: Ledger
  let service: PaymentService
  let account = UUID.v7()
  let owner = PersonID(UUID())

  /// The service as it is after a restart, or on another node.
  func restarted(_ gateway: (any PaymentGateway)? = nil) -> PaymentService {
    let service = PaymentService(
      database: database, schema: Bench.schema, ledger: ledger, gateway: gateway ?? self.gateway, entity: PaymentBench.entity,
      clock: clock.domain, wallClock: clock.domain, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    service.connect(settler)
    return service
  }

  func wait(_ duration: Duration) { clock.set((clock.domain.now() + duration).rfc3339) }

  /// Lets minutes pass, a new process in each, until nothing is left to be looked at; a quarter of an hour at most.
  func reconcileUntilQuiet() async throws {
    for _ in 0..<15 {
      wait(.minutes(1))
      try await restarted().reconcile()
    }
  }

  func checkout(_ invoice: UUID, _ amount: Money = Money(19_900, .krw), by service: PaymentService? = nil) async throws -> Payment
  {
    try await (service ?? self.service).checkout(
      invoice: invoice, account: account, amount: amount, description: "Student",
      returnURL: { "http://city.localhost:8080/payments/\($0.text)/return" }, language: .ko)
  }

  func charge(_ invoice: UUID, _ amount: Money = Money(19_900, .krw)) async throws -> Payment? {
    try await service.charge(invoice: invoice, account: account, amount: amount)
  }

  /// An invoice that waits for its payment.
  func invoice(_ amount: Money = Money(19_900, .krw)) async throws -> UUID {
    let (schema, now) = (Bench.schema, clock.domain.now())
    let (id, subscription) = (UUID.v7(at: now), UUID.v7(at: now))
    try await database.transaction { transaction in
      try await transaction.execute(
        """
        INSERT INTO \(schema).subscription
          (id, account, status, plan, plan_version, every, currency, anchor, created_at, ended_at, end_reason)
        VALUES (\(subscription), \(account), 'ended', 'student', 1, 'month', \(amount.currency.rawValue), '2026-11-21', \(now),
          \(now), 'canceled')
        """)
      try await transaction.execute(
        """
        INSERT INTO \(schema).invoice
          (id, account, subscription, entity, kind, reason, currency, country, status, total, supply, tax, created_at)
        VALUES (\(id), \(account), \(subscription), \(PaymentBench.entity), 'invoice', 'start', \(amount.currency.rawValue), 'KR',
          'draft', \(amount.minorUnits), \(amount.minorUnits), 0, \(now))
        """)
    }
    return id
  }

  /// A card that was saved by a first payment.
  func saveCard(_ card: GatewayPayment.Method = ScriptedGateway.card) async throws {
    let payment = try await checkout(try await invoice())
    gateway.pay(payment.id, card: card)
    #expect(try await service.look(at: payment.id).state == .succeeded)
  }

  // MARK: What is to be seen

  func count(_ table: String) async throws -> Int {
    try await database.one("SELECT count(*) FROM \(Bench.schema).\(identifier: table)")!.get(0)
  }

  func entries(_ prefix: String) async throws -> Int {
    try await database.one("SELECT count(*) FROM \(Bench.schema).ledger_entry WHERE key LIKE \(prefix + ":%")")!.get(0)
  }

  func cash(_ currency: Currency = .krw, at gateway: String = "scripted") async throws -> Int64 {
    try await ledger.balance(.cash(at: gateway, entity: PaymentBench.entity, currency)).settled.minorUnits
  }

  func receivable(_ currency: Currency = .krw) async throws -> Int64 {
    try await ledger.balance(.receivable(of: account, currency)).settled.minorUnits
  }

  /// Cash and receivable.
  func books() async throws -> [Int64] { [try await cash(), try await receivable()] }

  func refunds() async throws -> [(state: String, amount: Int64, reason: String)] {
    try await database.query("SELECT state, amount, reason FROM \(Bench.schema).refund ORDER BY id").map {
      (try $0.get("state"), try $0.get("amount"), try $0.get("reason"))
    }
  }

  /// Times an invoice was settled, by what the settler wrote in the payments' own transactions.
  func settled(_ invoice: UUID) async throws -> Int { try await effects(invoice, "paid") }
  func failures(_ invoice: UUID) async throws -> Int { try await effects(invoice, "failed") }
  func abandonments(_ invoice: UUID) async throws -> Int { try await effects(invoice, "abandoned") }

  private func effects(_ invoice: UUID, _ kind: String) async throws -> Int {
    try await database.one(
      "SELECT count(*) FROM \(Bench.schema).applied_event WHERE handler LIKE \("\(kind):\(invoice.text):%")")!.get(0)
  }
}

/// Writes down each call within the payment's transaction: a row that stays only if the transaction does.
final class NotingSettler: InvoiceSettling {
  struct Trouble: Error {}
  let isWanted = Mutex(true)
  /// How often `paid` throws after it has written.
  let troubles = Mutex(0)

  func paid(_ invoice: UUID, by payment: Payment, in transaction: Transaction) async throws -> Settlement {
    try await note("paid", invoice, transaction)
    let fails = troubles.withLock { left in
      guard left > 0 else { return false }
      left -= 1
      return true
    }
    if fails { throw Trouble() }
    return isWanted.withLock { $0 } ? .settled : .unwanted
  }

  func failed(_ invoice: UUID, payment: Payment, in transaction: Transaction) async throws {
    try await note("failed", invoice, transaction)
  }

  func abandoned(_ invoice: UUID, payment: Payment, in transaction: Transaction) async throws {
    try await note("abandoned", invoice, transaction)
  }

  private func note(_ kind: String, _ invoice: UUID, _ transaction: Transaction) async throws {
    try await transaction.execute(
      """
      INSERT INTO \(Bench.schema).applied_event (event, handler, applied_at)
      VALUES (\(UUID()), \("\(kind):\(invoice.text):\(UUID().text)"), \(Instant.now))
      """)
  }
}

func withPayments(_ body: (PaymentBench) async throws -> Void) async throws {
  try await withDatabase { test in
    let database = try await test.makeSchema(
      Bench.schema, migrations: try BillingService.migrations,
      pool: PoolSettings(connections: 12, waitTimeout: .seconds(30)))
    let clock = TestClock(Instant(rfc3339: "2026-11-21T00:00:00Z")!)
    let zone = TimeZone(identifier: "Asia/Seoul")!
    let ledger = Ledger(
      database: database, schema: Bench.schema, clock: clock.domain, timeZone: zone,
      audit: AuditTrail(database: database, schema: Bench.schema))
    let (gateway, settler) = (ScriptedGateway(), NotingSettler())
    let service = PaymentService(
      database: database, schema: Bench.schema, ledger: ledger, gateway: gateway, entity: PaymentBench.entity,
      clock: clock.domain, wallClock: clock.domain, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    service.connect(settler)
    let bench = PaymentBench(
      database: database, clock: clock, gateway: gateway, settler: settler, ledger: ledger, service: service)
    let now = clock.domain.now()
    try await database.execute(
      "INSERT INTO \(Bench.schema).plan (id, owner, published_at) VALUES ('student', 'city', \(now))")
    try await database.execute(
      """
      INSERT INTO \(Bench.schema).plan_version (plan, version, document, digest, published_at)
      VALUES ('student', 1, '{}', sha256('x'), \(now))
      """)
    try await database.execute(
      """
      INSERT INTO \(Bench.schema).billing_account (id, owner, currency, country, time_zone, opened_at)
      VALUES (\(bench.account), \(bench.owner), 'KRW', 'KR', 'Asia/Seoul', \(now))
      """)
    try await body(bench)
    await database.close()
  }
}
