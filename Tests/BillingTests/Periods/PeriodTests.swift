import Foundation
import Kit
import Testing

@testable import Billing

private func day(_ text: String) -> CivilDate { CivilDate(text)! }
private func period(_ start: String, _ end: String) -> BillingPeriod { BillingPeriod(start: day(start), end: day(end)) }
private func usd(_ cents: Int64) -> Money { Money(cents, .usd) }

/// Anchors and periods, by `billing-vectors.md`.
@Suite struct PeriodTests {
  @Test("V2: an anchor on the 30th bills the last day of February and returns") func v2() {
    let anchor = BillingAnchor(day("2024-01-30"), every: .month)
    #expect(
      (0..<3).map { "\(anchor.period($0).start)…\(anchor.period($0).lastDay)" } == [
        "2024-01-30…2024-02-28", "2024-02-29…2024-03-29", "2024-03-30…2024-04-29",
      ])
  }

  @Test("V3: an anchor on the 31st") func v3() {
    let anchor = BillingAnchor(day("2017-01-31"), every: .month)
    #expect((0..<4).map { anchor.period($0).start.description } == ["2017-01-31", "2017-02-28", "2017-03-31", "2017-04-30"])
  }

  @Test(
    "V5: a stub up to the bill day",
    arguments: [("2021-09-16", 25, Int64(724)), ("2021-09-25", 17, 1_830), ("2021-09-30", 25, 2_079)])
  func v5(start: String, billDay: Int, cents: Int64) {
    let anchor = BillingAnchor(day(start), every: .month, billDay: billDay)
    #expect(anchor.period(0).start == day(start) && anchor.period(1).start.day == billDay)
    #expect(Proration.remaining(of: usd(2_495), in: anchor.cycle(0), from: anchor.day) == usd(cents))
    #expect(anchor.period(1) == anchor.cycle(1))
  }

  @Test("V6: an add-on aligned to the bundle") func v6() {
    let anchor = BillingAnchor(day("2021-09-30"), every: .month, billDay: 20)
    #expect(Proration.remaining(of: usd(1_795), in: anchor.cycle(0), from: anchor.day) == usd(1_197))
  }

  @Test func aLeapDayReturnsEveryFourYears() {
    let anchor = BillingAnchor(day("2024-02-29"), every: .year)
    #expect((0..<5).map { anchor.period($0).start.description }.last == "2028-02-29")
    #expect(anchor.period(1).start == day("2025-02-28") && anchor.period(0).days == 365 && anchor.period(3).days == 366)
  }

  @Test func aBillDayThatIsTheFirstDayMakesNoStub() {
    let anchor = BillingAnchor(day("2024-02-29"), every: .month, billDay: 31)
    #expect(anchor.period(0) == anchor.cycle(0) && anchor.period(0) == period("2024-02-29", "2024-03-31"))
  }

  @Test func periodsTileWithoutGapOrOverlapFromEveryDay() {
    for every in BillingInterval.allCases {
      for billDay in [nil, 1, 15, 28, 30, 31] {
        // Every day of a leap year and of a common one.
        for offset in 0..<731 {
          let start = day("2024-01-01").adding(days: offset)
          let anchor = BillingAnchor(start, every: every, billDay: billDay)
          let count = every == .month ? 121 : 11
          var next = start
          for index in 0..<count {
            let period = anchor.period(index)
            if period.start != next || anchor.index(containing: period.start) != index
              || anchor.index(containing: period.lastDay) != index
            {
              Issue.record("\(start) \(every) \(billDay ?? 0): period \(index) is \(period), expected from \(next)")
              return
            }
            next = period.end
          }
          if next < start.adding(months: 120) { Issue.record("\(start): ten years end on \(next)") }
        }
      }
    }
  }

  @Test func everyDayIsInThePeriodThatIsFoundForIt() {
    for start in ["2023-12-31", "2024-02-29", "2025-06-15"] {
      for billDay in [nil, 1, 29, 31] {
        for every in BillingInterval.allCases {
          let anchor = BillingAnchor(day(start), every: every, billDay: billDay)
          let lost = (0..<3_653).map { day(start).adding(days: $0) }.filter { !anchor.period(containing: $0).contains($0) }
          #expect(lost.isEmpty, "\(start) \(every) \(lost.prefix(3))")
        }
      }
    }
    #expect(BillingAnchor(day("2024-05-05"), every: .month).index(containing: day("2020-01-01")) == 0)
  }

  @Test func aPeriodIsWrittenAsItsTwoDays() throws {
    let text = String(decoding: try JSONEncoder().encode([period("2024-01-30", "2024-02-29")]), as: UTF8.self)
    #expect(text.contains(#""start":"2024-01-30""#))
    let back = try JSONDecoder().decode([BillingPeriod].self, from: Data(text.utf8))
    #expect(back == [period("2024-01-30", "2024-02-29")])
    let empty = #"{"start":"2024-01-30","end":"2024-01-30"}"#
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(BillingPeriod.self, from: Data(empty.utf8)) }
  }
}
