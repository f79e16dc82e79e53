import Foundation
import Kit
import Web

/// How finance's pages call months, tenants and plans.
struct FinanceWords: Sendable {
  let visit: Visit
  let plans: [PlanID: LocalizedText]

  func month(_ month: Month) -> String {
    visit.text("billing.finance.month.\(month.first.month)", ["year": "\(month.first.year)"])
  }

  /// For the axis of a chart.
  func short(_ month: Month) -> String { visit.text("billing.finance.short.\(month.first.month)") }

  func tenant(_ id: TenantID) -> String {
    if id == RevenueSplit.house { return visit.text("billing.finance.house") }
    return visit.cities.tenants.first { $0.tenant == id }?.name(visit.language) ?? id.text
  }

  func plan(_ id: String) -> String { PlanID(id).flatMap { plans[$0] }?(visit.language) ?? id }

  func state(_ state: MonthReport.State) -> String { visit.text("billing.finance.state.\(state.rawValue)") }

  /// The class a state's badge has.
  func mood(_ state: MonthReport.State) -> String {
    switch state {
    case .open: ""
    case .due: "warn"
    case .split: "accent"
    case .closed: "good"
    }
  }

  func refusal(_ refusal: CloseRefusal) -> String {
    switch refusal {
    case .notOver(let from): visit.text("billing.finance.refusal.notOver", ["from": visit.format.date(from)])
    case .earlierOpen(let month): visit.text("billing.finance.refusal.earlierOpen", ["month": self.month(month)])
    case .differs(let found): visit.text("billing.finance.refusal.differs", ["count": "\(found.count)"])
    case .notRecognised, .notSplit, .closedBefore: visit.text("billing.finance.refusal.\(refusal.code)")
    }
  }

  /// A difference, check by check.
  func difference(_ difference: MonthDifference) -> [String: any Sendable] {
    func amount(_ minorUnits: Int64) -> String {
      Currency(rawValue: difference.currency).map { visit.format.money(Money(minorUnits, $0)) } ?? visit.format.number(minorUnits)
    }
    return [
      "what": visit.text("billing.finance.check.\(difference.check.rawValue)"), "of": difference.of,
      "expected": amount(difference.expected), "found": amount(difference.found),
    ]
  }
}

extension Visit {
  /// The month of the address.
  /// - Throws: ``Kit/Problem`` `not-found` where it is none.
  func bookMonth() throws(Problem) -> Month {
    guard let month = parameter("month").flatMap({ Month($0) }) else { throw Problem(.notFound) }
    return month
  }
}
