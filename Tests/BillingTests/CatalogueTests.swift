import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// The section `plans` of tenants.yaml, and its versions.
@Suite struct CatalogueTests {
  private func read(_ yaml: String) throws -> PlanCatalogue {
    let document = try ConfigDocument(yaml: yaml, file: "tenants.yaml")
    let catalogue = PlanCatalogue(
      reading: document, yaml: yaml, tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
    try document.finish()
    return catalogue
  }

  @Test func plansAreReadInTheShapeOfTheDesign() throws {
    let catalogue = try read(
      """
      plans:
        free:
          owner: city
          grants:
            - {feature: prep.item, tenants: {module: prep}, limit: 100, per: month, pool: shared}
        student:
          owner: city
          name: {ko: 학생, en: Student}
          price: {USD: 14.99, KRW: 19900}
          every: month
          grants:
            - {feature: prep.item, tenants: [dreamseed], unlimited: true}
            - {choose: 1, of: [univprep, majorprep], features: [prep.item]}
        k-culture:
          owner: city
          price: {KRW: 24900}
          grants: []
        own:
          owner: univprep
          price: {KRW: 5000}
          every: year
          seats: 7
          grants:
            - {feature: prep.item, tenants: [univprep], limit: 50}
      """)
    #expect(catalogue.plans.map(\.id.text) == ["free", "student", "k-culture", "own"])
    #expect(catalogue.plans[0].grants == [.feature("prep.item", at: .module("prep"), .limited(100, pool: .shared))])
    #expect(catalogue.plans[1].prices == [Money(1_499, .usd), Money(19_900, .krw)])
    #expect(
      catalogue.plans[1].grants == [
        .feature("prep.item", at: .tenants([.dreamseed]), .unlimited),
        .choice(count: 1, of: [.univprep, .majorprep], features: ["prep.item"]),
      ])
    #expect(catalogue.plans[3].owner == .tenant(.univprep) && catalogue.plans[3].seats == 7)
    #expect(catalogue.plans[3].grants == [.feature("prep.item", at: .tenants([.univprep]), .limited(50, pool: .tenant))])
    #expect(catalogue.free.map(\.id.text) == ["free"])
    for plan in catalogue.plans {
      #expect(try JSONDecoder().decode(Plan.self, from: Data(try CanonicalJSON.text(plan).utf8)) == plan)
    }
    #expect(try read("city: {name: x}".replacing("city: {name: x}", with: "plans: {}")).plans.isEmpty)
  }

  @Test func everyMistakeIsNamedWithItsLine() throws {
    let yaml = """
      plans:
        Bad:
          owner: mars
          price: {EUR: 5, KRW: 0, USD: 14.999, PTS: 3}
          grants:
            - {feature: prep.itme, tenants: [dreamseed, atlantis, dreamseed], unlimited: true}
            - {feature: prep.item, tenants: {module: opera}, limit: 0}
        free:
          owner: city
          seats: 3
          grants:
            - {choose: 1, of: [univprep, majorprep], features: [prep.item]}
            - {feature: prep.item, tenants: [univprep], limit: 5, unlimited: true}
            - {feature: prep.item, tenants: [univprep], limit: 5, per: week}
            - {feature: prep.item, tenants: [univprep]}
            - {feature: prep.item, limit: 5, colour: red}
        own:
          owner: univprep
          price: {KRW: 100}
          every: fortnight
          grants:
            - {feature: prep.item, tenants: [dreamseed], unlimited: true}
            - {choose: 2, of: [univprep, majorprep], features: [prep.item]}
      """
    let error = #expect(throws: ConfigMistakes.self) { try read(yaml) }
    let found = (error?.mistakes ?? []).map { "\($0.line) \($0.key)" }
    let expected = [
      "3 plans.Bad.owner", "4 plans.Bad.price.EUR", "4 plans.Bad.price.KRW", "4 plans.Bad.price.PTS", "4 plans.Bad.price.USD",
      "6 plans.Bad.grants[0].feature", "6 plans.Bad.grants[0].tenants", "7 plans.Bad.grants[1].limit",
      "7 plans.Bad.grants[1].tenants.module", "10 plans.free.seats", "12 plans.free.grants[0].choose",
      "13 plans.free.grants[1].limit", "14 plans.free.grants[2].per", "15 plans.free.grants[3].limit",
      "16 plans.free.grants[4].colour", "16 plans.free.grants[4].tenants", "20 plans.own.every",
      "22 plans.own.grants[0].tenants", "23 plans.own.grants[1].choose", "23 plans.own.grants[1].of",
    ]
    for mistake in expected { #expect(found.contains(mistake), "\(mistake)") }
    #expect(Set(found).subtracting(expected).isEmpty, "\(Set(found).subtracting(expected))")
    let atlantis = error?.mistakes.first { $0.found.contains("atlantis") }
    #expect(atlantis?.expected == "one of dreamseed, univprep, majorprep, jeju")
  }

  @Test func aPlanHasYearlyPricesEarlierVersionsAndAPolicy() throws {
    let catalogue = try read(
      """
      plans:
        basic:
          owner: city
          state: withdrawn
          price: {USD: 9.99}
          grants: [{feature: prep.item, tenants: [dreamseed], unlimited: true}]
        premium:
          owner: city
          name: {ko: 프리미엄, en: Premium}
          price: {KRW: 49900, USD: 39.99}
          yearly: {KRW: 499000, USD: 399.90}
          proration: second
          alignment: calendar
          holders_from: 2027-03-01
          earlier:
            - price: {USD: 29.99}
              grants: [{feature: prep.item, tenants: [dreamseed, univprep], unlimited: true}]
            - name: Premium 2
              price: {USD: 34.99}
              seats: 2
              grants: [{feature: prep.item, tenants: {module: prep}, limit: 900}]
          grants: [{feature: prep.item, tenants: {module: prep}, unlimited: true}]
      """)
    let (basic, premium) = (catalogue.plans[0], catalogue.plans[1])
    #expect(catalogue.onSale.map(\.id) == [premium.id] && catalogue.plan(basic.id) == basic)
    #expect(catalogue.plans(lifting: "prep.item", at: .dreamseed).map(\.plan.id) == [premium.id])
    #expect(premium.intervals == [.month, .year] && basic.intervals == [.month])
    #expect(premium.price(in: .krw, every: .year) == Money(499_000, .krw))
    #expect(premium.price(in: .usd, every: .month) == Money(3_999, .usd) && basic.price(in: .usd, every: .year) == nil)
    #expect(premium.proration == .second && premium.alignment.billDay == 1 && basic.alignment.billDay == nil)
    #expect(catalogue.holdersFrom == [premium.id: CivilDate("2027-03-01")!])
    let earlier = try #require(catalogue.earlier[premium.id])
    #expect(earlier.map(\.prices) == [[Money(2_999, .usd)], [Money(3_499, .usd)]])
    #expect(earlier.map(\.name.ko) == ["프리미엄", "Premium 2"] && earlier.map(\.seats) == [1, 2])
    #expect(earlier[1].grants == [.feature("prep.item", at: .module("prep"), .limited(900, pool: .tenant))])
    for plan in catalogue.plans + earlier {
      #expect(try JSONDecoder().decode(Plan.self, from: Data(try CanonicalJSON.text(plan).utf8)) == plan)
    }
  }

  @Test func aDocumentFromBeforeIsReadAndWrittenAsItWas() throws {
    let document = """
      {"every":"month","grants":[],"id":"premium","name":{"ko":"프리미엄"},"owner":"city",\
      "prices":[{"currency":"USD","minorUnits":2999}],"seats":1}
      """
    let plan = try JSONDecoder().decode(Plan.self, from: Data(document.utf8))
    #expect(plan.yearly.isEmpty && plan.proration == .day && plan.alignment == .anniversary)
    #expect(try CanonicalJSON.text(plan) == document)
  }

  @Test func mistakesOfYearlyPricesAndVersionsHaveTheirLine() throws {
    let yaml = """
      plans:
        own:
          owner: city
          price: {KRW: 100, USD: 1}
          yearly: {KRW: 0, EUR: 3}
          proration: hour
          alignment: weekly
          state: paused
          holders_from: soon
          earlier:
            - grants: []
            - price: {KRW: -5}
              grants: [{feature: prep.itme, tenants: [dreamseed], unlimited: true}]
          grants: []
        year:
          owner: city
          price: {KRW: 100}
          every: year
          yearly: {KRW: 90}
          grants: []
        none:
          owner: city
          yearly: {KRW: 90}
          grants: []
        more:
          owner: city
          price: {KRW: 100}
          yearly: {KRW: 1000, USD: 9}
          grants: []
      """
    let error = #expect(throws: ConfigMistakes.self) { try read(yaml) }
    let found = Set((error?.mistakes ?? []).map { "\($0.line) \($0.key)" })
    let expected: Set<String> = [
      "5 plans.own.yearly.KRW", "5 plans.own.yearly.EUR", "5 plans.own.yearly", "6 plans.own.proration",
      "7 plans.own.alignment", "8 plans.own.state", "9 plans.own.holders_from", "11 plans.own.earlier[0].price",
      "12 plans.own.earlier[1].price.KRW", "13 plans.own.earlier[1].grants[0].feature", "19 plans.year.yearly",
      "23 plans.none.yearly", "28 plans.more.yearly",
    ]
    #expect(found == expected, "\(found.symmetricDifference(expected).sorted())")
  }

  @Test func aChangedPlanIsANewVersionAndTheOldOneStays() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      let first = try await store.publish(.make(limit: 3), now: now)
      #expect(first.map(\.version) == [1, 1, 1] && first.allSatisfy(\.isNew))
      #expect(try await store.publish(.make(limit: 3), now: now).allSatisfy { !$0.isNew })
      // Many nodes start at once.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 { group.addTask { try await store.publish(.make(limit: 4), now: now) } }
        try await group.waitForAll()
      }
      #expect(try await bench.count("plan_version") == 4)
      let free = PlanID("free")!
      #expect(try await store.plan(free, version: 1) == PlanCatalogue.make(limit: 3).plans[0])
      #expect(try await store.plan(free) == PlanCatalogue.make(limit: 4).plans[0])
      // Going back is a version too: what was sold when stays readable.
      #expect(try await store.publish(.make(limit: 3), now: now).first?.version == 3)
      #expect(try await bench.service.audit.verify().last == 5)
    }
  }

  @Test func aPlanThatIsGoneIsWithdrawnAndMayComeBackButNotChangeHands() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      try await store.publish(.sample, now: now)
      let some = PlanCatalogue(
        plans: [PlanCatalogue.sample.plans[0]], tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
      try await store.publish(some, now: now)
      let gone = try await bench.database.query("SELECT id FROM billing.plan WHERE withdrawn_at IS NOT NULL ORDER BY id")
      #expect(try gone.map { try $0.get(0, as: String.self) } == ["premium", "student"])
      #expect(try await store.plan(PlanID("student")!) != nil)
      #expect(try await store.publish(.sample, now: now).allSatisfy { !$0.isNew })
      let stolen = PlanCatalogue(
        plans: [
          Plan(id: PlanID("free")!, owner: .tenant(.univprep), name: LocalizedText(ko: "x"), grants: [])
        ], tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
      await #expect(throws: PlanStore.OwnerChanged.self) { try await store.publish(stolen, now: now) }
    }
  }

  @Test func aNewVersionDoesNotBeginTheMonthAnew() async throws {
    try await withBilling(.make(limit: 3)) { bench in
      let person = PersonID.anyone
      for _ in 0..<3 { try await bench.service.entitlements.consume(person, "prep.item", at: .univprep, key: UUID()) }
      let left = try await bench.node(.make(limit: 5)).entitlements.check(person, "prep.item", at: .univprep)
      #expect(left == .limited(limit: 5, used: 3, renews: Instant(rfc3339: "2026-11-30T15:00:00Z")!))
    }
  }
}
