import Kit
import Testing

@Suite("Money") struct MoneyTests {
  @Test(
    "parts are shared by largest remainder (V27, V28)",
    arguments: [
      (5, .usd, [1, 1, 1], [2, 2, 1]),
      (5, .krw, [1, 1, 1], [2, 2, 1]),
      (10_000, .usd, [1, 2, 3], [1_667, 3_333, 5_000]),
      (1_499, .usd, [10, 6, 3], [789, 473, 237]),
    ] as [(Int64, Currency, [Int64], [Int64])])
  func vectors(amount: Int64, currency: Currency, weights: [Int64], expected: [Int64]) {
    #expect(Money(amount, currency).split(by: weights) == expected.map { Money($0, currency) })
  }

  @Test("a refund is split as the charge was, with the signs turned round")
  func refunds() {
    #expect(Money(-1_499, .usd).split(by: [10, 6, 3]).map(\.minorUnits) == [-789, -473, -237])
  }

  @Test("whoever has no weight gets nothing; without any weight the first has it all")
  func zeroWeights() {
    #expect(Money(7, .krw).split(by: [0, 1, 0]).map(\.minorUnits) == [0, 7, 0])
    #expect(Money(7, .krw).split(by: [0, 0]).map(\.minorUnits) == [7, 0])
    #expect(Money(0, .krw).split(by: [3, 4]).map(\.minorUnits) == [0, 0])
  }

  @Test("parts always add up to the whole, and none is a unit or more off its exact share")
  func partsAddUp() {
    var generator = SeededGenerator(28)
    for _ in 0..<500 {
      let amount = Int64.random(in: -2_000_000_000_000...2_000_000_000_000, using: &generator)
      let weights = (0..<Int.random(in: 1...12, using: &generator)).map { _ in Int64.random(in: 0...10_000, using: &generator) }
      let parts = Money(amount, .krw).split(by: weights).map(\.minorUnits)
      #expect(parts.reduce(0, +) == amount, "\(amount) over \(weights)")
      let total = weights.reduce(0, +)
      guard total > 0 else { continue }
      for (part, weight) in zip(parts, weights) {
        // part/1 against amount·weight/total, without leaving whole numbers.
        #expect(abs(part * total - amount * weight) < total, "\(amount) over \(weights)")
      }
    }
  }

  @Test("amounts near the end of the range are split without overflow")
  func largeAmounts() {
    let parts = Money(.max, .krw).split(by: [Int64.max / 4, Int64.max / 4, 1])
    #expect(parts.reduce(Money(0, .krw), +) == Money(.max, .krw))
  }

  @Test("amounts add and subtract in their currency, and are written with its digits")
  func arithmetic() {
    #expect(Money(1_499, .usd) + Money(1, .usd) - Money(500, .usd) == Money(1_000, .usd))
    #expect(Money(1_499, .usd).decimal == "14.99")
    #expect(Money(-5, .usd).decimal == "-0.05")
    #expect(Money(-19_900, .krw).decimal == "-19900")
    #expect(Money(30, .points).decimal == "30")
    #expect(Currency.allCases.map(\.exponent) == [0, 2, 0])
  }
}
