public import Foundation
public import Kit

/// Scheme, host and port of one service (RFC 6454). Links and redirect URIs are made from it, never from a request.
public struct Origin: Hashable, Sendable, CustomStringConvertible {
  public let scheme: String
  /// Lower case, without port.
  public let host: String
  public let port: Int?

  public init(scheme: String, host: String, port: Int? = nil) {
    self.scheme = scheme
    self.host = host.lowercased()
    self.port = port
  }

  public var isSecure: Bool { scheme == "https" }
  /// The `Host` header of a request to it.
  public var authority: String { port.map { "\(host):\($0)" } ?? host }
  public var description: String { "\(scheme)://\(authority)" }
  /// An absolute URL for a path that begins with `/`.
  public func url(_ path: String = "/") -> String { description + path }
}

/// How a service looks: its accent colour and the one character of its mark.
public struct Look: Hashable, Sendable {
  public let accent: Colour
  public let mark: String
  public init(accent: Colour, mark: String) {
    self.accent = accent
    self.mark = mark
  }
}

/// One service with an origin of its own: the city's portal, the issuer, the console of its staff, or a tenant.
///
/// An object, as all that every request holds and nothing changes: a copy of the fields would count two dozen references.
public final class Site: Hashable, Sendable {
  /// `city`, `id`, `console`, or the tenant's id.
  public let id: String
  public let origin: Origin
  public let name: LocalizedText
  /// One line on what it is for.
  public let summary: LocalizedText
  public let look: Look
  public let languages: [Language]
  public let timeZone: TimeZone
  /// `nil` for the city's own sites.
  public let tenant: TenantID?
  /// The kind of tenant, `city`, or `console`: sites of a kind stand together in the switcher.
  public let kind: String
  public let menu: [MenuItem]

  public init(
    id: String, origin: Origin, name: LocalizedText, summary: LocalizedText, look: Look, languages: [Language],
    timeZone: TimeZone, tenant: TenantID? = nil, kind: String = "city", menu: [MenuItem] = []
  ) {
    self.id = id
    self.origin = origin
    self.name = name
    self.summary = summary
    self.look = look
    self.languages = languages
    self.timeZone = timeZone
    self.tenant = tenant
    self.kind = kind
    self.menu = menu
  }

  public static func == (one: Site, other: Site) -> Bool {
    one === other
      || one.id == other.id && one.origin == other.origin && one.name == other.name && one.summary == other.summary
        && one.look == other.look && one.languages == other.languages && one.timeZone == other.timeZone
        && one.tenant == other.tenant && one.kind == other.kind && one.menu == other.menu
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// An entry of a site's main menu.
public struct MenuItem: Hashable, Sendable {
  public let path: String
  /// A key of the catalogues.
  public let titleKey: String
  /// Who sees it: those with one of these roles, where `operator@*` stands for every role that begins with `operator@`.
  /// `nil`: everyone. It only tidies the menu; what may be opened is the endpoint's to say.
  public let roles: Set<String>?
  public init(_ path: String, titleKey: String, roles: Set<String>? = nil) {
    self.path = path
    self.titleKey = titleKey
    self.roles = roles
  }

  func isShown(to session: Session?) -> Bool {
    guard let roles else { return true }
    guard let session else { return false }
    return roles.contains { wanted in
      wanted.hasSuffix("*") ? session.roles.contains { $0.hasPrefix(wanted.dropLast()) } : session.roles.contains(wanted)
    }
  }
}

/// What pages of one site know of the rest of the city.
public final class CityMap: Sendable {
  public let city: Site
  public let issuer: Site
  /// In the order of `tenants.yaml`.
  public let tenants: [Site]
  /// Where the staff of the city and of its tenants work.
  public let console: Site?
  public let isDevelopment: Bool
  /// Changes when any look does: the style sheets may be cached for long.
  let lookVersion: String
  /// The first sites of each kind, in the order of `tenants.yaml`: as many as a menu holds. All stand on the portal.
  let switched: [(kind: String, sites: [Site])]
  /// Of a kind, in the menu of services.
  private static let switchedMost = 12
  /// The colours of every site's mark, as each site's sheet has them.
  private let marks: String

  /// Those a visitor is led to: not what is closed, whose name still stands where people did something there.
  public let listed: [Site]

  /// - Parameter closed: the ids of tenants that nobody is led to.
  public init(
    city: Site, issuer: Site, tenants: [Site], closed: Set<String> = [], isDevelopment: Bool, console: Site? = nil
  ) {
    self.city = city
    self.issuer = issuer
    self.tenants = tenants
    self.console = console
    listed = closed.isEmpty ? tenants : tenants.filter { !closed.contains($0.id) }
    var switched: [(kind: String, sites: [Site])] = []
    for site in listed {
      let place = switched.firstIndex { $0.kind == site.kind } ?? switched.count
      if place == switched.count { switched.append((site.kind, [])) }
      if switched[place].sites.count < CityMap.switchedMost { switched[place].sites.append(site) }
    }
    self.switched = switched
    let own = [console].compactMap(\.self)
    let shown = [city] + own + tenants
    marks = shown.map { $0.look.markStyle(site: $0.id) }.joined()
    let accents = shown.map(\.look.accent.hex).joined()
    lookVersion = String(
      UInt32(truncatingIfNeeded: (marks + accents).utf8.reduce(5381) { $0 &* 31 &+ Int($1) }), radix: 36)
    self.isDevelopment = isDevelopment
  }

  /// `/look.css` of a site. Put together when it is asked for, once a day and reader: of thousands of sites each would hold
  /// the marks of all.
  func styleSheet(of site: Site) -> String { site.look.styleSheet + marks }

  public var all: [Site] { [city, issuer] + [console].compactMap(\.self) + tenants }
}
