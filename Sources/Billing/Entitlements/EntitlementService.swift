public import Database
public import Foundation
public import Kit
import Synchronization

/// Decides access: whether a person has a feature at a tenant, and how much of it is left.
///
/// `check` answers from memory where it can; `consume` is one statement, committed when it returns.
public struct EntitlementService: Sendable {
  /// How much of a feature a person has at a tenant.
  public enum Allowance: Sendable, Hashable {
    /// No plan of hers grants it.
    case none
    case unlimited
    /// `used` may exceed `limit` when a plan gave more before.
    case limited(limit: Int, used: Int, renews: Instant)
  }

  /// What is sold, and what everyone has, as of now.
  public let live: LiveCatalogue
  public var catalogue: PlanCatalogue { live.current() }
  private let database: Database
  private let schema: Schema
  private let clock: DomainClock
  private let timeZone: TimeZone
  private let cache = SharedUsageCache()
  private let calendar = MonthCalendar()
  private let holdings = Holdings()
  private let plansHeld: @Sendable (PersonID) async throws -> [HeldPlan]
  private let told: @Sendable ([PersonID]?) -> Void

  /// - Parameters:
  ///   - plansHeld: what a person has beside the free plans.
  ///   - told: of persons whose holdings are others now; `nil` when it may be anybody.
  public init(
    database: Database, schema: Schema, clock: DomainClock, timeZone: TimeZone, catalogue: LiveCatalogue,
    plansHeld: @escaping @Sendable (PersonID) async throws -> [HeldPlan],
    told: @escaping @Sendable ([PersonID]?) -> Void = { _ in }
  ) {
    self.database = database
    self.schema = schema
    self.clock = clock
    self.timeZone = timeZone
    live = catalogue
    self.plansHeld = plansHeld
    self.told = told
  }

  /// Forgets what these persons held: to be called after the commit of a change.
  func changed(_ persons: [PersonID]) {
    holdings.changed(persons)
    told(persons)
  }

  /// Forgets what anybody held: another node changed something.
  func forget() {
    holdings.forget()
    told(nil)
  }

  /// What holds for a person: the union of the free plans and those she has.
  private func entitlement(
    of person: PersonID, to feature: String, at tenant: TenantID
  ) async throws -> GrantSet.Entitlement {
    let snapshot = live.snapshot
    if let known = holdings.entitlement(person, feature, at: tenant, in: snapshot) { return known }
    let change = holdings.lastChange(of: person)
    let held = try await plansHeld(person)
    let grants = held.isEmpty ? snapshot.everyone : GrantSet(snapshot.catalogue.free.map { HeldPlan($0) } + held)
    holdings.keep(grants, of: person, in: snapshot, readAfter: change)
    return grants.entitlement(to: feature, at: tenant, in: snapshot.catalogue)
  }

  /// Tells what is left; never counts.
  public func check(_ person: PersonID, _ feature: String, at tenant: TenantID) async throws -> Allowance {
    let month = calendar.month(at: clock.now(), in: timeZone)
    switch try await entitlement(of: person, to: feature, at: tenant) {
    case .none: return .none
    case .unlimited: return .unlimited
    case .limited(let pools):
      let used = try await used(by: person, in: month)
      return allowance(pools, used: pools.reduce(0) { $0 + (used[$1.key] ?? 0) }, in: month)
    }
  }

  /// Takes one unit. Free when repeated with its key, in this month and from the one before.
  ///
  /// - Throws: ``Kit/Problem`` `quota-exceeded`, with what was used, when it renews and the plans that lift it;
  ///   `idempotency-key-reused` when the key took something else; ``Database/DatabaseError``.
  @discardableResult
  public func consume(_ person: PersonID, _ feature: String, at tenant: TenantID, key: UUID) async throws -> Allowance {
    let now = clock.now()
    let month = calendar.month(at: now, in: timeZone)
    switch try await entitlement(of: person, to: feature, at: tenant) {
    case .none: throw quotaExceeded(feature, at: tenant, limit: 0, used: 0, in: month)
    case .unlimited: return .unlimited
    case .limited(let pools):
      let row = try await database.one(
        """
        SELECT outcome, used FROM \(schema).usage_consume(\(person), \(key), \(feature), \(tenant), \(pools.map(\.key)),
          \(pools.map { Int64($0.limit) }), \(month.start), \(now))
        """)
      cache.acted(person, in: [month.start])
      let used: Int = try row?.get("used") ?? 0
      switch Outcome(rawValue: try row?.get("outcome") ?? "") {
      case .taken, .repeated: return allowance(pools, used: used, in: month)
      case .reused: throw Problem(.keyReused)
      case .exceeded, nil:
        throw quotaExceeded(feature, at: tenant, limit: pools.reduce(0) { $0 + $1.limit }, used: used, in: month)
      }
    }
  }

  /// Gives a unit back whose use never came. Does nothing the second time, and for a key that took nothing.
  public func release(_ person: PersonID, key: UUID) async throws {
    let now = clock.now()
    let month = UsageMonth(now, in: timeZone)
    _ = try await database.query("SELECT \(schema).usage_release(\(person), \(key), \(month.previous), \(now))")
    cache.acted(person, in: [month.start, month.previous])
  }

  /// The plans on sale that lift the limit of a feature at a tenant, the cheapest first.
  public func plans(lifting feature: String, at tenant: TenantID) -> [PlanOffer] {
    catalogue.plans(lifting: feature, at: tenant)
  }

  /// Makes the partitions of this month and the next two, so that nobody waits for them at midnight.
  public func makeMonthsAhead() async throws {
    let month = UsageMonth(clock.now(), in: timeZone)
    for months in 0...2 {
      let start = month.start.adding(months: months)
      for table in ["usage_counter", "usage_take", "audit"] {
        _ = try await database.query("SELECT \(schema).make_month(\(table), \(start))")
      }
    }
  }

  private enum Outcome: String { case taken, repeated, reused, exceeded }

  private func used(by person: PersonID, in month: UsageMonth) async throws -> [String: Int] {
    if let used = cache.used(by: person, in: month.start) { return used }
    let act = cache.lastAct(of: person)
    let rows = try await database.query(
      "SELECT pool, used FROM \(schema).usage_counter WHERE person = \(person) AND period = \(month.start)")
    var used: [String: Int] = [:]
    for row in rows { used[try row.get("pool")] = try row.get("used", as: Int.self) }
    cache.keep(used, by: person, in: month.start, readAfter: act)
    return used
  }

  private func allowance(_ pools: [GrantSet.Pool], used: Int, in month: UsageMonth) -> Allowance {
    .limited(limit: pools.reduce(0) { $0 + $1.limit }, used: used, renews: calendar.end(of: month, in: timeZone))
  }
}

/// The cache of one process. The service is a value that is copied about; this is the part its copies share.
private final class SharedUsageCache: Sendable {
  private let cache = Mutex(UsageCache())

  func used(by person: PersonID, in start: CivilDate) -> [String: Int]? {
    cache.withLock { $0.used(.init(person: person, start: start), at: .now) }
  }
  func lastAct(of person: PersonID) -> UInt64 { cache.withLock { $0.lastAct(of: person) } }
  func keep(_ used: [String: Int], by person: PersonID, in start: CivilDate, readAfter act: UInt64) {
    cache.withLock { $0.keep(used, for: .init(person: person, start: start), readAfter: act, at: .now) }
  }
  func acted(_ person: PersonID, in months: [CivilDate]) { cache.withLock { $0.acted(person, in: months) } }
}

/// The month that is now, and when it ends: a time zone's rules are asked once a month instead of at every check.
private final class MonthCalendar: Sendable {
  private struct Known {
    let month: UsageMonth
    let begin, end: Instant
  }

  private let known = Mutex<Known?>(nil)

  func month(at now: Instant, in zone: TimeZone) -> UsageMonth {
    if let known = known.withLock({ $0 }), known.begin <= now, now < known.end { return known.month }
    return know(UsageMonth(now, in: zone), in: zone).month
  }

  func end(of month: UsageMonth, in zone: TimeZone) -> Instant {
    if let known = known.withLock({ $0 }), known.month == month { return known.end }
    return know(month, in: zone).end
  }

  private func know(_ month: UsageMonth, in zone: TimeZone) -> Known {
    let fresh = Known(month: month, begin: month.start.start(in: zone), end: month.next.start(in: zone))
    known.withLock { $0 = fresh }
    return fresh
  }
}
