import Database

/// What all nodes together may ask of one server: nodes × pool, beside what it takes (R56).
struct ConnectionLoad: Sendable, Hashable, Encodable {
  let database: String
  let nodes: Int
  /// Connections of one node, over all roles.
  let perNode: Int
  /// Connections the server takes from applications; `nil` when nobody says.
  let limit: Int?
  /// Behind a pooler the server's connections are the pooler's to bound.
  let hasPooler: Bool

  var sum: Int { nodes * perNode }
  /// R42: an alarm at 80%.
  var isNarrow: Bool { limit.map { !hasPooler && sum * 5 > $0 * 4 } ?? false }
  var exceeds: Bool { limit.map { !hasPooler && sum > $0 } ?? false }

  private enum Key: String, CodingKey { case database, nodes, perNode, sum, limit, hasPooler }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(database, forKey: .database)
    try container.encode(nodes, forKey: .nodes)
    try container.encode(perNode, forKey: .perNode)
    try container.encode(sum, forKey: .sum)
    try container.encodeIfPresent(limit, forKey: .limit)
    try container.encode(hasPooler, forKey: .hasPooler)
  }

  /// PostgreSQL keeps three for its administrator (`superuser_reserved_connections`).
  static let reserved = 3

  /// - Parameter limits: what servers said, by the database's name; what the file says goes before.
  static func all(of configuration: CityConfiguration, limits: [String: Int] = [:]) -> [ConnectionLoad] {
    configuration.databases.map { database in
      ConnectionLoad(
        database: database.name, nodes: configuration.figures.nodes, perNode: database.connections,
        limit: database.limit.map { $0 - reserved } ?? limits[database.name], hasPooler: database.pooler == .transaction)
    }
  }

  /// In words: the sum, and how it stands to the limit.
  var description: String {
    let product = "\(nodes) \(nodes == 1 ? "node" : "nodes") × \(perNode) connections = \(sum)"
    if hasPooler { return "\(product), through a pooler, which bounds what reaches the server" }
    guard let limit else { return "\(product); the server's limit is not known (databases.\(database).limit)" }
    return "\(product), of \(limit) the server takes"
  }

  /// Why it is refused; `nil` when it is not.
  var refusal: String? {
    guard exceeds, let limit else { return nil }
    return """
      databases.\(database).connections: found \(nodes) \(nodes == 1 ? "node" : "nodes") × \(perNode) connections = \(sum), expected at most \(limit), \
      which is what the server takes: lower it to \(max(2, limit / nodes)), or raise the server's max_connections
      """
  }

  /// Asks a server: `max_connections` without what it keeps for its administrator.
  static func limit(of server: some SQLExecutor) async throws -> Int? {
    try await server.one(
      """
      SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS free
      """)?.get("free")
  }
}
