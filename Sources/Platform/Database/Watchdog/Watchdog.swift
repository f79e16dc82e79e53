import Kit
public import Logging
import Synchronization

/// Ends connections of login roles that take what PostgreSQL does not wall off: time (a role may raise its own
/// `statement_timeout`, or catch the cancellation), locks, memory, connections.
///
/// It ends the connection and does not just cancel the statement: a cancellation can be caught. One per database and city
/// suffices; several do no harm.
public final class Watchdog: Sendable {
  private let admin: Database
  private let limits: WatchdogLimits
  private let processes: BackendProcesses?
  private let interval: Duration
  private let logger: Logger
  private let state = Mutex(State())

  private struct State {
    var status = WatchdogStatus()
    /// Connections that were told to end, and when.
    var told: [Int32: Instant] = [:]
    var isBlind = false
  }

  /// - Parameters:
  ///   - admin: a superuser, or a member of pg_monitor and pg_signal_backend. Connects directly, not through a pooler.
  ///   - processes: of the server, when it runs here: then memory is seen.
  ///   - interval: between two looks.
  public init(
    admin: Database, limits: WatchdogLimits = WatchdogLimits(), processes: BackendProcesses? = nil,
    interval: Duration = .seconds(1), logger: Logger
  ) {
    self.admin = admin
    self.limits = limits
    self.processes = processes
    self.interval = interval
    self.logger = logger
  }

  /// What it has seen and done, for `/metrics`.
  public var status: WatchdogStatus { state.withLock { $0.status } }

  /// Looks again and again, until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      do {
        try await look()
        note(failure: nil)
      } catch {
        if !Task.isCancelled { note(failure: error) }
      }
      try? await Task.sleep(for: interval)
    }
  }

  /// Looks once and ends what is beyond its bounds.
  /// - Returns: what was ended.
  /// - Throws: ``DatabaseError``.
  @discardableResult
  public func look() async throws -> [(backend: Backend, excess: Excess)] {
    let backends = try await backends()
    let found = limits.excesses(of: backends)
    var ended: [(backend: Backend, excess: Excess)] = []
    for (backend, excess) in found where try await end(backend, excess) {
      ended.append((backend, excess))
      report(backend, excess)
    }
    try await measure(backends)
    return ended
  }

  // MARK: Looking

  private func backends() async throws -> [Backend] {
    // Of whoever may not see it, the server hides the state.
    let rows = try await admin.query(
      """
      SELECT a.pid, a.usename::text AS role, a.application_name LIKE '% heavy' AS is_heavy, a.backend_start AS began,
        clock_timestamp() AS seen, a.state, a.query_start, a.xact_start, a.state_change, coalesce(l.count, 0) AS locks
      FROM pg_stat_activity AS a
      LEFT JOIN (SELECT pid, count(*) AS count FROM pg_locks GROUP BY pid) AS l ON l.pid = a.pid
      WHERE a.backend_type = 'client backend' AND starts_with(a.usename::text, current_database() || '.')
      """)
    var isBlind = false
    let backends = try rows.map { row in
      let (pid, state) = (try row.get("pid", as: Int32.self), try row.getIfPresent("state", as: String.self))
      if state == nil { isBlind = true }
      return Backend(
        id: pid, role: try row.get("role"), isHeavy: try row.getIfPresent("is_heavy") ?? false, began: try row.get("began"),
        seen: try row.get("seen"),
        statementBegan: ["active", "fastpath function call"].contains(state) ? try row.getIfPresent("query_start") : nil,
        transactionBegan: try row.getIfPresent("xact_start"),
        idleSince: state?.hasPrefix("idle in transaction") == true ? try row.getIfPresent("state_change") : nil,
        locks: try row.get("locks"), memory: processes?.privateMemory(of: pid))
    }
    note(isBlind: isBlind)
    return backends
  }

  private func measure(_ backends: [Backend]) async throws {
    let queue = try await admin.one("SELECT pg_notification_queue_usage() AS share")?.get("share", as: Double.self) ?? 0
    let oldest = backends.compactMap { backend in backend.transactionBegan.map { backend.seen - $0 } }.max()
    state.withLock { state in
      state.status.looks += 1
      state.status.lastLook = .now
      state.status.notificationQueue = queue
      state.status.oldestTransaction = oldest ?? .zero
      // Told to end, and there all the same: in a loop that never looks for signals, or stuck in the system.
      let here = Dictionary(backends.map { ($0.id, $0.began) }) { first, _ in first }
      state.told = state.told.filter { here[$0.key] == $0.value }
      state.status.unending = state.told.count
    }
  }

  // MARK: Ending

  /// Only if it still is what was seen: in between, the statement may have come to its end and another begun.
  private func end(_ backend: Backend, _ excess: Excess) async throws -> Bool {
    let unchanged: SQL
    switch excess {
    case .statement(let since): unchanged = "a.state <> 'idle' AND a.query_start = \(since)"
    case .transaction(let since): unchanged = "a.xact_start = \(since)"
    case .idleInTransaction(let since): unchanged = "a.state LIKE 'idle in transaction%' AND a.state_change = \(since)"
    case .locks, .memory, .connections: unchanged = "true"
    }
    let row = try await admin.one(
      """
      SELECT pg_terminate_backend(a.pid) AS x FROM pg_stat_activity AS a
      WHERE a.pid = \(backend.id) AND a.backend_start = \(backend.began) AND \(sql: unchanged)
      """)
    guard try row?.get("x") == true else { return false }
    // Told before, it is no news.
    return state.withLock { $0.told.updateValue(backend.began, forKey: backend.id) != backend.began }
  }

  private func report(_ backend: Backend, _ excess: Excess) {
    state.withLock { $0.status.ended[excess.kind, default: 0] += 1 }
    let (found, bound): (String, String)
    let times = backend.isHeavy ? limits.heavyTimes : limits.times
    switch excess {
    case .statement(let since): (found, bound) = ("\(backend.seen - since)", "\(times.statement)")
    case .transaction(let since): (found, bound) = ("\(backend.seen - since)", "\(times.transaction)")
    case .idleInTransaction(let since): (found, bound) = ("\(backend.seen - since)", "\(times.idleInTransaction)")
    case .locks(let count): (found, bound) = ("\(count)", "\(limits.locks)")
    case .memory(let bytes): (found, bound) = ("\(bytes >> 20) MiB", "\(limits.memoryMegabytes) MiB")
    case .connections(let count): (found, bound) = ("\(count)", "\(limits.connections)")
    }
    // The statement's text is not ours to log, nor is the name the connection gave itself.
    logger.warning(
      "a database connection took too much and was ended",
      metadata: [
        "role": "\(backend.role)", "pid": "\(backend.id)", "excess": "\(excess.kind.rawValue)", "found": "\(found)",
        "expected": "at most \(bound)",
      ])
  }

  // MARK: Notes

  private func note(failure: (any Error)?) {
    let isNews = state.withLock { state in
      defer { state.status.isFailing = failure != nil }
      if failure != nil { state.status.failures += 1 }
      return state.status.isFailing != (failure != nil)
    }
    // Once per outage.
    guard isNews else { return }
    if let failure {
      logger.error("the database watchdog can't look", metadata: ["reason": "\(failure)"])
    } else {
      logger.info("the database watchdog looks again")
    }
  }

  private func note(isBlind: Bool) {
    let isNews = state.withLock { state in
      defer { state.isBlind = isBlind }
      return isBlind && !state.isBlind
    }
    if isNews {
      logger.warning(
        "the database watchdog may not see what others do: make its user a member of pg_monitor and pg_signal_backend",
        metadata: ["user": "\(admin.settings.user)"])
    }
  }
}

/// What a ``Watchdog`` has seen and done.
public struct WatchdogStatus: Sendable, Equatable {
  public var looks = 0
  /// The last look that did not fail.
  public var lastLook: ContinuousClock.Instant?
  /// Looks that failed.
  public var failures = 0
  /// Whether the last look failed.
  public var isFailing = false
  /// Connections ended, by reason.
  public var ended: [Excess.Kind: Int] = [:]
  /// Connections that were told to end and are there still.
  public var unending = 0
  /// How full the server's queue of notifications is, from 0 to 1: all databases share it.
  public var notificationQueue = 0.0
  /// The age of the oldest transaction of a login role: what it could see, no table gives back to use.
  public var oldestTransaction = Duration.zero

  public init() {}
}
