import Database
import Foundation
import Kit
import Web

/// What billing knows of a tenant, for its operator: sums, never whose.
struct TenantNumbers: Sendable {
  /// Who subscribes to one version of a plan that reaches the tenant.
  struct Holders: Sendable {
    let plan: Plan
    let version: Int
    /// Live subscriptions; of a plan with a choice, those that chose the tenant.
    let count: Int
    let started: Int
    let ended: Int
    var isOwn: Bool { plan.owner != .city }
  }

  /// What the tenant earned of a month, by currency.
  struct Earned: Sendable {
    /// Its first day.
    let month: CivilDate
    var amounts: [Money]
    let isClosed: Bool
  }

  /// Units of a feature that were taken from allowances. What a plan grants without limit is not counted.
  struct Use: Sendable {
    let feature: String
    let units: Int
    let people: Int
  }

  /// Own plans first, then the city's; the newest version of each first.
  let holders: [Holders]
  /// The last months that were split, the oldest first.
  let earned: [Earned]
  let uses: [Use]

  var subscribers: Int { holders.reduce(0) { $0 + $1.count } }
  var started: Int { holders.reduce(0) { $0 + $1.started } }
  var ended: Int { holders.reduce(0) { $0 + $1.ended } }

  /// Live subscriptions by version of one plan.
  func counts(of plan: PlanID) -> [(version: Int, count: Int)] {
    holders.filter { $0.plan.id == plan && $0.count > 0 }.map { ($0.version, $0.count) }
  }
}

extension OperatorConsole {
  static let monthsShown = 6

  func numbers(at tenant: TenantID) async throws -> TenantNumbers {
    async let holders = holders(at: tenant)
    async let earned = earned(by: tenant)
    async let uses = uses(at: tenant)
    return TenantNumbers(holders: try await holders, earned: try await earned, uses: try await uses)
  }

  /// Who subscribes to what reaches the tenant, and who began and ended this month.
  func holders(at tenant: TenantID) async throws -> [TenantNumbers.Holders] {
    let (schema, catalogue) = (billing.schema, billing.catalogue)
    let month = CivilDate(billing.clock.now(), in: billing.timeZone).firstOfMonth
    let (start, end) = (month.start(in: billing.timeZone), month.adding(months: 1).start(in: billing.timeZone))
    // An order that was never paid began nowhere, so it ends nothing.
    let rows = try await billing.database.query(
      """
      SELECT plan, plan_version, \(tenant.text) = ANY (chosen) AS chosen,
        count(*) FILTER (WHERE status IN ('active', 'past_due')) AS live,
        count(*) FILTER (WHERE started_at >= \(start) AND started_at < \(end)) AS started,
        count(*) FILTER (WHERE started_at IS NOT NULL AND ended_at >= \(start) AND ended_at < \(end)) AS ended
      FROM \(schema).subscription
      WHERE status <> 'ended' OR ended_at >= \(start)
      GROUP BY 1, 2, 3 ORDER BY 1, 2 DESC
      """)
    var holders: [TenantNumbers.Holders] = []
    for row in rows {
      let version: Int = try row.get("plan_version")
      guard let id = PlanID(try row.get("plan")), let plan = try await billing.plans.plan(id, version: version),
        plan.owner == .city || plan.owner == .tenant(tenant), let reach = catalogue.reach(of: plan, to: tenant)
      else { continue }
      if reach == .byChoice, try !row.get("chosen", as: Bool.self) { continue }
      let more = TenantNumbers.Holders(
        plan: plan, version: version, count: try row.get("live"), started: try row.get("started"), ended: try row.get("ended"))
      if let last = holders.last, last.plan.id == id, last.version == version {
        holders[holders.count - 1] = TenantNumbers.Holders(
          plan: plan, version: version, count: last.count + more.count, started: last.started + more.started,
          ended: last.ended + more.ended)
      } else {
        holders.append(more)
      }
    }
    return holders.filter(\.isOwn) + holders.filter { !$0.isOwn }
  }

  /// The tenant's shares of the last months that were split.
  private func earned(by tenant: TenantID) async throws -> [TenantNumbers.Earned] {
    let schema = billing.schema
    let rows = try await billing.database.query(
      """
      SELECT m.month, s.currency, s.amount,
        EXISTS (SELECT FROM \(schema).closed_month AS c WHERE c.month >= m.month) AS closed
      FROM (SELECT month FROM \(schema).revenue_split ORDER BY month DESC LIMIT \(OperatorConsole.monthsShown)) AS m
      LEFT JOIN LATERAL (
        SELECT currency, sum(amount)::bigint AS amount FROM \(schema).revenue_share
        WHERE month = m.month AND tenant = \(tenant.text) GROUP BY currency
      ) AS s ON true
      ORDER BY m.month, s.currency
      """)
    var earned: [TenantNumbers.Earned] = []
    for row in rows {
      let month: CivilDate = try row.get("month")
      if earned.last?.month != month {
        earned.append(TenantNumbers.Earned(month: month, amounts: [], isClosed: try row.get("closed")))
      }
      guard let currency = try row.getIfPresent("currency", as: String.self).flatMap(Currency.init(rawValue:)) else { continue }
      earned[earned.count - 1].amounts.append(Money(try row.get("amount"), currency))
    }
    return earned
  }

  /// This month's counted use of the tenant's features; those without any are there with zeros.
  private func uses(at tenant: TenantID) async throws -> [TenantNumbers.Use] {
    let month = UsageMonth(billing.clock.now(), in: billing.timeZone)
    let rows = try await billing.database.query(
      """
      SELECT feature, count(*) AS units, count(DISTINCT person) AS people FROM \(billing.schema).usage_take
      WHERE period = \(month.start) AND tenant = \(tenant.text) AND released_at IS NULL GROUP BY feature
      """)
    var found: [String: TenantNumbers.Use] = [:]
    for row in rows {
      let use = TenantNumbers.Use(feature: try row.get("feature"), units: try row.get("units"), people: try row.get("people"))
      found[use.feature] = use
    }
    return billing.catalogue.features(of: tenant).map { found[$0] ?? TenantNumbers.Use(feature: $0, units: 0, people: 0) }
  }
}
