import Database
import Foundation
import Kit

/// Revenue is earned by day: each day's part of every issued invoice line moves from deferred to revenue, one entry a day for
/// each seller and currency.
///
/// Every day is booked once, in order, and final: an invoice that would be issued on a booked day is refused by the table and
/// issued again today (`014-recognised-days.sql`). So a day's entry is the difference of two days over the lines that can
/// differ, and nothing committed late is lost or moves between months.
struct RevenueRecognition: Sendable {
  let database: Database
  let schema: Schema
  let ledger: Ledger
  let clock: DomainClock
  /// The books' own.
  let timeZone: TimeZone

  /// The last day that is booked; `nil` before the first.
  func booked(in executor: (any SQLExecutor)? = nil) async throws -> CivilDate? {
    try await (executor ?? database).one("SELECT max(day) AS day FROM \(schema).recognition")?.getIfPresent("day")
  }

  /// Books every day up to this one that is not booked yet, yesterday at most. Any number of nodes may do so at once.
  /// - Returns: the days it booked itself.
  @discardableResult
  func recognise(through day: CivilDate) async throws -> [CivilDate] {
    let last = min(day, CivilDate(clock.now(), in: timeZone).adding(days: -1))
    var days: [CivilDate] = []
    // A day is a transaction: invoices wait for one day's sum, not for a month's that is caught up with.
    while let day = try await recogniseNext(upTo: last) { days.append(day) }
    return days
  }

  private func recogniseNext(upTo last: CivilDate) async throws -> CivilDate? {
    guard let next = try await next(in: database), next <= last else { return nil }
    return try await database.transaction { transaction in
      try await transaction.execute("SELECT \(schema).recognition_turn()")
      // Another node may have had the turn before.
      guard let day = try await self.next(in: transaction), day <= last else { return nil }
      try await book(day, in: transaction)
      return day
    }
  }

  /// The day after the last, or the day of the first invoice.
  private func next(in executor: any SQLExecutor) async throws -> CivilDate? {
    if let last = try await booked(in: executor) { return last.adding(days: 1) }
    return try await executor.one(
      "SELECT min(issued_on) AS day FROM \(schema).invoice WHERE issued_on IS NOT NULL")?.getIfPresent("day")
  }

  private func book(_ day: CivilDate, in transaction: Transaction) async throws {
    let before = day.adding(days: -1)
    // Lines that earn on this day, and those issued on it whose days are over. Sellers of yesterday have a row today, of
    // zero if need be: it says that the day is booked.
    let rows = try await transaction.query(
      """
      SELECT entity, currency, sum(amount)::bigint AS amount FROM (
        SELECT i.entity, i.currency,
          \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(day))
          - \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(before)) AS amount
        FROM \(schema).invoice_line AS l JOIN \(schema).invoice AS i ON i.id = l.invoice
        WHERE l.period_end > \(day) AND l.period_start <= \(day) AND i.issued_on <= \(day)
        UNION ALL
        SELECT i.entity, i.currency, \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(day))
        FROM \(schema).invoice AS i JOIN \(schema).invoice_line AS l ON l.invoice = i.id
        WHERE i.issued_on = \(day) AND l.period_end <= \(day)
        UNION ALL
        SELECT r.entity, r.currency, 0 FROM \(schema).recognition AS r WHERE r.day = \(before)
        UNION ALL
        SELECT i.entity, i.currency, 0 FROM \(schema).invoice AS i WHERE i.issued_on = \(day)
      ) AS part
      GROUP BY entity, currency ORDER BY entity, currency
      """)
    for row in rows {
      let entity: String = try row.get("entity")
      let amount: Int64 = try row.get("amount")
      guard let currency = Currency(rawValue: try row.get("currency", as: String.self)) else { throw Problem(.internalError) }
      var entry: UUID?
      if amount != 0 {
        entry = try await ledger.post(
          try Entry(
            key: "recognition:\(day):\(entity):\(currency.rawValue)", description: "revenue.recognised",
            details: ["day": .string(day.description), "entity": .string(entity)], occurred: clock.now(), booked: day,
            postings: [
              Entry.Posting(.deferred(entity: entity, currency), amount),
              Entry.Posting(.unallocated(entity: entity, currency), -amount),
            ]), in: transaction
        ).id
      }
      try await transaction.execute(
        """
        INSERT INTO \(schema).recognition (day, entity, currency, amount, entry)
        VALUES (\(day), \(entity), \(currency.rawValue), \(amount), \(entry))
        """)
    }
  }
}
