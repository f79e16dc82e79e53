import Database
import Foundation
import Kit
import Web

/// The year at a glance: what each month brought, and where its books stand.
struct FinanceOverview: Sendable {
  struct Line: Sendable {
    let month: Month
    let state: MonthReport.State
    /// Recognised, by currency.
    var revenue: [Currency: Int64] = [:]
    /// What of it is split, by currency and by the account it went to.
    var shares: [Currency: [String: Int64]] = [:]

    /// What nobody has yet.
    func unallocated(_ currency: Currency) -> Int64 {
      (revenue[currency] ?? 0) - (shares[currency]?.values.reduce(0, +) ?? 0)
    }
  }

  /// Oldest first; this month is the last.
  let months: [Line]
  let subscribers: Int64
  let pastDue: Int64

  var currencies: [Currency] { Currency.allCases.filter { currency in months.contains { $0.revenue[currency] != nil } } }
}

extension FinanceService {
  /// This month and the twelve before, as far as the books go back.
  func overview() async throws -> FinanceOverview {
    let now = clock.now()
    let current = Month(of: CivilDate(now, in: timeZone))
    let start = max(try await firstMonth() ?? current, Month(of: current.first.adding(months: -12)))
    return try await database.transaction(.repeatableRead) { transaction in
      let closed = try await transaction.query("SELECT month FROM \(schema).closed_month WHERE month >= \(start.first)")
        .map { Month(of: try $0.get("month")) }
      let split = try await transaction.query("SELECT month FROM \(schema).revenue_split WHERE month >= \(start.first)")
        .map { Month(of: try $0.get("month")) }
      var months: [Month: FinanceOverview.Line] = [:]
      var month = start
      while month <= current {
        let state: MonthReport.State =
          closed.contains(month)
          ? .closed : split.contains(month) ? .split : month.settles(in: timeZone) <= now ? .due : .open
        months[month] = FinanceOverview.Line(month: month, state: state)
        month = month.following
      }
      var keys: [String] = []
      let earned = try await transaction.query(
        """
        SELECT date_trunc('month', day)::date AS month, entity, currency, sum(amount)::bigint AS amount
        FROM \(schema).recognition WHERE day >= \(start.first) GROUP BY 1, 2, 3
        """)
      for row in earned {
        guard let currency = Currency(rawValue: try row.get("currency", as: String.self)) else { continue }
        let month = Month(of: try row.get("month"))
        months[month]?.revenue[currency, default: 0] += try row.get("amount", as: Int64.self)
        keys.append("split:\(month):\(try row.get("entity", as: String.self)):\(currency.rawValue)")
      }
      let shared = try await transaction.query(
        """
        SELECT e.booked_on, a.code, a.currency, -p.amount AS amount
        FROM \(schema).ledger_entry AS e JOIN \(schema).ledger_posting AS p ON p.entry = e.id
        JOIN \(schema).ledger_account AS a ON a.id = p.account
        WHERE e.key = ANY(\(keys)) AND a.code NOT LIKE 'revenue:%:unallocated:%'
        """)
      for row in shared {
        guard let currency = Currency(rawValue: try row.get("currency", as: String.self)) else { continue }
        months[Month(of: try row.get("booked_on"))]?.shares[currency, default: [:]][try row.get("code"), default: 0] +=
          try row.get("amount", as: Int64.self)
      }
      let held = try await transaction.one(
        """
        SELECT count(*) AS all, count(*) FILTER (WHERE status = 'past_due') AS late
        FROM \(schema).subscription WHERE status IN ('active', 'past_due')
        """)
      return FinanceOverview(
        months: months.values.sorted { $0.month < $1.month }, subscribers: try held?.get("all") ?? 0,
        pastDue: try held?.get("late") ?? 0)
    }
  }
}

/// What programs get.
struct FinanceYearView: Encodable, Sendable {
  struct Amount: Encodable, Sendable {
    let currency: String
    let amount: String
  }
  struct Line: Encodable, Sendable {
    let month: String
    let state: String
    let revenue: [Amount]
  }
  let months: [Line]
  let subscriptions: Int64
  let pastDue: Int64

  init(_ overview: FinanceOverview) {
    months = overview.months.map { month in
      Line(
        month: month.month.description, state: month.state.rawValue,
        revenue: overview.currencies.map {
          Amount(currency: $0.rawValue, amount: Money(month.revenue[$0] ?? 0, $0).decimal)
        })
    }
    subscriptions = overview.subscribers
    pastDue = overview.pastDue
  }

  static let shape = Shape.object([
    (
      "months",
      .array(
        .object([
          ("month", .string), ("state", .choice(MonthReport.State.allCases.map(\.rawValue))),
          ("revenue", .array(.object([("currency", .string), ("amount", .string)]))),
        ]))
    ), ("subscriptions", .integer), ("pastDue", .integer),
  ])
}

/// What people get.
struct FinanceYearModel {
  let overview: FinanceOverview
  let words: FinanceWords
  private var visit: Visit { words.visit }

  var values: [String: any Sendable] {
    [
      "charts": overview.currencies.map { chart($0).model(visit) }, "hasCharts": !overview.currencies.isEmpty,
      "stats": stats, "months": overview.months.reversed().map(row),
      "heads": overview.currencies.map { ["head": visit.text("billing.finance.revenueIn", ["currency": $0.rawValue])] },
    ]
  }

  private var stats: [[String: any Sendable]] {
    let current = overview.months.last
    let before = overview.months.dropLast().last
    let amounts = overview.currencies.map { currency -> [String: any Sendable] in
      [
        "title": visit.text("billing.finance.soFar", ["currency": currency.rawValue]),
        "value": visit.format.money(Money(current?.revenue[currency] ?? 0, currency)),
        "hint": visit.text(
          "billing.finance.monthBefore",
          ["amount": visit.format.money(Money(before?.revenue[currency] ?? 0, currency))]),
      ]
    }
    return amounts + [
      [
        "title": visit.text("billing.finance.subscriptions"), "value": visit.format.number(overview.subscribers),
        "hint": visit.text("billing.finance.late", ["count": visit.format.number(overview.pastDue)]),
        "isBad": overview.pastDue > 0,
      ]
    ]
  }

  private func row(_ month: FinanceOverview.Line) -> [String: any Sendable] {
    [
      "name": words.month(month.month), "url": "/finance/\(month.month)", "state": words.state(month.state),
      "mood": words.mood(month.state),
      "amounts": overview.currencies.map { currency -> [String: any Sendable] in
        [
          "head": visit.text("billing.finance.revenueIn", ["currency": currency.rawValue]),
          "amount": visit.format.money(Money(month.revenue[currency] ?? 0, currency)),
        ]
      },
    ]
  }

  /// Each month's revenue, one on top of the other who earned it.
  private func chart(_ currency: Currency) -> Chart {
    let codes = Set(overview.months.flatMap { ($0.shares[currency] ?? [:]).keys }).sorted()
    var series = codes.map { code in
      Chart.Series(name(code), overview.months.map { $0.shares[currency]?[code] ?? 0 })
    }
    let open = overview.months.map { $0.unallocated(currency) }
    if series.isEmpty || open.contains(where: { $0 != 0 }) {
      series.append(Chart.Series(visit.text("billing.finance.unallocated"), open))
    }
    let format = visit.format
    return Chart(
      .stacked, title: visit.text("billing.finance.chart.year", ["currency": currency.rawValue]),
      labels: overview.months.map { words.short($0.month) }, series: series
    ) { format.money(Money($0, currency)) }
  }

  /// `revenue:<entity>:<tenant>:<CUR>`, `payable:<entity>:<earner>:<CUR>`.
  private func name(_ code: String) -> String {
    let parts = code.split(separator: ":").map(String.init)
    guard parts.count == 4 else { return code }
    if parts[0] == "payable" { return visit.text("billing.finance.owedTo", ["name": parts[2]]) }
    return TenantID(parts[2]).map(words.tenant) ?? parts[2]
  }
}
