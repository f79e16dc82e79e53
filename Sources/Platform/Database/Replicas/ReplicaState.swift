/// Which replica serves a read: a value that takes measurements and says whom to ask. It does no I/O.
///
/// The primary's place in its log is noted with the time *before* it was asked. A replica that has replayed up to there
/// shows everything that was committed by that time, so that the time since is a bound of its lag: it holds on an idle
/// primary (whose last commit may be old), when the replica is cut off (it has replayed all that it *received*), and whatever
/// the servers' clocks say.
struct ReplicaState {
  typealias Time = ContinuousClock.Instant

  /// What a replica has told.
  struct Answer: Equatable {
    var replayed: ReadPosition
    var received: ReadPosition?
  }

  private struct Replica {
    var replayed: ReadPosition?
    var received: ReadPosition?
    /// All that was committed by then is there.
    var freshAsOf: Time?
    var isChecking = false
    /// The last attempt to reach it failed; the next is due then.
    var retryAt: Time?
    var failures = 0
    var inFlight = 0
    var reads = 0
    var fallBacks = 0
  }

  private struct Sample {
    let position: ReadPosition
    let time: Time
  }

  private let maxLag: Duration
  private let interval: Duration
  private let backoff: Backoff
  private var replicas: [Replica]
  /// Of the primary, ascending in both time and position.
  private var samples: [Sample] = []
  private var lastCheck: Time?
  private var turn = 0
  private(set) var primaryReads = 0

  init(count: Int, maxLag: Duration, interval: Duration, backoff: Backoff = Backoff()) {
    self.maxLag = maxLag
    self.interval = interval
    self.backoff = backoff
    replicas = Array(repeating: Replica(), count: count)
  }

  // MARK: Reads

  /// Takes the replica that has least to do among those that are fresh enough; `nil`: the primary.
  mutating func choose(after position: ReadPosition?, now: Time) -> Int? {
    var chosen: Int?
    for offset in replicas.indices {
      let index = (turn + offset) % replicas.count
      guard isFit(replicas[index], position, now) else { continue }
      if let best = chosen, replicas[best].inFlight <= replicas[index].inFlight { continue }
      chosen = index
    }
    guard let chosen else {
      primaryReads += 1
      return nil
    }
    turn = chosen + 1
    replicas[chosen].inFlight += 1
    replicas[chosen].reads += 1
    return chosen
  }

  mutating func didRead(from index: Int) { replicas[index].inFlight -= 1 }

  /// The read is given to the primary. A replica that can't be reached is left alone until a check succeeds.
  mutating func didFail(_ index: Int, isUnavailable: Bool, now: Time, scatter: Double) {
    replicas[index].fallBacks += 1
    primaryReads += 1
    if isUnavailable { setAside(index, now: now, scatter: scatter) }
  }

  private func isFit(_ replica: Replica, _ position: ReadPosition?, _ now: Time) -> Bool {
    guard replica.retryAt == nil, let freshAsOf = replica.freshAsOf, now - freshAsOf <= maxLag else { return false }
    guard let position else { return true }
    return replica.replayed.map { $0 >= position } ?? false
  }

  // MARK: Checks

  /// Whether it is time to look again. Whoever is told so does it.
  mutating func beginCheck(now: Time) -> Bool {
    if let lastCheck, now - lastCheck < interval { return false }
    lastCheck = now
    return true
  }

  /// The replicas to be asked, each by one at a time.
  mutating func beginAsking(now: Time) -> [Int] {
    replicas.indices.filter { index in
      guard !replicas[index].isChecking, replicas[index].retryAt.map({ $0 <= now }) ?? true else { return false }
      replicas[index].isChecking = true
      return true
    }
  }

  /// - Parameter asked: when the primary was asked.
  mutating func didSample(_ position: ReadPosition, asked: Time) {
    // Answers may overtake one another.
    guard samples.last.map({ $0.time < asked && $0.position <= position }) ?? true else { return }
    // What is the same again only moves the time: so an idle primary fills nothing.
    if samples.last?.position == position { samples.removeLast() }
    samples.append(Sample(position: position, time: asked))
    if samples.count > 64 { samples.removeFirst() }
  }

  mutating func didAnswer(_ index: Int, _ answer: Answer) {
    replicas[index].isChecking = false
    replicas[index].retryAt = nil
    replicas[index].failures = 0
    replicas[index].replayed = answer.replayed
    replicas[index].received = answer.received
    guard let sample = samples.last(where: { $0.position <= answer.replayed }) else { return }
    replicas[index].freshAsOf = max(replicas[index].freshAsOf ?? sample.time, sample.time)
  }

  mutating func didNotAnswer(_ index: Int, now: Time, scatter: Double) {
    replicas[index].isChecking = false
    setAside(index, now: now, scatter: scatter)
  }

  private mutating func setAside(_ index: Int, now: Time, scatter: Double) {
    if let retryAt = replicas[index].retryAt, retryAt > now { return }
    replicas[index].failures += 1
    replicas[index].retryAt = now + backoff.delay(failures: replicas[index].failures, scatter: scatter)
  }

  func status(of index: Int, name: String, now: Time) -> ReplicaStatus {
    let replica = replicas[index]
    let behind = replica.replayed.flatMap { replayed in samples.last.map { Int($0.position.lsn) - Int(replayed.lsn) } }
    return ReplicaStatus(
      name: name, isUsed: isFit(replica, nil, now), isReachable: replica.retryAt == nil && replica.replayed != nil,
      lag: replica.freshAsOf.map { now - $0 }, bytesBehind: behind.map { max(0, $0) },
      bytesToReplay: replica.received.flatMap { received in replica.replayed.map { max(0, Int(received.lsn) - Int($0.lsn)) } },
      reads: replica.reads, fallBacks: replica.fallBacks)
  }
}

/// How a replica stands, for `/metrics`.
public struct ReplicaStatus: Sendable, Equatable {
  public var name: String
  /// Whether a read would go to it now.
  public var isUsed: Bool
  /// Whether it answered when last asked.
  public var isReachable: Bool
  /// It lags by this at most. Grows while nobody reads, for nobody looks then. `nil`: never known.
  public var lag: Duration?
  /// Bytes of the primary's log that it has not replayed.
  public var bytesBehind: Int?
  /// Bytes of the log that it has received and not replayed.
  public var bytesToReplay: Int?
  /// Totals since the start: reads sent to it, and those of them that the primary then served.
  public var reads: Int
  public var fallBacks: Int
}
