import Database
import Foundation
import Kit

@testable import Billing

extension Bench {
  private static let begun = CivilDate(year: 2026, month: 11, day: 1)!

  /// Makes subscriptions that all have begun on one day, each with an account, a seat and a card of its own.
  func subscribe(_ count: Int) async throws {
    let zone = "Asia/Seoul"
    let day = Bench.begun
    let next = day.adding(months: 1)
    let id: SQL = "('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid"
    let numbers: SQL = "generate_series(1, \(count)) AS n"
    try await admin.transaction { transaction in
      try await transaction.execute(
        """
        INSERT INTO \(Bench.schema).billing_account (id, owner, currency, country, time_zone, opened_at)
        SELECT \(sql: id), \(sql: id), 'KRW', 'KR', \(zone), now() FROM \(sql: numbers)
        """)
      try await transaction.execute(
        """
        INSERT INTO \(Bench.schema).billing_member (id, account, person, role, joined_at)
        SELECT \(sql: id), \(sql: id), \(sql: id), 'owner', now() FROM \(sql: numbers)
        """)
      try await transaction.execute(
        """
        INSERT INTO \(Bench.schema).payment_method (id, account, gateway, token, brand, last4, exp_month, exp_year, added_at)
        SELECT \(sql: id), \(sql: id), 'memory', 'card_' || n, 'visa', '4242', 12, 2099, now() FROM \(sql: numbers)
        """)
      try await transaction.execute(
        """
        INSERT INTO \(Bench.schema).subscription
          (id, account, status, plan, plan_version, every, currency, chosen, anchor, period_start, period_end,
            created_at, started_at)
        SELECT \(sql: id), \(sql: id), 'active', 'student', 1, 'month', 'KRW', \([Bench.tenant.text]), \(day), \(day), \(next),
          now(), now()
        FROM \(sql: numbers)
        """)
      // Who renews has bought before, so what she owes has an account.
      try await transaction.execute(
        """
        INSERT INTO \(Bench.schema).ledger_account (id, code, kind, currency, keeps_balance, opened_at)
        SELECT \(sql: id), 'receivable:' || \(sql: id) || ':KRW', 'asset', 'KRW', true, now() FROM \(sql: numbers)
        ON CONFLICT (code) DO NOTHING
        """)
    }
    try await admin.execute("ANALYZE")
  }

  /// Renews what is due on the day that the `round`-th period is over, and collects it.
  /// - Parameter most: so many subscriptions; the others of the month wait for the next call of the same round.
  func renew(round number: Int, most: Int) async throws -> Figures {
    clock.stand(at: Bench.begun.adding(months: number).instant(hour: 3, minute: 0, in: TimeZone(identifier: "Asia/Seoul")!))
    defer { clock.stand(at: nil) }
    let before = (database.status.statements, try await position())
    let start = ContinuousClock.now
    let round = try await billing.subscriptions.renewDue(most: most)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    guard round.renewed == most, round.charged == most else {
      throw Broken(words: "\(round.renewed) renewed and \(round.charged) charged of \(most)")
    }
    let trial = try await billing.ledger.trialBalance()
    guard trial.isBalanced else { throw Broken(words: "the ledger does not balance") }
    let each = Double(most)
    return [
      "rate": each / seconds, "microseconds": seconds / each * 1_000_000,
      "statements": Double(database.status.statements - before.0) / each,
      "wal": Double(try await position() - before.1) / each,
    ]
  }

  private func position() async throws -> Int64 {
    try await admin.one("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS bytes")?.get("bytes") ?? 0
  }
}
