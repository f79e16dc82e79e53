import Billing
import Foundation
import Gateway
import Kit
import TenantKit
import Web

/// `tenants.yaml`, read whole: every service has decoded its own section, and no mistake is left.
struct CityConfiguration: Sendable {
  let file: String
  let text: String
  let name: LocalizedText
  let summary: LocalizedText
  let look: Look
  let environment: Environment
  let phase: Phase
  /// The phase's, with what `city.figures` overrides.
  let figures: PhaseFigures
  let host: String
  let issuerHost: String
  let consoleHost: String
  let languages: [Language]
  let timeZone: TimeZone
  /// `main` first; it is always there.
  let databases: [DatabaseStanza]
  let tenants: [Stanza]
  /// Which tenant is the best for whom.
  let routing: RoutingRules
  /// Which changes are on for whom.
  let flags: FlagRules
  let limits: [String: RateLimit]
  let plans: PlanCatalogue
  /// By what revenue is split between the tenants.
  let shares: ShareRules
  /// Every legal entity, and the one that sells the city's plans.
  let sellers: [Seller]
  let seller: String

  var isDevelopment: Bool { environment == .development }

  /// - Throws: ``Kit/ConfigMistakes`` with all mistakes of the file.
  init(reading text: String, file: String) throws(ConfigMistakes) {
    let document = try ConfigDocument(yaml: text, file: file)
    let root = document.root
    let fallback = Look(accent: Colour("#2B59C3")!, mark: "시")
    let city = root.section("city")

    self.file = file
    self.text = text
    name = city?.localized("name") ?? LocalizedText(ko: "")
    summary = city?.localized("summary") ?? LocalizedText(ko: "")
    look = city.flatMap { CityConfiguration.look($0) } ?? fallback
    environment = city?.choice("environment", Environment.self) ?? .development
    phase = city?.choice("phase", Phase.self, default: .pilot) ?? .pilot
    host = city.flatMap { CityConfiguration.host($0, "host") } ?? ""
    issuerHost = city.flatMap { CityConfiguration.host($0, "issuer") } ?? ""
    consoleHost = city.flatMap { CityConfiguration.host($0, "console") } ?? ""
    timeZone =
      city?.value("time_zone", "a time zone of the IANA database, like Asia/Seoul", default: TimeZone(identifier: "Asia/Seoul")) {
        $0.contains("/") || $0 == "UTC" ? TimeZone(identifier: $0) : nil
      } ?? .gmt
    let names = city?.strings("languages", default: ["ko", "en"]) ?? ["ko"]
    languages = names.compactMap(Language.init(rawValue:))
    if languages.count != names.count || languages.isEmpty {
      city?.note("languages", found: names.joined(separator: ", "), expected: "some of ko, en")
    }

    sellers = root.stanzas("entities").map { entity in
      let name = entity.section.string("name") ?? entity.key
      let country = entity.section.value("country", "a country code of two letters", read: { $0.count == 2 ? $0 : nil })
      _ = entity.section.choice("currency", Currency.self)
      return Seller(id: entity.key, name: name, country: country ?? "KR")
    }
    let entities = sellers.map(\.id)
    seller = city?.string("entity", "one of \(entities.joined(separator: ", "))") ?? ""
    if !seller.isEmpty, !entities.contains(seller) {
      city?.note("entity", expected: "one of the entities: \(entities.joined(separator: ", "))")
    }
    var figures = PhaseFigures(phase, in: environment)
    figures.override(reading: city?.section("figures", required: false))
    self.figures = figures
    databases = DatabaseStanza.read(root, connections: figures.pool.primary)

    var reader = TenantReader(entities: entities, databases: databases.map(\.name), fallback: fallback)
    for (key, name) in [("host", host), ("issuer", issuerHost), ("console", consoleHost)] where !name.isEmpty {
      reader.claim(name, for: "city.\(key)", note: key, in: city)
    }
    var tenants: [Stanza] = []
    for (key, section) in root.stanzas("tenants") {
      if let stanza = reader.stanza(key, section) { tenants.append(stanza) }
    }
    self.tenants = tenants
    if tenants.isEmpty { root.note("tenants", expected: "one tenant at least") }

    routing = RoutingRules(
      reading: root, tenants: tenants.map { .init(id: $0.id, kind: $0.kind, isOpen: $0.state == .open) })
    flags = FlagRules(reading: root.section("flags", required: false), tenants: tenants.map(\.id))
    limits = RateLimit.read(root.section("limits", required: false))
    let features = ModuleBinding.all.flatMap(\.features).map { ($0.name, $0.title) }
    plans = PlanCatalogue(
      reading: document, yaml: text, tenants: tenants.map { (id: $0.id, module: $0.kind) },
      features: Dictionary(features, uniquingKeysWith: { first, _ in first }))
    shares = ShareRules(reading: document, plans: plans.plans.map(\.id), tenants: tenants.map(\.id))
    try document.finish()
  }
}
