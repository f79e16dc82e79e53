import Foundation
import Kit
import Testing

@testable import Billing

private func day(_ text: String) -> CivilDate { CivilDate(text)! }
private func period(_ start: String, _ end: String) -> BillingPeriod { BillingPeriod(start: day(start), end: day(end)) }
private func usd(_ cents: Int64) -> Money { Money(cents, .usd) }
private func krw(_ won: Int64) -> Money { Money(won, .krw) }

/// Changes, discounts, tax and recognition, by `billing-vectors.md`.
@Suite struct ProrationTests {
  private func plan(_ id: String, _ price: Money, _ every: BillingInterval = .month) -> PricedPlan {
    PricedPlan(plan: PlanID(id)!, version: 1, every: every, price: price)
  }
  private func at(_ text: String) -> Instant { Instant(rfc3339: text)! }
  private func amounts(_ quote: ChangeQuote) -> [Int64] { quote.lines.map(\.amount.minorUnits) }

  // MARK: Changes

  @Test("V9: a month of a yearly plan that holds 366 days") func v9() {
    let anchor = BillingAnchor(day("2023-07-19"), every: .year)
    let year = anchor.period(containing: day("2023-11-19"))
    #expect(year.days == 366 && year.from(day("2023-11-19"))?.days == 243 && year.lastDay == day("2024-07-18"))
    #expect(Proration.remaining(of: krw(118_800), in: year, from: day("2023-11-19")) == krw(78_875))
  }

  @Test("V10: an upgrade by day, in advance") func v10() {
    let quote = ChangeQuote.upgrade(
      from: plan("small", krw(2_900)), to: plan("large", krw(29_000)), in: period("2024-02-01", "2024-03-01"),
      on: day("2024-02-12"))
    #expect(amounts(quote) == [-1_800, 18_000] && quote.total == krw(16_200))
    #expect(quote.lines.map(\.kind) == [.credit, .charge] && quote.lines.map(\.plan.text) == ["small", "large"])
    #expect(quote.lines.allSatisfy { $0.period == period("2024-02-12", "2024-03-01") && $0.period.days == 18 })
    #expect(!quote.resetsPeriod && quote.newPeriod == period("2024-02-01", "2024-03-01"))
  }

  @Test("V11: the day of termination stays billed") func v11() {
    let february = period("2024-02-01", "2024-03-01")
    #expect(Proration.creditOnTermination(of: krw(2_900), in: february, on: day("2024-02-12")) == krw(1_700))
    #expect(Proration.creditOnTermination(of: krw(2_900), in: february, on: day("2024-02-29")) == krw(0))
  }

  @Test("V14: an upgrade by the second") func v14() {
    let quote = ChangeQuote.upgrade(
      from: plan("aa", usd(10_000)), to: plan("bb", usd(30_000)), in: period("2025-06-01", "2025-07-01"),
      at: at("2025-06-16T00:00:00Z"), zone: .gmt, unit: .second)
    #expect(amounts(quote) == [-5_000, 15_000])
    #expect(
      Proration.remaining(
        of: usd(10_000), from: at("2025-06-01T00:00:00Z"), to: at("2025-07-01T00:00:00Z"), at: at("2025-06-16T00:00:00Z"))
        == usd(5_000))
  }

  @Test("V15: month to year begins the cycle anew") func v15() {
    let quote = ChangeQuote.upgrade(
      from: plan("aa", usd(10_000)), to: plan("aa", usd(100_000), .year), in: period("2025-06-01", "2025-07-01"),
      at: at("2025-06-16T00:00:00Z"), zone: .gmt, unit: .second)
    #expect(amounts(quote) == [-5_000, 100_000])
    #expect(quote.resetsPeriod && quote.newPeriod == period("2025-06-16", "2026-06-16"))
  }

  @Test("V16: year to month gives more back than it asks for") func v16() {
    let quote = ChangeQuote.upgrade(
      from: plan("aa", usd(100_000), .year), to: plan("aa", usd(10_000)), in: period("2025-06-01", "2026-06-01"),
      at: at("2025-08-13T00:00:00Z"), zone: .gmt, unit: .second)
    #expect(amounts(quote) == [-80_000, 10_000] && quote.total == usd(-70_000))
    #expect(quote.resetsPeriod && quote.newPeriod == period("2025-08-13", "2025-09-13"))
  }

  @Test("V17: prices after discounts") func v17() {
    func off(_ discount: Discount, _ price: Int64) -> Money { usd(price) - Discount.total([discount], on: usd(price)) }
    for (before, after, expected) in [
      (Discount.percent(25), Discount.percent(50), [-3_750, 25_000] as [Int64]),
      (.fixed(usd(2_500)), .fixed(usd(5_000)), [-3_750, 47_500]),
    ] {
      let quote = ChangeQuote.upgrade(
        from: plan("aa", off(before, 10_000)), to: plan("bb", off(after, 100_000)), in: period("2025-06-01", "2025-07-01"),
        at: at("2025-06-16T00:00:00Z"), zone: .gmt, unit: .second)
      #expect(amounts(quote) == expected)
    }
  }

  @Test("V20: the day of a pause is not billed, the day of a resumption is") func v20() {
    #expect(
      Proration.remaining(of: usd(24_995), in: period("2012-03-02", "2012-04-02"), from: day("2012-03-04")) == usd(23_382))
    #expect(
      Proration.remaining(of: usd(24_995), in: period("2012-04-02", "2012-05-02"), from: day("2012-04-05")) == usd(22_496))
  }

  @Test func aStubIsGivenBackAsWhatWasPaidForIt() {
    let anchor = BillingAnchor(day("2021-09-30"), every: .month, billDay: 25)
    let quote = ChangeQuote.upgrade(
      from: plan("aa", usd(2_495)), to: plan("bb", usd(4_990)), in: anchor.period(0), cycle: anchor.cycle(0),
      on: day("2021-09-30"))
    #expect(amounts(quote) == [-2_079, 4_158])
  }

  @Test func theDayOfAChangeIsTheSubscribersDay() {
    // 23:30 in Seoul on the 15th, still the 15th in London; an hour later it is the 16th in Seoul alone.
    let seoul = TimeZone(identifier: "Asia/Seoul")!
    let june = period("2025-06-01", "2025-07-01")
    func quote(_ text: String) -> ChangeQuote {
      ChangeQuote.upgrade(
        from: plan("aa", krw(30_000)), to: plan("bb", krw(60_000)), in: june, at: at(text), zone: seoul)
    }
    #expect(amounts(quote("2025-06-15T14:30:00Z")) == [-16_000, 32_000])
    #expect(amounts(quote("2025-06-15T15:30:00Z")) == [-15_000, 30_000])
    // Before the period and after it: all, and its last day.
    #expect(amounts(quote("2025-05-01T00:00:00Z")) == [-30_000, 60_000])
    #expect(amounts(quote("2025-07-09T00:00:00Z")) == [-1_000, 2_000])
  }

  @Test func aChangeIsFreeOnlyOfRoundingWhenThePlanStaysTheSame() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      let start = day("2020-01-01").adding(days: Int.random(in: 0..<3_000, using: &random))
      let anchor = BillingAnchor(start, every: Bool.random(using: &random) ? .month : .year)
      let period = anchor.period(Int.random(in: 0..<12, using: &random))
      let on = period.start.adding(days: Int.random(in: 0..<period.days, using: &random))
      let price = krw(Int64.random(in: 1..<10_000_000, using: &random))
      let quote = ChangeQuote.upgrade(
        from: plan("aa", price, anchor.every), to: plan("aa", price, anchor.every), in: period, on: on)
      #expect(quote.total.minorUnits == 0 && quote.lines.allSatisfy { $0.amount.minorUnits.magnitude <= price.minorUnits })
    }
  }

  // MARK: Retries, discounts, tax, allocation

  @Test("V22: retries are counted from the failure before") func v22() {
    let dates = RetrySchedule(days: [8, 8, 8]).dates(after: day("2012-05-31"))
    #expect(dates.map(\.description) == ["2012-06-08", "2012-06-16", "2012-06-24"])
    #expect(
      RetrySchedule.house.dates(after: day("2026-11-21")).map(\.description) == ["2026-11-24", "2026-11-29", "2026-12-06"])
  }

  @Test("V23: the fixed discount first, then the percentage of what is left") func v23() {
    #expect(Discount.total([.fixed(usd(10_00)), .percent(20)], on: usd(100_00)) == usd(28_00))
    #expect(Discount.total([.percent(20), .fixed(usd(10_00))], on: usd(100_00)) == usd(28_00))
    #expect(Discount.total([.fixed(usd(500)), .percent(100)], on: usd(100)) == usd(100))
    #expect(Discount.total([], on: usd(100)) == usd(0))
  }

  @Test("V26: a refund holds tax in the ratio of the original") func v26() {
    let split = TaxSplit(supply: usd(800), tax: usd(200)).refund(usd(500))
    #expect(split == TaxSplit(supply: usd(400), tax: usd(100)))
  }

  @Test func aKoreanPriceContainsAnEleventhOfTax() {
    #expect(TaxSplit.inclusive(krw(19_900), rate: .korea) == TaxSplit(supply: krw(18_091), tax: krw(1_809)))
    #expect(TaxSplit.inclusive(krw(-19_900), rate: .consumer(in: "KR")) == TaxSplit(supply: krw(-18_091), tax: krw(-1_809)))
    #expect(TaxSplit.inclusive(usd(1_499), rate: .consumer(in: "US")) == TaxSplit(supply: usd(1_499), tax: usd(0)))
  }

  @Test("V27, V28: parts add up by the largest remainder") func v27and28() {
    #expect(usd(5).split(by: [1, 1, 1]) == [usd(2), usd(2), usd(1)])
    #expect(krw(5).split(by: [1, 1, 1]) == [krw(2), krw(2), krw(1)])
    #expect(usd(10_000).split(by: [1, 2, 3]) == [usd(1_667), usd(3_333), usd(5_000)])
    #expect(usd(1_499).split(by: [10, 6, 3]) == [usd(789), usd(473), usd(237)])
  }

  @Test("V29: half a won goes away from zero") func v29() {
    #expect(Proration.share(of: krw(2_001), 1, of: 2) == krw(1_001))
    #expect(Proration.share(of: krw(-2_001), 1, of: 2) == krw(-1_001))
    #expect(Proration.share(of: krw(2_001), -1, of: 2) == krw(-1_001))
    #expect(Proration.share(of: krw(.max), 31_622_400, of: 31_622_400) == krw(.max))
  }

  @Test("V30: recognition by day, less a credit") func v30() {
    let quarter = period("2023-01-01", "2023-04-01")
    let months = [period("2023-01-01", "2023-02-01"), period("2023-02-01", "2023-03-01"), period("2023-03-01", "2023-04-01")]
    let earned = months.map {
      Recognition.earned(usd(120_00), over: quarter, in: $0) + Recognition.earned(usd(-30_00), over: quarter, in: $0)
    }
    #expect(earned == [usd(31_00), usd(28_00), usd(31_00)])
    #expect(Recognition.cumulative(usd(120_00), over: quarter, through: day("2022-12-31")) == usd(0))
    #expect(Recognition.cumulative(usd(120_00), over: quarter, through: day("2024-01-01")) == usd(120_00))
  }

  // MARK: Parts add up

  @Test func whatIsRecognisedByDayAddsUpAndNeverGoesBack() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      let start = day("2020-01-01").adding(days: Int.random(in: 0..<3_000, using: &random))
      let span = BillingPeriod(start: start, end: start.adding(days: Int.random(in: 1..<400, using: &random)))
      let amount = krw(Int64.random(in: -1_000_000_000..<1_000_000_000, using: &random))
      let steps = (0..<span.days).map { offset in
        let day = start.adding(days: offset)
        return Recognition.earned(amount, over: span, in: BillingPeriod(start: day, end: day.adding(days: 1))).minorUnits
      }
      #expect(steps.reduce(0, +) == amount.minorUnits)
      #expect(steps.allSatisfy { $0 * amount.minorUnits.signum() >= 0 })
    }
  }

  @Test func refundsInPartsGiveBackTheWholeTax() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<1_000 {
      let split = TaxSplit.inclusive(krw(Int64.random(in: 1..<1_000_000, using: &random)), rate: .korea)
      let parts = split.total.split(by: (0..<5).map { _ in Int64.random(in: 0..<9, using: &random) })
      var before = krw(0)
      var (supply, tax) = (krw(0), krw(0))
      for part in parts {
        let refund = split.refund(part, after: before)
        #expect(refund.total == part)
        (before, supply, tax) = (before + part, supply + refund.supply, tax + refund.tax)
      }
      #expect(supply == split.supply && tax == split.tax)
    }
  }

  @Test func splitsAddUpAndStayWithinOneUnitOfTheirShare() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      let amount = krw(Int64.random(in: -1_000_000_000_000..<1_000_000_000_000, using: &random))
      let weights = (0..<Int.random(in: 1..<9, using: &random)).map { _ in Int64.random(in: 0..<1_000_000, using: &random) }
      let parts = amount.split(by: weights)
      #expect(parts.reduce(krw(0)) { $0 + $1 } == amount)
      let total = weights.reduce(0, +)
      guard total > 0 else { continue }
      for (part, weight) in zip(parts, weights) {
        let share = Proration.share(of: amount, weight, of: total)
        #expect((part - share).minorUnits.magnitude <= 1)
      }
    }
  }
}
