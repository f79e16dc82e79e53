import Foundation
import Kit
import Web

/// A month as programs get it. Amounts are decimals as they are written.
struct MonthView: Encodable, Sendable {
  struct Books: Encodable, Sendable {
    let currency, revenue, invoiced, tax, received, refunded, creditGranted, creditApplied: String
    let deferred, taxOwed, receivable, credit: String
  }
  struct Part: Encodable, Sendable {
    let name, currency, amount: String
  }
  struct Tenant: Encodable, Sendable {
    let tenant, earner, seller, currency, amount: String
    let uses: Int64
  }
  struct Owed: Encodable, Sendable {
    let earner, currency, earned, owed: String
  }
  struct Subscribers: Encodable, Sendable {
    let plan, status: String
    let count: Int64
  }

  let month: String
  let state: String
  let isProvisional: Bool
  /// The last day whose revenue is booked.
  let through: CivilDate?
  let closed: Instant?
  let digest: String?
  let books: [Books]
  let tenants: [Tenant]
  let plans: [Part]
  let countries: [Part]
  let owed: [Owed]
  let subscribers: [Subscribers]
  let pointsIssued: Int64

  init(_ report: MonthReport) {
    month = report.month.description
    state = report.state.rawValue
    isProvisional = report.isProvisional
    through = report.through
    closed = report.closed?.closed
    digest = report.closed?.digestText
    books = report.books.map {
      Books(
        currency: $0.currency.rawValue, revenue: $0.revenue.decimal, invoiced: $0.invoiced.decimal, tax: $0.tax.decimal,
        received: $0.received.decimal, refunded: $0.refunded.decimal, creditGranted: $0.creditGranted.decimal,
        creditApplied: $0.creditApplied.decimal, deferred: $0.deferred.decimal, taxOwed: $0.taxOwed.decimal,
        receivable: $0.receivable.decimal, credit: $0.credit.decimal)
    }
    tenants = report.tenants.map {
      Tenant(
        tenant: $0.tenant.text, earner: $0.earner, seller: $0.seller, currency: $0.amount.currency.rawValue,
        amount: $0.amount.decimal, uses: $0.uses)
    }
    func parts(_ parts: [MonthReport.Part]) -> [Part] {
      parts.map { Part(name: $0.name, currency: $0.amount.currency.rawValue, amount: $0.amount.decimal) }
    }
    plans = parts(report.plans)
    countries = parts(report.countries)
    owed = report.owed.map {
      Owed(earner: $0.earner, currency: $0.owed.currency.rawValue, earned: $0.earned.decimal, owed: $0.owed.decimal)
    }
    subscribers = report.subscribers.map { Subscribers(plan: $0.plan, status: $0.status, count: $0.count) }
    pointsIssued = report.pointsIssued
  }

  static let shape = Shape.object([
    ("month", .string), ("state", .choice(MonthReport.State.allCases.map(\.rawValue))), ("isProvisional", .boolean),
    ("through?", .string), ("closed?", .instant), ("digest?", .string),
    (
      "books",
      .array(
        .object(
          [
            "currency", "revenue", "invoiced", "tax", "received", "refunded", "creditGranted", "creditApplied", "deferred",
            "taxOwed", "receivable", "credit",
          ].map { ($0, .string) }))
    ),
    (
      "tenants",
      .array(
        .object([
          ("tenant", .string), ("earner", .string), ("seller", .string), ("currency", .string), ("amount", .string),
          ("uses", .integer),
        ]))
    ), ("plans", partShape), ("countries", partShape),
    ("owed", .array(.object(["earner", "currency", "earned", "owed"].map { ($0, .string) }))),
    ("subscribers", .array(.object([("plan", .string), ("status", .string), ("count", .integer)]))), ("pointsIssued", .integer),
  ])

  private static let partShape = Shape.array(.object([("name", .string), ("currency", .string), ("amount", .string)]))
}

/// A month as people get it.
struct MonthModel {
  let report: MonthReport
  let words: FinanceWords
  /// Why it was not closed, when that was asked for.
  var refusal: CloseRefusal?
  var saidClosed = false
  private var visit: Visit { words.visit }

  var values: [String: any Sendable] {
    var values: [String: any Sendable] = [
      "month": report.month.description, "monthName": words.month(report.month), "state": words.state(report.state),
      "mood": words.mood(report.state), "isProvisional": report.isProvisional, "provisional": provisional,
      "books": report.books.map(books), "hasBooks": !report.books.isEmpty,
      "charts": charts.map { $0.model(visit) },
      "tenants": report.tenants.map(tenant), "hasTenants": !report.tenants.isEmpty,
      "plans": report.plans.map { part($0, words.plan($0.name)) }, "hasPlans": !report.plans.isEmpty,
      "countries": report.countries.map { part($0, Countries.name($0.name, visit.language)) },
      "hasCountries": !report.countries.isEmpty, "owed": report.owed.map(owed), "hasOwed": !report.owed.isEmpty,
      "subscribers": report.subscribers.map(subscribers), "hasSubscribers": !report.subscribers.isEmpty,
      "points": visit.text(
        "billing.finance.pointsIssued", ["points": visit.format.money(Money(report.pointsIssued, .points))]),
      "hasPoints": report.pointsIssued != 0, "canClose": report.state == .split, "saidClosed": saidClosed,
      "question": visit.text("billing.finance.close.question", ["month": words.month(report.month)]),
      "exports": ["hledger", "beancount", "csv", "xlsx"].map { format -> [String: any Sendable] in
        [
          "name": visit.text("billing.finance.export.\(format)"),
          "url": "/finance/\(report.month)/export?format=\(format)",
        ]
      },
    ]
    if let closed = report.closed {
      values["closed"] = [
        "when": visit.format.date(closed.closed), "at": closed.closed.rfc3339, "digest": closed.digestText,
      ]
    }
    if let refusal {
      values["refusal"] = words.refusal(refusal)
      if case .differs(let found) = refusal { values["differences"] = found.map(words.difference) }
    }
    return values
  }

  private var provisional: String {
    if let through = report.through {
      return visit.text("billing.finance.through", ["day": visit.format.date(through)])
    }
    return visit.text("billing.finance.throughNone")
  }

  private func books(_ books: MonthReport.Books) -> [String: any Sendable] {
    func stat(_ key: String, _ money: Money) -> [String: any Sendable] {
      [
        "title": visit.text("billing.finance.figure.\(key)"), "value": visit.format.money(money),
        "hint": visit.text("billing.finance.figureHint.\(key)"),
      ]
    }
    return [
      "currency": visit.text("billing.finance.currency.\(books.currency.rawValue)"), "id": books.currency.rawValue,
      "stats": [
        stat("revenue", books.revenue), stat("deferred", books.deferred), stat("received", books.received),
        stat("receivable", books.receivable), stat("taxOwed", books.taxOwed), stat("refunded", books.refunded),
      ],
      "facts": [
        ("invoiced", books.invoiced), ("tax", books.tax), ("creditGranted", books.creditGranted),
        ("creditApplied", books.creditApplied), ("credit", books.credit),
      ].map { ["name": visit.text("billing.finance.figure.\($0.0)"), "value": visit.format.money($0.1)] },
    ]
  }

  private var charts: [Chart] {
    let format = visit.format
    return report.books.flatMap { books -> [Chart] in
      let currency = books.currency
      let name = ["currency": currency.rawValue]
      var charts: [Chart] = []
      let days = report.days.filter { $0.amount.currency == currency }
      if !days.isEmpty {
        charts.append(
          Chart(
            .line, title: visit.text("billing.finance.chart.days", name), labels: days.map { "\($0.day.day)" },
            series: [Chart.Series(visit.text("billing.finance.figure.revenue"), days.map(\.amount.minorUnits))]
          ) { format.money(Money($0, currency)) })
      }
      let tenants = report.tenants.filter { $0.amount.currency == currency }
      if !tenants.isEmpty {
        charts.append(
          Chart(
            .bar, title: visit.text("billing.finance.chart.tenants", name), labels: tenants.map { words.tenant($0.tenant) },
            series: [Chart.Series(visit.text("billing.finance.figure.revenue"), tenants.map(\.amount.minorUnits))]
          ) { format.money(Money($0, currency)) })
      }
      return charts
    }
  }

  private func tenant(_ part: MonthReport.TenantPart) -> [String: any Sendable] {
    [
      "name": words.tenant(part.tenant), "earner": part.earner, "isOwed": part.earner != part.seller,
      "uses": visit.format.number(part.uses), "amount": visit.format.money(part.amount),
    ]
  }

  private func part(_ part: MonthReport.Part, _ name: String) -> [String: any Sendable] {
    ["name": name, "amount": visit.format.money(part.amount)]
  }

  private func owed(_ owed: MonthReport.Owed) -> [String: any Sendable] {
    ["earner": owed.earner, "earned": visit.format.money(owed.earned), "owed": visit.format.money(owed.owed)]
  }

  private func subscribers(_ subscribers: MonthReport.Subscribers) -> [String: any Sendable] {
    [
      "plan": words.plan(subscribers.plan), "status": visit.text("billing.finance.status.\(subscribers.status)"),
      "isLate": subscribers.status == "past_due", "count": visit.format.number(subscribers.count),
    ]
  }
}
