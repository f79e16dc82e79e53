public import Database
import Foundation
import Kit
public import Logging
import Synchronization
public import Web

/// Limits that hold over all nodes: buckets in one table, of which each node takes portions.
///
/// A node holds at most one in a hundred of a limit unused per subject, and drops it soon; what was refused is remembered until
/// its time, so that knocking costs no query. When the table can't be asked, each node counts for itself.
public final class SharedRateLimiter: RateLimiter {
  /// The table, for a schema of the core: journal `gateway_migration`.
  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.filter { $0.key.hasPrefix("Limits/") && $0.key.hasSuffix(".sql") }) }
  }

  private struct Key: Hashable {
    let rule: String
    let subject: String
  }

  private struct Waiter {
    let id: UInt64
    let continuation: CheckedContinuation<Answer, Never>
  }

  private enum Answer {
    case admitted
    /// Microseconds.
    case refused(Int64)
    case unknown
  }

  private struct Account {
    var leased = 0
    var leaseEnds: ContinuousClock.Instant?
    var refusedUntil: ContinuousClock.Instant?
    var waiters: [Waiter] = []
    var isAsking = false

    func isIdle(_ now: ContinuousClock.Instant) -> Bool {
      !isAsking && waiters.isEmpty && (leased == 0 || leaseEnds! <= now) && (refusedUntil.map { $0 <= now } ?? true)
    }
  }

  private struct State {
    var limits: [String: RateLimit]
    var accounts: [Key: Account] = [:]
    var figures: [String: Figures] = [:]
    var lastID: UInt64 = 0
    var sweepAt = 10_000
    /// Until when the table isn't asked, after it failed.
    var awayUntil: ContinuousClock.Instant?
    var isAway = false
  }

  /// Counts since start, of one route class.
  public struct Figures: Sendable, Equatable {
    public var admitted = 0
    public var refused = 0
    /// Decided without the table, because it was away.
    public var alone = 0
  }

  private let table: BucketTable
  private let local: MemoryRateLimiter
  private let patience: Duration
  private let watch = DeadlineWatch(tick: .milliseconds(50))
  private let logger: Logger
  private let state: Mutex<State>

  /// - Parameters:
  ///   - database: connected as the login role of `schema`, where ``migrations`` ran.
  ///   - patience: how long the table may take to answer before a node decides alone.
  public init(
    database: Database, schema: Schema, limits: [String: RateLimit], patience: Duration = .milliseconds(500), logger: Logger
  ) {
    table = BucketTable(database: database, schema: schema)
    local = MemoryRateLimiter(limits: limits)
    self.patience = patience
    self.logger = logger
    state = Mutex(State(limits: limits))
  }

  /// Other limits from now on. What was used stays used.
  public func replace(limits: [String: RateLimit]) {
    local.replace(limits: limits)
    state.withLock { state in
      state.limits = limits
      for key in state.accounts.keys {
        state.accounts[key]!.leased = 0
        state.accounts[key]!.refusedUntil = nil
      }
    }
  }

  /// By route class.
  public var figures: [String: Figures] { state.withLock { $0.figures } }
  /// Whether each node counts for itself now.
  public var isAlone: Bool { state.withLock { $0.isAway } }

  public func admit(_ rule: String, visit: Visit) async throws {
    try await admit(rule, Asking(visit))
  }

  func admit(_ rule: String, _ asking: Asking) async throws {
    guard let limit = state.withLock({ $0.limits[rule] }) else { return }
    let key = Key(rule: rule, subject: limit.subject(asking))
    switch await answer(key, limit) {
    case .admitted: count(rule) { $0.admitted += 1 }
    case .refused(let wait):
      count(rule) { $0.refused += 1 }
      throw RateLimit.refusal(microseconds: wait)
    case .unknown:
      let wait = local.admit(rule, asking)
      count(rule) {
        $0.alone += 1
        if wait == nil { $0.admitted += 1 } else { $0.refused += 1 }
      }
      if let wait { throw RateLimit.refusal(microseconds: wait) }
    }
  }

  public func admitsAtOnce(_ rule: String, _ asking: Asking) -> Bool {
    state.withLock { state in
      guard let limit = state.limits[rule] else { return true }
      let key = Key(rule: rule, subject: limit.subject(asking))
      guard let account = state.accounts[key], account.leased > 0, account.waiters.isEmpty, account.leaseEnds! > .now else {
        return false
      }
      state.accounts[key]!.leased -= 1
      state.figures[rule, default: Figures()].admitted += 1
      return true
    }
  }

  /// Deletes what is of no more use, each five minutes or so, until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      // Scattered, so that nodes don't meet.
      try? await Task.sleep(for: .seconds(.random(in: 200...400)))
      guard !Task.isCancelled else { return }
      try? await table.purge()
    }
  }

  private func count(_ rule: String, _ change: (inout Figures) -> Void) {
    state.withLock { change(&$0.figures[rule, default: Figures()]) }
  }

  // MARK: Leases

  private func answer(_ key: Key, _ limit: RateLimit) async -> Answer {
    let id = state.withLock { state in
      state.lastID += 1
      return state.lastID
    }
    return await withCheckedContinuation { continuation in
      let (answer, asks) = state.withLock { state -> (Answer?, Bool) in
        let now = ContinuousClock.now
        if let until = state.awayUntil, until > now { return (.unknown, false) }
        var account = state.accounts[key] ?? Account()
        defer { state.accounts[key] = account }
        if account.leaseEnds.map({ $0 <= now }) ?? true { account.leased = 0 }
        if account.leased > 0 {
          account.leased -= 1
          return (.admitted, false)
        }
        if let until = account.refusedUntil {
          if until > now { return (.refused((until - now).microseconds), false) }
          account.refusedUntil = nil
        }
        account.waiters.append(Waiter(id: id, continuation: continuation))
        defer { account.isAsking = true }
        return (nil, !account.isAsking)
      }
      if let answer { continuation.resume(returning: answer) }
      // Beside the request: when its client goes away, the others that wait still want their answer.
      if asks { Task { await ask(key, limit) } }
    }
  }

  /// Takes portions until nobody waits.
  private func ask(_ key: Key, _ limit: RateLimit) async {
    while true {
      let wanted = state.withLock { max(limit.portion, $0.accounts[key]?.waiters.count ?? 0) }
      let portion = await portion(wanted, of: limit, key)
      let (answers, isDone) = state.withLock { state -> ([(Waiter, Answer)], Bool) in
        guard var account = state.accounts[key] else { return ([], true) }
        defer { state.accounts[key] = account }
        let now = ContinuousClock.now
        var answers: [(Waiter, Answer)] = []
        guard let portion else {
          answers = account.waiters.map { ($0, .unknown) }
          (account.waiters, account.isAsking) = ([], false)
          return (answers, true)
        }
        let served = min(portion.granted, account.waiters.count)
        answers = account.waiters.prefix(served).map { ($0, .admitted) }
        account.waiters.removeFirst(served)
        account.leased = portion.granted - served
        if account.leased > 0 { account.leaseEnds = now + SharedRateLimiter.lifetime(of: limit) }
        if portion.granted < wanted {
          // The bucket is empty: those who wait, and those who come before there is more, needn't ask.
          account.refusedUntil = now + .microseconds(max(1, portion.wait))
          answers += account.waiters.map { ($0, .refused(portion.wait)) }
          account.waiters = []
        }
        account.isAsking = !account.waiters.isEmpty
        SharedRateLimiter.sweep(&state, now)
        return (answers, account.waiters.isEmpty)
      }
      for (waiter, answer) in answers { waiter.continuation.resume(returning: answer) }
      if isDone { return }
    }
  }

  /// What a node holds unused is dropped soon: others may need it.
  static func lifetime(of limit: RateLimit) -> Duration { min(max(limit.period / 10, .milliseconds(500)), .seconds(5)) }

  private static func sweep(_ state: inout State, _ now: ContinuousClock.Instant) {
    guard state.accounts.count >= state.sweepAt else { return }
    state.accounts = state.accounts.filter { !$0.value.isIdle(now) }
    state.sweepAt = max(10_000, 2 * state.accounts.count)
  }

  /// - Returns: `nil` when the table can't be asked now.
  private func portion(_ wanted: Int, of limit: RateLimit, _ key: Key) async -> BucketTable.Portion? {
    let table = table
    let outcome = await watch.run(for: patience) { () -> Result<BucketTable.Portion, any Error> in
      do {
        return .success(try await table.take(wanted, of: limit, class: key.rule, subject: key.subject))
      } catch {
        return .failure(error)
      }
    }
    switch outcome {
    case .success(let portion):
      note(nil)
      return portion
    case .failure(let error):
      note("\((error as? DatabaseError).map { "\($0.kind)" } ?? "\(type(of: error))")")
      return nil
    }
  }

  /// Says once that the table is away, and once that it is back.
  private func note(_ failure: String?) {
    let changed = state.withLock { state -> Bool in
      state.awayUntil = failure.map { _ in .now + .seconds(1) }
      defer { state.isAway = failure != nil }
      return state.isAway != (failure != nil)
    }
    guard changed else { return }
    if let failure {
      logger.warning("rate limits are counted by each node alone", metadata: ["reason": "\(failure)"])
    } else {
      logger.notice("rate limits are shared again")
    }
  }
}
