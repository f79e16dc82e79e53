import Database
import Foundation
import Kit
import Testing

@testable import Billing

/// What happens without anyone's asking.
@Suite struct RenewalTests {
  @Test func aYearOfRenewalsIsBilledAndPaidOnItsDays() async throws {
    try await withShop(at: "2024-01-30T01:00:00Z") { shop in
      try await shop.subscribe(Shop.order("premium"))
      // V2: a day that a month lacks clamps to its last one and returns.
      let days = ["02-29", "03-30", "04-30", "05-30", "06-30", "07-30", "08-30", "09-30", "10-30", "11-30", "12-30"]
      for day in days {
        shop.bench.clock.set("2024-\(day)T00:30:00Z")
        try await shop.billing.tick()
        // The same minute again, on two nodes at once, does nothing.
        let (first, second) = (try await shop.node(), try await shop.node())
        async let once: Void = first.billing.tick()
        async let twice: Void = second.billing.tick()
        _ = try await (once, twice)
      }
      let starts = try await shop.database.query(
        "SELECT period_start FROM \(Bench.schema).renewal ORDER BY period_start"
      ).map { try $0.get("period_start", as: CivilDate.self).description }
      #expect(starts == days.map { "2024-\($0)" })
      #expect(try await shop.invoices().count == 12)
      #expect(try await shop.invoices().allSatisfy { $0.status == .paid })
      #expect(try await shop.invoices().map(\.number).suffix(1) == ["DREAMSEED-KR-2024-000012"])
      #expect(try await shop.balances("receivable", "cash") == [0, 12 * 49_900])
    }
  }

  @Test func holdersKeepTheirPriceUntilTheirDay() async throws {
    // V19: 30 becomes 60 for new subscribers; holders pay 30 in February and 60 from 03-01.
    try await withShop(at: "2021-01-01T01:00:00Z") { shop in
      try await shop.subscribe(Shop.order("premium"))
      let document = try CanonicalJSON.text(
        Plan(
          id: PlanID("premium")!, owner: .city, name: LocalizedText(ko: "프리미엄", en: "Premium"), prices: [Money(99_800, .krw)],
          grants: [.feature("prep.item", at: .module("prep"), .unlimited)]))
      try await shop.database.execute(
        """
        INSERT INTO \(Bench.schema).plan_version (plan, version, document, digest, published_at, holders_from)
        VALUES ('premium', 2, \(JSONText(document)), sha256(convert_to(\(document), 'UTF8')), now(), '2021-03-01')
        """)
      for day in ["2021-02-01T01:00:00Z", "2021-03-01T01:00:00Z"] {
        shop.bench.clock.set(day)
        try await shop.billing.tick()
      }
      #expect(try await shop.invoices().map(\.total.minorUnits) == [49_900, 49_900, 99_800])
      #expect(try await shop.current()?.terms.version == 2)
    }
  }

  @Test func lessComesWithTheNextPeriodAndCanBeTakenBack() async throws {
    try await withShop { shop in
      try await shop.subscribe(Shop.order("premium"))
      guard case .scheduled(let day) = try await shop.change(to: "student", chosen: [.univprep]) else {
        Issue.record("a downgrade waits")
        return
      }
      #expect(day == CivilDate("2026-12-21"))
      #expect(try await shop.current()?.next?.plan == PlanID("student"))
      _ = try await shop.subscriptions.undo(by: shop.person, revision: nil)
      #expect(try await shop.current()?.next == nil)
      await #expect(throws: SubscriptionRefusal.nothingToUndo) {
        _ = try await shop.subscriptions.undo(by: shop.person, revision: nil)
      }
      _ = try await shop.change(to: "student", chosen: [.univprep])
      shop.bench.clock.set("2026-12-21T00:00:00Z")
      try await shop.billing.tick()
      let renewed = try #require(try await shop.current())
      #expect(renewed.terms.plan == PlanID("student") && renewed.terms.chosen == [.univprep])
      #expect(try await shop.invoices().map(\.total.minorUnits) == [49_900, 19_900])
    }
  }

  @Test func aCancelledOneEndsWithItsPeriod() async throws {
    try await withShop { shop in
      try await shop.subscribe(Shop.order("premium"))
      _ = try await shop.subscriptions.cancel(by: shop.person, revision: nil)
      shop.bench.clock.set("2026-12-20T14:59:00Z")  // the last minute of the last day in Seoul
      try await shop.billing.tick()
      #expect(try await shop.current()?.cancels == true)
      #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .univprep) == .unlimited)
      shop.bench.clock.set("2026-12-20T15:00:00Z")
      try await shop.billing.tick()
      #expect(try await shop.current() == nil)
      #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .univprep) != .unlimited)
      #expect(try await shop.invoices().count == 1)
      // And she may come back.
      try await shop.subscribe(Shop.order("student", chosen: [.univprep]))
      #expect(try await shop.current()?.status == .active)
    }
  }

  @Test func anUnpaidOneIsTriedAgainAndGivenUpAtLast() async throws {
    try await withShop(at: "2026-01-01T01:00:00Z") { shop in
      try await shop.subscribe(Shop.order("premium"))
      shop.gateway.decide(.failed, "insufficient_funds")
      shop.bench.clock.set("2026-02-01T01:00:00Z")
      try await shop.billing.tick()
      let due = try #require(try await shop.current())
      #expect(due.status == .pastDue && due.graceUntil == CivilDate("2026-02-16"))
      // V22 with the house's days: 3, 5 and 7 after the failure before.
      for (day, charges) in [("02-03", 1), ("02-04", 2), ("02-05", 2), ("02-09", 3)] {
        shop.bench.clock.set("2026-\(day)T01:00:00Z")
        try await shop.billing.tick()
        #expect(shop.gateway.count(.charge) == charges, "on \(day)")
        #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .univprep) == .unlimited)
      }
      shop.bench.clock.set("2026-02-16T01:00:00Z")
      try await shop.billing.tick()
      #expect(shop.gateway.count(.charge) == 4)
      #expect(try await shop.current() == nil)
      #expect(try await shop.billing.entitlements.check(shop.person, "prep.item", at: .univprep) != .unlimited)
      let invoices = try await shop.invoices()
      #expect(invoices.map(\.kind) == [.invoice, .invoice, .creditNote])
      #expect(invoices.map(\.status) == [.paid, .void, .paid])
      // What was never paid is owed no more, and no tax is owed for it.
      #expect(try await shop.balances("receivable", "cash", "deferred", "vat") == [0, 49_900, 45_364, 4_536])
    }
  }

  @Test func aRetryThatIsPaidGoesOnAsBefore() async throws {
    try await withShop(at: "2026-01-01T01:00:00Z") { shop in
      try await shop.subscribe(Shop.order("premium"))
      shop.gateway.decide(.failed, "insufficient_funds")
      shop.bench.clock.set("2026-02-01T01:00:00Z")
      try await shop.billing.tick()
      shop.gateway.decide(.succeeded)
      shop.bench.clock.set("2026-02-04T01:00:00Z")
      try await shop.billing.tick()
      let recovered = try #require(try await shop.current())
      #expect(recovered.status == .active && recovered.retries == 0)
      #expect(recovered.period == BillingPeriod(start: CivilDate("2026-02-01")!, end: CivilDate("2026-03-01")!))
      #expect(try await shop.balances("receivable", "cash") == [0, 2 * 49_900])
    }
  }

  @Test func aRenewalWhoseProcessEndedBeforeTheChargeIsChargedLater() async throws {
    try await withShop(at: "2026-01-01T01:00:00Z") { shop in
      let subscription = try await shop.subscribe(Shop.order("premium"))
      shop.bench.clock.set("2026-02-01T01:00:00Z")
      guard case .renewed(let invoice?) = try await shop.subscriptions.renew(subscription.id) else {
        Issue.record("it is due")
        return
      }
      #expect(invoice.status == .open)
      #expect(try await shop.balance("receivable") == 49_900)
      shop.bench.clock.set("2026-02-01T01:02:00Z")
      try await shop.node().billing.tick()
      #expect(try await shop.balances("receivable", "cash") == [0, 2 * 49_900])
    }
  }
}
