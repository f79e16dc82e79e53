import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// A tenant's plan that stands in the configuration's file, and of which its operator publishes versions in the console.
@Suite struct FilePlanTests {
  private let id = PlanID("sat-camp")!

  private func plan(_ won: Int64, id: String = "sat-camp") -> Plan {
    Plan(
      id: PlanID(id)!, owner: .tenant(.univprep), name: LocalizedText(ko: "SAT 캠프"), prices: [Money(won, .krw)],
      grants: [.feature("prep.item", at: .tenants([.univprep]), .unlimited)])
  }

  private func file(_ plans: Plan...) -> PlanCatalogue {
    PlanCatalogue(plans: plans, tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
  }

  private func sold(_ bench: Bench, by file: PlanCatalogue) async throws -> (won: Int64?, version: Int?) {
    let live = LiveCatalogue(file: file, store: bench.service.plans)
    try await live.refresh()
    return (live.current().plan(id)?.prices.first?.minorUnits, live.current().versions[id])
  }

  private func publishInConsole(_ plan: Plan, _ bench: Bench, _ file: PlanCatalogue) async throws -> Int {
    let (store, now) = (bench.service.plans, bench.clock.domain.now())
    try await store.draft(plan, by: "operator", in: file, now: now)
    return try await store.publish(plan: plan.id, of: .univprep, by: "operator", in: file, now: now).version
  }

  @Test func theConsolesVersionStaysUntilTheFileSaysSomethingElse() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      let (a, b, c) = (plan(1_000), plan(2_000), plan(3_000))
      try await store.publish(file(a), now: now)
      #expect(try await publishInConsole(b, bench, file(a)) == 2)
      #expect(try await sold(bench, by: file(a)) == (2_000, 2))
      let edits = try await PlanStore.consoleEdits(in: bench.database, schema: Bench.schema)
      #expect(edits.map(\.plan) == [b] && edits[0].by == "operator" && !edits[0].isMadeInConsole)

      // The same file again, at each start: the console's stays. So it does when a merge wrote it into the document.
      #expect(try await store.publish(file(a), now: now).map(\.isNew) == [false])
      #expect(try await store.publish(file(b), now: now).map(\.isNew) == [false])
      #expect(try await sold(bench, by: file(a)) == (2_000, 2))
      // The document of that merge is not the file's word against a later version of the console.
      #expect(try await publishInConsole(plan(2_500), bench, file(a)) == 3)
      #expect(try await store.publish(file(b), now: now).map(\.isNew) == [false])
      #expect(try await sold(bench, by: file(b)) == (2_500, 3))

      // Another price in the file is a new version, and nobody's in the console.
      #expect(try await store.publish(file(c), now: now).map(\.version) == [4])
      #expect(try await sold(bench, by: file(c)) == (3_000, 4))
      #expect(try await PlanStore.consoleEdits(in: bench.database, schema: Bench.schema).isEmpty)
      // Back to the first: a new version again.
      #expect(try await store.publish(file(a), now: now).map(\.version) == [5])
      #expect(try await sold(bench, by: file(a)) == (1_000, 5))
    }
  }

  @Test func takingTheFileAssertsItsWord() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      try await store.publish(file(plan(1_000)), now: now)
      #expect(try await publishInConsole(plan(2_000), bench, file(plan(1_000))) == 2)
      #expect(try await store.publish(file(plan(1_000)), asserting: [id], now: now).map(\.version) == [3])
      #expect(try await sold(bench, by: file(plan(1_000))) == (1_000, 3))
      #expect(try await store.publish(file(plan(1_000)), asserting: [id], now: now).map(\.isNew) == [false])
      // An operator can't withdraw what the file sells.
      await #expect(throws: Problem(.notFound)) {
        try await store.withdraw(plan: id, of: .univprep, by: "operator", now: now)
      }
    }
  }

  @Test func aPlanOfTheConsoleBecomesTheFilesWhenThatIsSaid() async throws {
    try await withBilling { bench in
      let (store, now) = (bench.service.plans, bench.clock.domain.now())
      let made = plan(1_000, id: "univprep-camp")
      #expect(try await publishInConsole(made, bench, file()) == 1)
      #expect(try await PlanStore.consoleEdits(in: bench.database, schema: Bench.schema).map(\.isMadeInConsole) == [true])
      await #expect(throws: PlanStore.MadeInConsole.self) { try await store.publish(file(made), now: now) }
      #expect(try await store.publish(file(made), asserting: [made.id], now: now).map(\.isNew) == [false])
      #expect(try await store.plans(ownedBy: .tenant(.univprep)).map(\.origin) == [.file])
      // The file may change it and withdraw it from now on.
      #expect(try await store.publish(file(plan(2_000, id: "univprep-camp")), now: now).map(\.version) == [2])
      try await store.publish(file(), now: now)
      #expect(try await store.plans(ownedBy: .tenant(.univprep)).map(\.isOnSale) == [false])
    }
  }
}
