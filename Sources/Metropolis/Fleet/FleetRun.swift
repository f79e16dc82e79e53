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
    /// By database: what provisions there, and has secured it.
    var provisioners: [String: Provisioner] = [:]
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
      guard let admin = clients[name], let database = fleet.databases[name] else { continue }
      do {
        try await FleetRecords(admin: admin).prepare()
        let provisioner = Provisioner(admin: admin, ownsServer: database.ownsServer)
        try await provisioner.ensureExtensions(["pg_trgm"])
        // What is only to be migrated needs nobody who may close things.
        if members.contains(where: { mustProvision($0, in: database) }) {
          let secured = try await provisioner.secured()
          state.withLock { $0.provisioners[name] = secured }
        }
        able += members
      } catch {
        let failure = FleetFailure(error)
        // Of a database that is away one is told: the others would say the same.
        for member in failure.isAway ? members.prefix(1) : members[...] { event(FleetEvent(failure, of: member)) }
        for member in members { finish(member, with: failure) }
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

  private func mustProvision(_ member: FleetMember, in database: FleetDatabase) -> Bool {
    let record = records[database.name]?[member.schema]
    return record?.isWhole != true || record?.provisioned != database.provisioning(of: member)
  }

  private func bring(
    _ member: FleetMember, in database: FleetDatabase, _ admin: Database
  ) async throws -> (applied: [String], isAhead: Bool) {
    let (owner, login) = (database.role(member.schema, .owner), database.role(member.schema, .login))
    if mustProvision(member, in: database) {
      let secured = state.withLock { $0.provisioners[database.name] }
      try await (secured ?? Provisioner(admin: admin, ownsServer: database.ownsServer)).provision(
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
    let told = FleetEvent(failure, of: item.member, attempt: item.attempt)
    if Task.isCancelled {
      finish(item.member, as: .notReached("the run was ended during its turn"))
    } else if FleetFailure.isPassing(error), item.attempt < fleet.patience.attempts {
      event(
        FleetEvent(
          event: .retried, tenant: item.member.id, database: database.name, schema: item.member.schema.name,
          attempt: item.attempt, reason: failure.reason))
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
