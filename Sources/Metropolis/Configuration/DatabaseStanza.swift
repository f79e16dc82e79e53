import Kit

/// One server of `databases:`. Core schemas live on `main`; a tenant names another with `database:`.
struct DatabaseStanza: Sendable, Hashable {
  enum Pooler: String, Sendable, CaseIterable {
    /// Connections go to the server.
    case none
    /// Connections go to a pooler that gives a server connection for one transaction (PgBouncer's `pool_mode = transaction`).
    case transaction
  }

  static let main = "main"

  let name: String
  /// The environment variable that holds its URL; `nil`: `DATABASE_URL`, or the private cluster. Only `main` may leave it out.
  let url: EnvironmentName?
  /// Past the pooler, for LISTEN, migrations and COPY; `nil`: as ``url``.
  let directURL: EnvironmentName?
  /// Connections one node may have to it, over all roles.
  let connections: Int
  /// Of these, kept for the core.
  let reserve: Int
  let pooler: Pooler
  let replicas: [EnvironmentName]
  /// How far a replica may lie behind and still be read.
  let maxLag: Duration
  /// Connections the server takes, when the file says so; else it is asked.
  let limit: Int?

  /// - Parameter connections: what a node gets where the stanza says nothing.
  init(name: String, reading section: ConfigSection?, connections most: Int) {
    self.name = name
    url = section.flatMap { EnvironmentName.read($0, "url", isRequired: name != DatabaseStanza.main) }
    directURL = section.flatMap { EnvironmentName.read($0, "direct_url", isRequired: false) }
    connections = section?.int("connections", in: 2...1_000, default: most) ?? most
    // The core has what a fifth of the connections serve, one at least, whatever tenants do.
    let reserve = max(1, connections / 5)
    self.reserve = section?.int("reserve", in: 0...max(0, connections - 1), default: reserve) ?? reserve
    pooler = section?.choice("pooler", Pooler.self, default: Pooler.none) ?? .none
    replicas = section.map { EnvironmentName.list($0, "replicas") } ?? []
    maxLag = section?.duration("max_lag", default: .seconds(2)) ?? .seconds(2)
    limit = section.flatMap { $0.has("limit") ? $0.int("limit", in: 5...100_000) : nil }
    if pooler == .transaction, directURL == nil {
      section?.note(
        "direct_url", expected: "env:NAME with the address past the pooler: LISTEN and migrations can't go through one")
    }
  }

  /// Reads `databases:`; `main` is always there, and first.
  static func read(_ root: ConfigSection, connections: Int) -> [DatabaseStanza] {
    let written = root.stanzas("databases", required: false)
    for (name, section) in written where !isName(name) {
      section.note("", found: "“\(name)”", expected: "a name of lower-case letters, digits and hyphens, a letter first")
    }
    let main = written.first { $0.key == DatabaseStanza.main }?.section
    return [DatabaseStanza(name: DatabaseStanza.main, reading: main, connections: connections)]
      + written.filter { $0.key != DatabaseStanza.main }.map {
        DatabaseStanza(name: $0.key, reading: $0.section, connections: connections)
      }
  }

  /// Whether a process that connects as one says may stay as it is when the other holds. The server's limit is `check`'s.
  func hasSameConnections(as other: DatabaseStanza) -> Bool {
    (name, url, directURL, pooler) == (other.name, other.url, other.directURL, other.pooler)
      && (connections, reserve, replicas, maxLag) == (other.connections, other.reserve, other.replicas, other.maxLag)
  }

  private static func isName(_ text: String) -> Bool { TenantID(text) != nil }
}

/// The name of an environment variable, written `env:NAME`: a secret never stands in the file.
struct EnvironmentName: Sendable, Hashable, CustomStringConvertible {
  let name: String

  init?(_ text: String) {
    guard text.hasPrefix("env:") else { return nil }
    name = String(text.dropFirst(4))
    guard let first = name.utf8.first, (65...90).contains(first),
      name.utf8.allSatisfy({ (65...90).contains($0) || (48...57).contains($0) || $0 == 95 })
    else { return nil }
  }

  var description: String { "env:\(name)" }

  static let expected = "env:NAME, the environment variable that holds the URL (a URL with its password never stands here)"

  static func read(_ section: ConfigSection, _ key: String, isRequired: Bool) -> EnvironmentName? {
    guard section.has(key) || isRequired else { return nil }
    guard let text = section.string(key, expected) else { return nil }
    // What was found is not repeated: it may be a password.
    guard let name = EnvironmentName(text) else {
      section.note(key, found: "something else", expected: expected)
      return nil
    }
    return name
  }

  static func list(_ section: ConfigSection, _ key: String) -> [EnvironmentName] {
    let texts = section.strings(key, default: []) ?? []
    let names = texts.compactMap { EnvironmentName($0) }
    if names.count < texts.count { section.note(key, found: "something else", expected: "a list of \(expected)") }
    return names
  }
}
