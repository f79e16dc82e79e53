import Database
import Foundation
import Kit
import Logging
import Support
import Synchronization
import Testing

@testable import Billing

/// The books on a real server: invoices of any day, uses of any time, and months that pass as the test says.
struct FinanceBench: Sendable {
  static let entity = "dreamseed-kr"
  static let zone = TimeZone(identifier: "Asia/Seoul")!

  let bench: Bench
  let usage: ScriptedUsage
  let finance: FinanceService

  var database: Database { bench.database }
  var schema: Schema { Bench.schema }
  var now: Instant { bench.clock.domain.now() }

  /// The same on another node, with other rules.
  func node(_ rules: ShareRules = ShareRules()) -> FinanceService { FinanceBench.service(bench, usage, rules) }

  static func service(_ bench: Bench, _ usage: ScriptedUsage, _ rules: ShareRules) -> FinanceService {
    FinanceService(
      database: bench.database, schema: Bench.schema, ledger: bench.ledger,
      export: LedgerExport(
        database: bench.database, schema: Bench.schema, clock: bench.clock.domain, timeZone: zone, seller: entity),
      clock: bench.clock.domain, timeZone: zone, rules: { rules },
      earners: { [.dreamseed: entity, .univprep: entity, .majorprep: "major-kr"] }, usage: usage, statements: usage,
      audit: bench.service.audit, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Noon of a day in Seoul.
  func go(to day: String) { bench.clock.set("\(day)T03:00:00Z") }

  func account(_ country: String = "KR", owner: PersonID = .anyone) async throws -> BillingAccount {
    try await database.transaction { transaction in
      try await AccountStore(schema: schema).open(
        for: owner, country: country, timeZone: FinanceBench.zone, at: now, in: transaction)
    }
  }

  struct Line: Sendable {
    var plan = "student"
    let from: String
    /// Half-open.
    let to: String
    /// With tax.
    let amount: Int64
    var tenants: [TenantID] = [.dreamseed]
  }

  var store: InvoiceStore {
    InvoiceStore(schema: schema, ledger: bench.ledger, entity: FinanceBench.entity, timeZone: FinanceBench.zone)
  }

  /// Issues an invoice now, for a subscription that has ended since.
  @discardableResult
  func invoice(_ account: BillingAccount, _ lines: [Line], in outer: Transaction? = nil) async throws -> UUID {
    let issue: @Sendable (Transaction) async throws -> UUID = { transaction in
      let (now, subscription) = (self.now, UUID.v7(at: self.now))
      try await transaction.execute(
        """
        INSERT INTO \(schema).subscription
          (id, account, status, plan, plan_version, every, currency, anchor, created_at, ended_at, end_reason)
        VALUES (\(subscription), \(account.id), 'ended', 'student', 1, 'month', \(account.currency.rawValue), '2026-01-01',
          \(now), \(now), 'canceled')
        """)
      return try await store.issue(
        for: account, subscription: subscription, reason: .start, lines: lines.map { line($0, account) },
        credit: Money(0, account.currency), now: now, in: transaction
      ).id
    }
    if let outer { return try await issue(outer) }
    return try await database.transaction { try await issue($0) }
  }

  private func line(_ line: Line, _ account: BillingAccount) -> InvoiceLine {
    InvoiceLine(
      kind: line.amount < 0 ? .credit : .plan, plan: PlanID(line.plan)!, version: 1,
      period: BillingPeriod(start: CivilDate(line.from)!, end: CivilDate(line.to)!),
      split: .inclusive(Money(line.amount, account.currency), rate: .consumer(in: account.country)), tenants: line.tenants)
  }

  // MARK: What is to be seen

  /// What was recognised in a month, by the days booked.
  func recognised(_ month: String, _ currency: Currency = .usd) async throws -> Int64 {
    let month = Month(month)!
    return try await database.one(
      """
      SELECT coalesce(sum(amount), 0)::bigint FROM \(schema).recognition
      WHERE day BETWEEN \(month.first) AND \(month.last) AND currency = \(currency.rawValue)
      """)!.get(0)
  }

  func balance(_ account: LedgerAccount) async throws -> Int64 { try await bench.ledger.balance(account).settled.minorUnits }
  func deferred(_ currency: Currency = .usd) async throws -> Int64 {
    try await balance(.deferred(entity: FinanceBench.entity, currency))
  }
  func revenue(_ tenant: TenantID, _ currency: Currency = .usd) async throws -> Int64 {
    try await balance(.revenue(of: tenant, entity: FinanceBench.entity, currency))
  }

  /// `tenant amount rule uses` of a month, in the order of tenants.
  func shares(_ month: String, of account: BillingAccount? = nil) async throws -> [String] {
    try await database.query(
      """
      SELECT tenant, amount, rule, uses FROM \(schema).revenue_share
      WHERE month = \(Month(month)!.first) AND (\(account?.id) IS NULL OR account = \(account?.id)) ORDER BY tenant, invoice, line
      """
    ).map {
      "\(try $0.get("tenant", as: String.self)) \(try $0.get("amount", as: Int64.self)) \(try $0.get("rule", as: String.self)) \(try $0.get("uses", as: Int64.self))"
    }
  }

  /// What differs between invoices, days, postings and shares.
  func differences(_ month: String) async throws -> [MonthDifference] {
    try await finance.differences(in: Month(month)!, executor: database)
  }
}

/// Uses that a test made up.
final class ScriptedUsage: UsageSource, StatementSource {
  struct Use: Sendable {
    let person: PersonID
    let tenant: TenantID
    let statement: UsedStatement
  }
  private let uses = Mutex<[Use]>([])

  /// - Parameter stored: when it came to the record; at once when left out.
  func add(_ person: PersonID, _ tenant: TenantID, _ count: Int = 1, at happened: String, stored: String? = nil) {
    let instant = Instant(rfc3339: happened)!
    let arrived = stored.map { Instant(rfc3339: $0)! } ?? instant
    uses.withLock { uses in
      for _ in 0..<count {
        uses.append(
          Use(
            person: person, tenant: tenant,
            statement: UsedStatement(
              id: UUID(), verb: "answered", object: LocalizedText(ko: "문제", en: "An item"), happened: instant, stored: arrived)))
      }
    }
  }

  func usage(
    from: Instant, to: Instant, happenedBefore: Instant, each: @Sendable (PersonID, TenantID, Int) async throws -> Void
  ) async throws {
    struct Key: Hashable {
      let person: PersonID
      let tenant: TenantID
    }
    var counts: [Key: Int] = [:]
    for use in uses.withLock({ $0 })
    where use.statement.stored >= from && use.statement.stored < to && use.statement.happened < happenedBefore {
      counts[Key(person: use.person, tenant: use.tenant), default: 0] += 1
    }
    for (key, count) in counts { try await each(key.person, key.tenant, count) }
  }

  func statements(
    of people: [PersonID], at tenant: TenantID, stored: Range<Instant>, happenedBefore: Instant, limit: Int
  ) async throws -> [UsedStatement] {
    uses.withLock { $0 }.filter {
      people.contains($0.person) && $0.tenant == tenant && stored.contains($0.statement.stored)
        && $0.statement.happened < happenedBefore
    }.map(\.statement).sorted { $0.stored < $1.stored }.prefix(limit).map(\.self)
  }
}

func withFinance(
  _ rules: ShareRules = ShareRules(), at now: String = "2026-01-01T03:00:00Z", _ body: (FinanceBench) async throws -> Void
) async throws {
  try await withBilling(at: now) { bench in
    try await bench.service.prepare()
    let usage = ScriptedUsage()
    try await body(FinanceBench(bench: bench, usage: usage, finance: FinanceBench.service(bench, usage, rules)))
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
