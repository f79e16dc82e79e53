import Database
import Foundation
import Kit

/// Invoices and their way into the ledger.
struct InvoiceStore: Sendable {
  let schema: Schema
  let ledger: Ledger
  /// The legal entity that sells.
  let entity: String
  /// The books' own.
  let timeZone: TimeZone

  // MARK: Reading

  func invoice(_ id: UUID, in executor: any SQLExecutor, locking: Bool = false) async throws -> Invoice? {
    let lock: SQL = locking ? "FOR UPDATE" : ""
    return try await executor.one("SELECT * FROM \(schema).invoice WHERE id = \(id) \(sql: lock)").map { try Invoice(row: $0) }
  }

  /// An account's issued invoices, newest first.
  func invoices(of account: UUID, before: UUID?, limit: Int, in executor: any SQLExecutor) async throws -> [Invoice] {
    try await executor.query(
      """
      SELECT * FROM \(schema).invoice AS i WHERE i.account = \(account) AND i.number IS NOT NULL
        AND (\(before) IS NULL OR (i.created_at, i.id) <
          (SELECT b.created_at, b.id FROM \(schema).invoice AS b WHERE b.id = \(before)))
      ORDER BY i.created_at DESC, i.id DESC LIMIT \(limit)
      """
    ).map { try Invoice(row: $0) }
  }

  func draft(of subscription: UUID, in executor: any SQLExecutor) async throws -> Invoice? {
    try await executor.one("SELECT * FROM \(schema).invoice WHERE subscription = \(subscription) AND status = 'draft'")
      .map { try Invoice(row: $0) }
  }

  /// The lines of an issued invoice; of a draft, those it will be issued with.
  func lines(of invoice: Invoice, in executor: any SQLExecutor) async throws -> [InvoiceLine] {
    guard invoice.number != nil else { return invoice.effect?.lines ?? [] }
    return try await executor.query(
      """
      SELECT kind, plan, plan_version, period_start, period_end, supply, tax, tenants
      FROM \(schema).invoice_line WHERE invoice = \(invoice.id) ORDER BY line
      """
    ).map { row in
      guard let kind = InvoiceLine.Kind(rawValue: try row.get("kind", as: String.self)),
        let plan = PlanID(try row.get("plan", as: String.self))
      else { throw Problem(.internalError) }
      let currency = invoice.total.currency
      return InvoiceLine(
        kind: kind, plan: plan, version: try row.get("plan_version"),
        period: BillingPeriod(start: try row.get("period_start"), end: try row.get("period_end")),
        split: TaxSplit(supply: Money(try row.get("supply"), currency), tax: Money(try row.get("tax"), currency)),
        tenants: try row.get("tenants", as: [String].self).compactMap { TenantID($0) })
    }
  }

  // MARK: Writing

  /// Writes a quote that waits for its payment. Nothing is booked.
  func draft(
    for account: BillingAccount, subscription: UUID, reason: Invoice.Reason, effect: InvoiceEffect, credit: Money, now: Instant,
    in transaction: Transaction
  ) async throws -> Invoice {
    let id = UUID.v7(at: now)
    let split = InvoiceStore.sum(effect.lines, account.currency)
    let row = try await transaction.one(
      """
      INSERT INTO \(schema).invoice
        (id, account, subscription, entity, kind, reason, currency, country, status, total, supply, tax, credit, effect, created_at)
      VALUES (\(id), \(account.id), \(subscription), \(entity), 'invoice', \(reason.rawValue), \(account.currency.rawValue),
        \(account.country), 'draft', \(split.total.minorUnits), \(split.supply.minorUnits), \(split.tax.minorUnits),
        \(credit.minorUnits), \(JSONText(try CanonicalJSON.text(effect))), \(now))
      RETURNING *
      """)
    guard let row else { throw Problem(.internalError) }
    return try Invoice(row: row)
  }

  /// Writes an invoice that owes nothing to a draft, and issues it: a renewal, a correction.
  func issue(
    for account: BillingAccount, subscription: UUID, reason: Invoice.Reason, lines: [InvoiceLine], credit: Money,
    corrects: UUID? = nil, now: Instant, in transaction: Transaction
  ) async throws -> Invoice {
    let id = UUID.v7(at: now)
    let split = InvoiceStore.sum(lines, account.currency)
    let kind: Invoice.Kind = corrects == nil ? .invoice : .creditNote
    let row = try await transaction.one(
      """
      WITH \(sql: numberAndLines(lines, of: id, now: now))
      INSERT INTO \(schema).invoice
        (id, account, subscription, entity, kind, reason, number, currency, country, status, total, supply, tax, credit,
         corrects, created_at, issued_at, issued_on)
      SELECT \(id), \(account.id), \(subscription), \(entity), \(kind.rawValue), \(reason.rawValue), issued.number,
        \(account.currency.rawValue), \(account.country), 'open', \(split.total.minorUnits), \(split.supply.minorUnits),
        \(split.tax.minorUnits), \(credit.minorUnits), \(corrects), \(now), \(now), \(CivilDate(now, in: timeZone))
      FROM issued CROSS JOIN written
      RETURNING *
      """)
    guard let row else { throw Problem(.internalError) }
    let invoice = try Invoice(row: row)
    try await book(invoice, in: transaction)
    return invoice
  }

  /// Gives a draft its number and books it.
  /// - Parameter lines: those of its effect, with the periods they have today.
  func issue(_ draft: Invoice, lines: [InvoiceLine], now: Instant, in transaction: Transaction) async throws -> Invoice {
    let row = try await transaction.one(
      """
      WITH \(sql: numberAndLines(lines, of: draft.id, now: now))
      UPDATE \(schema).invoice AS i
      SET status = 'open', number = issued.number, issued_at = \(now), issued_on = \(CivilDate(now, in: timeZone))
      FROM issued CROSS JOIN written WHERE i.id = \(draft.id) AND i.status = 'draft' RETURNING i.*
      """)
    guard let row else { throw Problem(.conflict, ["reason": "invoice"]) }
    let invoice = try Invoice(row: row)
    try await book(invoice, in: transaction)
    return invoice
  }

  func markPaid(_ id: UUID, now: Instant, in transaction: Transaction) async throws {
    try await transaction.execute(
      "UPDATE \(schema).invoice SET status = 'paid', paid_at = \(now) WHERE id = \(id) AND status = 'open'")
  }

  /// Gives up a draft, or marks an open one as taken back by a credit note.
  func void(_ id: UUID, in transaction: Transaction) async throws {
    try await transaction.execute(
      "UPDATE \(schema).invoice SET status = 'void' WHERE id = \(id) AND status IN ('draft', 'open')")
  }

  /// Takes an unpaid invoice back by a credit note for all of it.
  func credit(_ invoice: Invoice, for account: BillingAccount, now: Instant, in transaction: Transaction) async throws {
    let lines = try await lines(of: invoice, in: transaction).map(\.reversed)
    let note = try await issue(
      for: account, subscription: invoice.subscription, reason: .correction, lines: lines, credit: Money(0, account.currency),
      corrects: invoice.id, now: now, in: transaction)
    try await void(invoice.id, in: transaction)
    try await markPaid(note.id, now: now, in: transaction)
    // What had been set off against it is the account's again.
    if invoice.credit.minorUnits > 0 {
      try await ledger.post(
        try Entry(
          key: "invoice:\(note.id.text):credit", description: "credit.granted", details: details(note), occurred: now,
          amount: invoice.credit, debit: .receivable(of: account.id, account.currency),
          credit: .credit(of: account.id, account.currency)), in: transaction)
    }
  }

  // MARK: Parts

  static func sum(_ lines: [InvoiceLine], _ currency: Currency) -> TaxSplit {
    let zero = Money(0, currency)
    return TaxSplit(
      supply: lines.reduce(zero) { $0 + $1.split.supply }, tax: lines.reduce(zero) { $0 + $1.split.tax })
  }

  /// The beginning of a statement that issues an invoice: `issued` is its number, `written` says that its lines are there.
  /// Who joins both has the lines written before the invoice, as the table demands.
  private func numberAndLines(_ lines: [InvoiceLine], of invoice: UUID, now: Instant) -> SQL {
    let year = CivilDate(now, in: timeZone).year
    var values = SQL()
    for (index, line) in lines.enumerated() {
      if index > 0 { values += ", " }
      values += """
        (\(invoice), \(index + 1), \(line.kind.rawValue), \(line.plan.text), \(line.version), \(line.period.start),
          \(line.period.end), \(line.amount.minorUnits), \(line.split.supply.minorUnits), \(line.split.tax.minorUnits),
          \(line.tenants.map(\.text)))
        """
    }
    return """
      numbered AS (
        INSERT INTO \(schema).invoice_number AS n (entity, year, last) VALUES (\(entity), \(year), 1)
        ON CONFLICT (entity, year) DO UPDATE SET last = n.last + 1 RETURNING last
      ), issued AS (
        SELECT \("\(entity.uppercased())-\(year)-") || lpad(last::text, greatest(6, length(last::text)), '0') AS number
        FROM numbered
      ), line AS (
        INSERT INTO \(schema).invoice_line
          (invoice, line, kind, plan, plan_version, period_start, period_end, amount, supply, tax, tenants)
        VALUES \(sql: values) RETURNING 1
      ), written AS MATERIALIZED (SELECT count(*) FROM line)
      """
  }

  private func details(_ invoice: Invoice) -> [String: JSONValue] {
    ["invoice": .string(invoice.id.text), "account": .string(invoice.account.text)]
  }

  /// Books what an issued invoice asks for, and what the account's credit pays of it.
  private func book(_ invoice: Invoice, in transaction: Transaction) async throws {
    guard let issued = invoice.issued else { return }
    let currency = invoice.total.currency
    let receivable = LedgerAccount.receivable(of: invoice.account, currency)
    let credit = LedgerAccount.credit(of: invoice.account, currency)
    let postings = [
      Entry.Posting(receivable, invoice.total.minorUnits),
      Entry.Posting(.tax(entity: entity, currency), -invoice.split.tax.minorUnits),
      Entry.Posting(.deferred(entity: entity, currency), -invoice.split.supply.minorUnits),
    ].filter { $0.amount != 0 }
    // A change between plans of one price moves nothing.
    if postings.count >= 2 {
      try await ledger.post(
        try Entry(
          key: "invoice:\(invoice.id.text)", description: "invoice.issued", details: details(invoice), occurred: issued,
          booked: invoice.issuedOn, postings: postings), in: transaction)
    }
    if invoice.credit.minorUnits > 0 {
      try await ledger.post(
        try Entry(
          key: "invoice:\(invoice.id.text):credit", description: "credit.applied", details: details(invoice), occurred: issued,
          amount: invoice.credit, debit: credit, credit: receivable), in: transaction)
    } else if invoice.total.minorUnits < 0, invoice.kind == .invoice {
      try await ledger.post(
        try Entry(
          key: "invoice:\(invoice.id.text):surplus", description: "credit.granted", details: details(invoice), occurred: issued,
          amount: -invoice.total, debit: receivable, credit: credit), in: transaction)
    }
  }
}
