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
    /// Whether its server answers and has its schema; `nil` for a tenant that has none.
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

  let servers: Servers
  let queue: JobQueue
  let relay: Relay
  let records: RecordsService
  let configurations: ConfigurationStore
  let clock: DomainClock
  private let people = Remembered()

  private final class Remembered: Sendable {
    let value = Mutex<(people: [String: Int], until: ContinuousClock.Instant)?>(nil)
  }

  init(
    servers: Servers, queue: JobQueue, relay: Relay, records: RecordsService,
    configurations: ConfigurationStore, clock: DomainClock
  ) {
    (self.servers, self.queue, self.relay) = (servers, queue, relay)
    (self.records, self.configurations, self.clock) = (records, configurations, clock)
  }

  func snapshot(of stanzas: [CityConfiguration.Stanza]) async -> Snapshot {
    async let health = health()
    async let people = activePeople()
    async let jobs = CityObserver.within { try await queue.depth().sorted { ($0.queue, $0.state) < ($1.queue, $1.state) } }
    async let outboxes = CityObserver.within { await relay.backlogs() }
    async let runs = CityObserver.within { try await queue.lastRuns() }
    async let versions = CityObserver.within { try await configurations.versions(limit: 10).map { ($0.number, $0.applied) } }
    let (alive, counted) = (await health, await people)
    let tenants = stanzas.map { stanza in
      let isRunning = stanza.state.hasSchema
      return TenantState(
        stanza: stanza,
        isHealthy: isRunning ? (alive[stanza.database]?.contains(stanza.schema.name) ?? false) : nil,
        people: isRunning ? counted.map { $0[stanza.id.text] ?? 0 } : nil)
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

  /// Of each server that answers, the schemas it has: one question, however many tenants live there.
  private func health() async -> [String: Set<String>] {
    await withTaskGroup(of: (String, Set<String>?).self) { group in
      for server in servers.all {
        group.addTask { (server.name, await CityObserver.within { try await server.schemas() }) }
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
