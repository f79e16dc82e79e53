public import Database
import Foundation
public import Jobs
public import Kit
public import Logging
public import Web

/// The learning record store: every module's activity as an xAPI statement, one timeline per person over all tenants.
public final class RecordsService: Sendable {
  /// Templates, texts and migrations.
  public static var resources: [String: String] { Embedded.files }

  /// - Throws: ``Database/MigrationError`` for a file with a wrong name; there is none in a build that passed its tests.
  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.filter { $0.key.hasSuffix(".sql") }) }
  }

  let store: StatementStore
  let city: @Sendable () -> CityMap
  let panels: AccountPanels
  let clock: DomainClock
  private let logger: Logger

  /// - Parameters:
  ///   - reading: for statistics, which may be some seconds old; the database itself when `nil`.
  ///   - schema: where ``migrations`` have run.
  ///   - city: the city as it is now: names and origins of tenants, the issuer's origin.
  ///   - panels: what other services show on the account page.
  public init(
    database: Database, reading: (any SQLExecutor)? = nil, schema: Schema, city: @escaping @Sendable () -> CityMap,
    panels: AccountPanels = AccountPanels(),
    clock: DomainClock, logger: Logger
  ) {
    self.store = StatementStore(database: database, reading: reading ?? database, schema: schema)
    self.city = city
    self.panels = panels
    self.clock = clock
    self.logger = logger
  }

  /// Makes the partitions of a month and of those after it, where they are missing. Due at start and daily; what arrives
  /// in a month nobody prepared prepares it.
  /// - Parameters:
  ///   - now: a time in the first month; the clock's when left out.
  ///   - months: from 1 to 24.
  /// - Returns: how many were missing.
  @discardableResult
  public func ensurePartitions(now: Instant? = nil, months: Int = 3) async throws -> Int {
    try await store.ensurePartitions(from: now ?? clock.now(), months: months)
  }

  // MARK: A person's data

  /// All statements of a person, as they are stored, newest first.
  public func export(_ person: PersonID) async throws -> JSONValue {
    var statements: [JSONValue] = []
    var cursor: TimelineCursor?
    let decoder = JSONDecoder()
    while true {
      let rows = try await store.statements(of: person, before: cursor, limit: 500)
      for row in rows {
        statements.append(try decoder.decode(JSONValue.self, from: Data(try row.get("payload", as: String.self).utf8)))
      }
      guard rows.count == 500, let last = rows.last else { break }
      cursor = TimelineCursor(timestamp: try last.get("timestamp"), id: try last.get("id"))
    }
    return ["statements": .array(statements)]
  }

  /// Deletes a person's statements for good. Events of hers that arrive later, again or for the first time, are not recorded.
  /// - Returns: how many rows of each table were deleted: the proof.
  public func erase(_ person: PersonID) async throws -> [String: Int] {
    ["statement": try await store.erase(person, at: clock.now())]
  }
}

/// Records what modules say was done: once in effect, by the event's id.
extension RecordsService: EventHandler {
  public var name: String { "records" }
  public var types: Set<String> { [RecordedActivity.eventType] }

  /// - Throws: ``Database/DatabaseError``; an error of its own for an event that can't become a valid statement, or comes
  ///   from a tenant this node doesn't know (yet). Nothing is stored then.
  public func apply(_ events: [Event]) async throws {
    let stored = clock.now()
    let map = city()
    let statements = try events.filter { types.contains($0.type) }.map { event in
      do {
        let site = event.tenant.map { tenant in map.tenants.first { $0.tenant == tenant } } ?? map.city
        guard let site else { throw UnknownTenant() }
        return try Statement(
          RecordedActivity(event.payload), id: event.id, occurred: event.occurred, stored: stored, site: site,
          issuer: map.issuer.origin, city: map.city.origin)
      } catch let error as InvalidActivity {
        logger.error("activity not recordable", metadata: ["event": "\(event.id.text)", "member": "\(error.member)"])
        throw error
      }
    }
    try await store.append(statements, stored: stored)
  }
}

/// An event of a tenant that is not in the city's map, and so has no origin.
struct UnknownTenant: Error {}
