import Database
import Foundation
public import Kit
import Web

/// A statement as the explanation of a count.
public struct RecordedStatement: Sendable {
  public let person: PersonID
  public let entry: TimelineEntry
}

extension RecordsService {
  /// Counts what people did at tenants: what revenue is split by.
  ///
  /// Counted are the statements that came to the store in [`from`, `to`) and tell of what happened before `happenedBefore`:
  /// with a month's end as that, and the close three days later as `to`, the month's own use and what came late. What was
  /// done on the city's own site is nobody's use. Reads page by page: memory stays small, no transaction stays open.
  /// - Parameters:
  ///   - to: a time that is past, so that all of it has arrived.
  ///   - each: called once for each person and tenant with a use, in the order of persons, then of tenants.
  public func usage(
    from: Instant, to: Instant, happenedBefore: Instant, each: (PersonID, TenantID, Int) async throws -> Void
  ) async throws {
    try await usage(from: from, to: to, happenedBefore: happenedBefore, page: 10_000, each: each)
  }

  func usage(
    from: Instant, to: Instant, happenedBefore: Instant, page: Int, each: (PersonID, TenantID, Int) async throws -> Void
  ) async throws {
    guard from < to else { return }
    let citySite = city().city.id
    // A page may end within a person's uses of a tenant: the last count waits for the page behind it.
    var open: StatementStore.Uses?
    func close() async throws {
      guard let counted = open, counted.count > 0, counted.tenant != citySite, let tenant = TenantID(counted.tenant) else {
        return
      }
      try await each(counted.person, tenant, counted.count)
    }
    while true {
      let found = try await store.uses(from: from, to: to, happenedBefore: happenedBefore, after: open, page: page)
      for uses in found {
        if let counted = open, counted.person == uses.person, counted.tenant == uses.tenant {
          open = uses.adding(counted.count)
        } else {
          try await close()
          open = uses
        }
      }
      if found.reduce(0, { $0 + $1.read }) < page { break }
    }
    try await close()
  }

  /// The statements behind a count of ``usage(from:to:happenedBefore:each:)``, the first stored first.
  ///
  /// - Parameters:
  ///   - stored: when they came to the store.
  ///   - happenedBefore: `nil` takes them whenever they happened.
  ///   - limit: statements at most.
  public func statements(
    of people: [PersonID], at tenant: TenantID, stored: Range<Instant>, happenedBefore: Instant? = nil, limit: Int = 100
  ) async throws -> [RecordedStatement] {
    guard !people.isEmpty, !stored.isEmpty else { return [] }
    let rows = try await store.statements(
      of: people, at: tenant, stored: stored, happenedBefore: happenedBefore, limit: limit)
    return try rows.map { RecordedStatement(person: try $0.get("person"), entry: try TimelineEntry($0)) }
  }
}

extension StatementStore {
  /// A part of a page: what of it is one person's at one tenant.
  struct Uses: Sendable {
    let person: PersonID
    let tenant: String
    let count: Int
    /// Statements read for it, counted or not.
    let read: Int
    /// The last of them.
    let seq: Int64

    init(_ row: Row) throws {
      person = try row.get("person")
      tenant = try row.get("tenant")
      count = try row.get("uses")
      read = try row.get("read")
      seq = try row.get("seq")
    }

    private init(_ uses: Uses, count: Int) {
      (person, tenant, read, seq) = (uses.person, uses.tenant, uses.read, uses.seq)
      self.count = count
    }

    func adding(_ more: Int) -> Uses { Uses(self, count: count + more) }
  }

  /// A page of uses in the order of person, tenant and seq.
  ///
  /// A page is a number of statements read, not of counts: of a month that holds hardly a use, looking for the next one
  /// would read the rest of it for every page. So the page is cut from whole months, which the index serves alone, and what
  /// doesn't count is left out behind that.
  func uses(from: Instant, to: Instant, happenedBefore: Instant, after last: Uses?, page: Int) async throws -> [Uses] {
    let utc = TimeZone(secondsFromGMT: 0)!  // offset 0 always exists
    let first = StatementStore.month(of: from).start(in: utc)
    let end = StatementStore.month(of: to - .microseconds(1)).adding(months: 1).start(in: utc)
    let further: SQL = last.map { "AND (person, tenant, seq) > (\($0.person), \($0.tenant), \($0.seq))" } ?? ""
    // Months and limit are constants, so that a prepared plan too knows how much there is and how little it has to read:
    // else it may sort all that is left for every page.
    let rows = try await database.query(
      """
      WITH page AS (
        SELECT person, tenant, seq, stored, timestamp FROM \(schema).statement
        WHERE stored >= \(literal: first.rfc3339) AND stored < \(literal: end.rfc3339) \(sql: further)
        ORDER BY person, tenant, seq LIMIT \(literal: "\(page)")
      )
      SELECT person, tenant, max(seq) AS seq, count(*) AS read,
        count(*) FILTER (WHERE stored >= \(from) AND stored < \(to) AND timestamp < \(happenedBefore)) AS uses
      FROM page GROUP BY person, tenant ORDER BY person, tenant
      """)
    return try rows.map(Uses.init)
  }

  /// Statements of some people at a tenant by the time they were stored, then id.
  func statements(
    of people: [PersonID], at tenant: TenantID, stored: Range<Instant>, happenedBefore: Instant?, limit: Int
  ) async throws -> Rows {
    let earlier: SQL = happenedBefore.map { "AND s.timestamp < \($0)" } ?? ""
    return try await database.query(
      """
      SELECT s.tenant, s.id, s.person, s.verb, s.object, s.timestamp, s.stored, s.success, s.score, s.payload
      FROM \(schema).statement s
      WHERE s.person = ANY(\(people.map(\.uuid))) AND s.tenant = \(tenant)
        AND s.stored >= \(stored.lowerBound) AND s.stored < \(stored.upperBound) \(sql: earlier)
      ORDER BY s.stored, s.id LIMIT \(limit)
      """)
  }
}
