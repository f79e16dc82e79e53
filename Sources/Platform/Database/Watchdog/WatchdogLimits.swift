public import Kit

/// What one connection of a login role may take. Beyond it the ``Watchdog`` ends the connection.
public struct WatchdogLimits: Sendable {
  /// Bounds of time.
  public struct Times: Sendable {
    public var statement: Duration
    public var transaction: Duration
    public var idleInTransaction: Duration

    public init(statement: Duration, transaction: Duration, idleInTransaction: Duration) {
      self.statement = statement
      self.transaction = transaction
      self.idleInTransaction = idleInTransaction
    }
  }

  /// Somewhat above what the roles' own settings allow (``RoleBounds``): those end a statement in order, this is for who raised
  /// them, or who catches the cancellation and goes on.
  public var times = Times(statement: .seconds(45), transaction: .seconds(300), idleInTransaction: .seconds(90))
  /// For connections that say they are for heavy work (``PoolSettings/heavy``).
  public var heavyTimes = Times(statement: .seconds(660), transaction: .seconds(1_200), idleInTransaction: .seconds(90))
  /// Connections of a role that are taken at their word. Whoever says it of more has the ordinary bounds for those.
  public var heavyConnections = 4
  /// Locks held and awaited, of any kind.
  public var locks = 5_000
  /// Memory that is the connection's alone; seen on our own machine only.
  public var memoryMegabytes = 512
  /// Connections of one role; the newest go. For roles that nobody bounded: of others the server refuses more by itself
  /// (``RoleBounds/connections``).
  public var connections = 256

  public init() {}
}

/// One connection of a login role, as the server tells of it.
public struct Backend: Sendable, Identifiable {
  /// The backend's process number.
  public let id: Int32
  public let role: String
  public let isHeavy: Bool
  /// When it began: with the process number, the connection's name.
  public let began: Instant
  /// When the server looked.
  public let seen: Instant
  /// When the statement under way began.
  public let statementBegan: Instant?
  public let transactionBegan: Instant?
  /// Since when the transaction has been waiting for its client.
  public let idleSince: Instant?
  public let locks: Int
  /// Bytes; `nil` when this machine can't see them.
  public let memory: Int?

  public init(
    id: Int32, role: String, isHeavy: Bool = false, began: Instant, seen: Instant, statementBegan: Instant? = nil,
    transactionBegan: Instant? = nil, idleSince: Instant? = nil, locks: Int = 0, memory: Int? = nil
  ) {
    self.id = id
    self.role = role
    self.isHeavy = isHeavy
    self.began = began
    self.seen = seen
    self.statementBegan = statementBegan
    self.transactionBegan = transactionBegan
    self.idleSince = idleSince
    self.locks = locks
    self.memory = memory
  }
}

/// What a connection has too much of.
public enum Excess: Sendable, Hashable {
  /// Since when.
  case statement(Instant)
  case transaction(Instant)
  case idleInTransaction(Instant)
  case locks(Int)
  /// Bytes.
  case memory(Int)
  /// How many the role has.
  case connections(Int)

  public enum Kind: String, Sendable, CaseIterable {
    case statement
    case transaction
    case idleInTransaction = "idle_in_transaction"
    case locks
    case memory
    case connections
  }

  public var kind: Kind {
    switch self {
    case .statement: .statement
    case .transaction: .transaction
    case .idleInTransaction: .idleInTransaction
    case .locks: .locks
    case .memory: .memory
    case .connections: .connections
    }
  }
}

extension WatchdogLimits {
  /// Which connections are to be ended, each for the first reason found. Pure.
  public func excesses(of backends: [Backend]) -> [(backend: Backend, excess: Excess)] {
    Dictionary(grouping: backends, by: \.role).values.flatMap { ofRole in
      let byAge = ofRole.sorted { ($0.began, $0.id) < ($1.began, $1.id) }
      let heavy = Set(byAge.filter(\.isHeavy).prefix(heavyConnections).map(\.id))
      return byAge.enumerated().compactMap { place, backend in
        let times = heavy.contains(backend.id) ? heavyTimes : times
        let excess = excess(of: backend, within: times) ?? (place >= connections ? .connections(byAge.count) : nil)
        return excess.map { (backend, $0) }
      }
    }
  }

  private func excess(of backend: Backend, within times: Times) -> Excess? {
    func isOver(_ bound: Duration, since: Instant?) -> Bool { since.map { backend.seen - $0 > bound } ?? false }
    // What harms all at once comes first.
    if backend.locks > locks { return .locks(backend.locks) }
    if let memory = backend.memory, memory > memoryMegabytes << 20 { return .memory(memory) }
    if let since = backend.statementBegan, isOver(times.statement, since: since) { return .statement(since) }
    if let since = backend.idleSince, isOver(times.idleInTransaction, since: since) { return .idleInTransaction(since) }
    if let since = backend.transactionBegan, isOver(times.transaction, since: since) { return .transaction(since) }
    return nil
  }
}
