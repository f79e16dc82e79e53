import Billing
import Foundation
import Gateway
import Kit
import TenantKit
import Web

/// `tenants.yaml`, read whole: every service has decoded its own section, and no mistake is left.
struct CityConfiguration: Sendable {
  enum Environment: String, Sendable, CaseIterable { case development, staging, production }
  enum Phase: String, Sendable, CaseIterable { case pilot, growth, scale, metro }

  struct Stanza: Sendable {
    /// An announced tenant has a host and says that it will open; nothing else of it exists.
    enum State: String, Sendable, CaseIterable { case open, announced }

    let id: TenantID
    let kind: String
    let state: State
    let name: LocalizedText
    let summary: LocalizedText
    let host: String
    let entity: String
    let look: Look
    let binding: ModuleBinding?
    let make: (@Sendable (Tenant, TenantServices) -> any TenantModule)?
  }

  let file: String
  let text: String
  let name: LocalizedText
  let summary: LocalizedText
  let look: Look
  let environment: Environment
  let phase: Phase
  let host: String
  let issuerHost: String
  let consoleHost: String
  let languages: [Language]
  let timeZone: TimeZone
  let tenants: [Stanza]
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
    for database in root.stanzas("databases", required: false) {
      _ = database.section.string("url")
      _ = database.section.int("connections", in: 1...1_000, default: 16)
    }

    var hosts: [String: String] = [:]
    for (key, name) in [("host", host), ("issuer", issuerHost), ("console", consoleHost)] where !name.isEmpty {
      if let other = hosts.updateValue("city.\(key)", forKey: name) {
        city?.note(key, expected: "a host of its own; \(other) has this one")
      }
    }
    var schemas: [String: String] = [:]
    tenants = root.stanzas("tenants").compactMap { key, section in
      CityConfiguration.stanza(key, section, entities: entities, fallback: fallback, hosts: &hosts, schemas: &schemas)
    }
    if tenants.isEmpty { root.note("tenants", expected: "one tenant at least") }

    CityConfiguration.readRouting(root, tenants: tenants)
    limits = RateLimit.read(root.section("limits", required: false))
    let features = ModuleBinding.all.flatMap(\.features).map { ($0.name, $0.title) }
    plans = PlanCatalogue(
      reading: document, yaml: text, tenants: tenants.map { (id: $0.id, module: $0.kind) },
      features: Dictionary(features, uniquingKeysWith: { first, _ in first }))
    shares = ShareRules(reading: document, plans: plans.plans.map(\.id), tenants: tenants.map(\.id))
    try document.finish()
  }

  private static func stanza(
    _ key: String, _ section: ConfigSection, entities: [String], fallback: Look, hosts: inout [String: String],
    schemas: inout [String: String]
  ) -> Stanza? {
    let state = section.choice("state", Stanza.State.self, default: .open) ?? .open
    let kinds = ModuleBinding.all.map(\.kind)
    let kind = section.string("module", "one of \(kinds.joined(separator: ", "))") ?? ""
    let binding = ModuleBinding.all.first { $0.kind == kind }
    if binding == nil, state == .open, section.has("module") {
      section.note("module", expected: "one of \(kinds.joined(separator: ", "))")
    }
    let name = section.localized("name")
    let summary = section.localized("summary")
    let look = look(section)
    let host = host(section, "host")
    if let host, let other = hosts.updateValue("\(section.path).host", forKey: host) {
      section.note("host", expected: "a host of its own; \(other) has this one")
    }
    let entity = section.string("entity", "one of \(entities.joined(separator: ", "))") ?? ""
    if !entity.isEmpty, !entities.contains(entity) {
      section.note("entity", expected: "one of the entities: \(entities.joined(separator: ", "))")
    }
    _ = section.optionalString("database")
    var make: (@Sendable (Tenant, TenantServices) -> any TenantModule)?
    if let binding, state == .open {
      make = binding.configure(section.sectionOrEmpty("settings"))
    } else {
      section.section("settings", required: false)?.leaveOpen()
    }
    let reserved = ["city", "id", "console", "www"]
    guard let id = TenantID(key), !reserved.contains(key) else {
      section.note(
        "", found: "“\(key)”",
        expected:
          "2 to 32 lower-case letters, digits and single hyphens, a letter first, and none of \(reserved.joined(separator: ", "))"
      )
      return nil
    }
    let schema = schemaName(of: id)
    if let other = schemas.updateValue(key, forKey: schema) {
      section.note("", found: "“\(key)”", expected: "an id whose schema \(schema) is not that of \(other)")
    }
    return Stanza(
      id: id, kind: kind, state: state, name: name ?? LocalizedText(ko: key), summary: summary ?? LocalizedText(ko: key),
      host: host ?? "", entity: entity, look: look ?? fallback, binding: state == .open ? binding : nil, make: make)
  }

  /// Tenants' schemas have a prefix, so that none can take the name of a core schema.
  static func schemaName(of id: TenantID) -> String { "t_" + id.text.replacing("-", with: "_") }

  private static func look(_ section: ConfigSection) -> Look? {
    guard let look = section.section("look") else { return nil }
    let accent = look.value("accent", "a colour like \"#E8590C\"") { Colour($0) }
    let mark = look.value("mark", "one character") { $0.count == 1 ? $0 : nil }
    guard let accent, let mark else { return nil }
    return Look(accent: accent, mark: mark)
  }

  private static func host(_ section: ConfigSection, _ key: String) -> String? {
    section.value(key, "a host name like jeju.example.com") { text in
      let labels = text.split(separator: ".", omittingEmptySubsequences: false)
      let isName =
        labels.count >= 2 && text.utf8.count <= 253
        && labels.allSatisfy { label in
          (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
            && label.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
        }
      return isName ? text : nil
    }
  }

  private static func readRouting(_ root: ConfigSection, tenants: [Stanza]) {
    for rule in root.list("routing", required: false) {
      let to = rule.string("to", "a tenant") ?? ""
      if !to.isEmpty, !tenants.contains(where: { $0.id.text == to }) {
        rule.note("to", expected: "one of the tenants: \(tenants.map(\.id.text).joined(separator: ", "))")
      }
      guard let when = rule.section("when", required: false) else { continue }
      _ = when.optionalString("goal")
      if when.has("age") {
        _ = when.value("age", "a comparison like \"<= 18\"") { text in
          let parts = text.split(separator: " ")
          return parts.count == 2 && ["<", "<=", ">", ">=", "="].contains(String(parts[0])) && Int(parts[1]) != nil ? text : nil
        }
      }
    }
  }
}
