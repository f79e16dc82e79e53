import Billing
import Content
import Database
import Foundation
import Gateway
import HTTPClient
import Identity
import Jobs
import Keys
import Kit
import Logging
import NIOPosix
import Notifications
import Records
import RelyingParty
import Telemetry
import TenantKit
import Web

extension City {
  /// Timetables of R20 and R27 that have work already; civil times are the city's.
  static let timetable: [Scheduler.Entry] = [
    .init("sessions.purge", .daily(hour: 2, minute: 0), queue: housekeeping),
    .init("keys.rotate", .daily(hour: 2, minute: 30), queue: housekeeping),
    .init("partitions.ahead", .daily(hour: 3, minute: 0), queue: housekeeping),
    .init("requests.purge", .daily(hour: 3, minute: 30), queue: housekeeping),
    .init("jobs.trim", .every(.hours(1)), queue: housekeeping),
    .init("billing.tick", .every(.seconds(15)), queue: billingQueue),
    .init("finance.tick", .every(.hours(1)), queue: billingQueue),
  ]
  static let billingQueue = JobQueue.Settings("billing", concurrency: 1, attempts: 3, lease: .seconds(600))
  static let housekeeping = JobQueue.Settings("housekeeping", concurrency: 1, attempts: 3, lease: .seconds(600))

  /// Puts the city together on a migrated database.
  static func assemble(
    _ configuration: CityConfiguration, settings: ProcessSettings, server: DatabaseServer, data: String, port: Int,
    serves: Bool, clock: DomainClock = .system, logger: Logger
  ) async throws -> City {
    let key = settings.masterKey
    let cities = configuration.cityMap(port: port)
    let metrics = Metrics()
    var clients: [String: Database] = [:]
    func client(_ schema: Schema, _ connections: Int) -> Database {
      let database = server.client(schema, connections: connections)
      clients[schema.name] = database
      return database
    }

    // Background work.
    let platformClient = client(.platform, 3)
    let queue = JobQueue(database: platformClient, schema: .platform)
    let identityClient = client(.identity, 4)
    let billingClient = client(.billing, 4)
    let recordsClient = client(.records, 4)
    let wake = RelayWake()
    func outbox(_ schema: Schema, _ tenant: TenantID?) -> OutboxTable {
      OutboxTable(schema: schema, tenant: tenant) { wake.wake(schema) }
    }

    let history = ConfigurationHistory(database: platformClient, schema: .platform)

    // Mail. Commands only put mails into the queue.
    let (mailer, mailbox) =
      serves ? try await mail(settings, configuration, data: data, clock: clock, logger: logger) : (nil, nil)
    let mailSealer = Sealer(key.key("seal:mail"))

    // Core services.
    let identity = try await IdentityService(
      database: identityClient, schema: .identity, issuer: cities.issuer, key: key, clock: clock,
      mail: QueuedMail(queue: queue, sealer: mailSealer), events: IdentityOutbox(table: outbox(.identity, nil)), logger: logger,
      network: { _ in Network.current })
    let (paymentProcess, gatewayOfPayments, paymentOrigins) = try await payments(
      settings, configuration, cities, data: data, serves: serves, logger: logger)
    let billing = BillingService(
      database: billingClient, schema: .billing, clock: clock, timeZone: configuration.timeZone, catalogue: configuration.plans,
      selling: BillingService.Selling(
        sellers: configuration.sellers, seller: configuration.seller,
        earners: Dictionary(configuration.tenants.map { ($0.id, $0.entity) }) { first, _ in first },
        gateway: gatewayOfPayments, gatewayOrigins: paymentOrigins),
      outbox: outbox(.billing, nil), logger: logger)
    let content = ContentService(database: client(.content, 3), schema: .content)
    let issuer = InProcessIssuer(origin: cities.issuer.origin)
    let relyingParty = RelyingPartyService(
      database: client(.relyingParty, 4), schema: .relyingParty, key: key, issuer: cities.issuer, transport: issuer,
      authority: AuthorityAdapter(identity: identity), clock: clock)

    // Tenants.
    var tenants: [RunningTenant] = []
    for stanza in configuration.tenants {
      guard let make = stanza.make, let site = cities.tenants.first(where: { $0.id == stanza.id.text }) else { continue }
      let database = client(stanza.schema, 3)
      let services = TenantServices(
        database: database, outbox: TenantOutbox(table: outbox(stanza.schema, stanza.id)),
        entitlements: EntitlementsAdapter(service: billing.entitlements), people: PeopleAdapter(identity: identity),
        points: PointsAdapter(service: billing), content: LibraryAdapter(service: content), clock: clock)
      let module = make(Tenant(id: stanza.id, site: site, schema: stanza.schema), services)
      tenants.append(RunningTenant(stanza: stanza, site: site, module: module, database: database))
    }

    let records = RecordsService(
      database: recordsClient, schema: .records, city: { cities },
      panels: AccountPanels.live(identity: identity, billing: billing, tenants: tenants), clock: clock, logger: logger)

    let usage = RecordsUsage(records: records)
    let finance = billing.finance(rules: configuration.shares, usage: usage, statements: usage)
    let family = billing.family(people: FamilyAccounts(identity: identity), progress: RecordsProgress(records: records))

    // Events.
    var sources = [Relay.Source(database: identityClient, schema: .identity, tenant: nil)]
    sources.append(Relay.Source(database: billingClient, schema: .billing, tenant: nil))
    sources += tenants.map { Relay.Source(database: $0.database, schema: $0.stanza.schema, tenant: $0.stanza.id) }
    let relay = Relay(sources: sources, handlers: [records] + billing.eventHandlers, logger: logger)
    wake.connect(relay)

    let tenantDatabases = tenants.map { ($0.stanza.schema, $0.database) }
    let worker = QueueWorker(
      queue: queue, settings: [QueuedMail.queue, housekeeping, billingQueue],
      handlers: [
        QueuedMail.kind: { job in
          guard let mailer else { throw Problem(.unavailable) }
          try await QueuedMail.deliver(job, with: mailer, sealer: mailSealer)
        },
        "sessions.purge": { _ in
          try await identity.purgeExpired(now: clock.now())
          try await relyingParty.purgeExpired(now: clock.now())
        },
        "keys.rotate": { _ in try await identity.rotateKeys(now: clock.now()) },
        "billing.tick": { _ in try await billing.tick() },
        "finance.tick": { _ in try await finance.tick() },
        "partitions.ahead": { _ in
          try await records.ensurePartitions(now: clock.now())
          try await billing.maintain()
        },
        "requests.purge": { _ in
          for (schema, database) in tenantDatabases {
            try await database.execute("DELETE FROM \(schema).request_key WHERE made < now() - interval '7 days'")
          }
        },
        "jobs.trim": { _ in for settings in [QueuedMail.queue, housekeeping, billingQueue] { try await queue.trim(settings) } },
      ], logger: logger)
    let scheduler = Scheduler(
      queue: queue, entries: timetable, zone: configuration.timeZone, clock: clock, node: UUID().text, logger: logger)

    // The way of requests.
    let renderer = try Renderer(
      [
        ("city", Embedded.files), ("identity", IdentityService.resources), ("relyingparty", RelyingPartyService.resources),
        ("billing", BillingService.resources), ("records", RecordsService.resources),
        ("notifications", DevelopmentMailbox.resources),
      ] + ModuleBinding.all.map { ($0.kind, $0.resources) })
    let limiter = MemoryRateLimiter(limits: configuration.limits)
    func router(_ routes: [SiteRouter.Route], _ sessions: any SessionReader) -> SiteRouter {
      SiteRouter(routes: routes, renderer: renderer, sessions: sessions, limiter: limiter, key: key)
    }
    let portal = Portal(announced: Set(configuration.tenants.filter { $0.state == .announced }.map(\.id.text)))
    let sessions = relyingParty.sessions
    let cityRouter = router(
      Portal.routes.map { SiteRouter.Route($0, of: portal) } + billing.routes + family.routes + records.routes
        + (mailbox?.routes ?? [])
        + relyingParty.routes, sessions)
    var destinations = [
      Destination(site: cities.city, router: cityRouter, owner: portal),
      Destination(site: cities.issuer, router: router(identity.routes, identity.sessions), owner: identity),
    ]
    if let site = cities.console {
      let observer = CityObserver(
        stanzas: configuration.tenants, databases: clients, queue: queue, relay: relay, records: records, history: history,
        clock: clock)
      let console = Console(identity: identity, observer: observer, tenants: configuration.tenants.map(\.id.text))
      let operators = OperatorConsole(billing: billing, figures: RecordsFigures(records: records))
      let staff: [SiteRouter.Route] = operators.routes + finance.consoleRoutes + billing.ledgerExport.routes
      let consoleRouter = router(console.routes + staff + relyingParty.routes, sessions)
      destinations.append(Destination(site: site, router: consoleRouter, owner: console))
    }
    let announcedRouter = router(Portal.announcedRoutes + relyingParty.routes, sessions)
    for site in cities.tenants where site.tenant == nil {
      destinations.append(Destination(site: site, router: announcedRouter, owner: portal))
    }
    for binding in ModuleBinding.all {
      let shared = router(binding.routes + relyingParty.routes, sessions)
      for tenant in tenants where tenant.stanza.kind == binding.kind {
        destinations.append(Destination(site: tenant.site, router: shared, owner: tenant.module))
      }
    }
    let directory = HostDirectory(cities: cities, destinations: destinations, fallback: destinations[0])

    let databases = clients
    let gateway = Gateway(
      directory: { directory },
      operations: .init(
        ready: { await City.missing(databases) },
        metrics: { await City.exposition(metrics, databases: databases, relay: relay, queue: queue) },
        metricsToken: settings.metricsToken),
      clock: clock, logger: logger,
      report: { report in
        let labels = [("site", report.site), ("route", report.route), ("method", report.method), ("status", "\(report.status)")]
        metrics.count("http_requests_total", labels, help: "Requests answered.")
        metrics.observe(
          "http_request_duration_seconds", [("site", report.site)], report.duration, help: "From a request's head to its answer.")
      })
    issuer.connect(gateway)

    for site in cities.all where site.id != cities.issuer.id {
      try await identity.registerFirstParty(id: site.id, name: site.name, origin: site.origin)
    }
    try await records.ensurePartitions(now: clock.now())
    try await billing.prepare()

    return City(
      configuration: configuration, settings: settings, server: server, cities: cities, identity: identity, billing: billing,
      finance: finance, records: records, content: content, queue: queue, relay: relay, worker: worker, scheduler: scheduler,
      gateway: gateway,
      metrics: metrics, mailbox: mailbox, payments: paymentProcess, configurationHistory: history, tenants: tenants,
      clients: clients)
  }

  /// The gateway that is configured; in development, a simulator started as a process beside this one.
  private static func payments(
    _ settings: ProcessSettings, _ configuration: CityConfiguration, _ cities: CityMap, data: String, serves: Bool,
    logger: Logger
  ) async throws -> (PaymentProcess?, any PaymentGateway, [String]) {
    if let payments = settings.payments {
      let gateway = SimulatorGateway(
        baseURL: payments.url, key: payments.key, webhookSecret: payments.secret, client: HTTPClient())
      return (nil, gateway, [payments.url])
    }
    guard configuration.isDevelopment, serves else { return (nil, UnconfiguredGateway(), []) }
    let credentials = PaymentProcess.Credentials(settings.masterKey)
    let process = PaymentProcess(
      data: data, credentials: credentials, webhookURL: cities.city.origin.url("/payments/webhook"), logger: logger)
    let url = try await process.start()
    let gateway = SimulatorGateway(
      baseURL: url, key: credentials.key, webhookSecret: credentials.secret, client: HTTPClient())
    return (process, gateway, [url])
  }

  /// The relay that is configured; in development, a small server of our own that keeps every mail for its page.
  private static func mail(
    _ settings: ProcessSettings, _ configuration: CityConfiguration, data: String, clock: DomainClock, logger: Logger
  ) async throws -> (SMTPMailer?, DevelopmentMailbox?) {
    let group = MultiThreadedEventLoopGroup.singleton
    guard let from = MailAddress(settings.mailFrom) else {
      throw Failure(description: "METROPOLIS_MAIL_FROM: found something else, expected an address like no-reply@example.com")
    }
    if let smtp = settings.smtp {
      let mailer = SMTPMailer(
        host: smtp.host, port: smtp.port, username: smtp.user, password: smtp.password, from: from,
        helo: configuration.host, group: group, logger: logger)
      return (mailer, nil)
    }
    let mailbox = DevelopmentMailbox(directory: URL(fileURLWithPath: "\(data)/mail"), group: group, clock: clock)
    let port = try await mailbox.start()
    let mailer = SMTPMailer(
      host: "127.0.0.1", port: port, username: nil, password: nil, from: from, helo: "localhost", group: group,
      logger: logger)
    return (mailer, mailbox)
  }

  func stop() async {
    payments?.stop()
    await mailbox?.stop()
    for client in clients.values { await client.close() }
    await server.stop()
  }
}
