import Database
import Foundation
public import Kit

/// A month as its figures show it: what stood on each account before, and what moved.
struct MonthBooks: Sendable {
  /// An account in one currency. Minor units; a balance is positive on the debit side.
  struct Line: Sendable {
    let account: ControlAccount
    var opening: Int64 = 0
    /// Not negative, both.
    var debit: Int64 = 0
    var credit: Int64 = 0
    var closing: Int64 { opening + debit - credit }
  }

  let month: Month
  let state: LedgerExport.State
  let timeZone: String
  /// By name, then currency.
  let lines: [Line]
  let index: AccountIndex

  var currencies: [Currency] { Currency.allCases.filter { currency in lines.contains { $0.account.currency == currency } } }

  /// The month's debits, which its credits equal.
  var debits: [Currency: Int64] { lines.reduce(into: [:]) { $0[$1.account.currency, default: 0] += $1.debit } }
}

extension MonthBooks {
  /// The figures of the postings up to the end of a month, summed by the database.
  /// - Throws: ``LedgerExport/Refusal`` when they are out of balance; ``Database/DatabaseError``.
  init(_ month: Month, of export: LedgerExport, in transaction: Transaction) async throws {
    let schema = export.schema
    state = try await export.state(of: month, in: transaction)
    self.month = month
    timeZone = export.timeZone.identifier
    let rows = try await transaction.query(
      """
      SELECT a.control, a.kind, a.currency, sum(s.opening)::bigint AS opening, sum(s.debit)::bigint AS debit,
        sum(s.credit)::bigint AS credit
      FROM (
        SELECT p.account, coalesce(sum(p.amount) FILTER (WHERE e.booked_on < \(month.first)), 0) AS opening,
          coalesce(sum(p.amount) FILTER (WHERE e.booked_on >= \(month.first) AND p.amount > 0), 0) AS debit,
          coalesce(-sum(p.amount) FILTER (WHERE e.booked_on >= \(month.first) AND p.amount < 0), 0) AS credit
        FROM \(schema).ledger_posting AS p JOIN \(schema).ledger_entry AS e ON e.id = p.entry
        WHERE e.booked_on < \(month.next) GROUP BY p.account
      ) AS s JOIN (
        SELECT id, kind, currency, CASE
            WHEN code LIKE 'receivable:%' AND length(code) >= 47 THEN 'receivable:' || substr(code, 48)
            WHEN code LIKE 'credit:%' AND length(code) >= 43 THEN 'credit:' || substr(code, 44)
            WHEN code LIKE 'points:earned:%' AND length(code) >= 50 THEN 'points:earned:' || substr(code, 51)
            ELSE code END AS control
        FROM \(schema).ledger_account
      ) AS a ON a.id = s.account
      GROUP BY a.control, a.kind, a.currency ORDER BY a.control
      """)
    var known: [ControlAccount: Line] = [:]
    var codes: [(code: String, account: ControlAccount)] = []
    for row in rows {
      let code: String = try row.get(0)
      guard let kind = LedgerAccount.Kind(rawValue: try row.get(1)), let currency = Currency(rawValue: try row.get(2)) else {
        throw LedgerError.accountDiffers(code: code)
      }
      let account = ControlAccount(code: code, kind: kind, currency: currency, seller: export.seller)
      var line = known[account] ?? Line(account: account)
      line.opening += try row.get(3)
      line.debit += try row.get(4)
      line.credit += try row.get(5)
      known[account] = line
      codes.append((code, account))
    }
    let sorted = known.values.sorted {
      ($0.account.name, $0.account.currency.rawValue) < ($1.account.name, $1.account.currency.rawValue)
    }
    let places = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1.account, $0) })
    var index = AccountIndex()
    for (code, account) in codes { if let place = places[account] { index.insert(code, account: place) } }
    lines = sorted
    self.index = index
    try checkBalance()
  }

  /// What was debited was credited, before the month and in it.
  private func checkBalance() throws(LedgerExport.Refusal) {
    for currency in currencies {
      let own = lines.filter { $0.account.currency == currency }
      let opening = own.reduce(0) { $0 + $1.opening }
      guard opening == 0 else { throw .unbalancedOpening(currency, opening) }
      let moved = own.reduce(0) { $0 + $1.debit - $1.credit }
      guard moved == 0 else { throw .unbalancedMonth(currency, moved) }
    }
  }
}

extension LedgerExport {
  /// Where a month stands, in the snapshot of a transaction.
  func state(of month: Month, in transaction: Transaction) async throws -> State {
    let row = try await transaction.one(
      "SELECT closed_at, digest, totals FROM \(schema).closed_month WHERE month = \(month.first)")
    if let row {
      return .closed(
        Closed(at: try row.get(0), digest: try row.get(1), totals: try Closed.totals(try row.get(2))))
    }
    return month.last < CivilDate(clock.now(), in: timeZone) ? .open : .provisional
  }

  /// What was sealed when a month was closed.
  public struct Closed: Sendable, Hashable {
    public let at: Instant
    /// SHA-256; ``LedgerExport/Figures`` says of what.
    public let digest: [UInt8]
    /// Debits in minor units.
    public let totals: [Currency: Int64]

    /// `{"KRW": 19900}`.
    static func totals(_ json: JSONValue) throws -> [Currency: Int64] {
      guard case .object(let members) = json else { throw Refusal.closedTotalsUnreadable }
      return try members.reduce(into: [:]) { totals, member in
        guard let currency = Currency(rawValue: member.key), let amount = member.value.integer else {
          throw Refusal.closedTotalsUnreadable
        }
        totals[currency] = amount
      }
    }
  }
}
