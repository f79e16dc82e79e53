import Foundation
import Kit
import Testing

@testable import Billing

/// Entries before they are posted: values in, values out.
@Suite struct EntryTests {
  private let bank = LedgerAccount("bank:KRW", .asset, .krw, keepsBalance: false)
  private let dollars = LedgerAccount("bank:USD", .asset, .usd, keepsBalance: false)
  private let revenue = LedgerAccount("revenue:KRW", .income, .krw, keepsBalance: false)
  private let points = LedgerAccount("points:x", .liability, .points, keepsBalance: true)
  private let noon = Instant(seconds: 1_795_219_200)

  private func entry(_ postings: [(LedgerAccount, Int64)], at occurred: Instant? = nil) throws(InvalidEntry) -> Entry {
    try Entry(
      key: "k", description: "test", occurred: occurred ?? noon, postings: postings.map { Entry.Posting($0.0, $0.1) })
  }

  @Test func anEntryBalancesInEachCurrency() throws {
    #expect(try entry([(bank, 100), (revenue, -60), (revenue, -40)]).postings.count == 3)
    #expect(throws: InvalidEntry.unbalanced(.krw)) { try entry([(bank, 100), (revenue, -99)]) }
    // A sum of zero over two currencies is no balance.
    #expect(throws: InvalidEntry.self) { try entry([(bank, 100), (dollars, -100)]) }
  }

  @Test func anEntryHasTwoPostingsThatMoveSomething() {
    #expect(throws: InvalidEntry.tooFewPostings) { try entry([]) }
    #expect(throws: InvalidEntry.tooFewPostings) { try entry([(bank, 1)]) }
    #expect(throws: InvalidEntry.zeroAmount) { try entry([(bank, 0), (revenue, 0)]) }
    #expect(throws: InvalidEntry.tooLarge) { try entry([(bank, .max), (revenue, .min)]) }
  }

  @Test func pointsAndMoneyDoNotMix() {
    let other = LedgerAccount("points:y", .expense, .points, keepsBalance: false)
    #expect(throws: InvalidEntry.mixesPointsWithMoney) {
      try entry([(bank, 100), (revenue, -100), (other, 5), (points, -5)])
    }
  }

  @Test func contentIsWhatWasAskedForWhenAndInWhateverOrder() throws {
    let first = try entry([(bank, 100), (revenue, -100)]).content()
    #expect(try entry([(revenue, -100), (bank, 100)], at: noon + .days(1)).content() == first)
    #expect(try entry([(bank, 101), (revenue, -101)]).content() != first)
  }

  /// The house's rounding, `billing-vectors.md` V27 and V28: parts add up to the whole, the largest remainders first.
  @Test(arguments: [
    (Money(5, .usd), [1, 1, 1] as [Int64], [2, 2, 1] as [Int64]),
    (Money(5, .krw), [1, 1, 1], [2, 2, 1]),
    (Money(10_000, .usd), [1, 2, 3], [1_667, 3_333, 5_000]),
    (Money(1_499, .usd), [10, 6, 3], [789, 473, 237]),
    (Money(-1_499, .usd), [10, 6, 3], [-789, -473, -237]),
  ])
  func sharesAddUpToTheWhole(whole: Money, weights: [Int64], parts: [Int64]) {
    #expect(whole.split(by: weights).map(\.minorUnits) == parts)
  }

  @Test(arguments: [
    ("14.99", Currency.usd, 1_499 as Int64?), ("14.9", .usd, 1_490), ("15", .usd, 1_500), ("19900", .krw, 19_900),
    ("19900.5", .krw, nil), ("14.999", .usd, nil), ("-1", .usd, nil), ("", .usd, nil), (".5", .usd, nil), ("5.", .usd, nil),
    ("1e3", .krw, nil),
  ])
  func pricesAreReadExactly(text: String, currency: Currency, expected: Int64?) {
    #expect(Money(decimal: text, currency)?.minorUnits == expected)
  }
}
