import Database
import Foundation
import Jobs
import Kit
import Web

/// The overview as programs get it. What could not be read is absent.
struct CityView: Encodable, Sendable {
  struct Tenant: Encodable, Sendable {
    let id: String
    let name: String
    let module: String
    let state: String
    let host: String
    let schema: String?
    let healthy: Bool?
    let peopleLastWeek: Int?
  }
  struct Jobs: Encodable, Sendable {
    let queue: String
    let state: String
    let count: Int
  }
  struct Outbox: Encodable, Sendable {
    let schema: String
    let waiting: Int?
    let dead: Int?
    let oldest: String?
  }
  struct Run: Encodable, Sendable {
    let name: String
    let tick: String
    let started: String
  }
  struct Version: Encodable, Sendable {
    let version: Int
    let applied: String
  }

  let tenants: [Tenant]
  let jobs: [Jobs]?
  let outboxes: [Outbox]
  let timetable: [Run]?
  let flags: [FlagView]
  let configurations: [Version]?
  let deadLetters: Int

  init(_ snapshot: CityObserver.Snapshot, flags: FlagRules, visit: Visit) {
    self.flags = flags.flags.map { FlagView($0) }
    tenants = snapshot.tenants.map { tenant in
      let stanza = tenant.stanza
      return Tenant(
        id: stanza.id.text, name: stanza.name(visit.language), module: stanza.kind, state: stanza.state.rawValue,
        host: CityView.host(of: stanza, visit), schema: stanza.state == .open ? stanza.schema.name : nil,
        healthy: tenant.isHealthy, peopleLastWeek: tenant.people)
    }
    jobs = snapshot.jobs?.map { Jobs(queue: $0.queue, state: $0.state, count: $0.count) }
    outboxes = snapshot.outboxes.map {
      Outbox(schema: $0.schema, waiting: $0.backlog?.waiting, dead: $0.backlog?.dead, oldest: $0.backlog?.oldest?.rfc3339)
    }
    timetable = snapshot.runs?.map { Run(name: $0.name, tick: $0.tick.rfc3339, started: $0.started.rfc3339) }
    configurations = snapshot.versions?.map { Version(version: $0.version, applied: $0.applied.rfc3339) }
    deadLetters = snapshot.dead
  }

  /// Where it is reached now: in development not at the host the file names.
  static func host(of stanza: CityConfiguration.Stanza, _ visit: Visit) -> String {
    visit.cities.tenants.first { $0.id == stanza.id.text }?.origin.authority ?? stanza.host
  }

  static let shape: Shape = .object([
    (
      "tenants",
      .array(
        .object([
          ("id", .string), ("name", .string), ("module", .string),
          ("state", .choice(CityConfiguration.Stanza.State.allCases.map(\.rawValue))), ("host", .string), ("schema?", .string),
          ("healthy?", .boolean), ("peopleLastWeek?", .integer),
        ]))
    ),
    ("jobs?", .array(.object([("queue", .string), ("state", .string), ("count", .integer)]))),
    (
      "outboxes",
      .array(.object([("schema", .string), ("waiting?", .integer), ("dead?", .integer), ("oldest?", .instant)]))
    ),
    ("flags", .array(FlagView.shape)),
    ("timetable?", .array(.object([("name", .string), ("tick", .instant), ("started", .instant)]))),
    ("configurations?", .array(.object([("version", .integer), ("applied", .instant)]))), ("deadLetters", .integer),
  ])
}

/// The overview as people see it.
struct CityModel {
  let snapshot: CityObserver.Snapshot
  let visit: Visit

  init(_ snapshot: CityObserver.Snapshot, _ visit: Visit) {
    self.snapshot = snapshot
    self.visit = visit
  }

  var values: [String: any Sendable] {
    let open = snapshot.tenants.filter { $0.stanza.state == .open }
    let healthy = open.filter { $0.isHealthy == true }.count
    let waiting = snapshot.outboxes.reduce(0) { $0 + ($1.backlog?.waiting ?? 0) }
    let queued = (snapshot.jobs ?? []).filter { $0.state == "waiting" }.reduce(0) { $0 + $1.count }
    return [
      "stats": [
        stat("tenants", "\(number(healthy)) / \(number(open.count))", isBad: healthy < open.count),
        stat("queued", snapshot.jobs == nil ? unknown : number(queued), isBad: snapshot.jobs == nil),
        stat("outbox", number(waiting), isBad: false), stat("dead", number(snapshot.dead), isBad: snapshot.dead > 0),
      ],
      "hasDead": snapshot.dead > 0,
      "deadNotice": visit.text("city.console.overview.deadNotice", ["count": number(snapshot.dead)]),
      "tenants": snapshot.tenants.map(tenant), "queues": queues, "hasQueues": !queues.isEmpty,
      "outboxes": snapshot.outboxes.map(outbox),
      "runs": (snapshot.runs ?? []).map { run -> [String: any Sendable] in
        ["name": run.name, "what": schedule(run.name), "tick": visit.format.dateTime(run.tick), "when": run.tick.rfc3339]
      },
      "hasRuns": !(snapshot.runs ?? []).isEmpty,
      "versions": (snapshot.versions ?? []).map { version -> [String: any Sendable] in
        [
          "version": visit.text("city.console.overview.version", ["version": number(version.version)]),
          "applied": visit.format.dateTime(version.applied), "when": version.applied.rfc3339,
        ]
      },
    ]
  }

  private var unknown: String { "–" }
  private func number(_ value: Int) -> String { visit.format.number(Int64(value)) }

  private func stat(_ key: String, _ value: String, isBad: Bool) -> [String: any Sendable] {
    [
      "title": visit.text("city.console.overview.stat.\(key)"), "value": value, "isBad": isBad,
      "hint": visit.text("city.console.overview.stat.\(key)Hint"),
    ]
  }

  private func tenant(_ tenant: CityObserver.TenantState) -> [String: any Sendable] {
    let stanza = tenant.stanza
    let isOpen = stanza.state == .open
    return [
      "id": stanza.id.text, "mark": stanza.look.mark, "name": stanza.name(visit.language), "module": stanza.kind,
      "state": visit.text("city.console.overview.state.\(stanza.state.rawValue)"), "isOpen": isOpen,
      "host": CityView.host(of: stanza, visit), "schema": isOpen ? stanza.schema.name : unknown,
      "url": visit.cities.tenants.first { $0.id == stanza.id.text }?.origin.url() ?? "",
      "isHealthy": tenant.isHealthy == true, "isDown": tenant.isHealthy == false,
      "people": tenant.people.map(number) ?? unknown,
    ]
  }

  /// A row for each queue; its states side by side.
  private var queues: [[String: any Sendable]] {
    Dictionary(grouping: snapshot.jobs ?? [], by: \.queue).sorted { $0.key < $1.key }.map { queue, rows in
      func count(_ state: String) -> Int { rows.first { $0.state == state }?.count ?? 0 }
      return [
        "name": queue, "waiting": number(count("waiting")), "done": number(count("done")), "dead": number(count("dead")),
        "hasDead": count("dead") > 0,
      ]
    }
  }

  private func outbox(_ row: (schema: String, backlog: OutboxBacklog?)) -> [String: any Sendable] {
    guard let backlog = row.backlog else {
      return [
        "schema": row.schema, "waiting": unknown, "oldest": visit.text("city.console.overview.unread"), "dead": unknown,
        "hasDead": false,
      ]
    }
    return [
      "schema": row.schema, "waiting": number(backlog.waiting), "dead": number(backlog.dead), "hasDead": backlog.dead > 0,
      "oldest": backlog.oldest.map { visit.format.ago($0, now: visit.now) } ?? unknown,
    ]
  }

  private func schedule(_ name: String) -> String {
    let key = "city.console.schedule.\(name.replacing(".", with: "-"))"
    return visit.catalogue.has(key) ? visit.text(key) : ""
  }
}
