public import Database
public import Foundation
public import Kit
public import Logging
public import Web

/// The books as finance sees them: revenue recognised by day and split between the tenants, months reported and closed.
public struct FinanceService: Sendable {
  let database: Database
  let schema: Schema
  let clock: DomainClock
  /// The books' own.
  let timeZone: TimeZone
  let ledger: Ledger
  let export: LedgerExport
  let audit: AuditTrail
  let logger: Logger
  let statements: (any StatementSource)?
  let recognition: RevenueRecognition
  let splitting: RevenueSplit
  /// How people call the plans of now.
  let planNames: @Sendable () -> [PlanID: LocalizedText]

  /// - Parameters:
  ///   - database: under the login role of `schema`.
  ///   - export: how a month leaves the house; closing seals what it gives out.
  ///   - timeZone: the books' own.
  ///   - rules: by what the revenue of each plan is split, now.
  ///   - earners: each tenant's own legal entity, now.
  ///   - usage: what revenue is split by; without it, all of it equally.
  ///   - statements: what stands behind the counts; without it, a share is explained by its counts alone.
  public init(
    database: Database, schema: Schema, ledger: Ledger, export: LedgerExport, clock: DomainClock, timeZone: TimeZone,
    rules: @escaping @Sendable () -> ShareRules, earners: @escaping @Sendable () -> [TenantID: String],
    usage: (any UsageSource)?, statements: (any StatementSource)?, audit: AuditTrail,
    logger: Logger, planNames: @escaping @Sendable () -> [PlanID: LocalizedText] = { [:] }
  ) {
    self.database = database
    self.schema = schema
    self.clock = clock
    self.timeZone = timeZone
    self.ledger = ledger
    self.export = export
    self.audit = audit
    self.logger = logger
    self.statements = statements
    self.planNames = planNames
    recognition = RevenueRecognition(
      database: database, schema: schema, ledger: ledger, clock: clock, timeZone: timeZone)
    splitting = RevenueSplit(
      database: database, schema: schema, ledger: ledger, clock: clock, timeZone: timeZone, rules: rules, earners: earners,
      usage: usage)
  }

  /// Its pages on the console.
  public var consoleRoutes: [SiteRouter.Route] {
    (FinanceService.reportEndpoints + FinanceService.shareEndpoints).map { SiteRouter.Route($0, of: self) }
  }

  /// Who keeps the city's books.
  static let keepers = EndpointRules.Access.role("finance@city")

  /// Time after midnight until a day is booked: what was begun on it is done by then.
  private static let settling = Duration.minutes(10)

  /// To be called daily after midnight, or more often: books the days that are over, splits the months that are due.
  public func tick() async throws {
    let yesterday = CivilDate(clock.now() - FinanceService.settling, in: timeZone).adding(days: -1)
    let days = try await recognise(through: yesterday)
    if let last = days.last {
      logger.info("revenue recognised", metadata: ["days": "\(days.count)", "through": "\(last)"])
    }
    for month in try await splitDue() { logger.info("revenue split", metadata: ["month": "\(month)"]) }
  }

  /// Books the revenue of every day up to this one that is not booked yet, yesterday at most.
  /// - Returns: the days it booked itself.
  @discardableResult
  public func recognise(through day: CivilDate) async throws -> [CivilDate] {
    try await recognition.recognise(through: day)
  }

  /// Splits every month that is over for three days and recognised to its end.
  /// - Returns: the months it split itself.
  @discardableResult
  public func splitDue() async throws -> [Month] { try await splitting.splitDue() }
}
