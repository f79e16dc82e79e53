import Database
import Gateway
import Kit
import Synchronization
import TenantKit
import Web

/// What follows the configuration, as one value: whoever asks twice within one piece of work keeps the first answer.
final class Snapshot: Sendable {
  /// The stored version this is; 0 before one is stored.
  let version: Int
  let configuration: CityConfiguration
  let cities: CityMap
  /// Those with a schema: the open ones, and those that rest.
  let tenants: [RunningTenant]
  /// Where requests of each host go.
  let directory: HostDirectory
  /// Each tenant's legal entity.
  let earners: [TenantID: String]
  /// Tenants this release can't serve, and why: their schemas are not where it needs them.
  let refusals: Refusals

  typealias Refusals = [TenantID: String]

  init(
    version: Int, configuration: CityConfiguration, cities: CityMap, tenants: [RunningTenant], directory: HostDirectory,
    earners: [TenantID: String], refusals: Refusals
  ) {
    self.version = version
    self.configuration = configuration
    self.cities = cities
    self.tenants = tenants
    self.directory = directory
    self.earners = earners
    self.refusals = refusals
  }

  var open: [RunningTenant] { tenants.filter(\.isOpen) }

  /// Whether a tenant's site is served now.
  func serves(_ id: TenantID) -> Bool { refusals[id] == nil && tenants.contains { $0.stanza.id == id && $0.isOpen } }
}

/// A tenant with a schema and a client. The client has connections only while it is used, and is closed when nothing holds it
/// any more: a tenant that left the configuration goes with the last request that came to it.
struct RunningTenant: Sendable {
  let stanza: CityConfiguration.Stanza
  let site: Site
  let module: any TenantModule
  let database: Database
  /// Reads from replicas of its server, beside the client; `nil` where there are none.
  let reader: Replicas?

  var isOpen: Bool { stanza.state == .open }

  func close() async {
    await reader?.close()
    await database.close()
  }
}

/// The registry of what follows the configuration. Everything that must not go on with tenants of before asks ``current``.
final class Districts: Sendable {
  private let state = Mutex<(maker: DistrictMaker, current: Snapshot)?>(nil)

  /// Asked by services once the city is put together; before that there is nothing they could be asked for.
  var current: Snapshot {
    guard let current = state.withLock({ $0?.current }) else { preconditionFailure("the city is not put together yet") }
    return current
  }

  /// Opens the first snapshot.
  func open(
    _ maker: DistrictMaker, _ configuration: CityConfiguration, version: Int, refusals: Snapshot.Refusals
  ) throws {
    let first = try maker.snapshot(configuration, version: version, refusals: refusals, after: nil)
    state.withLock { $0 = (maker, first) }
  }

  /// What is in place was stored as this version.
  func number(_ version: Int) {
    state.withLock { state in
      guard let (_, current) = state else { return }
      state?.current = Snapshot(
        version: version, configuration: current.configuration, cities: current.cities, tenants: current.tenants,
        directory: current.directory, earners: current.earners, refusals: current.refusals)
    }
  }

  /// Puts a snapshot of another configuration in place of the one there is, as a whole. What did not change is the same object
  /// as before: a tenant whose stanza stayed keeps its client, its module and what that remembers.
  /// - Throws: ``Failure`` when a server is not known; all stays as it was.
  func apply(_ configuration: CityConfiguration, version: Int, refusals: Snapshot.Refusals) throws {
    guard let (maker, before) = state.withLock({ $0 }) else { return }
    let next = try maker.snapshot(configuration, version: version, refusals: refusals, after: before)
    state.withLock { $0?.current = next }
  }
}
