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
import Telemetry
import TenantKit
import Web

/// The composition root: the services a process has once, and the registry of what follows the configuration.
struct City: Sendable {
  let role: NodeRole
  let settings: ProcessSettings
  let servers: Servers
  let districts: Districts
  let identity: IdentityService
  let billing: BillingService
  let finance: FinanceService
  let records: RecordsService
  let content: ContentService
  let queue: JobQueue
  let relay: Relay
  let worker: QueueWorker
  let scheduler: Scheduler
  let looks: Looks
  let limiter: SharedRateLimiter
  let freshness: FreshnessFollower
  let sessions: SiteSessions
  let gateway: Gateway
  let operations: Gateway.Operations
  let metrics: Metrics
  let readiness: Readiness
  let mailbox: DevelopmentMailbox?
  let payments: PaymentProcess?
  let configurations: ConfigurationStore
  let flags: LiveFlags
  let nodes: NodeRegister
  /// The core's clients, by the schema each works on.
  let core: [String: Database]
  /// What core services read from replicas by.
  let readers: [Replicas]
  let watchdogs: Watchdogs
  let clock: DomainClock
  let logger: Logger

  var sendsMail: Bool { worker.works(QueuedMail.queue) }
  var configuration: CityConfiguration { districts.current.configuration }
  var cities: CityMap { districts.current.cities }
  var tenants: [RunningTenant] { districts.current.open }

  /// Puts a configuration in the place of the one before, while requests go on.
  ///
  /// What is read from a database comes first and may fail; then the registry turns, as a whole; then those who carry and hear
  /// for the tenants are told.
  func follow(_ configuration: CityConfiguration, version: Int) async throws {
    for change in configuration.neededRestarts(after: self.configuration) {
      logger.warning("configuration asks for a restart", metadata: ["key": "\(change)"])
    }
    let limits = self.configuration.limits
    try await servers.follow(configuration.databases)
    try await billing.live.follow(configuration.plans)
    // A module reads its flags from the moment it is made.
    flags.follow(configuration.flags)
    let refusals = try await City.refusals(configuration, servers, logger: logger)
    for (tenant, reason) in refusals where districts.current.refusals[tenant] != reason {
      logger.error("tenant not served", metadata: ["tenant": "\(tenant)", "reason": "\(reason)"])
    }
    try await aside { [districts] in try districts.apply(configuration, version: version, refusals: refusals) }
    follow(districts.current)
    if configuration.limits != limits { limiter.replace(limits: configuration.limits) }
  }

  /// Those that are told, and don't ask.
  func follow(_ snapshot: Snapshot) {
    relay.replace(City.sources(core, snapshot))
    looks.follow(City.places(servers, snapshot))
    freshness.follow(snapshot.tenants.map { .init(schema: $0.stanza.schema, database: $0.database) })
  }

  /// The outboxes of the city.
  static func sources(_ core: [String: Database], _ snapshot: Snapshot) -> [Relay.Source] {
    let own = [Schema.identity, .billing].compactMap { schema in
      core[schema.name].map { Relay.Source(database: $0, schema: schema, tenant: nil) }
    }
    return own + snapshot.tenants.map { Relay.Source(database: $0.database, schema: $0.stanza.schema, tenant: $0.stanza.id) }
  }

  static func places(_ servers: Servers, _ snapshot: Snapshot) -> [Looks.Place] {
    let own = [Schema.identity, .billing].map { (schema: $0, server: servers.main) }
    return own
      + snapshot.tenants.compactMap { tenant in
        servers[tenant.stanza.database].map { (schema: tenant.stanza.schema, server: $0) }
      }
  }

  /// Makes what a configuration needs beyond schemas: plans in their versions, the sites as clients of the issuer, tables of the
  /// months ahead. Done by whoever applies it, before nodes hear of it.
  ///
  /// - Parameter asserting: plans in which the file's word holds whatever the console published since.
  func prepare(asserting: Set<PlanID>) async throws {
    try await billing.prepare(asserting: asserting)
    let snapshot = districts.current
    try await identity.registerFirstParties(snapshot.cities.all.filter { $0.id != snapshot.cities.issuer.id })
    try await records.ensurePartitions(now: clock.now())
  }

  func stop() async {
    payments?.stop()
    await mailbox?.stop()
    for tenant in districts.current.tenants { await tenant.close() }
    for reader in readers { await reader.close() }
    for client in core.values { await client.close() }
    await servers.stop()
  }
}

extension CityConfiguration {
  /// What a process reads once, when it starts: a configuration that changes it is followed in everything else.
  func neededRestarts(after other: CityConfiguration) -> [String] {
    var keys: [String] = []
    if environment != other.environment { keys.append("city.environment") }
    if issuerHost != other.issuerHost { keys.append("city.issuer") }
    if timeZone != other.timeZone { keys.append("city.time_zone") }
    if seller != other.seller { keys.append("city.entity") }
    for stanza in databases
    where other.databases.contains(where: { $0.name == stanza.name && !$0.hasSameConnections(as: stanza) }) {
      keys.append("databases.\(stanza.name)")
    }
    return keys
  }
}
