import Kit
import Synchronization
public import Web

/// Where requests of a host go.
public final class Destination: Sendable {
  public let site: Site
  public let router: SiteRouter
  /// What the router's handlers work with.
  public let owner: any Sendable
  /// The schema whose tags its answers have; "" for a site without one.
  public let schema: String
  /// The name of the database its work is done in: the circuit breaker's unit.
  public let database: String

  public init(site: Site, router: SiteRouter, owner: any Sendable, schema: String = "", database: String = "main") {
    self.site = site
    self.router = router
    self.owner = owner
    self.schema = schema
    self.database = database
  }
}

/// All hosts of the city. One dictionary, so that the ten-thousandth costs what the tenth does.
public final class HostDirectory: Sendable {
  private static let made = Atomic<UInt64>(0)

  public let cities: CityMap
  let fallback: Destination
  /// No answer kept under another directory is given under this one.
  let generation: UInt64
  /// How many sites each database has.
  let sites: [String: Int]
  private let destinations: [String: Destination]
  private let moved: [String: Origin]

  /// - Parameters:
  ///   - fallback: where problems of unknown hosts are shown.
  ///   - moved: authorities a site had before, and where it is now: answered with 308.
  public init(cities: CityMap, destinations: [Destination], fallback: Destination, moved: [String: Origin] = [:]) {
    self.cities = cities
    self.fallback = fallback
    self.destinations = Dictionary(
      destinations.map { ($0.site.origin.authority.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
    self.moved = Dictionary(moved.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
    sites = destinations.reduce(into: [:]) { $0[$1.database, default: 0] += 1 }
    generation = HostDirectory.made.wrappingAdd(1, ordering: .relaxed).newValue
  }

  /// Matches the whole authority, in any case of letters.
  func destination(_ authority: String) -> Destination? { destinations[authority] ?? destinations[authority.lowercased()] }
  func moved(_ authority: String) -> Origin? { moved.isEmpty ? nil : moved[authority.lowercased()] }
  /// The ids of the sites a database has; looks through all, so not for each request.
  func sites(of database: String) -> [String] { destinations.values.filter { $0.database == database }.map(\.site.id) }
  public func destination(site id: String) -> Destination? { destinations.values.first { $0.site.id == id } }
}
