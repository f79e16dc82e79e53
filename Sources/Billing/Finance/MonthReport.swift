import Database
import Foundation
import Kit

/// What finance wants to know of a month. Every figure is a query over the ledger and the invoice lines.
struct MonthReport: Sendable {
  enum State: String, Sendable, CaseIterable {
    /// It is not over, or not over for three days: its figures move.
    case open
    /// It can be split and closed any time now.
    case due
    case split, closed
  }

  /// The figures of one currency.
  struct Books: Sendable {
    let currency: Currency
    /// Recognised.
    var revenue: Money
    /// Totals of the invoices issued, credit notes taken off, tax included.
    var invoiced: Money
    var tax: Money
    var received: Money
    var refunded: Money
    var creditGranted: Money
    var creditApplied: Money
    // At the month's end, or now.
    var deferred: Money
    var taxOwed: Money
    var receivable: Money
    var credit: Money

    init(_ currency: Currency) {
      self.currency = currency
      let none = Money(0, currency)
      (revenue, invoiced, tax, received, refunded, creditGranted) = (none, none, none, none, none, none)
      (creditApplied, deferred, taxOwed, receivable, credit) = (none, none, none, none, none)
    }
  }

  /// A part of the revenue: a plan's, a country's.
  struct Part: Sendable {
    let name: String
    let amount: Money
  }

  /// What a tenant earned.
  struct TenantPart: Sendable {
    let tenant: TenantID
    let earner: String
    let seller: String
    let uses: Int64
    let amount: Money
  }

  /// What is another entity's.
  struct Owed: Sendable {
    let earner: String
    /// Of this month.
    let earned: Money
    /// With what was not paid out of the months before.
    let owed: Money
  }

  struct Subscribers: Sendable {
    let plan: String
    /// `paid` on the last day of a month that is over; of an open month as the subscription is now.
    let status: String
    let count: Int64
  }

  let month: Month
  let state: State
  /// The last day whose revenue is booked; `nil` before the first of the month.
  let through: CivilDate?
  let closed: ClosedMonth?
  var books: [Books] = []
  var tenants: [TenantPart] = []
  var plans: [Part] = []
  var countries: [Part] = []
  var owed: [Owed] = []
  /// Recognised each day, in the order of days.
  var days: [(day: CivilDate, amount: Money)] = []
  var subscribers: [Subscribers] = []
  /// Points given away.
  var pointsIssued: Int64 = 0

  /// Whether figures may still change.
  var isProvisional: Bool { state == .open || state == .due }
}

extension FinanceService {
  /// - Throws: ``Kit/Problem`` `not-found` for a month before the books began, or after this one.
  func report(on month: Month) async throws -> MonthReport {
    let now = clock.now()
    let today = CivilDate(now, in: timeZone)
    guard month <= Month(of: today), let first = try await firstMonth(), first <= month else { throw Problem(.notFound) }
    // One snapshot, so that the figures agree with each other.
    return try await database.transaction(.repeatableRead) { transaction in
      let row = try await transaction.one("SELECT * FROM \(schema).closed_month WHERE month = \(month.first)")
      let closed = try row.map { try ClosedMonth(row: $0) }
      let split = try await splitting.split(of: month, in: transaction)
      let booked = try await recognition.booked(in: transaction)
      let state: MonthReport.State =
        closed != nil ? .closed : split != nil ? .split : month.settles(in: timeZone) <= now ? .due : .open
      let through = booked.flatMap { $0 < month.first ? nil : min($0, month.last) }
      var report = MonthReport(month: month, state: state, through: through, closed: closed)
      try await readBooks(into: &report, in: transaction)
      try await readDays(into: &report, in: transaction)
      if let through { try await readParts(into: &report, through: through, in: transaction) }
      try await readTenants(into: &report, in: transaction)
      try await readSubscribers(into: &report, today: today, in: transaction)
      return report
    }
  }

  private func money(_ row: Row, _ column: String = "amount") throws -> Money {
    guard let currency = Currency(rawValue: try row.get("currency", as: String.self)) else { throw Problem(.internalError) }
    return Money(try row.get(column), currency)
  }

  private func readBooks(into report: inout MonthReport, in transaction: Transaction) async throws {
    let (first, last) = (report.month.first, report.month.last)
    var books: [Currency: MonthReport.Books] = [:]
    func add(_ money: Money, to part: WritableKeyPath<MonthReport.Books, Money>) {
      guard money.currency != .points else { return }
      books[money.currency, default: .init(money.currency)][keyPath: part].minorUnits += money.minorUnits
    }
    // What moved in the month, by what it was and the class of account it went to.
    let moved = try await transaction.query(
      """
      SELECT e.description, split_part(a.code, ':', 1) AS class, a.kind, a.currency, sum(p.amount)::bigint AS amount
      FROM \(schema).ledger_entry AS e JOIN \(schema).ledger_posting AS p ON p.entry = e.id
      JOIN \(schema).ledger_account AS a ON a.id = p.account
      WHERE e.booked_on BETWEEN \(first) AND \(last)
      GROUP BY 1, 2, 3, 4
      """)
    for row in moved {
      let amount = try money(row)
      switch (try row.get("description", as: String.self), try row.get("class", as: String.self)) {
      case ("revenue.recognised", "revenue"): add(-amount, to: \.revenue)
      case ("invoice.issued", "receivable"): add(amount, to: \.invoiced)
      case (_, "vat"): add(-amount, to: \.tax)
      case ("payment.received", "cash"): add(amount, to: \.received)
      case ("payment.refunded", "cash"): add(-amount, to: \.refunded)
      case ("credit.granted", "credit"): add(-amount, to: \.creditGranted)
      case ("credit.applied", "credit"): add(amount, to: \.creditApplied)
      case (_, "points"):
        if try row.get("kind", as: String.self) == LedgerAccount.Kind.expense.rawValue {
          report.pointsIssued += amount.minorUnits
        }
      default: break
      }
    }
    // What stands at the month's end: what stands now, less what was booked after it.
    let standing = try await transaction.query(
      """
      SELECT class, currency, sum(amount)::bigint AS amount FROM (
        SELECT split_part(a.code, ':', 1) AS class, a.currency, CASE WHEN a.keeps_balance THEN coalesce(b.balance, 0)
          ELSE (SELECT coalesce(sum(p.amount), 0) FROM \(schema).ledger_posting AS p WHERE p.account = a.id) END AS amount
        FROM \(schema).ledger_account AS a LEFT JOIN \(schema).ledger_balance AS b ON b.account = a.id
        WHERE a.currency <> 'PTS' AND split_part(a.code, ':', 1) IN ('deferred', 'vat', 'receivable', 'credit')
        UNION ALL
        SELECT split_part(a.code, ':', 1), a.currency, -p.amount
        FROM \(schema).ledger_entry AS e JOIN \(schema).ledger_posting AS p ON p.entry = e.id
        JOIN \(schema).ledger_account AS a ON a.id = p.account
        WHERE e.booked_on > \(last) AND a.currency <> 'PTS'
          AND split_part(a.code, ':', 1) IN ('deferred', 'vat', 'receivable', 'credit')
      ) AS part
      GROUP BY class, currency
      """)
    for row in standing {
      let amount = try money(row)
      switch try row.get("class", as: String.self) {
      case "deferred": add(-amount, to: \.deferred)
      case "vat": add(-amount, to: \.taxOwed)
      case "receivable": add(amount, to: \.receivable)
      default: add(-amount, to: \.credit)
      }
    }
    report.books = Currency.allCases.compactMap { books[$0] }
  }

  private func readDays(into report: inout MonthReport, in transaction: Transaction) async throws {
    let rows = try await transaction.query(
      """
      SELECT day, currency, sum(amount)::bigint AS amount FROM \(schema).recognition
      WHERE day BETWEEN \(report.month.first) AND \(report.month.last) GROUP BY day, currency ORDER BY day, currency
      """)
    report.days = try rows.map { (day: try $0.get("day"), amount: try money($0)) }
  }

  private func readParts(into report: inout MonthReport, through: CivilDate, in transaction: Transaction) async throws {
    let first = report.month.first
    let rows = try await transaction.query(
      """
      SELECT grouping(plan) AS of_country, plan, country, currency, sum(amount)::bigint AS amount FROM (
        SELECT l.plan, i.country, i.currency,
          \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(through))
          - \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(first.adding(days: -1))) AS amount
        FROM \(schema).invoice_line AS l JOIN \(schema).invoice AS i ON i.id = l.invoice
        WHERE i.issued_on <= \(through)
          AND ((l.period_end > \(first) AND l.period_start <= \(through)) OR i.issued_on >= \(first))
      ) AS part
      GROUP BY GROUPING SETS ((plan, currency), (country, currency)) HAVING sum(amount) <> 0
      ORDER BY amount DESC, plan, country
      """)
    for row in rows {
      let ofCountry = try row.get("of_country", as: Int.self) == 1
      let part = MonthReport.Part(name: try row.get(ofCountry ? "country" : "plan"), amount: try money(row))
      if ofCountry { report.countries.append(part) } else { report.plans.append(part) }
    }
  }

  private func readTenants(into report: inout MonthReport, in transaction: Transaction) async throws {
    let (first, last) = (report.month.first, report.month.last)
    report.tenants = try await transaction.query(
      """
      SELECT tenant, earner, entity, currency, sum(amount)::bigint AS amount, sum(uses)::bigint AS uses
      FROM \(schema).revenue_share WHERE month = \(first)
      GROUP BY tenant, earner, entity, currency ORDER BY amount DESC, tenant
      """
    ).map { row in
      MonthReport.TenantPart(
        tenant: try row.get("tenant"), earner: try row.get("earner"), seller: try row.get("entity"), uses: try row.get("uses"),
        amount: try money(row))
    }
    report.owed = try await transaction.query(
      """
      SELECT split_part(a.code, ':', 3) AS earner, a.currency,
        coalesce(-sum(p.amount) FILTER (WHERE e.booked_on >= \(first) AND e.description = 'revenue.split'), 0)::bigint AS earned,
        -sum(p.amount)::bigint AS owed
      FROM \(schema).ledger_account AS a JOIN \(schema).ledger_posting AS p ON p.account = a.id
      JOIN \(schema).ledger_entry AS e ON e.id = p.entry
      WHERE a.code LIKE 'payable:%' AND e.booked_on <= \(last)
      GROUP BY 1, 2 ORDER BY 1, 2
      """
    ).map { row in
      MonthReport.Owed(earner: try row.get("earner"), earned: try money(row, "earned"), owed: try money(row, "owed"))
    }
  }

  private func readSubscribers(into report: inout MonthReport, today: CivilDate, in transaction: Transaction) async throws {
    let last = report.month.last
    let rows =
      last >= today
      ? try await transaction.query(
        """
        SELECT plan, status, count(*) AS count FROM \(schema).subscription WHERE status IN ('active', 'past_due')
        GROUP BY plan, status ORDER BY count DESC, plan, status
        """)
      // Of the past it is known what was paid for; a credit over the same days takes it back.
      : try await transaction.query(
        """
        SELECT plan, 'paid' AS status, count(*) AS count FROM (
          SELECT l.plan, i.subscription FROM \(schema).invoice_line AS l JOIN \(schema).invoice AS i ON i.id = l.invoice
          WHERE l.period_end > \(last) AND l.period_start <= \(last) AND i.issued_on <= \(last)
          GROUP BY l.plan, i.subscription HAVING sum(CASE l.kind WHEN 'plan' THEN 1 ELSE -1 END) > 0
        ) AS held GROUP BY plan ORDER BY count DESC, plan
        """)
    report.subscribers = try rows.map {
      MonthReport.Subscribers(plan: try $0.get("plan"), status: try $0.get("status"), count: try $0.get("count"))
    }
  }
}
