import Database
import Foundation
import Jobs
import Kit
import Records
import Synchronization

/// Looks at the running city for its operators. What can't be read in a second is left open, never waited for.
struct CityObserver: Sendable {
  struct TenantState: Sendable {
    let stanza: CityConfiguration.Stanza
    /// Whether its database answers; `nil` for a tenant that is announced and has none.
    let isHealthy: Bool?
    /// Different people of the last seven days; `nil` when that could not be counted.
    let people: Int?
  }

  struct Snapshot: Sendable {
    let tenants: [TenantState]
    let jobs: [(queue: String, state: String, count: Int)]?
    let outboxes: [(schema: String, backlog: OutboxBacklog?)]
    let runs: [(name: String, tick: Instant, started: Instant)]?
    let versions: [(version: Int, applied: Instant)]?
    let dead: Int
  }

  static let week = Duration.days(7)
  private static let patience = Duration.seconds(1)
  /// Counting people reads a week of the record store: once a minute is enough.
  private static let memory = Duration.seconds(60)

  let stanzas: [CityConfiguration.Stanza]
  let databases: [String: Database]
  let queue: JobQueue
  let relay: Relay
  let records: RecordsService
  let history: ConfigurationHistory
  let clock: DomainClock
  private let people = Remembered()

  private final class Remembered: Sendable {
    let value = Mutex<(people: [String: Int], until: ContinuousClock.Instant)?>(nil)
  }

  init(
    stanzas: [CityConfiguration.Stanza], databases: [String: Database], queue: JobQueue, relay: Relay, records: RecordsService,
    history: ConfigurationHistory, clock: DomainClock
  ) {
    (self.stanzas, self.databases, self.queue, self.relay) = (stanzas, databases, queue, relay)
    (self.records, self.history, self.clock) = (records, history, clock)
  }

  func snapshot() async -> Snapshot {
    async let health = health()
    async let people = activePeople()
    async let jobs = CityObserver.within { try await queue.depth().sorted { ($0.queue, $0.state) < ($1.queue, $1.state) } }
    async let outboxes = CityObserver.within { await relay.backlogs() }
    async let runs = CityObserver.within { try await queue.lastRuns() }
    async let versions = CityObserver.within { try await history.versions(limit: 10) }
    let (alive, counted) = (await health, await people)
    let tenants = stanzas.map { stanza in
      let isOpen = stanza.state == .open
      return TenantState(
        stanza: stanza, isHealthy: isOpen ? (alive[stanza.schema.name] ?? false) : nil,
        people: isOpen ? counted.map { $0[stanza.id.text] ?? 0 } : nil)
    }
    let waiting = await outboxes ?? []
    let states = await jobs
    let dead =
      (states ?? []).filter { $0.state == "dead" }.reduce(0) { $0 + $1.count }
      + waiting.reduce(0) { $0 + ($1.backlog?.dead ?? 0) }
    return Snapshot(
      tenants: tenants, jobs: states, outboxes: waiting, runs: await runs, versions: await versions, dead: dead)
  }

  /// Dead jobs and dead events, newest first.
  func deadLetters(limit: Int) async throws -> (jobs: [DeadLetter], events: [DeadLetter]) {
    async let events = relay.dead(limit: limit)
    return (try await queue.dead(limit: limit), await events)
  }

  private func health() async -> [String: Bool] {
    await withTaskGroup(of: (String, Bool).self) { group in
      for stanza in stanzas {
        guard stanza.state == .open, let database = databases[stanza.schema.name] else { continue }
        group.addTask {
          (stanza.schema.name, await CityObserver.within { _ = try await database.query("SELECT 1") } != nil)
        }
      }
      return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
  }

  private func activePeople() async -> [String: Int]? {
    if let known = people.value.withLock({ $0 }), known.until > .now { return known.people }
    let since = clock.now() - CityObserver.week
    guard let counted = await CityObserver.within({ try await records.activePeople(since: since) }) else { return nil }
    people.value.withLock { $0 = (counted, .now + CityObserver.memory) }
    return counted
  }

  /// - Returns: `nil` when the work failed or took too long; it is cancelled then.
  private static func within<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async -> Value? {
    await withTaskGroup(of: Value?.self) { group in
      group.addTask { try? await work() }
      group.addTask {
        try? await Task.sleep(for: patience)
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      return first
    }
  }
}
