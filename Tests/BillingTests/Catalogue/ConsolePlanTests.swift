import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// Plans that an operator writes in the console.
@Suite struct ConsolePlanTests {
  private let operatorID = "0198f6d0-0000-7000-8000-000000000001"

  private func plan(
    _ id: String = "univprep-sat", owner: PlanOwner = .tenant(.univprep), name: String = "SAT 집중",
    prices: [Money] = [Money(9_900, .krw)], every: BillingInterval = .month, yearly: [Money] = [], seats: Int = 1,
    grants: [Grant] = [.feature("prep.item", at: .tenants([.univprep]), .unlimited)]
  ) -> Plan {
    Plan(
      id: PlanID(id)!, owner: owner, name: LocalizedText(ko: name), prices: prices, every: every, yearly: yearly,
      seats: seats, grants: grants)
  }

  private func mistakes(_ plan: Plan) -> [String] {
    TenantPlanRules.mistakes(in: plan, of: .univprep, in: .sample).map { "\($0.name) \($0.code)" }
  }

  @Test func aTenantsPlanGrantsItsOwnFeaturesForAPrice() {
    #expect(mistakes(plan()) == [])
    #expect(mistakes(plan(yearly: [Money(99_000, .krw)])) == [])
    #expect(mistakes(plan("premium-x")) == ["id type"])
    #expect(mistakes(plan(owner: .city)) == ["owner choice"])
    #expect(mistakes(plan(owner: .tenant(.dreamseed))) == ["owner choice"])
    #expect(mistakes(plan(prices: [])) == ["price required"])
    #expect(mistakes(plan(prices: [Money(0, .krw), Money(-1, .usd)])) == ["price.KRW outOfRange", "price.USD outOfRange"])
    #expect(mistakes(plan(prices: [Money(5, .points)])) == ["price.PTS choice"])
    #expect(mistakes(plan(prices: [Money(5, .krw), Money(6, .krw)])) == ["price tooMany"])
    #expect(mistakes(plan(yearly: [Money(0, .krw)])) == ["yearly.KRW outOfRange"])
    #expect(mistakes(plan(yearly: [Money(900, .usd)])) == ["yearly choice"])
    #expect(mistakes(plan(every: .year, yearly: [Money(900, .krw)])) == ["yearly choice"])
    #expect(mistakes(plan(seats: 0)) == ["seats outOfRange"])
    #expect(mistakes(plan(name: " ")) == ["name.ko required"])
    #expect(mistakes(plan(name: String(repeating: "가", count: 61))) == ["name.ko tooLong"])
    #expect(mistakes(plan(name: "a\u{0}b")) == ["name.ko controlCharacters"])
    #expect(mistakes(plan(grants: [])) == ["grants required"])
    let wrong: [Grant] = [
      .feature("town.ask", at: .tenants([.univprep]), .unlimited),
      .feature("prep.item", at: .tenants([.univprep, .dreamseed]), .unlimited),
      .feature("prep.item", at: .module("prep"), .limited(0, pool: .tenant)),
      .choice(count: 1, of: [.univprep, .dreamseed], features: ["prep.item"]),
    ]
    #expect(
      mistakes(plan(grants: wrong)) == [
        "grants[0].feature choice", "grants[1].tenants choice", "grants[2].tenants choice", "grants[2].limit outOfRange",
        "grants[3].choose choice",
      ])
  }

  @Test func aDraftBecomesAVersionAndAnotherPriceAnotherOne() async throws {
    try await withBilling { bench in
      let (store, live, now) = (bench.service.plans, bench.service.live, bench.clock.domain.now())
      try await bench.service.prepare()
      let lines = try await bench.service.audit.verify().last
      let catalogue = live.current()
      let (first, second) = (plan(), plan(prices: [Money(12_900, .krw)]))
      try await store.draft(first, by: operatorID, in: catalogue, now: now)
      var stored = try await store.plans(ownedBy: .tenant(.univprep))
      #expect(stored.map(\.draft) == [first] && stored[0].current == nil && !stored[0].isOnSale)
      try await live.refresh()
      #expect(live.current().plan(first.id) == nil)

      let published = try await store.publish(plan: first.id, of: .univprep, by: operatorID, in: catalogue, now: now)
      #expect(published == PlanStore.Published(plan: first.id, version: 1, isNew: true))
      // Twice clicked: the version there is.
      let again = try await store.publish(plan: first.id, of: .univprep, by: operatorID, in: catalogue, now: now)
      #expect(again == PlanStore.Published(plan: first.id, version: 1, isNew: false))
      try await live.refresh()
      #expect(live.current().onSale.last == first && live.current().versions[first.id] == 1)
      #expect(live.current().versions.count == 4)

      try await store.draft(plan(name: "다른 이름"), by: operatorID, in: catalogue, now: now)
      try await store.draft(second, by: operatorID, in: catalogue, now: now)
      stored = try await store.plans(ownedBy: .tenant(.univprep))
      #expect(stored.map(\.draft) == [second] && stored[0].current?.plan == first && stored[0].isOnSale)
      try await store.publish(plan: first.id, of: .univprep, by: operatorID, in: catalogue, now: now)
      try await live.refresh()
      #expect(live.current().onSale.last == second && live.current().versions[first.id] == 2)
      // Who bought the first has it still.
      #expect(try await live.plan(first.id, version: 1) == first)
      #expect(live.versionInForce(first.id, held: 1, on: CivilDate("2030-01-01")!) == 1)
      #expect(try await store.versions(of: first.id).map(\.version) == [2, 1])
      #expect(try await bench.service.audit.verify().last == lines + 2)
    }
  }

  @Test func theFileDoesNotWithdrawWhatTheConsoleSells() async throws {
    try await withBilling { bench in
      let (store, live, now) = (bench.service.plans, bench.service.live, bench.clock.domain.now())
      try await bench.service.prepare()
      try await store.draft(plan(), by: operatorID, in: live.current(), now: now)
      try await store.publish(plan: plan().id, of: .univprep, by: operatorID, in: live.current(), now: now)
      try await bench.service.prepare()
      #expect(live.current().onSale.contains(plan()))
      // A node that starts now knows it too, and one whose file has lost the tenant does not sell its plan.
      let other = bench.node(.sample)
      try await other.live.refresh()
      #expect(other.live.current().onSale.contains(plan()))
      let without = PlanCatalogue(plans: [], tenants: [(.jeju, "town")], features: PlanCatalogue.features)
      let smaller = LiveCatalogue(file: without, store: store)
      try await smaller.refresh()
      #expect(smaller.current().plans.isEmpty)
      // The file can't take its id.
      let taking = PlanCatalogue(plans: [plan()], tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
      await #expect(throws: PlanStore.MadeInConsole.self) { try await store.publish(taking, now: now) }

      try await store.withdraw(plan: plan().id, of: .univprep, by: operatorID, now: now)
      let lines = try await bench.service.audit.verify().last
      try await store.withdraw(plan: plan().id, of: .univprep, by: operatorID, now: now + .days(1))
      #expect(try await bench.service.audit.verify().last == lines)
      try await live.refresh()
      #expect(!live.current().onSale.contains(plan()))
      #expect(try await store.plans(ownedBy: .tenant(.univprep)).map(\.withdrawn) == [now])
      #expect(try await live.plan(plan().id, version: 1) == plan())
      // What is withdrawn is not published again without a draft; with one it comes back.
      await #expect(throws: Problem(.notFound)) {
        try await store.publish(plan: plan().id, of: .univprep, by: operatorID, in: live.current(), now: now)
      }
      try await store.draft(plan(), by: operatorID, in: live.current(), now: now)
      #expect(
        try await !store.publish(plan: plan().id, of: .univprep, by: operatorID, in: live.current(), now: now).isNew)
      try await live.refresh()
      #expect(live.current().onSale.contains(plan()))
    }
  }

  @Test func othersPlansAreOutOfReach() async throws {
    try await withBilling { bench in
      let (store, catalogue, now) = (bench.service.plans, bench.service.catalogue, bench.clock.domain.now())
      let ofFile = PlanCatalogue(
        plans: [plan("univprep-file", owner: .city)], tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
      try await store.publish(ofFile, now: now)
      func kind(_ act: () async throws -> Void) async -> Problem.Kind? {
        do {
          try await act()
          return nil
        } catch { return (error as? Problem)?.kind }
      }
      #expect(await kind { try await store.draft(plan("univprep-file"), by: "x", in: catalogue, now: now) } == .conflict)
      #expect(await kind { try await store.draft(plan(owner: .city), by: "x", in: catalogue, now: now) } == .forbidden)
      #expect(await kind { try await store.draft(plan(prices: []), by: "x", in: catalogue, now: now) } == .invalidInput)
      let file = PlanID("univprep-file")!
      #expect(await kind { try await store.withdraw(plan: file, of: .univprep, by: "x", now: now) } == .notFound)
      #expect(
        await kind { try await store.publish(plan: file, of: .univprep, by: "x", in: catalogue, now: now) } == .notFound)

      try await store.draft(plan(), by: "x", in: catalogue, now: now)
      #expect(
        await kind { try await store.publish(plan: plan().id, of: .dreamseed, by: "x", in: catalogue, now: now) }
          == .notFound)
      try await store.discardDraft(plan().id, of: .dreamseed)
      #expect(try await bench.count("plan_draft") == 1)
      let today = CivilDate("2026-11-21")!
      #expect(
        await kind {
          try await store.publish(plan: plan().id, of: .univprep, by: "x", holdersFrom: today, in: catalogue, now: now)
        } == .invalidInput)
      // Kept when it was right, and refused when it is right no more.
      let moved = PlanCatalogue(plans: [], tenants: [(.univprep, "town")], features: PlanCatalogue.features)
      #expect(
        await kind { try await store.publish(plan: plan().id, of: .univprep, by: "x", in: moved, now: now) }
          == .invalidInput)
      #expect(try await bench.count("plan_draft") == 1)
      try await store.discardDraft(plan().id, of: .univprep)
      #expect(try await bench.count("plan_draft") == 0)
      #expect(try await store.plans(ownedBy: .tenant(.univprep)).isEmpty)
    }
  }

  @Test func anotherNodeSeesTheConsolesPlanByItself() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      let other = bench.node().live
      let following = Task { await other.keepCurrent(every: .milliseconds(20)) { Issue.record($0) } }
      try await store.draft(plan(), by: operatorID, in: other.current(), now: now)
      try await store.publish(
        plan: plan().id, of: .univprep, by: operatorID, holdersFrom: CivilDate("2027-01-01")!, in: other.current(), now: now)
      for _ in 0..<500 where other.current().plan(plan().id) == nil { try await Task.sleep(for: .milliseconds(10)) }
      #expect(other.current().onSale.last == plan())
      #expect(try await store.versions(of: plan().id).map(\.holdersFrom) == [CivilDate("2027-01-01")!])
      following.cancel()
      await following.value
    }
  }

  @Test func twoDevicesPublishOneVersion() async throws {
    try await withBilling { bench in
      let (store, catalogue, now) = (bench.service.plans, bench.service.catalogue, bench.clock.domain.now())
      try await store.draft(plan(), by: operatorID, in: catalogue, now: now)
      let published = try await withThrowingTaskGroup(of: PlanStore.Published.self) { group in
        for _ in 0..<8 {
          group.addTask {
            try await store.publish(plan: plan().id, of: .univprep, by: operatorID, in: catalogue, now: now)
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(published.map(\.version) == Array(repeating: 1, count: 8) && published.count(where: \.isNew) == 1)
      #expect(try await bench.count("plan_version") == 1)
    }
  }
}
