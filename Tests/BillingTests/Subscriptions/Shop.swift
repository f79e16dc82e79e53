import Database
import Foundation
import Kit
import Logging

@testable import Billing

/// A city that sells, on any day one likes, with a gateway that does what a test says.
struct Shop: Sendable {
  let bench: Bench
  let gateway: ScriptedGateway
  let billing: BillingService
  let person: PersonID

  var subscriptions: SubscriptionService { billing.subscriptions }
  var database: Database { bench.database }

  /// The same shop as another node has it.
  func node() async throws -> Shop {
    let billing = Shop.service(bench, gateway)
    try await billing.live.refresh()
    return Shop(bench: bench, gateway: gateway, billing: billing, person: person)
  }

  fileprivate static func service(_ bench: Bench, _ gateway: ScriptedGateway) -> BillingService {
    BillingService(
      database: bench.database, schema: Bench.schema, clock: bench.clock.domain, timeZone: TimeZone(identifier: "Asia/Seoul")!,
      catalogue: .shop,
      selling: BillingService.Selling(
        sellers: [Seller(id: "dreamseed-kr", name: "드림시드 주식회사", country: "KR")], seller: "dreamseed-kr", earners: [:],
        gateway: gateway, gatewayOrigins: []),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  static func order(
    _ plan: String, _ every: BillingInterval = .month, chosen: [TenantID] = [], in country: String = "KR"
  ) -> SubscriptionService.Order {
    SubscriptionService.Order(plan: PlanID(plan)!, every: every, chosen: chosen, country: country)
  }

  @discardableResult
  func start(_ order: SubscriptionService.Order, by person: PersonID? = nil) async throws -> Payment? {
    try await subscriptions.start(
      order, by: person ?? self.person, description: "test", returnURL: { "https://city.example/payments/\($0.text)/return" },
      language: .ko)
  }

  /// Orders and pays, as most people do.
  @discardableResult
  func subscribe(_ order: SubscriptionService.Order, by person: PersonID? = nil) async throws -> Subscription {
    if let payment = try await start(order, by: person) {
      gateway.pay(payment.id, card: ScriptedGateway.card(of: payment.account))
      _ = try await billing.payments.look(at: payment.id)
    }
    return try await current(person)!
  }

  func change(
    to plan: String, _ every: BillingInterval = .month, chosen: [TenantID] = [], revision: Int64? = nil
  ) async throws -> SubscriptionService.ChangeOutcome {
    let seen = if let revision { revision } else { try await current()!.revision }
    return try await subscriptions.change(
      of: person, to: PlanID(plan)!, every: every, chosen: chosen, revision: seen, description: "test",
      returnURL: { $0.text }, language: .ko)
  }

  func current(_ person: PersonID? = nil) async throws -> Subscription? {
    guard let account = try await subscriptions.account(of: person ?? self.person) else { return nil }
    return try await subscriptions.current(of: account.id, in: database)
  }

  /// What her invoices come to, oldest first.
  func invoices(_ person: PersonID? = nil) async throws -> [Invoice] {
    guard let account = try await subscriptions.account(of: person ?? self.person) else { return [] }
    return try await subscriptions.invoices.invoices(of: account.id, before: nil, limit: 1_000, in: database).reversed()
  }

  /// The balance of an account of the ledger in its own direction, by the beginning of its code.
  func balance(_ code: String) async throws -> Int64 {
    let row = try await database.one(
      """
      SELECT coalesce(sum(CASE WHEN a.kind IN ('asset', 'expense') THEN p.amount ELSE -p.amount END), 0)::bigint AS sum
      FROM \(Bench.schema).ledger_posting AS p JOIN \(Bench.schema).ledger_account AS a ON a.id = p.account
      WHERE a.code LIKE \(code + "%")
      """)
    return try row!.get("sum")
  }

  func balances(_ codes: String...) async throws -> [Int64] {
    var found: [Int64] = []
    for code in codes { found.append(try await balance(code)) }
    return found
  }
}

func withShop(at now: String = "2026-11-21T00:00:00Z", _ body: (Shop) async throws -> Void) async throws {
  try await withBilling(.shop, at: now) { bench in
    let gateway = ScriptedGateway()
    let shop = Shop(bench: bench, gateway: gateway, billing: Shop.service(bench, gateway), person: .anyone)
    try await shop.billing.prepare()
    try await body(shop)
    let trial = try await shop.billing.ledger.trialBalance()
    guard trial.isBalanced else { throw Unbalanced(trial: trial) }
  }
}

struct Unbalanced: Error { let trial: Ledger.TrialBalance }

extension ScriptedGateway {
  /// A card of an account's own: a token belongs to one.
  static func card(of account: UUID) -> GatewayPayment.Method {
    GatewayPayment.Method(token: "pm_\(account.text)", brand: "visa", last4: "4242", expiryMonth: 12, expiryYear: 2030)
  }
}

extension PlanCatalogue {
  /// Free, Student with a choice, Premium and Family, monthly and yearly.
  static let shop = PlanCatalogue(
    plans: [
      Plan(
        id: PlanID("free")!, owner: .city, name: LocalizedText(ko: "무료", en: "Free"),
        grants: [.feature("prep.item", at: .module("prep"), .limited(3, pool: .shared))]),
      Plan(
        id: PlanID("student")!, owner: .city, name: LocalizedText(ko: "학생", en: "Student"),
        prices: [Money(19_900, .krw), Money(1_499, .usd)], yearly: [Money(199_000, .krw), Money(14_990, .usd)],
        grants: [
          .feature("prep.item", at: .tenants([.dreamseed]), .unlimited),
          .choice(count: 1, of: [.univprep, .majorprep], features: ["prep.item"]),
        ]),
      Plan(
        id: PlanID("premium")!, owner: .city, name: LocalizedText(ko: "프리미엄", en: "Premium"),
        prices: [Money(49_900, .krw), Money(3_999, .usd)], yearly: [Money(499_000, .krw), Money(39_990, .usd)],
        grants: [.feature("prep.item", at: .module("prep"), .unlimited)]),
      Plan(
        id: PlanID("family")!, owner: .city, name: LocalizedText(ko: "가족", en: "Family"),
        prices: [Money(79_900, .krw), Money(5_999, .usd)], seats: 3,
        grants: [.feature("prep.item", at: .module("prep"), .unlimited)]),
    ], tenants: tenants, features: features)
}
