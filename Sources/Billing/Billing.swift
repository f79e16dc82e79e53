public import Database
public import Foundation
public import Jobs
public import Kit
public import Logging
public import Web

/// What the city sells and owes: catalogue, entitlements, points, and the ledger beneath them.
///
/// A billing account pays and persons are its members; here is what holds for each person alone.
public struct BillingService: Sendable {
  public let catalogue: PlanCatalogue
  public let ledger: Ledger
  public let points: PointsService
  public let entitlements: EntitlementService
  public let plans: PlanStore
  public let audit: AuditTrail
  let clock: DomainClock
  let timeZone: TimeZone
  private let database: Database
  private let schema: Schema
  private let logger: Logger

  /// - Parameters:
  ///   - database: under the login role of `schema`.
  ///   - timeZone: the city's; allowances are counted by its civil months.
  public init(
    database: Database, schema: Schema, clock: DomainClock, timeZone: TimeZone, catalogue: PlanCatalogue, logger: Logger
  ) {
    self.database = database
    self.schema = schema
    self.clock = clock
    self.timeZone = timeZone
    self.catalogue = catalogue
    self.logger = logger
    audit = AuditTrail(database: database, schema: schema)
    ledger = Ledger(database: database, schema: schema, clock: clock, audit: audit)
    points = PointsService(ledger: ledger, database: database, schema: schema, clock: clock)
    entitlements = EntitlementService(
      database: database, schema: schema, clock: clock, timeZone: timeZone, catalogue: catalogue)
    plans = PlanStore(database: database, schema: schema, audit: audit)
  }

  /// Templates, texts and migrations.
  public static var resources: [String: String] { Embedded.files }

  /// The steps of the schema `billing`.
  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.filter { $0.key.hasSuffix(".sql") }) }
  }

  /// What acts on the events of the outboxes.
  public var eventHandlers: [any EventHandler] { [points] }

  /// Its pages on the city's own site.
  public var routes: [SiteRouter.Route] {
    BillingService.endpoints.map { SiteRouter.Route($0, of: self) }
  }

  static let endpoints: [Endpoint<BillingService>] = [plansPage, pointsPage]

  /// To be called at each start, after the migrations: publishes the catalogue and makes the tables of the months ahead.
  /// - Throws: ``PlanStore/OwnerChanged``; ``Database/DatabaseError``.
  public func prepare() async throws {
    let published = try await plans.publish(catalogue, now: clock.now())
    for version in published where version.isNew {
      logger.info("plan published", metadata: ["plan": "\(version.plan)", "version": "\(version.version)"])
    }
    try await entitlements.makeMonthsAhead()
  }

  /// To be called daily: makes the tables of the months ahead, frees expired holds, forgets events of more than a year ago.
  public func maintain() async throws {
    try await entitlements.makeMonthsAhead()
    let expired = try await ledger.expireHolds()
    if expired > 0 { logger.info("holds expired", metadata: ["holds": "\(expired)"]) }
    try await database.execute("DELETE FROM \(schema).applied_event WHERE applied_at < \(clock.now() - .days(400))")
  }
}
