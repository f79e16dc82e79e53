import Foundation
import HTTPTypes
import Kit
import Web

/// The console's pages for who keeps the books.
extension FinanceService {
  static let reportEndpoints: [Endpoint<FinanceService>] = [
    .get(
      "/finance",
      .init(
        access: keepers,
        operation: Operation(
          "financeOverview", "This month and the twelve before: revenue, and where the books stand.",
          output: FinanceYearView.shape)
      )
    ) { finance, visit in try await finance.overviewPage(visit) },
    .get(
      "/finance/{month}",
      .init(
        access: keepers,
        operation: Operation(
          "financeMonth", "A month of the books. One that is not split yet is provisional: its figures may change.",
          output: MonthView.shape, problems: [.notFound]))
    ) { finance, visit in try await finance.monthPage(visit) },
    .post(
      "/finance/{month}/close",
      .init(
        access: keepers,
        operation: Operation(
          "closeMonth",
          "Closes a month for good. Refused with a code: notOver, notRecognised, notSplit, earlierOpen, closedBefore, differs.",
          input: .object([]), output: MonthView.shape, problems: [.notFound, .conflict]))
    ) { finance, visit in try await finance.closeMonth(visit) },
  ]

  private func overviewPage(_ visit: Visit) async throws -> Answer {
    let overview = try await overview()
    let words = FinanceWords(visit: visit, plans: planNames())
    return .page(json: FinanceYearView(overview)) {
      Page(
        "billing.finance-overview", title: visit.text("billing.finance.title"),
        FinanceYearModel(overview: overview, words: words).values)
    }
  }

  private func monthPage(_ visit: Visit) async throws -> Answer {
    let report = try await report(on: try visit.bookMonth())
    let model = MonthModel(
      report: report, words: FinanceWords(visit: visit, plans: planNames()), saidClosed: visit.query("done") == "closed")
    return .page(json: MonthView(report)) { Page("billing.finance-month", title: title(report, visit), model.values) }
  }

  private func closeMonth(_ visit: Visit) async throws -> Answer {
    let month = try visit.bookMonth()
    do {
      try await close(month, by: try visit.requireSession().person.description)
    } catch let refusal as CloseRefusal where !visit.wantsJSON {
      // Who pressed the button twice has what she wanted.
      if refusal == .closedBefore { return .redirect("/finance/\(month)") }
      let report = try await report(on: month)
      let model = MonthModel(report: report, words: FinanceWords(visit: visit, plans: planNames()), refusal: refusal)
      return .page(Page("billing.finance-month", title: title(report, visit), model.values), status: .conflict)
    }
    return visit.wantsJSON ? .json(MonthView(try await report(on: month))) : .redirect("/finance/\(month)?done=closed")
  }

  private func title(_ report: MonthReport, _ visit: Visit) -> String {
    visit.text(
      "billing.finance.monthTitle", ["month": FinanceWords(visit: visit, plans: [:]).month(report.month)])
  }
}
