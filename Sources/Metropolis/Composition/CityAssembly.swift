import Billing
import Content
import Database
import Foundation
import Gateway
import Identity
import Jobs
import Keys
import Kit
import Logging
import Notifications
import Records
import RelyingParty
import Synchronization
import Telemetry
import TenantKit
import Web

extension City {
  /// What a city is put together from.
  struct Parts: Sendable {
    let configuration: CityConfiguration
    /// The stored version the configuration is; 0 when it is not stored yet.
    let version: Int
    let settings: ProcessSettings
    let servers: Servers
    let data: String
    /// Of the development origins.
    let port: Int
    let role: NodeRole
    /// Tenants that are not fit to be served.
    var refusals: Snapshot.Refusals = [:]
    var clock: DomainClock = .system
    let logger: Logger
  }

  /// Puts the city together on a migrated database.
  static func assemble(_ parts: Parts) async throws -> City {
    let (configuration, settings, servers, role) = (parts.configuration, parts.settings, parts.servers, parts.role)
    let (clock, logger, key) = (parts.clock, parts.logger, parts.settings.masterKey)
    let cities = configuration.cityMap(port: parts.port)
    let main = servers.main
    let core = [Schema.identity, .relyingParty, .billing, .records, .content].reduce(
      into: ["platform": main.core, "billing heavy": main.heavyClient(.billing)]
    ) { core, schema in core[schema.name] = main.client(schema, isCore: true) }
    func client(_ schema: Schema) -> Database { core[schema.name] ?? main.core }
    let statistics = main.reader(.records, beside: client(.records))
    let watchdogs = Watchdogs()

    let districts = Districts()
    let wake = Wake()
    let figures = configuration.figures
    let responses = ResponseCache(bytes: City.responseBytes)
    let queue = JobQueue(database: main.core, schema: .platform)
    let configurations = ConfigurationStore(main.core)
    let flags = LiveFlags(configuration.flags, logger: logger)
    let surroundings = try await Surroundings(
      settings, configuration, cities, data: parts.data, role: role, clock: clock, logger: logger)
    let mailSealer = Sealer(key.key("seal:mail"))

    // Core services. Those that speak of tenants ask the registry each time.
    let identity = try await IdentityService(
      database: client(.identity), schema: .identity, issuer: cities.issuer, key: key, clock: clock,
      mail: QueuedMail(queue: queue, sealer: mailSealer), events: IdentityOutbox(table: wake.outbox(.identity, nil)),
      logger: logger, network: { _ in Network.current })
    let billing = BillingService(
      database: client(.billing), heavy: core["billing heavy"], schema: .billing, clock: clock, timeZone: configuration.timeZone,
      catalogue: configuration.plans,
      selling: BillingService.Selling(
        seller: configuration.seller, sellers: { districts.current.configuration.sellers },
        earners: { districts.current.earners }, gateway: surroundings.gateway, gatewayOrigins: surroundings.gatewayOrigins),
      outbox: wake.outbox(.billing, nil), logger: logger,
      holdingsChanged: { persons in
        // An answer that a person's plan was part of is not given again.
        if let persons { persons.forEach { responses.drop(person: $0) } } else { responses.dropPersonal() }
      })
    let content = ContentService(database: client(.content), schema: .content)
    let issuer = InProcessIssuer(origin: cities.issuer.origin)
    let relyingParty = RelyingPartyService(
      database: client(.relyingParty), schema: .relyingParty, key: key, issuer: cities.issuer, transport: issuer,
      authority: AuthorityAdapter(identity: identity), clock: clock)
    let sessions = relyingParty.sessions
    let records = RecordsService(
      database: client(.records), reading: statistics, schema: .records, city: { districts.current.cities },
      panels: AccountPanels.live(identity: identity, billing: billing, tenants: { districts.current.open }), clock: clock,
      logger: logger)
    let usage = RecordsUsage(records: records)
    let finance = billing.finance(rules: { districts.current.configuration.shares }, usage: usage, statements: usage)
    let family = billing.family(people: FamilyAccounts(identity: identity), progress: RecordsProgress(records: records))

    // What goes between nodes, and what is done by itself.
    let relay = Relay(
      sources: [], handlers: [records] + billing.eventHandlers,
      survey: { await City.filledOutboxes(servers, districts.current) }, logger: logger)
    let freshness = City.freshness(of: responses, logger: logger)
    let looks = Looks(logger: logger) { schema in
      if role.works { relay.wake(schema) }
      if role.serves { Task { await freshness.look(at: schema) } }
    }
    switch role {
    case .run, .work: wake.connect { relay.wake($0) }
    case .serve: wake.connect { looks.announce($0) }
    case .command: break
    }
    let work = CityWork(
      queue: queue, identity: identity, relyingParty: relyingParty, billing: billing, finance: finance, records: records,
      districts: districts, mailSealer: mailSealer, mailer: surroundings.mailer, clock: clock)
    let scheduler = Scheduler(
      queue: queue, entries: CityWork.timetable, zone: configuration.timeZone, clock: clock, node: UUID().text, logger: logger)

    // The way of requests.
    let renderer = try Renderer(
      [
        ("city", Embedded.files), ("identity", IdentityService.resources), ("relyingparty", RelyingPartyService.resources),
        ("billing", BillingService.resources), ("records", RecordsService.resources),
        ("notifications", DevelopmentMailbox.resources),
      ] + ModuleBinding.all.map { ($0.kind, $0.resources) })
    let limiter = SharedRateLimiter(
      database: main.core, schema: .platform, limits: configuration.limits, logger: logger)
    let start = try Start(
      .init(
        rules: { districts.current.configuration.routing }, isOpen: { districts.current.serves($0) },
        memberships: { person in Set(try await identity.memberships(of: person).compactMap { TenantID($0.tenant) }) },
        counts: TenantCounts([
          .members: { try await identity.memberCounts($0) },
          .active: { _ in
            let people = try await records.activePeople(since: clock.now() - .minutes(5))
            return Dictionary(people.compactMap { id, count in TenantID(id).map { ($0, count) } }) { first, _ in first }
          },
        ])))
    let operators = OperatorConsole(billing: billing, figures: RecordsFigures(records: records))
    let routers = CityRouters(
      .init(
        city: Start.routes.map { SiteRouter.Route($0, of: start) } + billing.routes + family.routes + records.routes
          + (surroundings.mailbox?.routes ?? []),
        issuer: identity.routes, console: operators.routes + finance.consoleRoutes + billing.ledgerExport.routes,
        signIn: relyingParty.routes),
      issuerSessions: identity.sessions, sessions: sessions
    ) { routes, sessions in
      SiteRouter(routes: routes, renderer: renderer, sessions: sessions, limiter: limiter, key: key)
    }
    let observer = CityObserver(
      servers: servers, queue: queue, relay: relay, records: records, configurations: configurations, clock: clock)
    let maker = DistrictMaker(
      port: parts.port, servers: servers, routers: routers, issuer: identity,
      portal: { configuration in Portal(announced: Set(configuration.tenants.filter { $0.state == .announced }.map(\.id.text))) },
      console: { Console(identity: identity, observer: observer, flags: flags, stanzas: $0.tenants) },
      services: { stanza, database, reader in
        let (schema, name) = (stanza.schema, stanza.schema.name)
        let tags = TagTable(schema: schema, drop: { responses.drop($0, of: name) }, announce: { looks.announce(schema) })
        return TenantServices(
          database: database, reading: reader, outbox: TenantOutbox(table: wake.outbox(schema, stanza.id)),
          freshness: TenantFreshness(tags: tags), entitlements: EntitlementsAdapter(service: billing.entitlements),
          people: PeopleAdapter(identity: identity),
          points: PointsAdapter(service: billing), content: LibraryAdapter(service: content),
          flags: flags.at(stanza.id), clock: clock)
      })
    try districts.open(maker, configuration, version: parts.version, refusals: parts.refusals)

    let metrics = Metrics()
    let atGateway = Late<Gateway>()
    let readiness = Readiness(core.filter { Schema($0.key) != nil && $0.key != "content" })
    let operations = Gateway.Operations(
      ready: { await readiness.missing() },
      metrics: {
        await City.exposition(
          metrics, core: core, servers: servers, watchdogs: watchdogs, districts: districts, relay: relay, queue: queue,
          gateway: atGateway.value?.metrics.samples ?? [])
      },
      metricsToken: settings.metricsToken)
    let requests = RequestLog(metrics: metrics)
    let gateway = Gateway(
      directory: { districts.current.directory }, operations: operations, cache: responses, limiter: limiter,
      settings: City.gatewaySettings(figures, flags), clock: clock, logger: logger,
      report: { report in
        requests.note(
          site: report.site, route: report.route, method: report.method, status: report.status, duration: report.duration,
          id: report.requestID)
      })
    issuer.connect(gateway)
    atGateway.fill(gateway)

    let city = City(
      role: role, settings: settings, servers: servers, districts: districts, identity: identity, billing: billing,
      finance: finance, records: records, content: content, queue: queue, relay: relay, worker: work.worker(logger: logger),
      scheduler: scheduler, looks: looks, limiter: limiter, freshness: freshness, sessions: sessions, gateway: gateway,
      operations: operations,
      metrics: metrics, readiness: readiness, mailbox: surroundings.mailbox, payments: surroundings.payments,
      configurations: configurations, flags: flags,
      nodes: NodeRegister(database: main.core, schema: .platform), core: core,
      readers: [statistics].compactMap(\.self), watchdogs: watchdogs, clock: clock, logger: logger)
    city.follow(districts.current)
    return city
  }

  /// Bytes of answers a node keeps.
  private static let responseBytes = 64 * 1024 * 1024

  /// Tells the kept answers what other nodes touched.
  private static func freshness(of responses: ResponseCache, logger: Logger) -> FreshnessFollower {
    FreshnessFollower(
      logger: logger, isOfInterest: { responses.holds($0.name) },
      news: { schema, news in
        switch news {
        case .looked(let touched, let began):
          if !touched.isEmpty { responses.drop(touched, of: schema.name) }
          responses.looked(at: schema.name, began: began)
        case .lost(let began):
          responses.dropAll(of: schema.name)
          responses.looked(at: schema.name, began: began)
        }
      })
  }

  private static func gatewaySettings(_ figures: PhaseFigures, _ flags: LiveFlags) -> Gateway.Settings {
    var settings = Gateway.Settings()
    settings.deadline = figures.gateway.deadline
    settings.breakerErrors = figures.gateway.breakerErrors
    settings.breakerPause = figures.gateway.breakerOpen
    settings.breakerEjectedMost = figures.gateway.ejected
    settings.keepsAnswers = { site, session in flags.isOn("gateway.response-cache", at: site.tenant, for: session) }
    return settings
  }

  /// The outboxes that may hold something. Of a server that can't be asked, all: the relay will see for itself.
  private static func filledOutboxes(_ servers: Servers, _ snapshot: Snapshot) async -> Set<Schema> {
    await withTaskGroup(of: Set<Schema>.self) { group in
      for server in servers.all {
        group.addTask {
          if let found = try? await server.filledOutboxes() { return found }
          let tenants = snapshot.tenants.filter { $0.stanza.database == server.name }.map(\.stanza.schema)
          return Set(tenants + (server.name == servers.main.name ? [.identity, .billing] : []))
        }
      }
      return await group.reduce(into: []) { $0.formUnion($1) }
    }
  }
}

/// What is made later than those who will ask for it.
final class Late<Value: Sendable>: Sendable {
  private let filled = Mutex<Value?>(nil)

  /// `nil` until it is filled.
  var value: Value? { filled.withLock { $0 } }
  func fill(_ value: Value) { filled.withLock { $0 = value } }
}

/// Outboxes are made before what carries their events; they say through this that there is something.
final class Wake: Sendable {
  private let said = Late<@Sendable (Schema) -> Void>()

  func connect(_ wake: @escaping @Sendable (Schema) -> Void) { said.fill(wake) }

  func outbox(_ schema: Schema, _ tenant: TenantID?) -> OutboxTable {
    OutboxTable(schema: schema, tenant: tenant) { [said] in said.value?(schema) }
  }
}
