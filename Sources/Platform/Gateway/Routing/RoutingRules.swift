public import Kit

/// The ordered rules of `routing:`: the first that holds sends a person to her place in the city (R6).
///
///     routing:
///       - {when: {age: "<= 18", goal: general}, to: dreamseed}
///       - {when: {goal: korean | culture}, to: my-ktube, overflow: [ktube-us], capacity: {members: 100000}}
///       - {when: {goal: town}, nearest: town, within: 60km}    # the town at her coordinates
///       - {to: dreamseed}                                      # everyone else
public struct RoutingRules: Hashable, Sendable {
  public struct Rule: Hashable, Sendable {
    /// From 1, in the order of the file.
    public let number: Int
    /// Of the file.
    public let line: Int
    /// All must hold. Empty: everyone.
    public let conditions: [RoutingCondition]
    public let destination: Destination
    /// Those that take people when the destination is full, in this order.
    public let overflow: [TenantID]
    public let capacity: Capacity?

    /// The tenants that the rule may send to, in order; none for ``Destination/nearest(kind:within:)``.
    public var tenants: [TenantID] {
      if case .tenant(let tenant) = destination { [tenant] + overflow } else { [] }
    }
  }

  public enum Destination: Hashable, Sendable {
    case tenant(TenantID)
    /// The tenant of this kind whose area has the person's point, or is the nearest within so many kilometres.
    case nearest(kind: String, within: Double)
  }

  /// How many a tenant takes before it overflows.
  public struct Capacity: Hashable, Sendable {
    public enum Measure: String, Hashable, Sendable, CaseIterable {
      /// People who joined the tenant.
      case members
      /// People who did something there within the last five minutes.
      case active
    }

    public let measure: Measure
    public let most: Int
  }

  public let rules: [Rule]
  /// The areas of tenants, by the kind that a `nearest` rule names.
  let maps: [String: TownMap]
  /// The areas that conditions ask for.
  let areas: [TenantID: GeographicArea]

  /// The figures that the rules need of tenants that may overflow.
  public var measures: [Capacity.Measure: Set<TenantID>] {
    rules.reduce(into: [:]) { measures, rule in
      if let capacity = rule.capacity { measures[capacity.measure, default: []].formUnion(rule.tenants) }
    }
  }

  /// The rules that may send somebody to a tenant.
  public func rules(leadingTo tenant: TenantID) -> [Rule] {
    rules.filter { rule in
      switch rule.destination {
      case .tenant: rule.tenants.contains(tenant)
      case .nearest(let kind, _): maps[kind]?.areas[tenant] != nil
      }
    }
  }

  /// - Parameters:
  ///   - count: how many a tenant has now; `nil` when that isn't known, and then it counts as not full.
  ///   - isOpen: whether a tenant can be entered now. A rule to one that can't does not hold.
  /// - Returns: `nil` when not even the last rule leads to an open tenant.
  public func route(
    _ traveller: Traveller, count: (TenantID, Capacity.Measure) -> Int? = { _, _ in nil },
    isOpen: (TenantID) -> Bool = { _ in true }
  ) -> RoutingDecision? {
    var passed: [RoutingDecision.Passed] = []
    for rule in rules {
      var obstacles = rule.conditions.compactMap { condition -> RoutingDecision.Obstacle? in
        switch condition.holds(for: traveller, areas: areas) {
        case true: nil
        case false: .fails(condition)
        case nil: .unknown(condition)
        }
      }
      if obstacles.isEmpty {
        switch take(rule, traveller, count: count, isOpen: isOpen) {
        case .success(let (tenant, seat)):
          return RoutingDecision(
            tenant: tenant, rule: rule, goal: traveller.effectiveGoal, isGoalInferred: traveller.goal == nil, seat: seat,
            passed: passed, town: town(of: traveller, isOpen: isOpen))
        case .failure(let refusal): obstacles = [refusal.obstacle]
        }
      }
      passed.append(.init(rule: rule, obstacles: obstacles))
    }
    return nil
  }

  private struct Refusal: Error {
    let obstacle: RoutingDecision.Obstacle
    init(_ obstacle: RoutingDecision.Obstacle) { self.obstacle = obstacle }
  }

  private func take(
    _ rule: Rule, _ traveller: Traveller, count: (TenantID, Capacity.Measure) -> Int?, isOpen: (TenantID) -> Bool
  ) -> Result<(TenantID, RoutingDecision.Seat), Refusal> {
    switch rule.destination {
    case .nearest(let kind, let most):
      guard let point = traveller.point else { return .failure(Refusal(.noPlace)) }
      guard let found = maps[kind]?.town(at: point, isOpen: isOpen) else { return .failure(Refusal(.noTown)) }
      if case .nearest(let kilometres) = found.how, kilometres > most {
        return .failure(Refusal(.tooFar(found.tenant, kilometres: kilometres, most: most)))
      }
      return .success((found.tenant, .first))
    case .tenant(let first):
      let open = rule.tenants.filter(isOpen)
      guard let foremost = open.first else { return .failure(Refusal(.closed(first))) }
      if rule.tenants.count > 1, let home = open.first(where: traveller.memberships.contains) { return .success((home, .member)) }
      guard let capacity = rule.capacity else { return .success((foremost, .first)) }
      let full = open.prefix { tenant in count(tenant, capacity.measure).map { $0 >= capacity.most } ?? false }
      guard let free = open.dropFirst(full.count).first else { return .success((foremost, .allFull)) }
      return .success((free, full.isEmpty ? .first : .overflow(full: Array(full))))
    }
  }

  /// By the first rule that looks for the nearest tenant of a kind.
  private func town(of traveller: Traveller, isOpen: (TenantID) -> Bool) -> FoundTown? {
    guard let point = traveller.point else { return nil }
    for rule in rules {
      guard case .nearest(let kind, let most) = rule.destination else { continue }
      guard let found = maps[kind]?.town(at: point, isOpen: isOpen) else { return nil }
      if case .nearest(let kilometres) = found.how, kilometres > most { return nil }
      return found
    }
    return nil
  }
}
