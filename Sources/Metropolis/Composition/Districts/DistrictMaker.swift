import Database
import Gateway
import Kit
import TenantKit
import Web

/// Makes snapshots: all that a tenant is on this node, from its stanza and what the node has once.
struct DistrictMaker: Sendable {
  /// Of the development origins.
  let port: Int
  let servers: Servers
  let routers: CityRouters
  let issuer: any Sendable
  /// The pages of the portal and of the console are those of one configuration.
  let portal: @Sendable (CityConfiguration) -> Portal
  let console: @Sendable (CityConfiguration) -> Console
  let services: @Sendable (CityConfiguration.Stanza, Database, Replicas?) -> TenantServices

  func snapshot(
    _ configuration: CityConfiguration, version: Int, refusals: Snapshot.Refusals, after before: Snapshot?
  ) throws -> Snapshot {
    let cities = configuration.cityMap(port: port)
    let known = Dictionary((before?.tenants ?? []).map { ($0.stanza.id, $0) }) { first, _ in first }
    let changed = try before.map { try DistrictMaker.changed(from: $0.configuration, to: configuration) } ?? []
    var tenants: [RunningTenant] = []
    for (stanza, site) in zip(configuration.tenants, cities.tenants) where stanza.state.hasSchema {
      guard let make = stanza.make else { continue }
      if let same = known[stanza.id], same.site == site, !changed.contains(stanza.id.text) {
        tenants.append(same)
        continue
      }
      guard let server = servers[stanza.database] else {
        throw Failure(description: "tenants.\(stanza.id).database: this node doesn't know the server \(stanza.database)")
      }
      // Its place is its clients; whatever else of it changed, connections and what waits for one stay.
      let same = known[stanza.id].flatMap { $0.stanza.hasSamePlace(as: stanza) ? $0 : nil }
      let database = same?.database ?? server.client(stanza.schema, isCore: false)
      let reader = same?.reader ?? server.reader(stanza.schema, beside: database)
      let tenant = Tenant(id: stanza.id, site: site, schema: stanza.schema)
      tenants.append(
        RunningTenant(
          stanza: stanza, site: site, module: make(tenant, services(stanza, database, reader)), database: database,
          reader: reader))
    }
    return Snapshot(
      version: version, configuration: configuration, cities: cities, tenants: tenants,
      directory: directory(configuration, cities, tenants, refusals),
      earners: Dictionary(configuration.tenants.map { ($0.id, $0.entity) }) { first, _ in first }, refusals: refusals)
  }

  /// The tenants whose stanzas, as they are written, are not what they were.
  static func changed(from before: CityConfiguration, to after: CityConfiguration) throws -> Set<String> {
    func stanzas(_ configuration: CityConfiguration) throws -> [String: ConfigValue] {
      let tenants = try ConfigValue(yaml: configuration.text, file: configuration.file)["tenants"]
      return Dictionary((tenants?.members ?? []).map { ($0.key, $0.value) }) { first, _ in first }
    }
    guard before.text != after.text else { return [] }
    let (old, new) = (try stanzas(before), try stanzas(after))
    return Set(new.keys.filter { old[$0] != new[$0] })
  }

  private func directory(
    _ configuration: CityConfiguration, _ cities: CityMap, _ tenants: [RunningTenant],
    _ refusals: Snapshot.Refusals
  ) -> HostDirectory {
    let portal = portal(configuration)
    let city = Destination(site: cities.city, router: routers.city, owner: portal)
    var destinations = [city, Destination(site: cities.issuer, router: routers.issuer, owner: issuer)]
    if let site = cities.console {
      destinations.append(Destination(site: site, router: routers.console, owner: console(configuration)))
    }
    let modules = Dictionary(tenants.map { ($0.stanza.id, $0.module) }) { first, _ in first }
    for (stanza, site) in zip(configuration.tenants, cities.tenants) {
      switch stanza.state {
      case .open where refusals[stanza.id] != nil:
        // A circuit of its own: its neighbours' database is not to be blamed.
        destinations.append(
          Destination(site: site, router: routers.refused, owner: Closed.Refused(), database: "refused \(stanza.id)"))
      case .open:
        guard let module = modules[stanza.id], let router = routers.kinds[stanza.kind] else { continue }
        destinations.append(
          Destination(site: site, router: router, owner: module, schema: stanza.schema.name, database: stanza.database))
      case .announced: destinations.append(Destination(site: site, router: routers.announced, owner: portal))
      case .disabled: destinations.append(Destination(site: site, router: routers.resting, owner: Closed.Resting()))
      case .archived: destinations.append(Destination(site: site, router: routers.archived, owner: Closed.Archived()))
      }
    }
    return HostDirectory(
      cities: cities, destinations: destinations, fallback: city, moved: configuration.movedAuthorities(cities))
  }
}

extension CityConfiguration.Stanza {
  /// Whether a client made for one serves the other.
  func hasSamePlace(as other: CityConfiguration.Stanza) -> Bool { id == other.id && database == other.database }
}
