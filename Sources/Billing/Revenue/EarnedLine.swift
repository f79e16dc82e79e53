import Database
import Foundation
import Kit

/// An invoice line and what was earned of it in a month.
struct EarnedLine: Sendable {
  let invoice: UUID
  let line: Int
  let plan: PlanID
  let account: UUID
  let entity: String
  let country: String
  let amount: Money
  /// Never empty: the house where the plan reached no tenant.
  let tenants: [TenantID]
  /// Of the account's persons, one for each tenant.
  let uses: [Int64]

  init(_ row: Row, house: TenantID) throws {
    guard let plan = PlanID(try row.get("plan", as: String.self)),
      let currency = Currency(rawValue: try row.get("currency", as: String.self))
    else { throw Problem(.internalError) }
    self.plan = plan
    invoice = try row.get("invoice")
    line = try row.get("line")
    account = try row.get("account")
    entity = try row.get("entity")
    country = try row.get("country")
    amount = Money(try row.get("amount"), currency)
    let named = try row.get("tenants", as: [String].self).compactMap { TenantID($0) }
    tenants = named.isEmpty ? [house] : named
    uses = named.isEmpty ? [0] : try row.get("uses")
  }
}

/// Rows of `revenue_share`, column by column, as one statement takes them.
struct ShareRows {
  var invoices: [UUID] = []
  var lines: [Int] = []
  var tenants: [String] = []
  var accounts: [UUID] = []
  var plans: [String] = []
  var countries: [String] = []
  var entities: [String] = []
  var earners: [String] = []
  var currencies: [String] = []
  var amounts: [Int64] = []
  var rules: [String] = []
  var uses: [Int64] = []

  mutating func add(
    _ line: EarnedLine, _ tenant: TenantID, earner: String, _ part: Money, _ rule: ShareRule.Name, uses: Int64
  ) {
    invoices.append(line.invoice)
    lines.append(line.line)
    tenants.append(tenant.text)
    accounts.append(line.account)
    plans.append(line.plan.text)
    countries.append(line.country)
    entities.append(line.entity)
    earners.append(earner)
    currencies.append(part.currency.rawValue)
    amounts.append(part.minorUnits)
    rules.append(rule.rawValue)
    self.uses.append(uses)
  }
}
