import Database
import Foundation
import Gateway
import Jobs
import Kit
import Logging

/// The schemas of a city: those of the core, and of every tenant that has one.
struct CityFleet: Sendable {
  let fleet: Fleet
  let core: [FleetMember]
  /// In the order of the file.
  let tenants: [FleetMember]

  /// - Throws: ``Database/MigrationError`` for SQL files that can't be read.
  init(_ configuration: CityConfiguration, _ servers: Servers, logger: Logger) throws {
    fleet = Fleet(servers.all.map { FleetDatabase($0) }, logger: logger)
    let platform = try OutboxTable.migrations
    let own: [(journal: Schema, migrations: [Migration])] = [
      (.cityMigrations, try ConfigurationStore.migrations), (.nodeMigrations, try NodeRegister.migrations),
      (.gatewayMigrations, try SharedRateLimiter.migrations),
    ]
    let nodes = configuration.figures.nodes
    func bounds(_ bounds: RoleBounds, on server: String) -> RoleBounds { servers[server]?.bounds(bounds, nodes: nodes) ?? bounds }
    func member(_ schema: Schema, on server: String, _ plan: FleetPlan) -> FleetMember {
      FleetMember(
        id: server == DatabaseStanza.main ? schema.name : "\(schema) on \(server)", database: server, schema: schema,
        bounds: bounds(.core, on: server), durability: .sync, plan: plan)
    }
    let services = try City.coreSchemas.map { schema, migrations in
      let journals = [(journal: Schema.platformMigrations, migrations: platform), (.migrations, migrations)]
      return member(schema, on: DatabaseStanza.main, FleetPlan(schema == .platform ? journals + own : journals))
    }
    // On the other servers the platform has a role for words between nodes, and no tables.
    let others = servers.all.map(\.name).filter { $0 != DatabaseStanza.main }
    core = services + others.map { member(.platform, on: $0, FleetPlan([])) }

    var plans: [String: FleetPlan] = [:]
    tenants = try configuration.tenants.compactMap { stanza in
      guard stanza.state != .announced, let binding = stanza.binding else { return nil }
      let plan =
        try plans[stanza.kind] ?? FleetPlan([(.platformMigrations, platform), (.migrations, try binding.migrations)])
      plans[stanza.kind] = plan
      return FleetMember(
        id: stanza.id.text, database: stanza.database, schema: stanza.schema, bounds: bounds(.tenant, on: stanza.database),
        durability: stanza.durability, plan: plan)
    }
    archived = Set(configuration.tenants.filter { $0.state == .archived }.map(\.id.text))
  }

  /// Tenants whose data are to be in an archive.
  let archived: Set<String>

  private var living: [FleetMember] { tenants.filter { !archived.contains($0.id) } }

  /// Brings every schema to where this release needs it; those of tenants that were archived and are not any more come out of
  /// their archives first. A tenant that fails stands in the report, and the others go on.
  ///
  /// - Parameter archives: the folder of ``archive(into:event:)``.
  /// - Throws: ``Failure`` when a schema of the core is not there at the end: then nothing can run.
  func migrate(
    archives: String, progress: @escaping @Sendable (FleetProgress) -> Void = { _ in },
    event: @escaping @Sendable (FleetEvent) -> Void = { _ in }
  ) async throws -> FleetReport {
    var report = await fleet.migrate(core, event: event)
    guard report.isComplete else { throw Failure(description: "the core's schemas are not ready: \(report.summary)") }
    let restored = await restore(from: archives, event: event)
    let ready = living.filter { restored.refusal(of: $0.id) == nil }
    report.merge(await fleet.migrate(ready, progress: progress, event: event))
    report.merge(restored)
    return report
  }

  private func restore(from folder: String, event: @Sendable (FleetEvent) -> Void) async -> FleetReport {
    let archive = TenantArchive(folder: folder, logger: fleet.logger)
    return await each(of: await members(living, inState: .archived), .restored, event: event) { member, database, _ in
      guard let restored = try await archive.restore(member, in: database) else { return nil }
      let erased = try await erasures(since: restored.manifest.taken)
      let remark = "\(member.id): restored from \(restored.manifest.file), \(restored.rows) rows"
      guard erased > 0 else { return remark }
      return remark + "; \(erased) people were erased in the city since, and what they wrote is back: erase it again"
    }
  }

  /// Puts the data of archived tenants into files, and drops their schemas. Nodes must have heard that they are closed.
  ///
  /// It can be run again and again: what is archived stays so, what was cut off is completed.
  func archive(
    into folder: String, event: @escaping @Sendable (FleetEvent) -> Void = { _ in }
  ) async -> FleetReport {
    let archive = TenantArchive(folder: folder, logger: fleet.logger)
    let closed = tenants.filter { archived.contains($0.id) }
    let done = Set(await members(closed, inState: .archived).map(\.member.id))
    let left = closed.filter { !done.contains($0.id) }.compactMap { member in
      fleet.databases[member.database].map { (member: member, database: $0) }
    }
    return await each(of: left, .archived, event: event) { member, database, report in
      guard let manifest = try await archive.archive(member, in: database) else { return nil }
      report.note(member, .archived(manifest.file))
      let remark = "\(member.id): archived in \(folder)/\(manifest.file), \(manifest.bytes) bytes"
      guard manifest.undelivered > 0 else { return remark }
      return remark + "; \(manifest.undelivered) events wait in it for a restore"
    }
  }

  /// Does something with the data of each, one after the other; one that fails stands in the report, and the others go on.
  ///
  /// - Parameter act: gives the remark on what was done; `nil`: there was nothing to do.
  private func each(
    of members: [(member: FleetMember, database: FleetDatabase)], _ kind: FleetEvent.Kind,
    event: @Sendable (FleetEvent) -> Void,
    _ act: (FleetMember, FleetDatabase, inout FleetReport) async throws -> String?
  ) async -> FleetReport {
    let began = ContinuousClock.now
    var report = FleetReport()
    for (member, database) in members {
      do {
        guard let remark = try await act(member, database, &report) else { continue }
        report.remarks.append(remark)
        event(
          FleetEvent(event: kind, tenant: member.id, database: database.name, schema: member.schema.name, reason: remark))
      } catch {
        let failure = FleetFailure(error)
        report.note(member, .failed(failure))
        event(FleetEvent(failure, of: member))
      }
    }
    report.elapsed = .now - began
    return report
  }

  /// Those whose record says so, by one statement for each database. Of a database that is away, none.
  private func members(
    _ members: [FleetMember], inState state: FleetRecords.State
  ) async -> [(member: FleetMember, database: FleetDatabase)] {
    var found: [(member: FleetMember, database: FleetDatabase)] = []
    for (name, group) in Dictionary(grouping: members, by: \.database).sorted(by: { $0.key < $1.key }) {
      guard let database = fleet.databases[name] else { continue }
      let records = await fleet.records(of: database)
      found += group.filter { records[$0.schema]?.state == state }.map { ($0, database) }
    }
    return found
  }

  /// How many people were erased since a time.
  private func erasures(since time: Date) async throws -> Int {
    guard let main = fleet.databases[DatabaseStanza.main] else { return 0 }
    let admin = Database(
      main.settings, pool: PoolSettings(connections: 1), name: "erasures", logger: fleet.logger, loop: main.loop)
    defer { Task { await admin.close() } }
    let row = try await admin.one(
      """
      SELECT count(*)::int AS people FROM \(Schema.identity).audit WHERE action = 'account.erased' AND at > \(Instant(time))
      """)
    return try row?.get("people") ?? 0
  }

  /// Who may be served, as the databases say: for a process that doesn't migrate.
  func look() async -> FleetReport { await fleet.look(living) }
}

extension FleetDatabase {
  init(_ server: DatabaseServer) {
    self.init(
      name: server.name, settings: server.address.direct, loop: server.address.loop,
      ownsServer: server.address.embedded != nil, password: { server.password($0) })
  }
}
