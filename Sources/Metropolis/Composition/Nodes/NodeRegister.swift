import Database
import Foundation
import Kit

/// What a process of the city does.
enum NodeRole: String, Sendable {
  /// Everything: a development city.
  case run
  /// HTTP.
  case serve
  /// The relay, queues, timetables, what billing does by itself.
  case work
  /// One thing, and ends; it is in no table.
  case command

  var serves: Bool { self == .run || self == .serve }
  var works: Bool { self == .run || self == .work }
}

/// The table of the city's processes.
struct NodeRegister: Sendable {
  struct Node: Sendable {
    let id: UUID
    let role: NodeRole
    let address: String
    let version: Int
    /// The version it can't follow, and why.
    let fault: String?

    static func fault(at version: Int, _ reason: String) -> String { "version \(version): \(reason)" }
    func refuses(_ version: Int) -> Bool { fault?.hasPrefix(Node.fault(at: version, "")) ?? false }

    /// As messages name it.
    var name: String { "\(role.rawValue) on \(address) (\(id.text.prefix(8)))" }
  }

  /// Who was silent for so long is not waited for: it was killed, or can't reach the database, and will read the newest
  /// version when it comes back.
  private static let silence: SQL = "interval '5 seconds'"

  let database: Database
  let schema: Schema

  static var migrations: [Migration] {
    get throws {
      try Migration.read(Embedded.files.filter { $0.key.hasPrefix("Composition/Nodes/") && $0.key.hasSuffix(".sql") })
    }
  }

  /// Says that a node lives and what it follows.
  /// - Returns: the newest version that is stored, and whether other nodes live.
  func beat(_ node: Node) async throws -> (newest: Int, isAlone: Bool) {
    let row = try await database.one(
      """
      WITH beat AS (
        INSERT INTO \(schema).node (id, role, address, version, fault)
        VALUES (\(node.id), \(node.role.rawValue), \(node.address), \(node.version), \(node.fault))
        ON CONFLICT (id) DO UPDATE SET version = excluded.version, fault = excluded.fault, seen = now())
      SELECT (SELECT coalesce(max(version), 0)::integer FROM \(schema).configuration_version) AS newest,
        NOT EXISTS (SELECT 1 FROM \(schema).node WHERE id <> \(node.id) AND seen > now() - \(sql: NodeRegister.silence)) AS alone
      """)
    return (try row?.get("newest") ?? 0, try row?.get("alone") ?? false)
  }

  /// Takes a node that ends from the table, and with it those that ended without a word long ago.
  func leave(_ id: UUID) async throws {
    try await database.execute("DELETE FROM \(schema).node WHERE id = \(id) OR seen < now() - interval '1 day'")
  }

  /// The nodes that live.
  func alive() async throws -> [Node] {
    try await database.query(
      """
      SELECT id, role, address, version, fault FROM \(schema).node
      WHERE seen > now() - \(sql: NodeRegister.silence) ORDER BY role, started
      """
    ).compactMap { row in
      guard let role = NodeRole(rawValue: try row.get("role")) else { return nil }
      return Node(
        id: try row.get("id"), role: role, address: try row.get("address"), version: try row.get("version"),
        fault: try row.getIfPresent("fault"))
    }
  }

  /// Waits until every node that lives follows a version.
  /// - Returns: those that didn't in time.
  func waitUntilFollowed(_ version: Int, within patience: Duration = .seconds(10)) async throws -> [Node] {
    let deadline = ContinuousClock.now + patience
    while true {
      let behind = try await alive().filter { $0.version < version }
      if behind.isEmpty || ContinuousClock.now >= deadline { return behind }
      // One that says why it can't follow won't by waiting.
      if behind.allSatisfy({ $0.refuses(version) }) { return behind }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
