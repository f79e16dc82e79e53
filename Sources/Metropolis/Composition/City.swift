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

/// The composition root: every service of the city, made once and handed to those that need it.
struct City: Sendable {
  let configuration: CityConfiguration
  let settings: ProcessSettings
  let server: DatabaseServer
  let cities: CityMap
  let identity: IdentityService
  let billing: BillingService
  let finance: FinanceService
  let records: RecordsService
  let content: ContentService
  let queue: JobQueue
  let relay: Relay
  let worker: QueueWorker
  let scheduler: Scheduler
  let gateway: Gateway
  let metrics: Metrics
  let mailbox: DevelopmentMailbox?
  let payments: PaymentProcess?
  let configurationHistory: ConfigurationHistory
  let tenants: [RunningTenant]
  /// Every client, by the schema it works on; for readiness, metrics and the end.
  let clients: [String: Database]

  struct RunningTenant: Sendable {
    let stanza: CityConfiguration.Stanza
    let site: Site
    let module: any TenantModule
    let database: Database
  }

  /// The core's schemas, each with the migrations of its service.
  static var coreSchemas: [(schema: Schema, migrations: [Migration])] {
    get throws {
      [
        (.platform, try JobQueue.migrations), (.identity, try IdentityService.migrations),
        (.relyingParty, try RelyingPartyService.migrations), (.billing, try BillingService.migrations),
        (.records, try RecordsService.migrations), (.content, try ContentService.migrations),
      ]
    }
  }

  /// Makes schemas, roles and tables of the core and of every open tenant, each brought to its newest migration.
  static func migrate(_ configuration: CityConfiguration, on server: DatabaseServer) async throws {
    let platform = try OutboxTable.migrations
    try await Provisioner(admin: server.admin).ensureExtensions(["pg_trgm"])
    for (schema, migrations) in try coreSchemas {
      try await server.prepare(schema, journals: [(.platformMigrations, platform), (.migrations, migrations)])
    }
    try await server.prepare(.platform, journals: [(.cityMigrations, try ConfigurationHistory.migrations)])
    for stanza in configuration.tenants {
      guard let binding = stanza.binding else { continue }
      try await server.prepare(
        stanza.schema, journals: [(.platformMigrations, platform), (.migrations, try binding.migrations)])
    }
  }
}

extension Schema {
  // Literals of the right form.
  static let platform = Schema("platform")!
  static let identity = Schema("identity")!
  static let relyingParty = Schema("relying_party")!
  static let billing = Schema("billing")!
  static let records = Schema("records")!
  static let content = Schema("content")!
}

extension CityConfiguration.Stanza {
  var schema: Schema { Schema(CityConfiguration.schemaName(of: id))! }
}

extension CityConfiguration {
  /// The origins of all sites: derived from the port in development, from the stanzas' hosts otherwise.
  func cityMap(port: Int) -> CityMap {
    func origin(_ id: String?, _ host: String) -> Origin {
      isDevelopment
        ? Origin(scheme: "http", host: id.map { "\($0).localhost" } ?? "localhost", port: port)
        : Origin(scheme: "https", host: host)
    }
    func site(
      _ id: String, _ origin: Origin, _ name: LocalizedText, _ summary: LocalizedText, _ look: Look, tenant: TenantID? = nil,
      kind: String = "city", menu: [MenuItem] = []
    ) -> Site {
      Site(
        id: id, origin: origin, name: name, summary: summary, look: look, languages: languages, timeZone: timeZone,
        tenant: tenant, kind: kind, menu: menu)
    }
    let menu = [
      MenuItem("/", titleKey: "city.menu.home"), MenuItem("/account", titleKey: "city.menu.account"),
      MenuItem("/plans", titleKey: "city.menu.plans"),
    ]
    return CityMap(
      city: site("city", origin(nil, host), name, summary, look, menu: menu),
      issuer: site("id", origin("id", issuerHost), name, summary, look),
      tenants: tenants.map { stanza in
        site(
          stanza.id.text, origin(stanza.id.text, stanza.host), stanza.name, stanza.summary, stanza.look,
          tenant: stanza.state == .open ? stanza.id : nil, kind: stanza.kind, menu: stanza.binding?.menu ?? [])
      },
      isDevelopment: isDevelopment,
      console: site(
        Site.consoleID, origin(Site.consoleID, consoleHost), Site.consoleName, Site.consoleSummary, .console,
        kind: Site.consoleID, menu: Site.consoleMenu))
  }
}
