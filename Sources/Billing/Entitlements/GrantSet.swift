public import Foundation
public import Kit

/// A plan a person has, in the version she has it in, with what she chose of it.
public struct HeldPlan: Sendable, Hashable {
  public let plan: Plan
  /// The tenants chosen where the plan asks for a choice; in the order of choosing.
  public let chosen: [TenantID]

  public init(_ plan: Plan, chosen: [TenantID] = []) {
    self.plan = plan
    self.chosen = chosen
  }
}

/// What a person may use: the union of the grants of all plans she has, the free ones among them.
public struct GrantSet: Sendable {
  /// An allowance that units are taken from.
  public struct Pool: Hashable, Sendable {
    /// `free/prep.item`: the plan and the feature, the same in every version of the plan, so that a new version does not
    /// begin the month anew; `@tenant` where each tenant has its own.
    public let key: String
    public let limit: Int
  }

  public enum Entitlement: Hashable, Sendable {
    case none
    case unlimited
    /// Taken from in this order.
    case limited([Pool])
  }

  private struct Source: Sendable {
    let selection: TenantSelection
    /// `nil` is without limit.
    let limit: Int?
    let pool: Grant.Pool
    let key: String
  }

  private var sources: [String: [Source]] = [:]

  public init(_ held: [HeldPlan]) {
    for held in held {
      var ordinals: [String: Int] = [:]
      for grant in held.plan.grants {
        switch grant {
        case .feature(let feature, at: let selection, let quantity):
          ordinals[feature, default: 0] += 1
          let ordinal = ordinals[feature, default: 1]
          let key = "\(held.plan.id)/\(feature)" + (ordinal == 1 ? "" : "/\(ordinal)")
          switch quantity {
          case .unlimited: add(feature, Source(selection: selection, limit: nil, pool: .shared, key: key))
          case .limited(let limit, let pool): add(feature, Source(selection: selection, limit: limit, pool: pool, key: key))
          }
        case .choice(let count, of: let tenants, let features):
          let chosen = held.chosen.filter(tenants.contains).prefix(count)
          for feature in features where !chosen.isEmpty {
            add(
              feature,
              Source(
                selection: .tenants(Array(chosen)), limit: nil, pool: .shared, key: "\(held.plan.id)/\(feature)/choice"))
          }
        }
      }
    }
  }

  private mutating func add(_ feature: String, _ source: Source) { sources[feature, default: []].append(source) }

  /// What holds for a feature at a tenant.
  ///
  /// Of several allowances the one of the fewest tenants is taken from first: what is good elsewhere too is kept longest.
  public func entitlement(to feature: String, at tenant: TenantID, in catalogue: PlanCatalogue) -> Entitlement {
    let open = (sources[feature] ?? []).filter { catalogue.covers($0.selection, tenant) }
    if open.isEmpty { return .none }
    if open.contains(where: { $0.limit == nil }) { return .unlimited }
    func width(_ source: Source) -> Int {
      source.pool == .tenant ? 1 : catalogue.tenants(in: source.selection).count
    }
    let pools = open.enumerated().sorted { (width($0.element), $0.offset) < (width($1.element), $1.offset) }
      .map { _, source in
        Pool(key: source.pool == .tenant ? "\(source.key)@\(tenant)" : source.key, limit: source.limit ?? 0)
      }
    return .limited(pools)
  }
}

/// A civil month in the city's time zone: what allowances count in.
public struct UsageMonth: Hashable, Sendable {
  /// Its first day.
  public let start: CivilDate
  /// The first day of the next.
  public var next: CivilDate { start.adding(months: 1) }
  public var previous: CivilDate { start.adding(months: -1) }

  public init(_ instant: Instant, in zone: TimeZone) { start = CivilDate(instant, in: zone).firstOfMonth }
}
