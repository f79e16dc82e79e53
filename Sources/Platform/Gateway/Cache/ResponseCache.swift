public import Kit
import Synchronization
import Web

/// The answers this process keeps, and those it is making: identical reads that come while one is under way wait for it.
///
/// How old an answer can be: this process never gives one that was made before a change whose transaction has returned here
/// (`Freshness`). What other nodes change is dropped when their word comes, some milliseconds later; should words be
/// lost, within ``trust`` after the last look that compared the schema's tags with the database (R55: 60 s at the level of a
/// process). Its route's lifetime bounds its whole life (R54: lists 5 min, searches 10 min). What was read from a replica may be
/// as much older as the replica lags.
public final class ResponseCache: Sendable {
  /// What it holds and has done.
  public struct Figures: Sendable, Equatable {
    public var entries = 0
    public var bytes = 0
    public var hits = 0
    public var misses = 0
    /// Requests that got the answer of another that was under way.
    public var collapsed = 0
    public var stored = 0
    /// Answers not kept because what they were made of changed meanwhile.
    public var overtaken = 0
    public var dropped = 0
    public var evicted = 0
  }

  /// What came of waiting for another's answer.
  enum Shared: Sendable {
    case entry(KeptEntry)
    /// Its maker was given up: make it, for the others, too.
    case lead(Flight)
    /// It can't be shared: make your own.
    case alone
  }

  /// An answer in the making.
  final class Flight: Sendable {
    let key: CacheKey
    let scope: String
    let tags: [String]
    fileprivate let id: UInt64

    fileprivate init(key: CacheKey, scope: String, tags: [String], id: UInt64) {
      (self.key, self.scope, self.tags, self.id) = (key, scope, tags, id)
    }
  }

  private struct Waiter {
    let id: UInt64
    let continuation: CheckedContinuation<Shared, Never>
  }

  private struct State {
    var store: AnswerStore
    /// Those that may be joined.
    var flights: [CacheKey: Flight] = [:]
    /// All under way, by their number: also those that were overtaken, which nobody joins and nobody keeps.
    var current: Set<UInt64> = []
    var waiters: [UInt64: [Waiter]] = [:]
    var looked: [String: ContinuousClock.Instant] = [:]
    /// Routes whose answers turned out to look at who asks.
    var personal: Set<String> = []
    var figures = Figures()
    var lastID: UInt64 = 0
  }

  /// How long after the last comparison with the database an answer may be given (R55).
  public static let trust = Duration.seconds(60)

  private let state: Mutex<State>

  /// - Parameter bytes: what the answers may take; 0 keeps nothing, and still collapses identical reads.
  public init(bytes: Int) { state = Mutex(State(store: AnswerStore(bytes: bytes))) }

  public var figures: Figures {
    state.withLock { state in
      var figures = state.figures
      (figures.entries, figures.bytes, figures.evicted) = (state.store.count, state.store.bytes, state.store.evicted)
      return figures
    }
  }

  // MARK: Changes

  /// Forgets what was made of these, also what is in the making.
  /// - Parameter schema: whose tags they are.
  public func drop(_ tags: Set<String>, of schema: String) {
    state.withLock { state in
      state.figures.dropped += state.store.drop(scope: schema, tags: tags)
      ResponseCache.overtake(&state) { $0.scope == schema && $0.tags.contains(where: tags.contains) }
    }
  }

  /// Forgets all that was made of a schema.
  public func dropAll(of schema: String) {
    state.withLock { state in
      state.figures.dropped += state.store.drop(scope: schema, tags: nil)
      ResponseCache.overtake(&state) { $0.scope == schema }
    }
  }

  /// Forgets what was made for one person: what she may have, or who she is, is another now.
  public func drop(person: PersonID) {
    state.withLock { state in
      state.figures.dropped += state.store.drop(person: person)
      ResponseCache.overtake(&state) { $0.key.owner == .person(person) || $0.key.owner == .everyone }
    }
  }

  /// Forgets what was made for anybody who is signed in: another node changed what somebody may have.
  public func dropPersonal() {
    state.withLock { state in
      state.figures.dropped += state.store.dropPersonal()
      ResponseCache.overtake(&state) { $0.key.owner != .visitors }
    }
  }

  /// A schema's tags were compared with the database: what is left is true as of then.
  public func looked(at schema: String, began: ContinuousClock.Instant = .now) {
    state.withLock { $0.looked[schema] = began }
  }

  /// Whether anything of a schema is kept or in the making; else its changes are of no interest.
  public func holds(_ schema: String) -> Bool {
    state.withLock { state in
      state.store.holds(scope: schema) || state.flights.values.contains { $0.scope == schema }
    }
  }

  /// - Parameter isHit: of those under way.
  private static func overtake(_ state: inout State, _ isHit: (Flight) -> Bool) {
    for flight in state.flights.values where isHit(flight) {
      state.flights[flight.key] = nil
      state.current.remove(flight.id)
      state.figures.overtaken += 1
    }
  }

  // MARK: Reading

  /// An answer for everyone, or for this session.
  func find(
    _ generation: UInt64, _ site: String, _ kept: (path: String, language: Language), session: Session?,
    now: ContinuousClock.Instant = .now
  ) -> KeptEntry? {
    func key(_ owner: CacheKey.Owner) -> CacheKey {
      CacheKey(generation: generation, site: site, path: kept.path, language: kept.language, owner: owner)
    }
    return state.withLock { state in
      let entry =
        ResponseCache.current(key(.init(session)), &state, now) ?? ResponseCache.current(key(.everyone), &state, now)
      guard let entry, entry.isFor(session) else { return nil }
      state.figures.hits += 1
      return entry
    }
  }

  private static func current(_ key: CacheKey, _ state: inout State, _ now: ContinuousClock.Instant) -> KeptEntry? {
    guard let entry = state.store.find(key) else { return nil }
    if isCurrent(entry, state, now) { return entry }
    state.store.remove(key)
    return nil
  }

  private static func isCurrent(_ entry: KeptEntry, _ state: borrowing State, _ now: ContinuousClock.Instant) -> Bool {
    guard now - entry.made < entry.lifetime else { return false }
    if now - entry.made < ResponseCache.trust { return true }
    return state.looked[entry.scope].map { now - $0 < ResponseCache.trust } ?? false
  }

  // MARK: Making

  /// Requests that wait for another's answer.
  var waiting: Int { state.withLock { $0.waiters.values.reduce(0) { $0 + $1.count } } }

  enum Begin: Sendable {
    case lead(Flight)
    case join(Flight)
  }

  /// Whether the answers of a route are each person's own.
  func isPersonal(_ route: String) -> Bool { state.withLock { $0.personal.contains(route) } }
  func notePersonal(_ route: String) { state.withLock { _ = $0.personal.insert(route) } }

  /// A request that found nothing makes the answer, or waits for the one who does.
  func begin(_ key: CacheKey, scope: String, tags: [String]) -> Begin {
    state.withLock { state in
      if let flight = state.flights[key] { return .join(flight) }
      state.figures.misses += 1
      return .lead(ResponseCache.take(&state, key, scope, tags))
    }
  }

  private static func take(_ state: inout State, _ key: CacheKey, _ scope: String, _ tags: [String]) -> Flight {
    state.lastID += 1
    let flight = Flight(key: key, scope: scope, tags: tags, id: state.lastID)
    state.flights[key] = flight
    state.current.insert(flight.id)
    return flight
  }

  /// Waits for the answer another request makes.
  func wait(for flight: Flight) async -> Shared {
    let id = state.withLock { state in
      state.lastID += 1
      return state.lastID
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isLate = state.withLock { state -> Bool in
          // Overtaken flights end like all others, and those who joined before still get their answer.
          guard state.waiters[flight.id] != nil || state.current.contains(flight.id), !Task.isCancelled else { return true }
          state.waiters[flight.id, default: []].append(Waiter(id: id, continuation: continuation))
          return false
        }
        if isLate { continuation.resume(returning: .alone) }
      }
    } onCancel: {
      let waiter = state.withLock { state -> Waiter? in
        guard let index = state.waiters[flight.id]?.firstIndex(where: { $0.id == id }) else { return nil }
        return state.waiters[flight.id]!.remove(at: index)
      }
      waiter?.continuation.resume(returning: .alone)
    }
  }

  /// The answer is made.
  /// - Parameter entry: to be kept and shared; `nil` when it can't be.
  /// - Parameter isGivenUp: its maker was cancelled, which says nothing about the answer: one of the waiting makes it.
  func end(_ flight: Flight, _ entry: KeptEntry?, isGivenUp: Bool = false) {
    let resumed = state.withLock { state -> [(Waiter, Shared)] in
      if state.flights[flight.key] === flight { state.flights[flight.key] = nil }
      let isCurrent = state.current.remove(flight.id) != nil
      let waiters = state.waiters.removeValue(forKey: flight.id) ?? []
      if let entry {
        if isCurrent, state.store.insert(entry) { state.figures.stored += 1 }
        // Who waited came before the change that overtook it.
        return waiters.map { waiter in
          guard entry.key.owner == flight.key.owner else { return (waiter, .alone) }
          state.figures.collapsed += 1
          return (waiter, .entry(entry))
        }
      }
      guard isGivenUp, let first = waiters.first, state.flights[flight.key] == nil else { return waiters.map { ($0, .alone) } }
      let next = ResponseCache.take(&state, flight.key, flight.scope, flight.tags)
      state.waiters[next.id] = Array(waiters.dropFirst())
      return [(first, .lead(next))]
    }
    for (waiter, shared) in resumed { waiter.continuation.resume(returning: shared) }
  }
}
