public import Database
public import Foundation
public import Kit

extension Ledger {
  /// What stands in an account, in its own direction: a liability of 30 is 30.
  public struct Balance: Sendable, Hashable {
    public let settled: Money
    public let held: Money
    public var available: Money { settled - held }
  }

  /// One line of an account's statement.
  public struct Line: Sendable {
    public let entry: UUID
    public let description: String
    public let details: [String: JSONValue]
    public let occurred: Instant
    /// In the account's own direction.
    public let amount: Money
  }

  /// The proof that nothing was lost: what was debited was credited.
  public struct TrialBalance: Sendable {
    public struct Line: Sendable, Hashable {
      public let kind: LedgerAccount.Kind
      public let currency: Currency
      /// Minor units, both not negative.
      public let debit: Int64
      public let credit: Int64
    }

    public let lines: [Line]
    /// Accounts whose kept balance is not the sum of their postings; zero unless someone went round the ledger.
    public let accountsAdrift: Int

    /// Debits less credits of each currency: all zero.
    public var differences: [Currency: Int64] {
      lines.reduce(into: [:]) { $0[$1.currency, default: 0] += $1.debit - $1.credit }
    }
    public var isBalanced: Bool { accountsAdrift == 0 && differences.values.allSatisfy { $0 == 0 } }
  }

  /// - Parameter executor: the transaction the answer must hold in; by itself it is of this moment.
  public func balance(_ account: LedgerAccount, in executor: (any SQLExecutor)? = nil) async throws -> Balance {
    let row = try await (executor ?? database).one(
      """
      SELECT coalesce(b.held, 0) AS held,
        CASE WHEN a.keeps_balance THEN coalesce(b.balance, 0)
          ELSE (SELECT coalesce(sum(p.amount), 0)::bigint FROM \(schema).ledger_posting AS p WHERE p.account = a.id)
        END AS balance
      FROM \(schema).ledger_account AS a LEFT JOIN \(schema).ledger_balance AS b ON b.account = a.id
      WHERE a.code = \(account.code)
      """)
    let (balance, held) = try row.map { (try $0.get("balance", as: Int64.self), try $0.get("held", as: Int64.self)) } ?? (0, 0)
    return Balance(settled: Money(account.natural(balance), account.currency), held: Money(held, account.currency))
  }

  /// An account's entries, newest first.
  /// - Parameter before: the last entry of the page before.
  public func statement(_ account: LedgerAccount, before: UUID? = nil, limit: Int) async throws -> [Line] {
    // Both sub-queries are of one value, known before the scan, so that the index gives the page in its order.
    let rows = try await database.query(
      """
      SELECT e.id, e.description, e.details, e.occurred_at, p.amount
      FROM \(schema).ledger_posting AS p JOIN \(schema).ledger_entry AS e ON e.id = p.entry
      WHERE p.account = (SELECT a.id FROM \(schema).ledger_account AS a WHERE a.code = \(account.code))
        AND p.number < CASE WHEN \(before) IS NULL THEN 9223372036854775807 ELSE
          (SELECT min(b.number) FROM \(schema).ledger_posting AS b
           JOIN \(schema).ledger_account AS a ON a.id = b.account
           WHERE b.entry = \(before) AND a.code = \(account.code)) END
      ORDER BY p.number DESC LIMIT \(limit)
      """)
    return try rows.map { row in
      var details: [String: JSONValue] = [:]
      if case .object(let members) = try row.get("details", as: JSONValue.self) { details = members }
      return Line(
        entry: try row.get("id"), description: try row.get("description"), details: details,
        occurred: try row.get("occurred_at"), amount: Money(account.natural(try row.get("amount")), account.currency))
    }
  }

  /// Debits and credits of all there is, in one snapshot.
  public func trialBalance() async throws -> TrialBalance {
    try await database.transaction(.repeatableRead) { transaction in
      let rows = try await transaction.query(
        """
        SELECT a.kind, a.currency, coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS debit,
          coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS credit
        FROM \(schema).ledger_posting AS p JOIN \(schema).ledger_account AS a ON a.id = p.account
        GROUP BY a.kind, a.currency ORDER BY a.currency, a.kind
        """)
      let lines = try rows.map { row -> TrialBalance.Line in
        guard let kind = LedgerAccount.Kind(rawValue: try row.get("kind", as: String.self)),
          let currency = Currency(rawValue: try row.get("currency", as: String.self))
        else { throw LedgerError.accountDiffers(code: "of a kind or currency this release does not know") }
        return TrialBalance.Line(
          kind: kind, currency: currency, debit: try row.get("debit"), credit: try row.get("credit"))
      }
      let adrift = try await transaction.one(
        """
        SELECT count(*) AS accounts FROM \(schema).ledger_account AS a
        LEFT JOIN \(schema).ledger_balance AS b ON b.account = a.id
        WHERE a.keeps_balance AND coalesce(b.balance, 0)
          <> (SELECT coalesce(sum(p.amount), 0) FROM \(schema).ledger_posting AS p WHERE p.account = a.id)
        """)
      return TrialBalance(lines: lines, accountsAdrift: try adrift?.get("accounts") ?? 0)
    }
  }
}
