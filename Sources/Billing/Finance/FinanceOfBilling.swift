import Kit

extension BillingService {
  /// The books as finance sees them. What it asks of the records is handed in by the composition root.
  ///
  /// - Parameter rules: by what the revenue of each plan is split, as the configuration has it now.
  public func finance(
    rules: @escaping @Sendable () -> ShareRules, usage: (any UsageSource)?, statements: (any StatementSource)?
  ) -> FinanceService {
    let live = self.live
    return FinanceService(
      database: database, schema: schema, ledger: ledger, export: ledgerExport, clock: clock, timeZone: timeZone, rules: rules,
      earners: selling.earners, usage: usage, statements: statements, audit: audit, logger: logger,
      planNames: { Dictionary(live.current().plans.map { ($0.id, $0.name) }) { first, _ in first } })
  }
}
