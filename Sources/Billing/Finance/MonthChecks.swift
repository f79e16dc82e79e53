import Database
import Kit

/// Two figures of a month that should be the same and are not.
public struct MonthDifference: Hashable, Sendable, Codable {
  /// What was compared.
  public enum Check: String, Sendable, Codable, CaseIterable {
    /// Supply of the invoices issued, and what went to deferred for them.
    case invoicedSupply
    /// Their tax, and what went to the tax account.
    case invoicedTax
    /// Their totals, and what went to receivables.
    case invoicedTotal
    /// What the lines earned, and the days booked.
    case earned
    /// The days booked, and their postings.
    case recognised
    /// The days booked, and the shares.
    case shared
    /// The shares of each tenant or entity, and their postings.
    case credited
    /// What is left of the lines at the month's end, and the deferred balance.
    case deferred
    /// Nothing, and what is still unallocated at the month's end.
    case unallocated
    /// Debits, and credits.
    case balance
    /// Nothing, and the accounts whose kept balance is not the sum of their postings.
    case kept
  }

  public let check: Check
  /// The seller; the account's code for `credited`.
  public let of: String
  public let currency: String
  /// Minor units.
  public let expected: Int64
  public let found: Int64
}

extension FinanceService {
  /// Compares invoices, days, postings and shares of a month, to the minor unit.
  /// - Returns: what differs; nothing of a sound month.
  func differences(in month: Month, executor: any SQLExecutor) async throws -> [MonthDifference] {
    let (first, last) = (month.first, month.last)
    let rows = try await executor.query(
      """
      WITH booked AS (
        SELECT e.description, CASE WHEN a.keeps_balance THEN split_part(a.code, ':', 1) ELSE a.code END AS code, a.currency,
          sum(p.amount) AS amount
        FROM \(schema).ledger_entry AS e JOIN \(schema).ledger_posting AS p ON p.entry = e.id
        JOIN \(schema).ledger_account AS a ON a.id = p.account
        WHERE e.booked_on BETWEEN \(first) AND \(last)
        GROUP BY 1, 2, 3
      ), issued AS (
        SELECT i.entity, i.currency, sum(l.supply) AS supply, sum(l.tax) AS tax, sum(l.amount) AS total
        FROM \(schema).invoice AS i JOIN \(schema).invoice_line AS l ON l.invoice = i.id
        WHERE i.issued_on BETWEEN \(first) AND \(last)
        GROUP BY i.entity, i.currency
      ), line AS (
        SELECT i.entity, i.currency, l.supply,
          \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(first.adding(days: -1))) AS before,
          \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(last)) AS after
        FROM \(schema).invoice_line AS l JOIN \(schema).invoice AS i ON i.id = l.invoice
        WHERE i.issued_on <= \(last) AND (l.period_end > \(first) OR i.issued_on >= \(first))
      ), standing AS (
        SELECT split_part(a.code, ':', 1) AS class, split_part(a.code, ':', 2) AS entity, a.code, a.currency,
          (SELECT sum(p.amount) FROM \(schema).ledger_posting AS p WHERE p.account = a.id) - coalesce((
            SELECT sum(p.amount) FROM \(schema).ledger_entry AS e JOIN \(schema).ledger_posting AS p ON p.entry = e.id
            WHERE e.booked_on > \(last) AND p.account = a.id), 0) AS balance
        FROM \(schema).ledger_account AS a
        WHERE a.code LIKE 'deferred:%' OR a.code LIKE 'revenue:%:unallocated:%'
      ), day AS (
        SELECT entity, currency, sum(amount) AS amount FROM \(schema).recognition
        WHERE day BETWEEN \(first) AND \(last) GROUP BY entity, currency
      ), share AS (
        SELECT entity, earner, tenant, currency, sum(amount) AS amount FROM \(schema).revenue_share
        WHERE month = \(first) GROUP BY entity, earner, tenant, currency
      ), pair (what, whose, currency, expected, found) AS (
        SELECT 'invoicedSupply', entity, currency, supply, 0 FROM issued
        UNION ALL SELECT 'invoicedSupply', split_part(code, ':', 2), currency, 0, -amount FROM booked
          WHERE description = 'invoice.issued' AND code LIKE 'deferred:%'
        UNION ALL SELECT 'invoicedTax', entity, currency, tax, 0 FROM issued
        UNION ALL SELECT 'invoicedTax', split_part(code, ':', 2), currency, 0, -amount FROM booked
          WHERE description = 'invoice.issued' AND code LIKE 'vat:%'
        UNION ALL SELECT 'invoicedTotal', '', currency, total, 0 FROM issued
        UNION ALL SELECT 'invoicedTotal', '', currency, 0, amount FROM booked
          WHERE description = 'invoice.issued' AND code = 'receivable'
        UNION ALL SELECT 'earned', entity, currency, after - before, 0 FROM line
        UNION ALL SELECT 'earned', entity, currency, 0, amount FROM day
        UNION ALL SELECT 'recognised', entity, currency, amount, 0 FROM day
        UNION ALL SELECT 'recognised', split_part(code, ':', 2), currency, 0, -amount FROM booked
          WHERE description = 'revenue.recognised' AND code LIKE 'revenue:%:unallocated:%'
        UNION ALL SELECT 'shared', entity, currency, amount, 0 FROM day
        UNION ALL SELECT 'shared', entity, currency, 0, amount FROM share
        UNION ALL SELECT 'credited', CASE WHEN earner = entity THEN 'revenue:' || entity || ':' || tenant
          ELSE 'payable:' || entity || ':' || earner END || ':' || currency, currency, amount, 0 FROM share
        UNION ALL SELECT 'credited', code, currency, 0, -amount FROM booked
          WHERE description = 'revenue.split' AND code NOT LIKE 'revenue:%:unallocated:%'
        UNION ALL SELECT 'deferred', entity, currency, supply - after, 0 FROM line
        UNION ALL SELECT 'deferred', entity, currency, 0, -balance FROM standing WHERE class = 'deferred'
        UNION ALL SELECT 'unallocated', entity, currency, 0, -balance FROM standing WHERE class = 'revenue'
        UNION ALL SELECT 'balance', '', currency, 0, amount FROM booked
      )
      SELECT what, whose, currency, sum(expected)::bigint AS expected, sum(found)::bigint AS found
      FROM pair GROUP BY what, whose, currency HAVING sum(expected) <> sum(found) ORDER BY what, whose, currency
      """)
    return try rows.map { row in
      guard let check = MonthDifference.Check(rawValue: try row.get("what", as: String.self)) else {
        throw Problem(.internalError)
      }
      return MonthDifference(
        check: check, of: try row.get("whose"), currency: try row.get("currency"), expected: try row.get("expected"),
        found: try row.get("found"))
    }
  }
}
