import Foundation
import Kit
import Testing

@testable import Billing

@Suite("How revenue is split") struct RevenueSharesTests {
  private let three: [TenantID] = [.dreamseed, .univprep, .majorprep]

  private func parts(
    _ amount: Int64, _ rule: ShareRule, in currency: Currency = .usd, uses: [Int64] = [0, 0, 0], pooled: [TenantID: Int64] = [:]
  ) -> [Int64] {
    RevenueShares.split(Money(amount, currency), by: rule, between: three, uses: uses, pooled: pooled).parts.map(\.minorUnits)
  }

  @Test("V28: $14.99 over 10:6:3 is 7.89, 4.73 and 2.37")
  func v28() {
    #expect(parts(1_499, .byUse, uses: [10, 6, 3]) == [789, 473, 237])
    #expect(parts(1_499, .fixed([.dreamseed: 10, .univprep: 6, .majorprep: 3])) == [789, 473, 237])
    #expect(parts(1_499, .pooled, uses: [1, 0, 0], pooled: [.dreamseed: 10, .univprep: 6, .majorprep: 3]) == [789, 473, 237])
    #expect(parts(-1_499, .byUse, uses: [10, 6, 3]) == [-789, -473, -237])
  }

  @Test("V27: ¥5, here ₩5, over three equal tenants is 2, 2 and 1")
  func equal() {
    #expect(parts(5, .equal, in: .krw) == [2, 2, 1])
  }

  @Test("where there is nothing to go by, all get the same, and the share says so")
  func nothing() {
    for rule in [ShareRule.byUse, .pooled, .fixed([:])] {
      let outcome = RevenueShares.split(Money(300, .krw), by: rule, between: three, uses: [0, 0, 0], pooled: [:])
      #expect(outcome.rule == .equal && outcome.parts.map(\.minorUnits) == [100, 100, 100])
    }
  }

  @Test("parts add up to the whole, have its sign, and are off their exact share by less than a minor unit")
  func property() {
    var random = SeededRandom(3)
    for _ in 0..<5_000 {
      let count = Int.random(in: 1...9, using: &random)
      let tenants = (0..<count).map { TenantID("t\($0)x")! }
      let uses = tenants.map { _ in Bool.random(using: &random) ? Int64.random(in: 0...5_000, using: &random) : 0 }
      let amount = Int64.random(in: -10_000_000...10_000_000, using: &random)
      let rule = [ShareRule.byUse, .equal, .pooled].randomElement(using: &random)!
      let pooled = Dictionary(uniqueKeysWithValues: zip(tenants, uses.reversed()))
      let outcome = RevenueShares.split(Money(amount, .krw), by: rule, between: tenants, uses: uses, pooled: pooled)
      #expect(outcome.parts.reduce(0) { $0 + $1.minorUnits } == amount)
      #expect(outcome.parts.allSatisfy { $0.minorUnits == 0 || ($0.minorUnits < 0) == (amount < 0) })
      let weights: [Int64] =
        switch outcome.rule {
        case .byUse: uses
        case .pooled: uses.reversed()
        case .equal, .fixed: tenants.map { _ in 1 }
        }
      let total = weights.reduce(0, +)
      for (part, weight) in zip(outcome.parts, weights) {
        #expect((part.minorUnits * total - amount * weight).magnitude < total.magnitude)
      }
    }
  }

  @Test("the rules are read from tenants.yaml, and mistakes are named with their line")
  func reading() throws {
    let plans = ["student", "premium", "family"].map { PlanID($0)! }
    func read(_ yaml: String) throws -> (ShareRules, ConfigDocument) {
      let document = try ConfigDocument(yaml: yaml, file: "tenants.yaml")
      return (ShareRules(reading: document, plans: plans, tenants: three), document)
    }
    let (rules, document) = try read(
      """
      shares:
        default: pooled
        plans: {family: equal}
        fixed: {premium: {dreamseed: 10, univprep: 6}}
      """)
    try document.finish()
    #expect(rules.rule(of: plans[0]) == .pooled && rules.rule(of: plans[2]) == .equal)
    #expect(rules.rule(of: plans[1]) == .fixed([.dreamseed: 10, .univprep: 6]))
    let (none, empty) = try read("plans: {}")
    #expect(none == ShareRules() && none.standard == .byUse)
    _ = empty
    let (_, wrong) = try read("shares: {default: fixed, plans: {gold: equal}, fixed: {premium: {moon: 1}}}")
    #expect {
      try wrong.finish()
    } throws: { error in
      let text = "\(error)"
      return ["shares.default", "gold", "moon"].allSatisfy(text.contains)
    }
  }
}
