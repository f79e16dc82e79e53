import Database
import Kit
import TenantKit
import Web

extension CityConfiguration {
  /// One tenant of `tenants:`.
  struct Stanza: Sendable {
    enum State: String, Sendable, CaseIterable {
      /// Served.
      case open
      /// It has a host and says that it will open; nothing else of it exists.
      case announced
      /// Its host says that it rests; its data stay, are migrated, and it can open again at once.
      case disabled
      /// Its data are in an archive, its schema is gone; to be restored before it can open.
      case archived

      /// Whether its schema is to be there and at the newest migration.
      var hasSchema: Bool { self == .open || self == .disabled }
    }

    /// Permanent: the ledger, the records and the schema carry it. Renaming is ``name`` and ``host``.
    let id: TenantID
    let kind: String
    let state: State
    let name: LocalizedText
    let summary: LocalizedText
    let host: String
    /// Hosts it had: they answer 308 to ``host``.
    let formerHosts: [String]
    let entity: String
    /// The server it lives on, a name of ``CityConfiguration/databases``.
    let database: String
    let durability: Durability
    /// Planned infrastructure, in US dollars a month (R63).
    let infrastructure: Int?
    let look: Look
    /// The stanza as one text: as long as it is the same, nothing of the tenant changed.
    let source: String
    /// `nil` for a tenant that is announced: its kind need not be built yet.
    let binding: ModuleBinding?
    let make: (@Sendable (Tenant, TenantServices) -> any TenantModule)?
  }

  /// Tenants' schemas have a prefix, so that none can take the name of a core schema.
  static func schemaName(of id: TenantID) -> String { "t_" + id.text.replacing("-", with: "_") }

  /// Ids that are hosts of the city's own in development.
  static let reservedIDs = ["city", "id", "console", "www"]
}

/// Reads the stanzas, one after the other, and remembers what must be of one only.
struct TenantReader {
  let entities: [String]
  let databases: [String]
  let fallback: Look
  /// Who has a host.
  private(set) var hosts: [String: String] = [:]
  private var schemas: [String: String] = [:]

  init(entities: [String], databases: [String], fallback: Look) {
    (self.entities, self.databases, self.fallback) = (entities, databases, fallback)
  }

  /// Takes a host for `owner`, a path of the document; notes it where another has it.
  mutating func claim(_ host: String, for owner: String, note key: String, in section: ConfigSection?) {
    if let other = hosts.updateValue(owner, forKey: host), other != owner {
      section?.note(key, found: "“\(host)”", expected: "a host of its own; \(other) has this one")
    }
  }

  mutating func stanza(_ key: String, _ section: ConfigSection) -> CityConfiguration.Stanza? {
    typealias State = CityConfiguration.Stanza.State
    let state = section.choice("state", State.self, default: .open) ?? .open
    let kinds = ModuleBinding.all.map(\.kind).joined(separator: ", ")
    let kind = section.string("module", "one of \(kinds)") ?? ""
    let found = ModuleBinding.all.first { $0.kind == kind }
    if found == nil, state != .announced, section.has("module") { section.note("module", expected: "one of \(kinds)") }
    let binding = state == .announced ? nil : found
    let name = section.localized("name")
    let summary = section.localized("summary")
    let look = CityConfiguration.look(section)
    let (host, formerHosts) = hosts(section)
    let entity = section.string("entity", "one of \(entities.joined(separator: ", "))") ?? ""
    if !entity.isEmpty, !entities.contains(entity) {
      section.note("entity", expected: "one of the entities: \(entities.joined(separator: ", "))")
    }
    let database = section.string("database", default: DatabaseStanza.main) ?? DatabaseStanza.main
    if !databases.contains(database) {
      section.note("database", expected: "one of the databases: \(databases.joined(separator: ", "))")
    }
    let durability = section.choice("durability", Durability.self, default: .sync) ?? .sync
    let infrastructure = section.has("infrastructure") ? section.int("infrastructure", in: 0...10_000_000) : nil
    var make: (@Sendable (Tenant, TenantServices) -> any TenantModule)?
    if let binding {
      make = binding.configure(section.sectionOrEmpty("settings"))
    } else {
      section.section("settings", required: false)?.leaveOpen()
    }
    guard let id = id(key, section) else { return nil }
    return CityConfiguration.Stanza(
      id: id, kind: kind, state: state, name: name ?? LocalizedText(ko: key), summary: summary ?? LocalizedText(ko: key),
      host: host ?? "", formerHosts: formerHosts, entity: entity, database: database, durability: durability,
      infrastructure: infrastructure, look: look ?? fallback, source: section.source, binding: binding, make: make)
  }

  private mutating func hosts(_ section: ConfigSection) -> (String?, [String]) {
    let host = CityConfiguration.host(section, "host")
    if let host { claim(host, for: "\(section.path).host", note: "host", in: section) }
    let former = section.strings("former_hosts", default: []) ?? []
    for name in former {
      if !CityConfiguration.isHost(name) {
        section.note("former_hosts", found: "“\(name)”", expected: "host names like jeju.example.com")
      } else if name == host {
        section.note("former_hosts", found: "“\(name)”", expected: "hosts it had before; this one it has")
      } else {
        claim(name, for: "\(section.path).former_hosts", note: "former_hosts", in: section)
      }
    }
    return (host, former)
  }

  private mutating func id(_ key: String, _ section: ConfigSection) -> TenantID? {
    let reserved = CityConfiguration.reservedIDs
    guard let id = TenantID(key), !reserved.contains(key) else {
      let others = reserved.joined(separator: ", ")
      section.note(
        "", found: "“\(key)”",
        expected: "2 to 32 lower-case letters, digits and single hyphens, a letter first, and none of \(others)")
      return nil
    }
    let schema = CityConfiguration.schemaName(of: id)
    if let other = schemas.updateValue(key, forKey: schema) {
      section.note("", found: "“\(key)”", expected: "an id whose schema \(schema) is not that of \(other)")
    }
    return id
  }
}
