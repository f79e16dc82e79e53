import Identity

/// A post of the city's staff: a role at a place. On the console, a session's roles are these, written `operator@univprep`.
struct StaffPost: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// What is done there. Other roles (`member`, `student`) are no posts and open nothing on the console.
  enum Role: String, CaseIterable, Sendable {
    /// Runs a tenant, or the city.
    case `operator`
    /// Sees the city's money and closes its months.
    case finance
  }

  /// The place that is no tenant.
  static let city = IdentityService.city

  let role: Role
  /// A tenant's id, or `city`.
  let place: String

  /// `nil` for a role the place doesn't have: money is the city's business alone.
  init?(_ role: Role, at place: String) {
    guard role != .finance || place == StaffPost.city else { return nil }
    self.role = role
    self.place = place
  }

  /// Reads `operator@univprep`.
  init?(_ text: String) {
    let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count == 2, !halves[1].isEmpty, let role = Role(rawValue: String(halves[0])) else { return nil }
    self.init(role, at: String(halves[1]))
  }

  init?(_ membership: Membership) {
    guard let role = Role(rawValue: membership.role) else { return nil }
    self.init(role, at: membership.tenant)
  }

  var description: String { "\(role.rawValue)@\(place)" }
  var isOfCity: Bool { place == StaffPost.city }

  /// The city's posts first.
  static func < (a: StaffPost, b: StaffPost) -> Bool {
    a.isOfCity == b.isOfCity ? (a.place, a.role.rawValue) < (b.place, b.role.rawValue) : a.isOfCity
  }

  /// The posts that can be given in a city with these tenants.
  static func all(tenants: [String]) -> [StaffPost] {
    let ofCity = Role.allCases.compactMap { StaffPost($0, at: StaffPost.city) }
    return ofCity + tenants.compactMap { StaffPost(.operator, at: $0) }
  }

  /// The posts among someone's memberships, in order.
  static func among(_ memberships: [Membership]) -> [StaffPost] {
    memberships.compactMap { (one: Membership) in StaffPost(one) }.sorted()
  }
}
