import Database
import Foundation
import Kit
import Testing

@testable import Billing

/// A subscription from the order to its end, and what the books say of it.
@Suite struct SubscriptionTests {
  @Test func nothingIsBookedOrGrantedBeforeThePayment() async throws {
    try await withShop { shop in
      let payment = try #require(try await shop.start(Shop.order("student", chosen: [.univprep])))
      #expect(payment.amount == Money(19_900, .krw))
      #expect(try await shop.current()?.status == .incomplete)
      #expect(try await shop.invoices().isEmpty)
      #expect(try await shop.bench.count("ledger_entry") == 0)
      #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .univprep) != .unlimited)
    }
  }

  @Test func aPaymentBringsInvoiceGrantsAndPostingsAtOnce() async throws {
    try await withShop { shop in
      // Asked before, so that what is remembered must be forgotten.
      _ = try await shop.billing.entitlements.check(shop.person, "prep.item", at: .univprep)
      let subscription = try await shop.subscribe(Shop.order("student", chosen: [.univprep]))
      #expect(subscription.status == .active)
      #expect(subscription.period == BillingPeriod(start: CivilDate("2026-11-21")!, end: CivilDate("2026-12-21")!))
      let invoice = try #require(try await shop.invoices().first)
      #expect(invoice.number == "DREAMSEED-KR-2026-000001" && invoice.status == .paid)
      // 19,900 holds 1,809 of tax (house policy).
      #expect(invoice.split == TaxSplit(supply: Money(18_091, .krw), tax: Money(1_809, .krw)))
      #expect(try await shop.balances("receivable", "cash", "deferred", "vat") == [0, 19_900, 18_091, 1_809])
      let entitlements = shop.billing.entitlements
      #expect(try await entitlements.check(shop.person, "prep.item", at: .univprep) == .unlimited)
      #expect(try await entitlements.check(shop.person, "prep.item", at: .dreamseed) == .unlimited)
      // Not chosen: the free allowance, shared by all, still governs there.
      guard case .limited(let limit, let used, _) = try await entitlements.check(shop.person, "prep.item", at: .majorprep) else {
        Issue.record("majorprep was not chosen")
        return
      }
      #expect((limit, used) == (3, 0))
    }
  }

  @Test func abroadItIsDollarsWithoutTax() async throws {
    try await withShop { shop in
      try await shop.subscribe(Shop.order("student", chosen: [.majorprep], in: "US"))
      let invoice = try #require(try await shop.invoices().first)
      #expect(invoice.total == Money(1_499, .usd) && invoice.split.tax == Money(0, .usd))
      #expect(try await shop.balances("cash", "deferred", "vat") == [1_499, 1_499, 0])
    }
  }

  @Test func theSameOrderTwiceIsOnePayment() async throws {
    try await withShop { shop in
      let payments = try await withThrowingTaskGroup(of: UUID?.self) { group in
        for _ in 0..<8 { group.addTask { try await shop.node().start(Shop.order("premium"))?.id } }
        return try await group.reduce(into: Set<UUID?>()) { $0.insert($1) }
      }
      #expect(payments.count == 1)
      #expect(try await shop.bench.count("subscription") == 1)
      #expect(try await shop.bench.count("invoice") == 1)
    }
  }

  @Test func anotherOrderTakesTheFirstOnesPlaceAndItsMoneyComesBack() async throws {
    try await withShop { shop in
      let first = try #require(try await shop.start(Shop.order("student", chosen: [.univprep])))
      try await shop.subscribe(Shop.order("premium"))
      #expect(try await shop.current()?.terms.plan == PlanID("premium"))
      // The first page was still open in another tab, and is paid there.
      shop.gateway.pay(first.id)
      _ = try await shop.billing.payments.look(at: first.id)
      shop.bench.clock.set("2026-11-21T00:10:00Z")
      try await shop.billing.tick()
      #expect(shop.gateway.count(.refund) == 1)
      #expect(try await shop.balances("receivable", "cash") == [0, 49_900])
      #expect(try await shop.invoices().count == 1)
      await #expect(throws: SubscriptionRefusal.alreadySubscribed) { try await shop.start(Shop.order("premium")) }
    }
  }

  @Test(arguments: [
    (["plan": "student"], SubscriptionRefusal.choiceMissing), (["plan": "student", "chosen": "jeju"], .choiceOutsideOffer),
    (["plan": "premium", "chosen": "univprep"], .choiceNotOffered), (["plan": "gold"], .unknownPlan),
    (["plan": "free"], .unknownPlan),
    (["plan": "family", "every": "year"], .notSoldSo),
  ]) func anOrderThatIsNotOffered(_ asked: [String: String], _ refusal: SubscriptionRefusal) async throws {
    let chosen: [TenantID] = asked["chosen"].flatMap { TenantID($0) }.map { [$0] } ?? []
    let order = Shop.order(asked["plan"] ?? "", asked["every"] == "year" ? .year : .month, chosen: chosen)
    try await withShop { shop in
      await #expect(throws: refusal) { try await shop.start(order) }
      let invoices = try await shop.bench.count("invoice")
      #expect(invoices == 0)
    }
  }

  @Test func moreIsHadAtOnceForWhatWasPreviewed() async throws {
    try await withShop(at: "2024-02-01T00:00:00Z") { shop in
      try await shop.subscribe(Shop.order("student", chosen: [.univprep]))
      shop.bench.clock.set("2024-02-12T03:00:00Z")
      let preview = try await shop.subscriptions.preview(of: shop.person, to: PlanID("premium")!, every: .month, chosen: [])
      // 18 of 29 days are left (V10): 19,900 → 12,352, 49,900 → 30,972.
      guard case .now(let quote) = preview.moment else {
        Issue.record("an upgrade is made now")
        return
      }
      #expect(quote.lines.map(\.amount.minorUnits) == [-12_352, 30_972])
      #expect(preview.payable == Money(18_620, .krw))
      guard case .done = try await shop.change(to: "premium") else {
        Issue.record("the saved card is charged")
        return
      }
      let changed = try #require(try await shop.current())
      #expect(changed.terms.plan == PlanID("premium") && changed.anchor == CivilDate("2024-02-01"))
      #expect(changed.period?.end == CivilDate("2024-03-01"))
      #expect(try await shop.invoices().map(\.total.minorUnits) == [19_900, 18_620])
      #expect(try await shop.balances("receivable", "cash") == [0, 38_520])
      #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .majorprep) == .unlimited)
    }
  }

  @Test func anotherIntervalBeginsAnewAndWhatIsLeftIsCredited() async throws {
    try await withShop(at: "2026-01-15T00:00:00Z") { shop in
      try await shop.subscribe(Shop.order("student", .month, chosen: [.univprep]))
      shop.bench.clock.set("2026-01-20T00:00:00Z")
      _ = try await shop.change(to: "student", .year, chosen: [.univprep])
      let changed = try #require(try await shop.current())
      #expect(changed.anchor == CivilDate("2026-01-20") && changed.period?.end == CivilDate("2027-01-20"))
      // 26 of 31 days of 19,900 are left: 16,690.
      #expect(try await shop.invoices().last?.total == Money(199_000 - 16_690, .krw))
    }
  }

  @Test func aDeclinedUpgradeChangesNothing() async throws {
    try await withShop { shop in
      try await shop.subscribe(Shop.order("student", chosen: [.univprep]))
      let before = try await shop.current()
      shop.gateway.decide(.failed, "card_declined")
      await #expect(throws: SubscriptionRefusal.declined) { _ = try await shop.change(to: "premium") }
      #expect(try await shop.current() == before)
      #expect(try await shop.invoices().count == 1)
      #expect(try await shop.balance("cash") == 19_900)
      // With a card that works it goes through.
      shop.gateway.decide(.succeeded)
      _ = try await shop.change(to: "premium")
      #expect(try await shop.current()?.terms.plan == PlanID("premium"))
    }
  }

  @Test func twoDevicesChangeWhatTheySaw() async throws {
    try await withShop { shop in
      let seen = try await shop.subscribe(Shop.order("student", chosen: [.univprep]))
      let outcomes = await withTaskGroup(of: Bool.self) { group in
        for plan in ["premium", "family", "premium", "family"] {
          group.addTask { (try? await shop.node().change(to: plan, revision: seen.revision)) != nil }
        }
        return await group.reduce(into: [Bool]()) { $0.append($1) }
      }
      #expect(outcomes.contains(true))
      // Whatever was asked: one change was made, and one was paid.
      #expect(try await shop.invoices().count == 2)
      #expect(try await shop.balance("receivable") == 0)
      let paid = try await shop.invoices().reduce(0) { $0 + $1.total.minorUnits }
      #expect(try await shop.balance("cash") == paid)
      await #expect(throws: SubscriptionRefusal.changedMeanwhile) {
        _ = try await shop.change(to: "student", chosen: [.majorprep], revision: seen.revision)
      }
    }
  }

  @Test func theChoiceChangesOnceAPeriod() async throws {
    try await withShop { shop in
      try await shop.subscribe(Shop.order("student", chosen: [.univprep]))
      _ = try await shop.subscriptions.choose([.majorprep], by: shop.person, revision: nil)
      #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .majorprep) == .unlimited)
      #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .univprep) != .unlimited)
      await #expect(throws: SubscriptionRefusal.choiceChangedBefore) {
        _ = try await shop.subscriptions.choose([.univprep], by: shop.person, revision: nil)
      }
      shop.bench.clock.set("2026-12-21T01:00:00Z")
      try await shop.billing.tick()
      _ = try await shop.subscriptions.choose([.univprep], by: shop.person, revision: nil)
      #expect(try await shop.current()?.terms.chosen == [.univprep])
    }
  }
}
