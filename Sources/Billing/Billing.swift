public import Database
public import Foundation
public import Jobs
public import Kit
public import Logging
public import Web

/// What the city sells and owes: catalogue, subscriptions, entitlements, invoices, payments, points, and the ledger beneath.
///
/// A billing account pays, and persons are its members. Money moves in the ledger only; everything else explains it.
public struct BillingService: Sendable {
  /// Who sells, and by whom money comes in.
  public struct Selling: Sendable {
    /// Every legal entity of the city, as the configuration has them now.
    public let sellers: @Sendable () -> [Seller]
    /// The one that sells the city's plans and collects.
    public let seller: String
    /// Each tenant's own legal entity, as the configuration has it now: what it earns is owed to it.
    public let earners: @Sendable () -> [TenantID: String]
    public let gateway: any PaymentGateway
    /// Origins of the gateway's pages, which our forms lead to.
    public let gatewayOrigins: [String]

    public init(
      seller: String, sellers: @escaping @Sendable () -> [Seller], earners: @escaping @Sendable () -> [TenantID: String],
      gateway: any PaymentGateway, gatewayOrigins: [String]
    ) {
      self.sellers = sellers
      self.seller = seller
      self.earners = earners
      self.gateway = gateway
      self.gatewayOrigins = gatewayOrigins
    }

    /// Entities that stay as they are.
    public init(
      sellers: [Seller], seller: String, earners: [TenantID: String], gateway: any PaymentGateway, gatewayOrigins: [String]
    ) {
      self.init(
        seller: seller, sellers: { sellers }, earners: { earners }, gateway: gateway, gatewayOrigins: gatewayOrigins)
    }

    /// A city that sells nothing: its plans can be read.
    public static let nothing = Selling(
      sellers: [], seller: "city", earners: [:], gateway: UnconfiguredGateway(), gatewayOrigins: [])
  }

  /// The plans as they are sold now.
  public let live: LiveCatalogue
  public var catalogue: PlanCatalogue { live.current() }
  public let ledger: Ledger
  public let points: PointsService
  public let entitlements: EntitlementService
  public let plans: PlanStore
  public let audit: AuditTrail
  public let payments: PaymentService
  let subscriptions: SubscriptionService
  let selling: Selling
  let clock: DomainClock
  let timeZone: TimeZone
  let database: Database
  /// For exports: they take long, and nobody's page waits behind them.
  let heavy: Database
  let schema: Schema
  let logger: Logger

  /// - Parameters:
  ///   - database: under the login role of `schema`.
  ///   - heavy: the same for exports; `nil`: they share.
  ///   - timeZone: the city's: the books', and that of allowances' civil months.
  ///   - catalogue: the plans of the configuration.
  ///   - outbox: the schema's, for what the rest of the city wants to know.
  ///   - holdingsChanged: told of persons who hold something else now; `nil` when it may be anybody.
  public init(
    database: Database, heavy: Database? = nil, schema: Schema, clock: DomainClock, timeZone: TimeZone,
    catalogue: PlanCatalogue, selling: Selling = .nothing, outbox: OutboxTable? = nil, logger: Logger,
    holdingsChanged: @escaping @Sendable ([PersonID]?) -> Void = { _ in }
  ) {
    self.database = database
    self.heavy = heavy ?? database
    self.schema = schema
    self.clock = clock
    self.timeZone = timeZone
    self.logger = logger
    self.selling = selling
    audit = AuditTrail(database: database, schema: schema)
    ledger = Ledger(database: database, schema: schema, clock: clock, timeZone: timeZone, audit: audit)
    points = PointsService(ledger: ledger, database: database, schema: schema, clock: clock)
    plans = PlanStore(database: database, schema: schema, audit: audit)
    live = LiveCatalogue(file: catalogue, store: plans)
    payments = PaymentService(
      database: database, schema: schema, ledger: ledger, gateway: selling.gateway, entity: selling.seller, clock: clock,
      logger: logger)
    let held = HeldPlans(database: database, schema: schema, plans: plans)
    let entitlements = EntitlementService(
      database: database, schema: schema, clock: clock, timeZone: timeZone, catalogue: live,
      plansHeld: { try await held.plans(of: $0) }, told: holdingsChanged)
    self.entitlements = entitlements
    subscriptions = SubscriptionService(
      database: database, schema: schema, clock: clock, timeZone: timeZone, catalogue: live, plans: plans,
      accounts: AccountStore(schema: schema),
      invoices: InvoiceStore(schema: schema, ledger: ledger, entity: selling.seller, timeZone: timeZone), ledger: ledger,
      payments: payments, audit: audit, outbox: outbox, logger: logger, changed: { entitlements.changed($0) })
    payments.connect(subscriptions)
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
    BillingService.endpoints.map { SiteRouter.Route($0, of: self) } + payments.routes
  }

  static let endpoints: [Endpoint<BillingService>] =
    [plansPage, pointsPage] + subscribeEndpoints + subscriptionEndpoints + changeEndpoints + invoiceEndpoints

  /// Origins a form of ours may end at.
  var paymentOrigins: [String] { selling.gatewayOrigins }

  /// To be called when a configuration is applied, after the migrations: publishes its catalogue and makes the tables of the
  /// months ahead. Nodes that follow it only read it (``LiveCatalogue/follow(_:)``).
  /// - Parameter asserting: plans in which the file's word holds whatever the console published since.
  /// - Throws: ``PlanStore/OwnerChanged``; ``PlanStore/MadeInConsole``; ``Database/DatabaseError``.
  public func prepare(asserting: Set<PlanID> = []) async throws {
    let published = try await plans.publish(live.file, asserting: asserting, now: clock.now())
    try await live.refresh()
    for version in published where version.isNew {
      logger.info("plan published", metadata: ["plan": "\(version.plan)", "version": "\(version.version)"])
    }
    try await entitlements.makeMonthsAhead()
  }

  /// A legal entity by its id.
  func seller(_ id: String) -> Seller? { selling.sellers().first { $0.id == id } }

  /// To be called every minute: what the console published elsewhere, payments and refunds to look after, renewals.
  public func tick() async throws {
    try await live.refresh()
    try await payments.reconcile()
    let round = try await subscriptions.renewDue()
    if round != .init() {
      logger.info(
        "subscriptions renewed",
        metadata: ["renewed": "\(round.renewed)", "ended": "\(round.ended)", "charged": "\(round.charged)"])
    }
  }

  /// To be called daily: makes the tables of the months ahead, frees expired holds, forgets events of more than a year ago.
  public func maintain() async throws {
    try await entitlements.makeMonthsAhead()
    let expired = try await ledger.expireHolds()
    if expired > 0 { logger.info("holds expired", metadata: ["holds": "\(expired)"]) }
    try await payments.maintain()
    try await database.execute("DELETE FROM \(schema).applied_event WHERE applied_at < \(clock.now() - .days(400))")
  }
}
