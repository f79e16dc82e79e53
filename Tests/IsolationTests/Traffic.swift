import Database
import Synchronization

/// What the core and the neighbour go on doing, each with its own client, one call after the other.
final class Traffic: Sendable {
  struct Figures: Sendable {
    var calls = 0
    var failures: [String] = []
    var slowest = Duration.zero
  }

  private let figures = Mutex<[String: Figures]>([:])

  /// What has been done since the last time this was asked.
  func take() -> [String: Figures] {
    figures.withLock { figures in
      defer { figures = [:] }
      return figures
    }
  }

  /// Serves until the task is cancelled.
  func run(in city: HostileCity) async {
    let (core, neighbour) = (city.client(HostileCity.core), city.client(HostileCity.neighbour))
    await withTaskGroup { group in
      group.addTask {
        await self.serve("core", core) { core in
          // Takes turns, writes, tells of it: as billing does.
          try await core.transaction { transaction in
            try await transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended('ledger', 0))")
            try await transaction.execute("INSERT INTO ledger.entry DEFAULT VALUES")
            try await transaction.execute("NOTIFY ledger")
          }
        }
      }
      group.addTask {
        await self.serve("neighbour", neighbour) { neighbour in
          _ = try await neighbour.query("SELECT name FROM neighbour.person WHERE id = \(Int.random(in: 1...300))")
        }
      }
    }
    await core.close()
    await neighbour.close()
  }

  private func serve(
    _ name: String, _ database: Database, _ call: @Sendable (Database) async throws -> Void
  ) async {
    while !Task.isCancelled {
      let start = ContinuousClock.now
      var failure: String?
      do { try await call(database) } catch { failure = Task.isCancelled ? nil : "\(error)" }
      let time = ContinuousClock.now - start
      figures.withLock { figures in
        var found = figures[name] ?? Figures()
        found.calls += 1
        if let failure { found.failures.append(failure) }
        found.slowest = max(found.slowest, time)
        figures[name] = found
      }
      try? await Task.sleep(for: .milliseconds(2))
    }
  }
}
