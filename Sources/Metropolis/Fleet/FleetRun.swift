import Database
import Foundation
import Logging
import Synchronization

/// One run over a fleet: what its workers share.
final class FleetRun: Sendable {
  private struct State {
    var report: FleetReport
    var done = 0
    var failed = 0
  }

  private let fleet: Fleet
  private let clients: [String: Database]
  /// What was known of the schemas when the run began.
  private let records: [String: [Schema: FleetRecords.Record]]
  private let total: Int
  private let progress: @Sendable (FleetProgress) -> Void
  private let event: @Sendable (FleetEvent) -> Void
  private let began = ContinuousClock.now
  private let state: Mutex<State>

  init(
    _ fleet: Fleet, clients: [String: Database], survey: Fleet.Survey,
    progress: @escaping @Sendable (FleetProgress) -> Void, event: @escaping @Sendable (FleetEvent) -> Void
  ) {
    (records, total) = (survey.records, survey.pending.count)
    (self.fleet, self.clients, self.progress, self.event) = (fleet, clients, progress, event)
    state = Mutex(State(report: survey.report))
  }

  var report: FleetReport { state.withLock { $0.report } }

  /// What each database needs once, before its schemas.
  /// - Returns: the members whose databases have it.
  func prepare(_ members: [FleetMember]) async -> [FleetMember] {
    var able: [FleetMember] = []
    for (name, members) in Dictionary(grouping: members, by: \.database).sorted(by: { $0.key < $1.key }) {
      guard let admin = clients[name] else { continue }
      do {
        try await FleetRecords(admin: admin).prepare()
        try await Provisioner(admin: admin).ensureExtensions(["pg_trgm"])
        able += members
      } catch {
        for member in members { finish(member, with: error) }
      }
    }
    return able
  }

  func work(_ queue: FleetQueue) async {
    while let item = await queue.next() {
      guard let database = fleet.databases[item.member.database], let admin = clients[item.member.database] else { continue }
      let start = ContinuousClock.now
      do {
        let result = try await bring(item.member, in: database, admin)
        let time = (ContinuousClock.now - start).wholeMilliseconds
        event(
          FleetEvent(
            event: .migrated, tenant: item.member.id, database: database.name, schema: item.member.schema.name,
            applied: result.applied, attempt: item.attempt, milliseconds: time))
        finish(item.member, as: result.isAhead ? .ahead : .migrated(result.applied))
      } catch {
        await failed(item, error, in: database, admin, queue)
      }
    }
  }

  private func bring(
    _ member: FleetMember, in database: FleetDatabase, _ admin: Database
  ) async throws -> (applied: [String], isAhead: Bool) {
    let (owner, login) = (database.role(member.schema, .owner), database.role(member.schema, .login))
    let record = records[database.name]?[member.schema]
    if record?.isWhole != true || record?.provisioned != database.provisioning(of: member) {
      try await Provisioner(admin: admin, ownsServer: database.ownsServer).provision(
        schema: member.schema, ownerRole: owner, loginRole: login, password: database.password(member.schema),
        durability: member.durability, bounds: member.bounds)
    }
    let migrator = Migrator(
      admin: admin, logger: fleet.logger, lockTimeout: fleet.patience.lockTimeout, turnTimeout: .seconds(60))
    var applied: [String] = []
    do {
      for (journal, migrations) in member.plan.journals {
        let numbers = try await migrator.migrate(
          schema: member.schema, ownerRole: owner, loginRole: login, migrations: migrations, journal: journal)
        applied += numbers.map { migrations[$0 - 1].file }
      }
    } catch MigrationError.unknownApplied {
      // Nothing is written down: the release that is ahead has done so.
      return (applied, true)
    }
    try await FleetRecords(admin: admin).ready(member, in: database)
    return (applied, false)
  }

  private func failed(
    _ item: FleetQueue.Item, _ error: any Error, in database: FleetDatabase, _ admin: Database, _ queue: FleetQueue
  ) async {
    let failure = FleetFailure(error)
    var told = FleetEvent(
      event: .failed, tenant: item.member.id, database: database.name, schema: item.member.schema.name, attempt: item.attempt,
      file: failure.file, line: failure.line, reason: failure.reason)
    if Task.isCancelled {
      finish(item.member, as: .notReached("the run was ended during its turn"))
    } else if FleetFailure.isPassing(error), item.attempt < fleet.patience.attempts {
      told = FleetEvent(
        event: .retried, tenant: item.member.id, database: database.name, schema: item.member.schema.name,
        attempt: item.attempt, reason: failure.reason)
      event(told)
      var next = item
      next.attempt += 1
      await queue.putBack(next, after: fleet.patience.delay(after: item.attempt))
    } else if failure.isAway {
      // Each of the others would wait as long for the same answer.
      event(told)
      finish(item.member, with: failure)
      for member in await queue.abandon(database.name) { finish(member, with: failure) }
    } else {
      event(told)
      fleet.logger.error(
        "schema not migrated", metadata: ["schema": "\(item.member.schema)", "reason": "\(failure.reason)"])
      try? await FleetRecords(admin: admin).failed(item.member, in: database, failure)
      finish(item.member, with: failure)
    }
  }

  private func finish(_ member: FleetMember, with error: any Error) {
    let failure = FleetFailure(error)
    finish(member, as: failure.isAway ? .notReached("database \(member.database): \(failure)") : .failed(failure))
  }

  private func finish(_ member: FleetMember, as result: FleetReport.State) {
    // Within the lock: whoever is told hears the figures in their order.
    state.withLock { state in
      state.report.note(member, result)
      state.done += 1
      switch result {
      case .failed, .notReached: state.failed += 1
      default: break
      }
      progress(FleetProgress(total: total, done: state.done, failed: state.failed, elapsed: .now - began))
    }
  }
}
