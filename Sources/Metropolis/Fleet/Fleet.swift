import Database
import Foundation
import Logging
import Synchronization

/// Brings the schemas of a city to where its release needs them: many at once, on several servers, each for itself. One that
/// fails is told and left aside; it never stops the others.
///
/// A run can be cut off anywhere and begun again: what is done is seen by one statement per database (``FleetRecords``).
struct Fleet: Sendable {
  struct Patience: Sendable {
    /// How long a migration waits for a table in use. While it waits, whoever comes after waits behind it.
    var lockTimeout: Duration = .seconds(2)
    /// Tries of one schema, when what failed may pass: a lock, a deadlock, a connection.
    var attempts = 8
    var firstDelay: Duration = .milliseconds(200)
    var mostDelay: Duration = .seconds(5)

    /// Doubles with each try, scattered by half, so that those who met don't meet again.
    func delay(after attempt: Int) -> Duration {
      min(mostDelay, firstDelay * (1 << min(attempt - 1, 10))) * Double.random(in: 0.5...1)
    }
  }

  let databases: [String: FleetDatabase]
  /// Schemas worked on at a time, on one server.
  let workers: Int
  let patience: Patience
  let logger: Logger

  init(_ databases: [FleetDatabase], workers: Int = 4, patience: Patience = Patience(), logger: Logger) {
    self.databases = Dictionary(databases.map { ($0.name, $0) }) { first, _ in first }
    self.workers = workers
    self.patience = patience
    self.logger = logger
  }

  /// Makes and migrates whatever is not as it should be. Cancelled, it ends what is under way and reports the rest as not
  /// reached.
  ///
  /// - Parameters:
  ///   - isThorough: asks every schema itself, whatever the records say.
  ///   - progress: called after each schema that had something to do, from any thread, one at a time.
  ///   - event: each step, for a log that programs read.
  func migrate(
    _ members: [FleetMember], isThorough: Bool = false, progress: @escaping @Sendable (FleetProgress) -> Void = { _ in },
    event: @escaping @Sendable (FleetEvent) -> Void = { _ in }
  ) async -> FleetReport {
    let began = ContinuousClock.now
    let clients = clients(for: members)
    let survey = await survey(members, clients, isThorough: isThorough)
    for line in survey.report.lines.values {
      if case .failed(let failure) = line.state { event(FleetEvent(failure, of: line.member)) }
    }
    let run = FleetRun(self, clients: clients, survey: survey, progress: progress, event: event)
    let able = await run.prepare(survey.pending)
    await withTaskGroup(of: Void.self) { group in
      for (_, members) in Dictionary(grouping: able, by: { databases[$0.database]?.server ?? "" }) {
        let queue = FleetQueue(members)
        for _ in 0..<min(workers, members.count) { group.addTask { await run.work(queue) } }
      }
    }
    for client in clients.values { await client.close() }
    var report = run.report
    for member in survey.pending where report[member.id] == nil {
      report.note(member, .notReached("the run was ended before its turn"))
    }
    report.elapsed = ContinuousClock.now - began
    return report
  }

  /// Reads where the schemas are, and changes nothing: for a node that serves and doesn't migrate.
  func look(_ members: [FleetMember]) async -> FleetReport {
    let began = ContinuousClock.now
    let clients = clients(for: members)
    let survey = await survey(members, clients, isThorough: false)
    var report = survey.report
    for member in survey.pending {
      report.note(member, Fleet.state(of: member, survey.records[member.database]?[member.schema]))
    }
    for client in clients.values { await client.close() }
    report.elapsed = ContinuousClock.now - began
    return report
  }

  /// A release runs on schemas that are as new as it needs, or newer; not on older ones.
  private static func state(of member: FleetMember, _ record: FleetRecords.Record?) -> FleetReport.State {
    guard let record, record.isWhole else {
      return .failed(FleetFailure(reason: "schema \(member.schema) is not there yet: run metropolis apply"))
    }
    let isEnough = member.plan.counts.allSatisfy { (record.applied[$0.key] ?? 0) >= $0.value }
    if isEnough { return record.migrated == member.plan.digest ? .current : .ahead }
    return .failed(
      record.failure
        ?? FleetFailure(reason: "schema \(member.schema) has not been migrated to this release: run metropolis apply"))
  }

  /// What a database says of its schemas; nothing when it is away.
  func records(of database: FleetDatabase) async -> [Schema: FleetRecords.Record] {
    let client = Database(
      database.settings, pool: PoolSettings(connections: 1, connectTimeout: .seconds(5)), name: "fleet of \(database.name)",
      logger: logger, loop: database.loop)
    let records = try? await FleetRecords(admin: client).read()
    await client.close()
    return records ?? [:]
  }

  private func clients(for members: [FleetMember]) -> [String: Database] {
    Set(members.map(\.database)).reduce(into: [:]) { clients, name in
      guard let database = databases[name] else { return }
      clients[name] = Database(
        database.settings, pool: PoolSettings(connections: workers, waitTimeout: .seconds(60), connectTimeout: .seconds(5)),
        name: "fleet of \(name)", logger: logger, loop: database.loop)
    }
  }

  /// What is known before anything is done.
  struct Survey: Sendable {
    var report = FleetReport()
    /// Those that have something to do, or may have.
    var pending: [FleetMember] = []
    var records: [String: [Schema: FleetRecords.Record]] = [:]
  }

  private func survey(_ members: [FleetMember], _ clients: [String: Database], isThorough: Bool) async -> Survey {
    var survey = Survey()
    var faults: [String: FleetFailure] = [:]
    await withTaskGroup(of: Answer.self) { group in
      for (name, client) in clients { group.addTask { await Answer(name, client) } }
      for await answer in group {
        survey.records[answer.name] = answer.records
        faults[answer.name] = answer.failure
      }
    }
    for member in members {
      guard let database = databases[member.database] else {
        survey.report.note(member, .failed(FleetFailure(reason: "databases has no \(member.database)")))
        continue
      }
      if let fault = faults[member.database] {
        survey.report.note(member, .notReached("database \(member.database): \(fault)"))
      } else if !isThorough, let record = survey.records[member.database]?[member.schema], record.state == .ready, record.isWhole,
        record.migrated == member.plan.digest, record.provisioned == database.provisioning(of: member)
      {
        survey.report.note(member, .current)
      } else {
        survey.pending.append(member)
      }
    }
    return survey
  }

  /// What a database says of its schemas, or why it doesn't.
  private struct Answer: Sendable {
    let name: String
    var records: [Schema: FleetRecords.Record] = [:]
    var failure: FleetFailure?

    init(_ name: String, _ client: Database) async {
      self.name = name
      do { records = try await FleetRecords(admin: client).read() } catch { failure = FleetFailure(error) }
    }
  }
}
