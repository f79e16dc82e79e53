import Database
import Foundation
import Kit
import Web

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
          // What a closed tenant's people did there stays theirs, under its name; an announced one has had none yet.
          tenant: stanza.state == .announced ? nil : stanza.id, kind: stanza.kind,
          menu: stanza.state == .open ? stanza.binding?.menu ?? [] : [])
      },
      closed: Set(tenants.filter { [.disabled, .archived].contains($0.state) }.map(\.id.text)), isDevelopment: isDevelopment,
      console: site(
        Site.consoleID, origin(Site.consoleID, consoleHost), Site.consoleName, Site.consoleSummary, .console,
        kind: Site.consoleID, menu: Site.consoleMenu))
  }

  /// The authorities sites had before, and where they are now. In development former hosts are met under their own names, at the
  /// city's port.
  func movedAuthorities(_ cities: CityMap) -> [String: Origin] {
    var moved: [String: Origin] = [:]
    for (stanza, site) in zip(tenants, cities.tenants) {
      for host in stanza.formerHosts {
        moved[Origin(scheme: site.origin.scheme, host: host, port: site.origin.port).authority] = site.origin
      }
    }
    return moved
  }
}

extension CityConfiguration.Stanza {
  var schema: Schema { Schema(CityConfiguration.schemaName(of: id))! }
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
