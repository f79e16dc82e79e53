import Foundation
import Kit
import Testing

@testable import Billing

/// The plans of the repository's own `tenants.yaml`, against the table of `requirements.md` (R2).
@Suite struct PlanTableTests {
  private let catalogue: PlanCatalogue

  init() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "tenants.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
    let document = try ConfigDocument(yaml: text, file: "tenants.yaml")
    let tenants = document.root.stanzas("tenants").compactMap { key, section in
      section.leaveOpen()
      return TenantID(key).map { (id: $0, module: section.string("module") ?? "") }
    }
    let features = ["prep.item": LocalizedText(ko: "문제"), "kculture.lesson": LocalizedText(ko: "레슨")]
    catalogue = PlanCatalogue(reading: document, yaml: text, tenants: tenants, features: features)
    for section in ["city", "limits", "shares"] { document.root.section(section)?.leaveOpen() }
    document.root.leaveOpen()
    for entity in document.root.stanzas("entities") { entity.section.leaveOpen() }
    try document.finish()
  }

  @Test(
    "the price of each plan in dollars",
    arguments: [("student", 14_99), ("premium", 39_99), ("university", 29_99), ("k-culture", 19_99), ("family", 59_99)])
  func prices(id: String, cents: Int64) throws {
    let plan = try #require(catalogue.onSale.first { $0.id.text == id })
    #expect(plan.price(in: .usd, every: .month) == Money(cents, .usd))
    for currency in [Currency.krw, .usd] {
      let (month, year) = (plan.price(in: currency, every: .month), plan.price(in: currency, every: .year))
      // A year costs ten months, in both currencies.
      #expect(year?.minorUnits == month.map { $0.minorUnits * 10 }, "\(id) \(currency)")
    }
    #expect(plan.owner == .city && plan.summary?.en != nil && plan.name.en != nil)
  }

  @Test func theEarlierVersionsAreHeldAndNotSold() throws {
    #expect(catalogue.withdrawn.map(\.text) == ["basic"])
    let basic = try #require(catalogue.plan(PlanID("basic")!))
    #expect(basic.price(in: .usd) == Money(9_99, .usd))
    #expect(basic.grants == [.feature("prep.item", at: .tenants([.dreamseed]), .unlimited)])
    let (premium, family) = (PlanID("premium")!, PlanID("family")!)
    #expect(catalogue.earlier[premium]?.map { $0.price(in: .usd) } == [Money(29_99, .usd)])
    #expect(catalogue.earlier[family]?.map { $0.price(in: .usd) } == [Money(49_99, .usd)])
    #expect(catalogue.earlier[family]?.map(\.seats) == [5] && catalogue.plan(family)?.seats == 7)
    guard case .feature(_, at: .tenants(let domains), .unlimited)? = catalogue.earlier[premium]?[0].grants.first else {
      return #expect(Bool(false), "five domains")
    }
    #expect(domains.count == 5)
  }

  @Test func lessonsOfKoreanAreFiveAMonthForNothing() throws {
    let ktube = TenantID("my-ktube")!
    func entitlement(_ id: String?) throws -> GrantSet.Entitlement {
      let held = try id.map { [HeldPlan(try #require(catalogue.plan(PlanID($0)!)))] } ?? []
      return GrantSet(catalogue.free.map { HeldPlan($0) } + held)
        .entitlement(to: "kculture.lesson", at: ktube, in: catalogue)
    }
    let free = GrantSet.Entitlement.limited([.init(key: "free/kculture.lesson@my-ktube", limit: 5)])
    #expect(try entitlement(nil) == free)
    for id in ["student", "premium", "family", "k-culture"] { #expect(try entitlement(id) == .unlimited, "\(id)") }
    #expect(try entitlement("university") == free)
  }

  @Test func whatPeopleHaveAndChoose() throws {
    let free = GrantSet(catalogue.free.map { HeldPlan($0) })
    #expect(
      free.entitlement(to: "prep.item", at: .univprep, in: catalogue) == .limited([.init(key: "free/prep.item", limit: 100)]))
    let student = try #require(catalogue.plan(PlanID("student")!))
    let held = GrantSet(catalogue.free.map { HeldPlan($0) } + [HeldPlan(student, chosen: [.univprep])])
    #expect(held.entitlement(to: "prep.item", at: .dreamseed, in: catalogue) == .unlimited)
    #expect(held.entitlement(to: "prep.item", at: .univprep, in: catalogue) == .unlimited)
    // What she did not choose is governed by the free allowance.
    #expect(
      held.entitlement(to: "prep.item", at: .majorprep, in: catalogue) == .limited([.init(key: "free/prep.item", limit: 100)]))
  }
}
