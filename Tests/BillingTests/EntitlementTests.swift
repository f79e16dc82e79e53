import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// Who may use what, and how often.
@Suite struct EntitlementTests {
  private typealias Allowance = EntitlementService.Allowance
  private let december = Instant(rfc3339: "2026-11-30T15:00:00Z")!  // midnight in Seoul

  @Test func sixtyFourTakersOfTheLastUnitLeaveOneWithIt() async throws {
    try await withBilling { bench in
      let person = PersonID.anyone
      let nodes = (0..<4).map { _ in bench.node().entitlements }
      for tenant in [TenantID.univprep, .dreamseed] {
        try await nodes[0].consume(person, "prep.item", at: tenant, key: UUID())
      }
      let outcomes = await withTaskGroup(of: Problem.Kind?.self) { group in
        for number in 0..<64 {
          group.addTask {
            do {
              try await nodes[number % 4].consume(person, "prep.item", at: .majorprep, key: UUID())
              return nil
            } catch {
              return (error as? Problem)?.kind ?? .internalError
            }
          }
        }
        return await group.reduce(into: [Problem.Kind?]()) { $0.append($1) }
      }
      #expect(outcomes.filter { $0 == nil }.count == 1)
      #expect(outcomes.filter { $0 == .quotaExceeded }.count == 63)
      #expect(try await bench.count("usage_take") == 3)
      for node in nodes {
        let left = try await node.check(person, "prep.item", at: .univprep)
        #expect(left == .limited(limit: 3, used: 3, renews: december))
      }
    }
  }

  @Test func aRetryWithItsKeyIsFreeEvenInParallelAndAtTheLimit() async throws {
    try await withBilling { bench in
      let (person, entitlements) = (PersonID.anyone, bench.service.entitlements)
      let keys = [UUID(), UUID(), UUID()]
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<48 {
          group.addTask { try await entitlements.consume(person, "prep.item", at: .univprep, key: keys[number % 3]) }
        }
        try await group.waitForAll()
      }
      let again = try await entitlements.consume(person, "prep.item", at: .univprep, key: keys[0])
      #expect(again == .limited(limit: 3, used: 3, renews: december))
      await #expect(throws: Problem(.keyReused)) {
        try await entitlements.consume(person, "prep.item", at: .dreamseed, key: keys[0])
      }
    }
  }

  @Test func aReleasedUnitCanBeTakenAgain() async throws {
    try await withBilling { bench in
      let (person, entitlements) = (PersonID.anyone, bench.service.entitlements)
      let keys = [UUID(), UUID(), UUID()]
      for key in keys { try await entitlements.consume(person, "prep.item", at: .univprep, key: key) }
      for _ in 0..<2 { try await entitlements.release(person, key: keys[1]) }
      try await entitlements.release(person, key: UUID())
      let left = try await entitlements.check(person, "prep.item", at: .univprep)
      #expect(left == .limited(limit: 3, used: 2, renews: december))
      // By its own key it is a new use, and counts.
      try await entitlements.consume(person, "prep.item", at: .univprep, key: keys[1])
      await #expect(throws: Problem.self) { try await entitlements.consume(person, "prep.item", at: .univprep, key: UUID()) }
    }
  }

  @Test func theMonthTurnsAtMidnightInSeoul() async throws {
    try await withBilling(at: "2026-11-30T14:59:59Z") { bench in
      let (person, entitlements) = (PersonID.anyone, bench.service.entitlements)
      let keys = [UUID(), UUID(), UUID()]
      for key in keys { try await entitlements.consume(person, "prep.item", at: .univprep, key: key) }
      await #expect(throws: Problem.self) { try await entitlements.consume(person, "prep.item", at: .univprep, key: UUID()) }
      bench.clock.set("2026-11-30T15:00:00Z")
      let january = Instant(rfc3339: "2026-12-31T15:00:00Z")!
      #expect(try await entitlements.check(person, "prep.item", at: .univprep) == .limited(limit: 3, used: 0, renews: january))
      // A retry that crosses midnight is still the same use.
      let retried = try await entitlements.consume(person, "prep.item", at: .univprep, key: keys[0])
      #expect(retried == .limited(limit: 3, used: 0, renews: january))
      let fresh = try await entitlements.consume(person, "prep.item", at: .univprep, key: UUID())
      #expect(fresh == .limited(limit: 3, used: 1, renews: january))
      // What was taken in November and never used goes back to November.
      try await entitlements.release(person, key: keys[1])
      #expect(try await entitlements.check(person, "prep.item", at: .univprep) == .limited(limit: 3, used: 1, renews: january))
    }
  }

  @Test func theFirstOfAMonthNobodyPreparedMakesItsTables() async throws {
    try await withBilling(at: "2031-05-05T00:00:00Z") { bench in
      let entitlements = bench.service.entitlements
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<24 {
          group.addTask { try await entitlements.consume(.anyone, "prep.item", at: .univprep, key: UUID()) }
        }
        try await group.waitForAll()
      }
      #expect(try await bench.count("usage_counter") == 24)
    }
  }

  @Test func aPoolOfEachTenantIsItsOwn() async throws {
    try await withBilling(.make(limit: 1, pool: .tenant)) { bench in
      let (person, entitlements) = (PersonID.anyone, bench.service.entitlements)
      try await entitlements.consume(person, "prep.item", at: .univprep, key: UUID())
      try await entitlements.consume(person, "prep.item", at: .dreamseed, key: UUID())
      await #expect(throws: Problem.self) { try await entitlements.consume(person, "prep.item", at: .dreamseed, key: UUID()) }
    }
  }

  @Test func theRefusalNamesLimitRenewalAndThePlansThatLiftIt() async throws {
    try await withBilling(.make(limit: 1)) { bench in
      let (person, entitlements) = (PersonID.anyone, bench.service.entitlements)
      try await entitlements.consume(person, "prep.item", at: .univprep, key: UUID())
      let problem = await #expect(throws: Problem.self) {
        try await entitlements.consume(person, "prep.item", at: .univprep, key: UUID())
      }
      #expect(problem?.kind == .quotaExceeded)
      #expect(problem?.arguments == ["feature": "prep.item", "limit": "1", "renews": "2026-12-01"])
      #expect(problem?.members["used"] == 1)
      #expect(problem?.members["title"] == ["ko": "문제", "en": "item"])
      guard case .array(let plans)? = problem?.members["plans"] else { return #expect(Bool(false), "no plans") }
      #expect(plans.map { $0["id"] } == ["student", "premium"])
      #expect(plans.first?["choice"] == true)
      #expect(plans.first?["prices"] == [["amount": "19900", "currency": "KRW"], ["amount": "14.99", "currency": "USD"]])
      // A town has no such feature in any plan.
      #expect(try await entitlements.check(person, "prep.item", at: .jeju) == Allowance.none)
      await #expect(throws: Problem.self) { try await entitlements.consume(person, "prep.item", at: .jeju, key: UUID()) }
    }
  }
}

/// The union of grants, and the memory of what was used: values in, values out.
@Suite struct GrantTests {
  private let catalogue = PlanCatalogue.sample

  private func entitlement(_ held: [HeldPlan], at tenant: TenantID) -> GrantSet.Entitlement {
    GrantSet(held).entitlement(to: "prep.item", at: tenant, in: catalogue)
  }

  @Test func grantsOfSeveralPlansAreAUnion() {
    let free = HeldPlan(catalogue.plans[0])
    let student = HeldPlan(catalogue.plans[2], chosen: [.majorprep])
    #expect(entitlement([free, student], at: .dreamseed) == .unlimited)
    #expect(entitlement([free, student], at: .majorprep) == .unlimited)
    #expect(entitlement([free, student], at: .univprep) == .limited([GrantSet.Pool(key: "free/prep.item", limit: 3)]))
    #expect(entitlement([student], at: .univprep) == .none)
    #expect(entitlement([free], at: .jeju) == .none)
  }

  @Test func aChoiceCoversNoMoreThanItAllows() {
    let student = catalogue.plans[2]
    #expect(entitlement([HeldPlan(student)], at: .univprep) == .none)
    #expect(entitlement([HeldPlan(student, chosen: [.jeju, .univprep, .majorprep])], at: .univprep) == .unlimited)
    #expect(entitlement([HeldPlan(student, chosen: [.univprep, .majorprep])], at: .majorprep) == .none)
    #expect(entitlement([HeldPlan(student, chosen: [.jeju])], at: .jeju) == .none)
  }

  @Test func whatIsGoodElsewhereTooIsKeptLongest() {
    let plan = Plan(
      id: PlanID("mixed")!, owner: .city, name: LocalizedText(ko: "x"),
      grants: [
        .feature("prep.item", at: .module("prep"), .limited(5, pool: .shared)),
        .feature("prep.item", at: .tenants([.univprep]), .limited(2, pool: .tenant)),
      ])
    #expect(
      entitlement([HeldPlan(plan)], at: .univprep)
        == .limited([
          GrantSet.Pool(key: "mixed/prep.item/2@univprep", limit: 2), GrantSet.Pool(key: "mixed/prep.item", limit: 5),
        ]))
  }

  @Test func whatWasReadBeforeAnActIsNotRemembered() {
    var cache = UsageCache(lifetime: .seconds(5), capacity: 100)
    let person = PersonID.anyone
    let month = UsageCache.Month(person: person, start: CivilDate("2026-11-01")!)
    let now = ContinuousClock.now
    let act = cache.lastAct(of: person)
    cache.acted(person, in: [month.start])
    cache.keep(["p": 1], for: month, readAfter: act, at: now)
    #expect(cache.used(month, at: now) == nil)
    cache.keep(["p": 2], for: month, readAfter: cache.lastAct(of: person), at: now)
    #expect(cache.used(month, at: now) == ["p": 2])
    #expect(cache.used(month, at: now + .seconds(5)) == nil)
    // Also when it was forgotten in between.
    let before = cache.lastAct(of: person)
    for _ in 0..<200 { cache.acted(.anyone, in: []) }
    cache.keep(["p": 3], for: month, readAfter: before, at: now)
    #expect(cache.used(month, at: now) == nil)
  }
}
