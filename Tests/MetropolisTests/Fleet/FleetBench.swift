import Database
import Foundation
import Kit
import Logging
import Support
import Synchronization

@testable import Metropolis

/// A fleet of small schemas on a test server.
struct FleetBench {
  let databases: [FleetDatabase]
  let fleet: Fleet

  init(_ tests: [TestDatabase], workers: Int = 4, patience: Fleet.Patience = .quick) {
    databases = tests.enumerated().map { index, test in
      FleetDatabase(
        name: "d\(index)", settings: test.settings, loop: test.loop, ownsServer: false, password: { "test \($0)" })
    }
    fleet = Fleet(databases, workers: workers, patience: patience, logger: tests[0].logger)
  }

  /// - Parameter count: spread over the databases by turns.
  func members(_ count: Int, plan: FleetPlan = FleetBench.plan(1)) -> [FleetMember] {
    (0..<count).map { number in
      FleetMember(
        id: "t\(number)", database: "d\(number % databases.count)", schema: Schema("t_t\(number)")!, bounds: .tenant,
        durability: .sync, plan: plan)
    }
  }

  /// A kind of tenant with so many migrations.
  static func plan(_ count: Int, more: [String] = []) -> FleetPlan {
    let files = [
      "CREATE TABLE note (id int CONSTRAINT note_pkey PRIMARY KEY, body text NOT NULL);",
      """
      -- The second release.
      ALTER TABLE note ADD COLUMN written timestamptz NOT NULL DEFAULT now();
      """,
    ]
    let migrations = (files.prefix(count) + more).enumerated().map { index, sql in
      Migration(number: index + 1, name: "step\(index + 1)", sql: sql)
    }
    return FleetPlan([(.migrations, migrations)])
  }

  /// How many schemas of a database have a column.
  static func schemas(with column: String, in test: TestDatabase) async throws -> Int {
    let row = try await test.database.one(
      """
      SELECT count(*)::int AS n FROM information_schema.columns
      WHERE table_name = 'note' AND column_name = \(column) AND table_schema LIKE 't\\_%'
      """)
    return try row?.get("n") ?? 0
  }
}

extension Fleet.Patience {
  /// For tests: locks are given up soon, and tried again soon.
  static let quick = Fleet.Patience(
    lockTimeout: .milliseconds(100), attempts: 6, firstDelay: .milliseconds(20), mostDelay: .milliseconds(200))
}

/// Gives the body so many databases of one server.
func withDatabases<R: Sendable>(
  _ count: Int, isolation: isolated (any Actor)? = #isolation, _ leased: [TestDatabase] = [],
  _ body: ([TestDatabase]) async throws -> R
) async throws -> R {
  guard leased.count < count else { return try await body(leased) }
  return try await withDatabase { test in try await withDatabases(count, leased + [test], body) }
}

/// What a run has told.
final class Heard: Sendable {
  private let state = Mutex<(events: [FleetEvent], progress: [FleetProgress])>(([], []))

  var events: [FleetEvent] { state.withLock { $0.events } }
  var progress: [FleetProgress] { state.withLock { $0.progress } }

  func hear(_ event: FleetEvent) { state.withLock { $0.events.append(event) } }
  func hear(_ progress: FleetProgress) { state.withLock { $0.progress.append(progress) } }
}
