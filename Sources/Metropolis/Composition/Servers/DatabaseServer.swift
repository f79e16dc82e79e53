import Database
import Foundation
import Keys
import Kit
import Logging

/// One database server of the city: the one an URL names, or a private cluster in the data directory.
struct DatabaseServer: Sendable {
  /// As `databases:` has it.
  let name: String
  let address: ServerAddress
  private let key: MasterKey
  private let logger: Logger
  /// What all clients of this process have together.
  let budget: ConnectionBudget
  private let pooler: Pooler
  private let figures: PhaseFigures.Pool
  private let copies: [Copy]

  /// A replica, and what all clients of this process have of it together.
  private struct Copy: Sendable {
    let address: ReplicaAddress
    let budget: ConnectionBudget
  }

  /// Connects with the rights to make schemas and roles. Used at start and by commands, never by requests.
  var admin: Database { address.admin }
  /// The platform's own client on this server, past a pooler: for words between nodes and what is asked of the server as a whole.
  let core: Database
  /// Under the platform's role: who measures how far the replicas lag, for the readers of all schemas. `nil`: there are none.
  let replicas: Replicas?

  /// What a process may have of a private cluster at least: it has no other guests, and each role needs connections of its own.
  private static let ownConnections = 24

  init(
    _ address: ServerAddress, _ stanza: DatabaseStanza, replicas: [ReplicaAddress], figures: PhaseFigures.Pool, key: MasterKey,
    logger: Logger
  ) {
    name = stanza.name
    self.address = address
    self.key = key
    self.logger = logger
    self.figures = figures
    pooler = Pooler(stanza.pooler)
    let connections = address.embedded == nil ? stanza.connections : max(stanza.connections, DatabaseServer.ownConnections)
    budget = ConnectionBudget(connections: connections, reserve: max(stanza.reserve, connections / 5))
    core = Database(
      DatabaseServer.settings(.platform, address.direct, address, key),
      pool: DatabaseServer.pool(3, isCore: true, figures: figures, budget: budget, pooler: .none), name: "platform",
      logger: logger, loop: address.loop)
    // Whoever measures has a connection of its own, whatever others read.
    copies = replicas.map { Copy(address: $0, budget: ConnectionBudget(connections: max(2, figures.replica), reserve: 1)) }
    let (platform, pooler) = (core, pooler)
    let measured = copies.map { copy in
      Database(
        DatabaseServer.settings(.platform, copy.address.settings, address, key),
        pool: DatabaseServer.replicaPool(1, isCore: true, figures: figures, budget: copy.budget, pooler: pooler),
        name: copy.address.name, logger: logger, loop: address.loop)
    }
    self.replicas = measured.isEmpty ? nil : Replicas(primary: platform, replicas: measured, maxLag: stanza.maxLag)
  }

  /// Connections one client may have at most: half of those that aren't the core's. So one that is busy has what it needs, and
  /// another finds room at once; what all have together, and who gives way, is the budget's.
  private var clientConnections: Int {
    let status = budget.status
    return max(3, (status.connections - status.reserve) / 2)
  }

  /// What a login role may have at once, over all nodes: client, heavy work and listener of each, and as many again while nodes
  /// are replaced.
  func bounds(_ bounds: RoleBounds, nodes: Int) -> RoleBounds {
    var bounds = bounds
    bounds.connections = max(bounds.connections, (clientConnections + 2) * nodes * 2)
    return bounds
  }

  /// A client with the rights of one schema's login role and no others. It has no connection until it is used.
  ///
  /// - Parameter isCore: whether the budget's reserve is for it.
  func client(_ schema: Schema, isCore: Bool) -> Database {
    var pool = DatabaseServer.pool(clientConnections, isCore: isCore, figures: figures, budget: budget, pooler: pooler)
    if pooler != .none { pool.listenSettings = DatabaseServer.settings(schema, address.direct, address, key) }
    return Database(
      DatabaseServer.settings(schema, address.settings, address, key), pool: pool, name: schema.name, logger: logger,
      loop: address.loop)
  }

  /// The same for exports and other work that takes long: one connection, of low priority where the server runs here.
  func heavyClient(_ schema: Schema) -> Database {
    var pool = PoolSettings.heavy(on: address.processes)
    pool.budget = budget
    return Database(
      DatabaseServer.settings(schema, address.direct, address, key), pool: pool, name: "\(schema) heavy", logger: logger,
      loop: address.loop)
  }

  /// Reads of one schema that may be as old as the server's `max_lag`, under the rights of its login role. No connection is
  /// made until there is a read.
  ///
  /// - Parameter primary: the schema's client, which reads when no replica may.
  /// - Returns: `nil` when the server has no replicas.
  func reader(_ schema: Schema, beside primary: Database) -> Replicas? {
    replicas?.reader(
      primary: primary,
      replicas: copies.map { copy in
        Database(
          DatabaseServer.settings(schema, copy.address.settings, address, key),
          // What the role may have was reckoned for the primary, and holds on each server.
          pool: DatabaseServer.replicaPool(
            min(figures.replica, clientConnections), isCore: false, figures: figures, budget: copy.budget, pooler: pooler),
          name: "\(schema) on \(copy.address.name)", logger: logger, loop: address.loop)
      })
  }

  private static func replicaPool(
    _ connections: Int, isCore: Bool, figures: PhaseFigures.Pool, budget: ConnectionBudget, pooler: Pooler
  ) -> PoolSettings {
    var pool = pool(connections, isCore: isCore, figures: figures, budget: budget, pooler: pooler)
    pool.statementTimeout = figures.replicaStatement
    return pool
  }

  private static func pool(
    _ connections: Int, isCore: Bool, figures: PhaseFigures.Pool, budget: ConnectionBudget, pooler: Pooler
  ) -> PoolSettings {
    PoolSettings(
      connections: connections, idleTimeout: figures.idle, connectTimeout: figures.connect,
      statementTimeout: figures.primaryStatement, idleInTransactionTimeout: figures.idleInTransaction, pooler: pooler,
      budget: budget, isCore: isCore)
  }

  private static func settings(
    _ schema: Schema, _ settings: ConnectionSettings, _ address: ServerAddress, _ key: MasterKey
  ) -> ConnectionSettings {
    settings.with(
      user: Provisioner.roleName(database: address.direct.database, schema: schema, .login),
      password: password(schema, address, key))
  }

  func password(_ schema: Schema) -> String { DatabaseServer.password(schema, address, key) }

  private static func password(_ schema: Schema, _ address: ServerAddress, _ key: MasterKey) -> String {
    key.password("role:\(address.direct.database):\(schema)")
  }

  /// Of these schemas' outboxes, those that may hold something: a table that never had a row, or was emptied and vacuumed, has
  /// no pages. One look at the catalogue instead of a connection for each role.
  func filledOutboxes() async throws -> Set<Schema> {
    let rows = try await core.query(
      """
      SELECT n.nspname::text AS schema FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relname = 'outbox' AND c.relkind = 'r' AND pg_relation_size(c.oid) > 0
      """)
    return Set(try rows.compactMap { Schema(try $0.get("schema", as: String.self)) })
  }

  /// Which schemas are there.
  func schemas() async throws -> Set<String> {
    let rows = try await core.query("SELECT nspname::text AS name FROM pg_namespace WHERE nspname !~ '^pg_'")
    return Set(try rows.map { try $0.get("name") })
  }

  /// Ends the connections, and the private cluster if this process started it.
  func stop() async {
    await replicas?.close()
    await core.close()
    await address.stop()
  }
}

extension Pooler {
  init(_ stanza: DatabaseStanza.Pooler) {
    switch stanza {
    case .none: self = .none
    case .transaction: self = .transaction
    }
  }
}

extension Schema {
  /// The journal of the tables that every schema has from the platform.
  static let platformMigrations = Schema("platform_migration")!
  /// The journal of the city's own tables: its configurations.
  static let cityMigrations = Schema("city_migration")!
  /// The journal of what the gateway counts.
  static let gatewayMigrations = Schema("gateway_migration")!
  /// The journal of the table of nodes.
  static let nodeMigrations = Schema("node_migration")!
}
