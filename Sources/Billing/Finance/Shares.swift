import Database
import Foundation
import Kit

/// What an account paid for in a month, by who earned it.
struct AccountShares: Sendable {
  struct Part: Sendable {
    let tenant: TenantID
    let earner: String
    var amount: Money
    /// Of the account's persons in the month.
    let uses: Int64
  }

  /// One plan's part.
  struct Plan: Sendable {
    let plan: String
    let rule: ShareRule.Name
    var parts: [Part]
    var total: Money { parts.dropFirst().reduce(parts[0].amount) { $0 + $1.amount } }
  }

  let account: UUID
  var plans: [Plan]
}

/// An account's month down to the lines and what was used.
struct ExplainedShares: Sendable {
  struct Line: Sendable {
    let invoice: UUID
    let number: String
    let plan: String
    let period: BillingPeriod
    /// The line without tax, and what of it was earned in the month.
    let supply: Money
    let earned: Money
    let rule: ShareRule.Name
    let parts: [AccountShares.Part]
  }

  struct Use: Sendable {
    let tenant: TenantID
    let uses: Int64
    /// The first of them.
    let statements: [UsedStatement]
  }

  let account: UUID
  let persons: Int
  let lines: [Line]
  let uses: [Use]
  let countedUntil: Instant
}

extension FinanceService {
  static let sharesPage = 25
  /// Statements shown of a tenant.
  static let statementsMost = 50

  /// Accounts with a share in a month, by their id.
  /// - Parameter account: the last of the page before.
  func shares(
    of month: Month, after account: UUID? = nil, limit: Int = FinanceService.sharesPage
  ) async throws -> (accounts: [AccountShares], next: UUID?) {
    let after = account ?? UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    let rows = try await database.query(
      """
      SELECT s.account, s.plan, s.rule, s.tenant, s.earner, s.currency, sum(s.amount)::bigint AS amount, max(s.uses) AS uses
      FROM (
        SELECT DISTINCT account FROM \(schema).revenue_share WHERE month = \(month.first) AND account > \(after)
        ORDER BY account LIMIT \(limit + 1)
      ) AS a JOIN \(schema).revenue_share AS s ON s.account = a.account AND s.month = \(month.first)
      GROUP BY s.account, s.plan, s.rule, s.tenant, s.earner, s.currency ORDER BY s.account, s.plan, s.rule, s.tenant
      """)
    var accounts: [AccountShares] = []
    for row in rows {
      let id: UUID = try row.get("account")
      if accounts.last?.account != id { accounts.append(AccountShares(account: id, plans: [])) }
      let (plan, rule) = (try row.get("plan", as: String.self), try row.get("rule", as: ShareRule.Name.self))
      let part = try FinanceService.part(row)
      let place = accounts.count - 1
      if let last = accounts[place].plans.last, last.plan == plan, last.rule == rule {
        accounts[place].plans[accounts[place].plans.count - 1].parts.append(part)
      } else {
        accounts[place].plans.append(AccountShares.Plan(plan: plan, rule: rule, parts: [part]))
      }
    }
    guard accounts.count > limit else { return (accounts, nil) }
    accounts.removeLast()
    return (accounts, accounts.last?.account)
  }

  private static func part(_ row: Row) throws -> AccountShares.Part {
    guard let currency = Currency(rawValue: try row.get("currency", as: String.self)) else { throw Problem(.internalError) }
    return AccountShares.Part(
      tenant: try row.get("tenant"), earner: try row.get("earner"), amount: Money(try row.get("amount"), currency),
      uses: try row.get("uses"))
  }

  /// - Throws: ``Kit/Problem`` `not-found` for an account without a share in the month.
  func explain(_ account: UUID, in month: Month) async throws -> ExplainedShares {
    let rows = try await database.query(
      """
      SELECT s.invoice, s.line, s.tenant, s.earner, s.currency, s.amount, s.uses, s.rule, s.plan, i.number, l.supply,
        l.period_start, l.period_end
      FROM \(schema).revenue_share AS s JOIN \(schema).invoice AS i ON i.id = s.invoice
      JOIN \(schema).invoice_line AS l ON l.invoice = s.invoice AND l.line = s.line
      WHERE s.account = \(account) AND s.month = \(month.first)
      ORDER BY i.issued_at, s.invoice, s.line, array_position(l.tenants, s.tenant)
      """)
    guard !rows.isEmpty, let done = try await splitting.split(of: month) else { throw Problem(.notFound) }
    struct Key: Hashable {
      let invoice: UUID
      let line: Int
    }
    var order: [Key] = []
    var grouped: [Key: [Row]] = [:]
    for row in rows {
      let key = Key(invoice: try row.get("invoice"), line: try row.get("line"))
      if grouped[key] == nil { order.append(key) }
      grouped[key, default: []].append(row)
    }
    let lines = try order.compactMap { key -> ExplainedShares.Line? in
      guard let rows = grouped[key], let row = rows.first else { return nil }
      let parts = try rows.map(FinanceService.part)
      let currency = parts[0].amount.currency
      return ExplainedShares.Line(
        invoice: key.invoice, number: try row.get("number"), plan: try row.get("plan"),
        period: BillingPeriod(start: try row.get("period_start"), end: try row.get("period_end")),
        supply: Money(try row.get("supply"), currency), earned: parts.dropFirst().reduce(parts[0].amount) { $0 + $1.amount },
        rule: try row.get("rule"), parts: parts)
    }
    let persons = try await persons(of: account, in: month)
    var counts: [TenantID: Int64] = [:]
    for part in lines.flatMap(\.parts) where part.tenant != RevenueSplit.house {
      counts[part.tenant] = max(counts[part.tenant] ?? 0, part.uses)
    }
    var uses: [ExplainedShares.Use] = []
    for (tenant, count) in counts.sorted(by: { $0.key < $1.key }) {
      let statements = count > 0 ? try await used(by: persons, at: tenant, in: month, until: done.countedUntil) : []
      uses.append(ExplainedShares.Use(tenant: tenant, uses: count, statements: statements))
    }
    return ExplainedShares(
      account: account, persons: persons.count, lines: lines, uses: uses, countedUntil: done.countedUntil)
  }

  private func persons(of account: UUID, in month: Month) async throws -> [PersonID] {
    try await database.query(
      """
      SELECT DISTINCT person FROM \(schema).billing_member WHERE account = \(account)
        AND joined_at < \(month.end(in: timeZone)) AND (left_at IS NULL OR left_at > \(month.start(in: timeZone)))
      ORDER BY person
      """
    ).map { try $0.get("person") }
  }

  /// The statements a month counted: as ``RevenueSplit`` reads them, less those the month before had counted.
  private func used(
    by persons: [PersonID], at tenant: TenantID, in month: Month, until: Instant
  ) async throws -> [UsedStatement] {
    guard let statements else { return [] }
    let (start, end) = (month.start(in: timeZone), month.end(in: timeZone))
    let before = try await splitting.split(of: month.previous)?.countedUntil ?? start
    func read(_ stored: Range<Instant>) async throws -> [UsedStatement] {
      try await statements.statements(
        of: persons, at: tenant, stored: stored, happenedBefore: end, limit: FinanceService.statementsMost)
    }
    // In the first days of the month only what happened in it counts; what is late from before was counted then.
    let early = before > start ? try await read(start..<before).filter { $0.happened >= start } : []
    let late = before < until ? try await read(before..<until) : []
    return Array((early + late).prefix(FinanceService.statementsMost))
  }
}
