import Kit
import Synchronization

/// Stops asking databases that don't answer (R54): five errors in a row, and for 30 s requests are refused at once; then one
/// tries. The pause ends early when the database is seen to answer (``recover(_:sites:now:)``).
///
/// The database is what is given up, and with it every tenant on it, when the errors in a row are of more than one site, or of
/// the only one it has. A single site whose errors stand beside others' successes is given up alone: one tenant that is down
/// leaves the others up. At most half of the databases are given up at a time (but always one may be): when more seem
/// dead, the fault is likelier on this side, and requests go on trying.
final class CircuitBreaker: Sendable {
  struct Settings: Sendable {
    var circuit = Circuit.Settings(errors: 5, pause: .seconds(30))
    /// Per cent of the databases that may be given up at a time.
    var ejectedMost = 50
  }

  enum Verdict: Sendable {
    case success
    case failure
    /// The request has not reached the database: it says nothing.
    case none
  }

  /// A request that was let through.
  struct Pass: Sendable {
    fileprivate let database: String
    fileprivate let site: String
    fileprivate let triesDatabase: Bool
    fileprivate let triesSite: Bool
  }

  enum Passage: Sendable {
    case free(Pass)
    /// Seconds to wait.
    case refused(Int)
  }

  private struct State {
    var databases: [String: Circuit] = [:]
    var sites: [String: Circuit] = [:]
    /// The sites whose errors make up a database's errors in a row.
    var failing: [String: Set<String>] = [:]
    /// Databases and sites whose pause ended early, and of which no request has succeeded since.
    var recovered: [String: Recovery] = [:]
  }

  /// That a pause ended early. The work failed again if there is to be another time, which waits twice as long.
  private struct Recovery {
    private var pause = Duration.seconds(1)
    private var next: Instant

    init(now: Instant) { next = now + pause }

    /// Whether it may end early again.
    mutating func isDue(now: Instant, longest: Duration) -> Bool {
      guard next <= now else { return false }
      pause = min(pause * 2, longest)
      next = now + pause
      return true
    }
  }

  private let settings: Settings
  private let state = Mutex(State())

  init(_ settings: Settings = Settings()) { self.settings = settings }

  func pass(database: String, site: String, now: Instant) -> Passage {
    state.withLock { state in
      // Nearly always nothing is wrong with anybody.
      if state.databases.isEmpty, state.sites.isEmpty {
        return .free(Pass(database: database, site: site, triesDatabase: false, triesSite: false))
      }
      let way = state.databases[database]?.pass(now: now, settings.circuit) ?? .free
      if case .refused(let until) = way { return .refused(CircuitBreaker.seconds(until, now)) }
      let own = state.sites[site]?.pass(now: now, settings.circuit) ?? .free
      if case .refused(let until) = own {
        if way == .trial { state.databases[database]?.giveUpTrial() }
        return .refused(CircuitBreaker.seconds(until, now))
      }
      return .free(Pass(database: database, site: site, triesDatabase: way == .trial, triesSite: own == .trial))
    }
  }

  /// - Parameters:
  ///   - sites: how many the database has.
  ///   - databases: how many there are.
  func note(_ pass: Pass, _ verdict: Verdict, sites: Int, databases: Int, now: Instant) {
    state.withLock { state in
      switch verdict {
      case .success:
        if !state.databases.isEmpty {
          state.databases[pass.database] = nil
          state.failing[pass.database] = nil
        }
        if !state.recovered.isEmpty {
          state.recovered[pass.database] = nil
          state.recovered["\(pass.database) \(pass.site)"] = nil
        }
        if !state.sites.isEmpty { state.sites[pass.site] = nil }
      case .failure:
        state.failing[pass.database, default: []].insert(pass.site)
        let open = state.databases.count { $0.value.isOpen && $0.key != pass.database }
        let most = max(1, databases * settings.ejectedMost / 100)
        let isCommon = sites == 1 || state.failing[pass.database]!.count > 1
        state.databases[pass.database, default: Circuit()].fail(
          now: now, settings.circuit, mayOpen: isCommon && open < most)
        state.sites[pass.site, default: Circuit()].fail(now: now, settings.circuit, mayOpen: true)
      case .none:
        if pass.triesDatabase { state.databases[pass.database]?.giveUpTrial() }
        if pass.triesSite { state.sites[pass.site]?.giveUpTrial() }
      }
    }
  }

  /// Somebody has seen a database answer: what was given up of it, and of its sites, is asked again. Who answers the look and
  /// fails the work is asked after a second, two, four, … until a request has succeeded, and after a whole pause at last.
  func recover(_ database: String, sites: some Sequence<String>, now: Instant) {
    state.withLock { state in
      if state.databases[database]?.isOpen == true, mayRecover(database, &state, now: now) {
        // Closed, and not forgotten: the success that forgives all is still to come.
        state.databases[database] = Circuit()
        state.failing[database] = nil
      }
      for site in sites where state.sites[site]?.isOpen == true {
        if mayRecover("\(database) \(site)", &state, now: now) { state.sites[site] = Circuit() }
      }
    }
  }

  private func mayRecover(_ name: String, _ state: inout State, now: Instant) -> Bool {
    if let isDue = state.recovered[name]?.isDue(now: now, longest: settings.circuit.pause) { return isDue }
    state.recovered[name] = Recovery(now: now)
    return true
  }

  /// What is given up now, by name.
  var open: (databases: [String], sites: [String]) {
    state.withLock { state in
      (state.databases.filter(\.value.isOpen).keys.sorted(), state.sites.filter(\.value.isOpen).keys.sorted())
    }
  }

  private static func seconds(_ until: Instant, _ now: Instant) -> Int {
    max(1, Int(((until - now).microseconds + 999_999) / 1_000_000))
  }
}
