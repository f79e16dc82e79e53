/// What stands between this process and the server.
public enum Pooler: String, Sendable, CaseIterable {
  /// Nothing: sessions are this process's own.
  case none
  /// PgBouncer, or another, that gives a server connection for the time of a transaction (`pool_mode = transaction`).
  ///
  /// Nothing of a session lasts: statements are not prepared and run one by one on a connection, time-outs are set within
  /// each transaction. A statement outside of `transaction` has the role's own: `ALTER ROLE … SET statement_timeout`,
  /// and `SET timezone = 'UTC'` for all. LISTEN goes past the pooler: ``PoolSettings/listenSettings``.
  case transaction
}

/// The bounds of a ``Database``'s connections.
public struct PoolSettings: Sendable {
  /// Connections at most. LISTEN has one more.
  public var connections: Int
  /// After this time without work a connection is closed.
  public var idleTimeout: Duration
  /// How long a statement or transaction waits for a connection.
  public var waitTimeout: Duration
  /// How long making a connection may take.
  public var connectTimeout: Duration
  /// How long a statement may run; the server ends it. Zero: for ever.
  public var statementTimeout: Duration
  /// How long a transaction may stand idle between its statements; the server ends the connection.
  public var idleInTransactionTimeout: Duration
  /// Statements under way at once on one connection, at most.
  public var pipelineDepth: Int
  /// What stands between this process and the server.
  public var pooler: Pooler
  /// What is shared with other pools of the same server.
  public var budget: ConnectionBudget?
  /// Whether the budget's reserve is for this pool.
  public var isCore: Bool
  /// Where LISTEN goes when that is not where statements go: past a pooler.
  public var listenSettings: ConnectionSettings?
  /// Told the server's process number of each connection that was made, on the loop's thread: to be brief.
  public var didConnect: (@Sendable (Int32) -> Void)?

  public init(
    connections: Int = 4, idleTimeout: Duration = .seconds(30), waitTimeout: Duration = .seconds(2),
    connectTimeout: Duration = .seconds(2), statementTimeout: Duration = .seconds(30),
    idleInTransactionTimeout: Duration = .seconds(60), pipelineDepth: Int = 32,
    pooler: Pooler = .none,
    budget: ConnectionBudget? = nil, isCore: Bool = false, listenSettings: ConnectionSettings? = nil
  ) {
    precondition(connections > 0, "a pool has one connection at least")
    precondition(pipelineDepth > 0, "a connection runs one statement at least")
    self.connections = connections
    self.idleTimeout = idleTimeout
    self.waitTimeout = waitTimeout
    self.connectTimeout = connectTimeout
    self.statementTimeout = statementTimeout
    self.idleInTransactionTimeout = idleInTransactionTimeout
    self.pipelineDepth = pipelineDepth
    self.pooler = pooler
    self.budget = budget
    self.isCore = isCore
    self.listenSettings = listenSettings
  }
}

/// What a pool holds and has done, for `/metrics`.
public struct PoolStatus: Sendable, Equatable {
  /// Connections open or being opened.
  public var size = 0
  /// Open and free.
  public var idle = 0
  /// Running statements, or held by a transaction.
  public var leased = 0
  /// Calls that wait for a connection.
  public var waiting = 0
  /// Statements outside of transactions that are under way, and not yet answered.
  public var inFlight = 0
  /// Totals since the pool was made.
  public var statements = 0
  /// Statements sent while others were under way on their connection.
  public var pipelined = 0
  /// Statements and transactions that were run again: a plan that had grown old, a conflict with others, a connection
  /// that broke before they were sent.
  public var retries = 0
  /// COPYs, in and out.
  public var copies = 0
  public var connectionsOpened = 0
  public var connectionsFailed = 0
  public var connectionsLost = 0
  public var waitTimeouts = 0
  public var cancellations = 0
  /// Statements answered; what the next two are divided by.
  public var answered = 0
  /// From the call until the statement was sent, all together.
  public var waitTime = Duration.zero
  /// From then until the answer, all together.
  public var roundTripTime = Duration.zero

  public init() {}
}
