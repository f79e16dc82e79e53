import Database
import Foundation
import Kit
import Synchronization

/// Says who earned a month: what was recognised of each invoice line is split between the tenants the line's plan reaches, by
/// the plan's rule, three days after the month's end.
///
/// A month is split in one transaction, so it is split whole or not at all; lines and uses are read page by page, so memory
/// doesn't grow with subscribers.
struct RevenueSplit: Sendable {
  let database: Database
  let schema: Schema
  let ledger: Ledger
  let clock: DomainClock
  let timeZone: TimeZone
  /// By what the configuration of now splits.
  let rules: @Sendable () -> ShareRules
  /// Each tenant's own entity. A tenant that is not named here earns for the seller.
  let earners: @Sendable () -> [TenantID: String]
  /// `nil` where nothing is counted: then all is split equally.
  let usage: (any UsageSource)?
  /// Counts that are written at a time.
  var page = 2_000

  /// Whose share it is when a plan reached no tenant: the seller's own, under the city's name. No tenant may have this id.
  static let house = TenantID("city")!

  /// The last month that was split, and until when its uses counted.
  struct Done: Sendable {
    let month: Month
    let countedUntil: Instant
  }

  func last(in executor: (any SQLExecutor)? = nil) async throws -> Done? {
    try await (executor ?? database).one(
      "SELECT month, counted_until FROM \(schema).revenue_split ORDER BY month DESC LIMIT 1"
    ).map { Done(month: Month(of: try $0.get("month")), countedUntil: try $0.get("counted_until")) }
  }

  func split(of month: Month, in executor: (any SQLExecutor)? = nil) async throws -> Done? {
    try await (executor ?? database).one(
      "SELECT month, counted_until FROM \(schema).revenue_split WHERE month = \(month.first)"
    ).map { Done(month: Month(of: try $0.get("month")), countedUntil: try $0.get("counted_until")) }
  }

  /// Splits every month that is over for three days, recognised to its end, and not split yet, in order. Any number of nodes
  /// may do so at once.
  /// - Returns: the months it split itself.
  @discardableResult
  func splitDue() async throws -> [Month] {
    var months: [Month] = []
    while try await due(in: database) != nil {
      let done = try await database.transaction { transaction -> Month? in
        try await transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended(\("\(schema.name).revenue_split"), 0))")
        // Another node may have had the turn before.
        guard let (month, before) = try await due(in: transaction) else { return nil }
        try await split(month, after: before, in: transaction)
        return month
      }
      guard let done else { break }
      months.append(done)
    }
    return months
  }

  private func due(in executor: any SQLExecutor) async throws -> (Month, Done?)? {
    let before = try await last(in: executor)
    let row = try await executor.one("SELECT min(day) AS first, max(day) AS last FROM \(schema).recognition")
    guard let first: CivilDate = try row?.getIfPresent("first"), let last: CivilDate = try row?.getIfPresent("last") else {
      return nil
    }
    let month = before?.month.following ?? Month(of: first)
    guard month.last <= last, month.settles(in: timeZone) <= clock.now() else { return nil }
    return (month, before)
  }

  private func split(_ month: Month, after before: Done?, in transaction: Transaction) async throws {
    let until = month.settles(in: timeZone)
    try await transaction.execute("DELETE FROM \(schema).revenue_use")
    try await count(month, until: until, after: before, in: transaction)
    try await share(month, in: transaction)
    try await check(month, in: transaction)
    try await book(month, in: transaction)
    try await transaction.execute(
      """
      INSERT INTO \(schema).revenue_split (month, counted_until, split_at)
      VALUES (\(month.first), \(until), \(clock.now()))
      """)
    try await transaction.execute("DELETE FROM \(schema).revenue_use")
  }

  // MARK: Uses

  /// Counts each use in one month: what came until this month's count and happened before its end, less what the month before
  /// has counted. So a use that came late counts now, and one of the first three days, which came before the last count but
  /// happened after that month, is not lost.
  private func count(_ month: Month, until: Instant, after before: Done?, in transaction: Transaction) async throws {
    guard let usage else { return }
    let (start, end) = (month.start(in: timeZone), month.end(in: timeZone))
    try await add(1, of: month, in: transaction) { each in
      try await usage.usage(from: start, to: until, happenedBefore: end, each: each)
    }
    guard let before, before.countedUntil > start else { return }
    try await add(-1, of: month, in: transaction) { each in
      try await usage.usage(from: start, to: before.countedUntil, happenedBefore: start, each: each)
    }
  }

  private typealias Each = @Sendable (PersonID, TenantID, Int) async throws -> Void

  private func add(
    _ sign: Int64, of month: Month, in transaction: Transaction, _ read: (Each) async throws -> Void
  ) async throws {
    let gathered = Gathered(most: page)
    try await read { person, tenant, uses in
      if let full = gathered.add(person, tenant, sign * Int64(uses)) { try await write(full, of: month, in: transaction) }
    }
    if let rest = gathered.rest() { try await write(rest, of: month, in: transaction) }
  }

  /// Counts for the accounts the persons sat at in the month. Who sat at two, her own and a family's, counts at both: a count
  /// only weighs the tenants of an account against each other.
  private func write(_ counts: Gathered.Counts, of month: Month, in transaction: Transaction) async throws {
    try await transaction.execute(
      """
      INSERT INTO \(schema).revenue_use AS u (account, tenant, uses)
      SELECT m.account, c.tenant, sum(c.uses)::bigint
      FROM unnest(\(counts.persons), \(counts.tenants), \(counts.uses)) AS c (person, tenant, uses)
      JOIN (
        SELECT DISTINCT m.person, m.account FROM \(schema).billing_member AS m
        WHERE m.person = ANY(\(counts.persons)) AND m.joined_at < \(month.end(in: timeZone))
          AND (m.left_at IS NULL OR m.left_at > \(month.start(in: timeZone)))
      ) AS m ON m.person = c.person
      GROUP BY m.account, c.tenant
      ON CONFLICT (account, tenant) DO UPDATE SET uses = u.uses + EXCLUDED.uses
      """)
  }

  // MARK: Shares

  /// The condition for lines that may have earned in a month, of `l` and `i`.
  private func earning(in month: Month) -> SQL {
    """
    i.issued_on <= \(month.last)
      AND ((l.period_end > \(month.first) AND l.period_start <= \(month.last)) OR i.issued_on >= \(month.first))
    """
  }

  private func share(_ month: Month, in transaction: Transaction) async throws {
    // A month is split by one configuration, whatever is applied meanwhile.
    let (rules, earners) = (rules(), earners())
    let pools = try await pools(of: month, by: rules, in: transaction)
    try await transaction.execute(
      """
      DECLARE revenue_line NO SCROLL CURSOR FOR
      SELECT e.*, ARRAY(
        SELECT coalesce(u.uses, 0) FROM unnest(e.tenants) WITH ORDINALITY AS t (tenant, place)
        LEFT JOIN \(schema).revenue_use AS u ON u.account = e.account AND u.tenant = t.tenant ORDER BY t.place
      ) AS uses
      FROM (
        SELECT l.invoice, l.line, l.plan, l.tenants, i.account, i.entity, i.country, i.currency,
          \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(month.last))
          - \(schema).recognised(l.supply, l.period_start, l.period_end, i.issued_on, \(month.first.adding(days: -1))) AS amount
        FROM \(schema).invoice_line AS l JOIN \(schema).invoice AS i ON i.id = l.invoice
        WHERE \(sql: earning(in: month))
      ) AS e
      WHERE e.amount <> 0
      """)
    while true {
      let rows = try await transaction.query("FETCH FORWARD 2000 FROM revenue_line")
      guard !rows.isEmpty else { break }
      let lines = try rows.map { try EarnedLine($0, house: RevenueSplit.house) }
      try await write(lines, of: month, by: rules, earners, pools, in: transaction)
    }
    try await transaction.execute("CLOSE revenue_line")
  }

  /// Uses by tenant of all who have a plan whose revenue is pooled.
  private func pools(
    of month: Month, by rules: ShareRules, in transaction: Transaction
  ) async throws -> [PlanID: [TenantID: Int64]] {
    var pools: [PlanID: [TenantID: Int64]] = [:]
    guard rules.standard == .pooled || rules.plans.values.contains(.pooled) else { return pools }
    let rows = try await transaction.query(
      """
      SELECT h.plan, u.tenant, sum(u.uses)::bigint AS uses FROM (
        SELECT DISTINCT i.account, l.plan
        FROM \(schema).invoice_line AS l JOIN \(schema).invoice AS i ON i.id = l.invoice
        WHERE l.kind = 'plan' AND \(sql: earning(in: month))
      ) AS h JOIN \(schema).revenue_use AS u ON u.account = h.account
      GROUP BY h.plan, u.tenant
      """)
    for row in rows {
      guard let plan = PlanID(try row.get("plan", as: String.self)) else { continue }
      pools[plan, default: [:]][try row.get("tenant")] = try row.get("uses")
    }
    return pools
  }

  private func write(
    _ lines: [EarnedLine], of month: Month, by rules: ShareRules, _ earners: [TenantID: String],
    _ pools: [PlanID: [TenantID: Int64]], in transaction: Transaction
  ) async throws {
    var shares = ShareRows()
    for line in lines {
      let outcome = RevenueShares.split(
        line.amount, by: rules.rule(of: line.plan), between: line.tenants, uses: line.uses, pooled: pools[line.plan] ?? [:])
      for (index, tenant) in line.tenants.enumerated() {
        shares.add(
          line, tenant, earner: earners[tenant] ?? line.entity, outcome.parts[index], outcome.rule, uses: line.uses[index])
      }
    }
    try await transaction.execute(
      """
      INSERT INTO \(schema).revenue_share
        (month, invoice, line, tenant, account, plan, country, entity, earner, currency, amount, rule, uses)
      SELECT \(month.first), s.* FROM unnest(\(shares.invoices), \(shares.lines), \(shares.tenants), \(shares.accounts),
        \(shares.plans), \(shares.countries), \(shares.entities), \(shares.earners), \(shares.currencies), \(shares.amounts),
        \(shares.rules), \(shares.uses)) AS s
      """)
  }

  // MARK: Books

  /// What was split is what was recognised, to the minor unit; else nothing of it stays.
  private func check(_ month: Month, in transaction: Transaction) async throws {
    let rows = try await transaction.query(
      """
      SELECT entity, currency, sum(recognised)::bigint AS recognised, sum(shared)::bigint AS shared FROM (
        SELECT entity, currency, amount AS recognised, 0 AS shared FROM \(schema).recognition
        WHERE day BETWEEN \(month.first) AND \(month.last)
        UNION ALL
        SELECT entity, currency, 0, amount FROM \(schema).revenue_share WHERE month = \(month.first)
      ) AS part
      GROUP BY entity, currency HAVING sum(recognised) <> sum(shared)
      """)
    if let row = rows.first {
      throw SplitDiffers(
        month: month, entity: try row.get("entity"), currency: try row.get("currency"), recognised: try row.get("recognised"),
        shared: try row.get("shared"))
    }
  }

  private func book(_ month: Month, in transaction: Transaction) async throws {
    let rows = try await transaction.query(
      """
      SELECT entity, currency, tenant, earner, sum(amount)::bigint AS amount FROM \(schema).revenue_share
      WHERE month = \(month.first) GROUP BY entity, currency, tenant, earner ORDER BY entity, currency, tenant
      """)
    struct Book: Hashable {
      let entity: String
      let currency: Currency
    }
    var credits: [Book: [LedgerAccount: Int64]] = [:]
    for row in rows {
      let entity: String = try row.get("entity")
      let earner: String = try row.get("earner")
      guard let currency = Currency(rawValue: try row.get("currency", as: String.self)) else { throw Problem(.internalError) }
      let account: LedgerAccount =
        earner == entity
        ? .revenue(of: try row.get("tenant"), entity: entity, currency) : .payable(to: earner, by: entity, currency)
      credits[Book(entity: entity, currency: currency), default: [:]][account, default: 0] += try row.get(
        "amount", as: Int64.self)
    }
    for (book, accounts) in credits {
      var postings = accounts.sorted { $0.key.code < $1.key.code }.map { Entry.Posting($0.key, -$0.value) }
      postings.append(
        Entry.Posting(.unallocated(entity: book.entity, book.currency), accounts.values.reduce(0, +)))
      postings.removeAll { $0.amount == 0 }
      if postings.isEmpty { continue }
      try await ledger.post(
        try Entry(
          key: "split:\(month):\(book.entity):\(book.currency.rawValue)", description: "revenue.split",
          details: ["month": .string(month.description), "entity": .string(book.entity)], occurred: clock.now(),
          booked: month.last, postings: postings), in: transaction)
    }
  }
}

/// The shares of a month would not be what was recognised: a fault of ours, and nothing was written.
struct SplitDiffers: Error, CustomStringConvertible {
  let month: Month
  let entity: String
  let currency: String
  let recognised: Int64
  let shared: Int64

  var description: String {
    "the shares of \(month) at \(entity) add up to \(shared) \(currency), and \(recognised) was recognised"
  }
}

/// Counts on their way into the table, a page at a time.
private final class Gathered: Sendable {
  struct Counts: Sendable {
    var persons: [UUID] = []
    var tenants: [String] = []
    var uses: [Int64] = []
  }

  private let most: Int
  private let counts = Mutex(Counts())

  init(most: Int) { self.most = most }

  /// - Returns: a full page, which is the caller's to write.
  func add(_ person: PersonID, _ tenant: TenantID, _ uses: Int64) -> Counts? {
    counts.withLock { counts in
      counts.persons.append(person.uuid)
      counts.tenants.append(tenant.text)
      counts.uses.append(uses)
      guard counts.uses.count >= most else { return nil }
      defer { counts = Counts() }
      return counts
    }
  }

  func rest() -> Counts? { counts.withLock { $0.uses.isEmpty ? nil : $0 } }
}
