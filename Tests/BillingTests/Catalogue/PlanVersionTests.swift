import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// Versions from the file: those sold before, those that holders are moved to.
@Suite struct PlanVersionTests {
  private let id = PlanID("premium")!

  private func premium(_ cents: Int64, name: String = "프리미엄") -> Plan {
    Plan(
      id: id, owner: .city, name: LocalizedText(ko: name), prices: [Money(cents, .usd)],
      grants: [.feature("prep.item", at: .module("prep"), .unlimited)])
  }

  private func catalogue(
    _ plans: [Plan], withdrawn: Set<PlanID> = [], earlier: [Plan] = [], holdersFrom: String? = nil
  ) -> PlanCatalogue {
    PlanCatalogue(
      plans: plans, withdrawn: withdrawn, earlier: earlier.isEmpty ? [:] : [id: earlier],
      holdersFrom: holdersFrom.map { [id: CivilDate($0)!] } ?? [:], tenants: PlanCatalogue.tenants,
      features: PlanCatalogue.features)
  }

  /// What a holder pays on a day: the version in force, by the database and by memory alike.
  private func pays(_ bench: Bench, _ live: LiveCatalogue, held: Int, on day: String) async throws -> Money? {
    let day = CivilDate(day)!
    let version = try await bench.service.plans.versionInForce(id, held: held, on: day)
    #expect(live.versionInForce(id, held: held, on: day) == version)
    return try await live.plan(id, version: version)?.price(in: .usd)
  }

  @Test("V19: holders keep their price, or are moved on the day the version names") func v19() async throws {
    try await withBilling(at: "2021-01-01T00:00:00Z") { bench in
      let (store, clock) = (bench.service.plans, bench.clock.domain)
      try await store.publish(catalogue([premium(30_00)]), now: clock.now())
      bench.clock.set("2021-01-15T00:00:00Z")
      let second = catalogue([premium(60_00)])
      try await store.publish(second, now: clock.now())
      let live = LiveCatalogue(file: second, store: store)
      try await live.refresh()
      // New subscribers buy the current version; who has the first keeps its price.
      #expect(live.current().versions == [id: 2] && live.current().onSale[0].price(in: .usd) == Money(60_00, .usd))
      #expect(try await pays(bench, live, held: 1, on: "2021-02-01") == Money(30_00, .usd))
      #expect(try await pays(bench, live, held: 2, on: "2021-02-01") == Money(60_00, .usd))
      #expect(try await pays(bench, live, held: 1, on: "2021-03-01") == Money(30_00, .usd))
      // The same plan once more, with a day for holders: a version of its own, once.
      let moving = catalogue([premium(60_00)], holdersFrom: "2021-03-01")
      #expect(try await store.publish(moving, now: clock.now()).map(\.version) == [3])
      #expect(try await store.publish(moving, now: clock.now()).allSatisfy { !$0.isNew })
      #expect(try await store.publish(second, now: clock.now()).allSatisfy { !$0.isNew })
      try await live.refresh()
      #expect(try await pays(bench, live, held: 1, on: "2021-02-28") == Money(30_00, .usd))
      #expect(try await pays(bench, live, held: 1, on: "2021-03-01") == Money(60_00, .usd))
      #expect(try await store.newestVersion(of: id) == 3)
      #expect(try await store.newestVersion(of: PlanID("nothing")!) == nil)
    }
  }

  @Test func whatWasSoldBeforeIsPublishedFirstAndOnce() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      let file = catalogue([premium(39_99)], earlier: [premium(19_99), premium(29_99)])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<6 { group.addTask { try await store.publish(file, now: now) } }
        try await group.waitForAll()
      }
      let versions = try await store.versions(of: id)
      #expect(versions.map(\.version) == [3, 2, 1])
      #expect(versions.map { $0.plan.prices } == [[Money(39_99, .usd)], [Money(29_99, .usd)], [Money(19_99, .usd)]])
      #expect(try await bench.service.audit.verify().last == 3)
      // A plan that has versions gets none from before it.
      let longer = catalogue([premium(39_99)], earlier: [premium(9_99), premium(19_99), premium(29_99)])
      #expect(try await store.publish(longer, now: now).map(\.version) == [3])
    }
  }

  @Test func aWithdrawnPlanIsHeldAndNotSold() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      let gone = catalogue([premium(9_99)], withdrawn: [id])
      #expect(try await store.publish(gone, now: now).map(\.isNew) == [true])
      try await store.publish(gone, now: now + .days(1))
      let live = LiveCatalogue(file: gone, store: store)
      try await live.refresh()
      #expect(live.current().onSale.isEmpty && live.current().versions == [id: 1])
      #expect(try await store.plans(ownedBy: .city).map(\.withdrawn) == [now])
      #expect(try await live.plan(id, version: 1) == premium(9_99))
      #expect(try await live.plan(id, version: 2) == nil)
      // Sold again, and withdrawn again.
      try await store.publish(catalogue([premium(9_99)]), now: now)
      #expect(try await store.plans(ownedBy: .city)[0].isOnSale)
      try await store.publish(gone, now: now)
      #expect(try await bench.service.audit.verify().last == 3)
    }
  }

  @Test func aNodeSellsTheVersionItsFileShows() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      let (old, new) = (catalogue([premium(30_00)]), catalogue([premium(60_00)]))
      try await store.publish(old, now: now)
      try await store.publish(new, now: now)
      let (before, after) = (LiveCatalogue(file: old, store: store), LiveCatalogue(file: new, store: store))
      try await before.refresh()
      try await after.refresh()
      #expect(before.current().versions == [id: 1] && after.current().versions == [id: 2])
    }
  }

  @Test func aVersionThatWasReadIsRememberedAndNotForEver() {
    let held = HeldVersions()
    for version in 1...1_000 { held.keep(premium(Int64(version)), version) }
    #expect(held.plan(id, 1)?.prices == [Money(1, .usd)] && held.plan(id, 1_000) != nil)
    held.keep(premium(5), 1_001)
    #expect(held.plan(id, 1_001) != nil && held.plan(id, 1) == nil)
  }
}
