import Database
import Foundation
import Logging
import Synchronization

/// How much a tenant's reads suffer from the heavy work of another on the same server.
///
/// The victim reads by primary key at a fixed rate; beside it eight tasks of a neighbour run reports without a pause. Four
/// states by turns, so that what else the machine does meets all of them alike.
struct Neighbours: Sendable {
  enum State: String, CaseIterable, Sendable {
    /// The victim has the server for itself.
    case alone
    /// All eight reports run at once, as an ordinary pool would let them.
    case unbounded
    /// One at a time, at the priority of all.
    case capped
    /// The heavy pool as it is: one at a time, at the lowest priority.
    case heavy
  }

  static let rate = 1_000
  static let tasks = 8
  private static let (victim, neighbour) = (Schema("bench_victim")!, Schema("bench_neighbour")!)

  private let server: EmbeddedServer
  private let admin: Database
  private let loop = DatabaseLoop()
  private let logger: Logger

  init(server: EmbeddedServer) async throws {
    self.server = server
    var logger = Logger(label: "bench") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    self.logger = logger
    admin = Database(server.settings, pool: PoolSettings(connections: 2), name: "admin", logger: logger, loop: loop)
    for schema in [Neighbours.victim, Neighbours.neighbour] {
      try await Provisioner(admin: admin).provision(
        schema: schema, ownerRole: role(schema, .owner), loginRole: role(schema, .login), password: "bench")
      let rows = Migration(
        number: 1, name: "rows",
        sql: """
          CREATE TABLE item (id int PRIMARY KEY, body text NOT NULL);
          INSERT INTO item SELECT i, repeat(md5(i::text), 6) FROM generate_series(1, 100000) AS i;
          """)
      try await Migrator(admin: admin, logger: logger).migrate(
        schema: schema, ownerRole: role(schema, .owner), loginRole: role(schema, .login), migrations: [rows])
    }
    try await admin.execute("VACUUM ANALYZE")
  }

  func stop() async {
    await admin.close()
    loop.stop()
  }

  /// Of all rounds together, milliseconds: `heavy p99`; the ratio to `alone`; how many reports the neighbour got done in a second.
  func measure(rounds: Int, seconds: Double) async throws -> [String: Double] {
    var times: [State: [Double]] = [:]
    var reports: [State: Int] = [:]
    for round in 0..<rounds {
      // In another order each time: what comes later in a round meets a machine that is warmer, or busier.
      let states = State.allCases
      for place in states.indices {
        let state = states[(place + round) % states.count]
        let (found, done) = try await run(state, seconds: seconds)
        times[state, default: []] += found
        reports[state, default: 0] += done
      }
    }
    var figures: [String: Double] = [:]
    let alone = percentile(times[.alone] ?? [], 0.99)
    for (state, found) in times {
      figures["\(state.rawValue) p50"] = percentile(found, 0.5)
      figures["\(state.rawValue) p99"] = percentile(found, 0.99)
      figures["\(state.rawValue) ratio"] = percentile(found, 0.99) / alone
      figures["\(state.rawValue) reports"] = Double(reports[state] ?? 0) / (Double(rounds) * seconds)
    }
    return figures
  }

  private func run(_ state: State, seconds: Double) async throws -> (times: [Double], reports: Int) {
    let reads = client(Neighbours.victim, PoolSettings(connections: 4, waitTimeout: .seconds(30)))
    let work = client(Neighbours.neighbour, pool(of: state))
    let reports = Count()
    let heavy = Task {
      await withTaskGroup { group in
        guard state != .alone else { return }
        for _ in 0..<Neighbours.tasks {
          group.addTask {
            while !Task.isCancelled {
              let report = try? await work.query("SELECT sum(hashtext(md5(body))) FROM \(Neighbours.neighbour).item")
              if report != nil { reports.value.add(1, ordering: .relaxed) }
            }
          }
        }
      }
    }
    // Before the clock starts, all have their connections.
    _ = try await read(reads, seconds: 0.5)
    let before = reports.value.load(ordering: .relaxed)
    let times = try await read(reads, seconds: seconds)
    let done = reports.value.load(ordering: .relaxed) - before
    heavy.cancel()
    await heavy.value
    await reads.close()
    await work.close()
    return (times, done)
  }

  /// A read each millisecond, whether or not those before have come back. Milliseconds.
  private func read(_ database: Database, seconds: Double) async throws -> [Double] {
    try await withThrowingTaskGroup(of: [Double].self) { group in
      let start = ContinuousClock.now
      for reader in 0..<16 {
        group.addTask {
          var times: [Double] = []
          for turn in 0..<Int(seconds * Double(Neighbours.rate) / 16) {
            try await Task.sleep(until: start + .microseconds((turn * 16 + reader) * 1_000_000 / Neighbours.rate))
            let begin = ContinuousClock.now
            let id = Int32.random(in: 1...100_000)
            _ = try await database.query("SELECT body FROM \(Neighbours.victim).item WHERE id = \(id)")
            times.append((ContinuousClock.now - begin) / .milliseconds(1))
          }
          return times
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }

  private func pool(of state: State) -> PoolSettings {
    switch state {
    case .alone, .unbounded: PoolSettings(connections: Neighbours.tasks, waitTimeout: .seconds(60))
    case .capped: .heavy
    case .heavy: .heavy(on: server.processes)
    }
  }

  private func client(_ schema: Schema, _ pool: PoolSettings) -> Database {
    Database(
      server.settings.with(user: role(schema, .login), password: "bench"), pool: pool, name: schema.name, logger: logger,
      loop: loop)
  }

  private func role(_ schema: Schema, _ kind: Provisioner.RoleKind) -> String {
    Provisioner.roleName(database: server.settings.database, schema: schema, kind)
  }

  private final class Count: Sendable { let value = Atomic(0) }

  private func percentile(_ values: [Double], _ share: Double) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
  }
}
