/// What a schema's login role may use of the server, whatever its client asks for.
///
/// The number of connections, the size of temporary files and the right to lock are the server's to enforce. The times and the
/// memory are defaults that the role could raise (`set_config`): beyond those the ``Watchdog`` ends its connections.
public struct RoleBounds: Sendable, Hashable {
  /// Connections at once, over all nodes: pools, heavy pool and listener of each, and as many again while nodes are replaced.
  public var connections: Int
  /// How long a statement may run where the client says nothing else.
  public var statementTimeout: Duration
  /// How long a transaction may stand idle where the client says nothing else.
  public var idleInTransactionTimeout: Duration
  /// Memory of one sort or hash.
  public var workMemoryMegabytes: Int
  /// What one connection may write into temporary files.
  public var temporaryFileMegabytes: Int
  /// Whether the role may take advisory locks, of the kind that a transaction's end gives back. They stand in a table that the
  /// whole server shares, so whoever may take them can fill it for all: only services of the city itself.
  public var usesAdvisoryLocks: Bool

  public init(
    connections: Int, statementTimeout: Duration = .seconds(30), idleInTransactionTimeout: Duration = .seconds(60),
    workMemoryMegabytes: Int = 4, temporaryFileMegabytes: Int = 512, usesAdvisoryLocks: Bool = false
  ) {
    self.connections = connections
    self.statementTimeout = statementTimeout
    self.idleInTransactionTimeout = idleInTransactionTimeout
    self.workMemoryMegabytes = workMemoryMegabytes
    self.temporaryFileMegabytes = temporaryFileMegabytes
    self.usesAdvisoryLocks = usesAdvisoryLocks
  }

  /// For a tenant's module.
  public static let tenant = RoleBounds(connections: 32)
  /// For a service of the city's core.
  public static let core = RoleBounds(
    connections: 64, workMemoryMegabytes: 8, temporaryFileMegabytes: 2_048, usesAdvisoryLocks: true)
}
