import Synchronization

/// Reads from streaming replicas that lag no more than allowed, and from the primary when there is none.
///
///     let replicas = Replicas(primary: database, replicas: [east, west], maxLag: .seconds(2))
///     let rows = try await replicas.query("SELECT …")
///
/// How far each lags is measured while there are reads, beside them: a read never waits for it. Until it is known, and when
/// it is too much, the primary serves. A replica's error (it went away, a row it showed was vacuumed on the primary, the
/// statement writes) sends the statement to the primary, once. Where reads are seldom, ``run()`` measures all the time.
///
/// Several roles may read from the same servers, and the lag is measured once for all: ``reader(primary:replicas:)``.
///
/// Two reads may see different states. Those who have to see their own writes read with ``reading(after:)``.
public struct Replicas: SQLExecutor {
  /// Serves writes, and reads that no replica may.
  public let primary: Database

  private let replicas: [Database]
  private let shared: Shared

  /// What all who read from these servers have together.
  private final class Shared: Sendable {
    /// Those that are asked how far they are.
    let primary: Database
    let replicas: [Database]
    let interval: Duration
    let state: Mutex<ReplicaState>

    init(_ primary: Database, _ replicas: [Database], maxLag: Duration, interval: Duration) {
      (self.primary, self.replicas, self.interval) = (primary, replicas, interval)
      state = Mutex(ReplicaState(count: replicas.count, maxLag: maxLag, interval: interval))
    }
  }

  /// - Parameters:
  ///   - replicas: connected as the primary is, each to one streaming replica; see ``PoolSettings/replica(connections:)``.
  ///   - maxLag: what a replica doesn't show may have been committed this long ago at most.
  ///   - checkInterval: how often the lag is measured while there are reads; a quarter of `maxLag` when `nil`, 10 ms at least
  ///     and 500 ms at most.
  public init(primary: Database, replicas: [Database], maxLag: Duration, checkInterval: Duration? = nil) {
    self.primary = primary
    self.replicas = replicas
    let interval = checkInterval ?? min(max(maxLag / 4, .milliseconds(10)), .milliseconds(500))
    shared = Shared(primary, replicas, maxLag: maxLag, interval: interval)
  }

  private init(primary: Database, replicas: [Database], shared: Shared) {
    precondition(replicas.count == shared.replicas.count, "a reader has a client for each replica")
    (self.primary, self.replicas, self.shared) = (primary, replicas, shared)
  }

  /// Reads of another role of the same servers. What is known of the replicas is known to both, and counted together.
  /// - Parameters:
  ///   - primary: the role's own client.
  ///   - replicas: the role's own clients, in the order of these.
  public func reader(primary: Database, replicas: [Database]) -> Replicas {
    Replicas(primary: primary, replicas: replicas, shared: shared)
  }

  /// Runs a statement that reads, on a replica or the primary.
  /// - Throws: ``DatabaseError``.
  public func query(_ sql: SQL) async throws -> Rows { try await query(sql, after: nil) }

  /// Runs a statement that reads, where everything up to `position` is to be seen.
  /// - Throws: ``DatabaseError``.
  public func query(_ sql: SQL, after position: ReadPosition?) async throws -> Rows {
    guard !replicas.isEmpty else { return try await primary.query(sql) }
    let now = ContinuousClock.now
    let (chosen, mustCheck) = shared.state.withLock { ($0.choose(after: position, now: now), $0.beginCheck(now: now)) }
    if mustCheck { Task { await measure() } }
    guard let chosen else { return try await primary.query(sql) }
    do {
      let rows = try await replicas[chosen].query(sql)
      shared.state.withLock { $0.didRead(from: chosen) }
      return rows
    } catch {
      shared.state.withLock { $0.didRead(from: chosen) }
      guard let error = error as? DatabaseError, error.isForThePrimary else { throw error }
      shared.state.withLock {
        // A pool that is full says nothing about the server; nor do the troubles of another role, which may have reached the
        // primary only.
        let isAway = error.isUnavailable && error.kind != .poolExhausted && replicas[chosen] === shared.replicas[chosen]
        $0.didFail(chosen, isUnavailable: isAway, now: .now, scatter: .random(in: 0...1))
      }
      return try await primary.query(sql)
    }
  }

  /// Reads that see everything up to a position: those of one who has written.
  /// - Parameter position: `nil`: any replica within the allowed lag will do.
  public func reading(after position: ReadPosition?) -> some SQLExecutor { ReplicaReader(replicas: self, position: position) }

  /// Where the primary's log ends now. After a write has been committed: what its writer has to see from then on.
  /// - Throws: ``DatabaseError``.
  public func position() async throws -> ReadPosition {
    try await Replicas.position(of: primary)
  }

  private static func position(of primary: Database) async throws -> ReadPosition {
    let row = try await primary.one("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS lsn")
    return ReadPosition(insertedUpTo: UInt64(try row?.get("lsn", as: Int.self) ?? 0))
  }

  /// Measures the lag again and again, until the task is cancelled: for those who read so seldom that what the last read had
  /// measured would always be too old.
  public func run() async {
    // A server that doesn't answer keeps nobody from asking the others.
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        if shared.state.withLock({ $0.beginCheck(now: .now) }) { group.addTask { await measure() } }
        try? await Task.sleep(for: shared.interval)
      }
    }
  }

  /// Measures the lag now, rather than beside the next read.
  public func measure() async {
    let asked = ContinuousClock.now
    // Without the primary's answer the replicas' lag isn't known, and grows: nothing is read that may be too old.
    guard let position = try? await Replicas.position(of: shared.primary) else { return }
    let due = shared.state.withLock { state in
      state.didSample(position, asked: asked)
      return state.beginAsking(now: .now)
    }
    await withTaskGroup { group in
      for index in due { group.addTask { await ask(index) } }
    }
  }

  /// How each replica stands.
  public var status: [ReplicaStatus] {
    shared.state.withLock { state in
      shared.replicas.indices.map { state.status(of: $0, name: shared.replicas[$0].name, now: .now) }
    }
  }

  /// Reads the primary has served, those among them that a replica failed in.
  public var primaryReads: Int { shared.state.withLock { $0.primaryReads } }

  /// Closes the clients of the replicas; the primary's stays.
  public func close() async {
    for replica in replicas { await replica.close() }
  }

  private func ask(_ index: Int) async {
    // One that has been promoted is no replica any more: its log is another.
    let question: SQL = """
      SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint AS replayed, (pg_last_wal_receive_lsn() - '0/0')::bigint AS received
      WHERE pg_is_in_recovery()
      """
    let row = try? await shared.replicas[index].one(question)
    let (replayed, received) = (try? row?.get("replayed", as: Int.self), try? row?.getIfPresent("received", as: Int.self))
    shared.state.withLock { state in
      guard let replayed else { return state.didNotAnswer(index, now: .now, scatter: .random(in: 0...1)) }
      let answer = ReplicaState.Answer(
        replayed: ReadPosition(lsn: UInt64(replayed)), received: received.map { ReadPosition(lsn: UInt64($0)) })
      state.didAnswer(index, answer)
    }
  }
}

private struct ReplicaReader: SQLExecutor {
  let replicas: Replicas
  let position: ReadPosition?

  func query(_ sql: SQL) async throws -> Rows { try await replicas.query(sql, after: position) }
}

extension DatabaseError {
  /// Whether the primary may do what a replica could not. Not what took too long or was cancelled: the time is gone.
  fileprivate var isForThePrimary: Bool {
    switch kind {
    case .timeout, .cancelled, .unsupported, .decoding: false
    default: true
    }
  }
}

extension PoolSettings {
  /// For a ``Replicas``' replica: statements have 15 s.
  /// - Parameter connections: at most; connections are opened when they are needed.
  public static func replica(connections: Int = 30) -> PoolSettings {
    PoolSettings(connections: connections, idleTimeout: .seconds(60), statementTimeout: .seconds(15))
  }
}
