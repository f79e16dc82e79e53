public import Database
public import Kit

/// By what the revenue of a plan is split between the tenants it reaches.
public enum ShareRule: Hashable, Sendable {
  /// By what each subscriber's own persons used in the month.
  case byUse
  case equal
  /// By what all subscribers of the plan used together.
  case pooled
  /// By weights that were agreed on; a tenant without one gets nothing.
  case fixed([TenantID: Int64])

  /// As it stands in `tenants.yaml` and in the shares.
  public enum Name: String, Sendable, Codable, CaseIterable, SQLEncodable, SQLDecodable {
    case byUse = "by-use"
    case equal, pooled, fixed
  }

  public var name: Name {
    switch self {
    case .byUse: .byUse
    case .equal: .equal
    case .pooled: .pooled
    case .fixed: .fixed
    }
  }
}

/// The section `shares` of `tenants.yaml`: a rule for all plans, and others for some.
///
/// ```yaml
/// shares:
///   default: by-use                         # by-use | equal | pooled
///   plans: {family: equal, premium: pooled}
///   fixed: {university: {majorprep: 10, collegeprep: 6, skillprep: 3}}
/// ```
public struct ShareRules: Hashable, Sendable {
  public let standard: ShareRule
  public let plans: [PlanID: ShareRule]

  public init(standard: ShareRule = .byUse, plans: [PlanID: ShareRule] = [:]) {
    self.standard = standard
    self.plans = plans
  }

  public func rule(of plan: PlanID) -> ShareRule { plans[plan] ?? standard }

  /// Mistakes are noted on the document.
  /// - Parameters:
  ///   - plans: every plan of the file.
  ///   - tenants: every tenant of the file.
  public init(reading document: ConfigDocument, plans: [PlanID], tenants: [TenantID]) {
    guard let section = document.root.section("shares", required: false) else {
      self.init()
      return
    }
    let standard = section.choice("default", ComputedRule.self, default: .byUse) ?? .byUse
    var rules: [PlanID: ShareRule] = [:]
    if let chosen = section.section("plans", required: false) {
      for (key, plan) in ShareRules.plans(in: chosen, among: plans) {
        rules[plan] = chosen.choice(key, ComputedRule.self)?.rule
      }
    }
    if let fixed = section.section("fixed", required: false) {
      for (key, plan) in ShareRules.plans(in: fixed, among: plans) {
        if rules[plan] != nil { fixed.note(key, found: "another rule under plans", expected: "one rule for a plan") }
        rules[plan] = fixed.section(key).map { .fixed(ShareRules.weights($0, among: tenants)) }
      }
    }
    self.init(standard: standard.rule, plans: rules)
  }

  /// The rules that need nothing but their name.
  private enum ComputedRule: String, CaseIterable {
    case byUse = "by-use"
    case equal, pooled

    var rule: ShareRule {
      switch self {
      case .byUse: .byUse
      case .equal: .equal
      case .pooled: .pooled
      }
    }
  }

  private static func plans(in section: ConfigSection, among plans: [PlanID]) -> [(String, PlanID)] {
    section.keys.compactMap { key in
      guard let plan = PlanID(key), plans.contains(plan) else {
        section.note(
          key, found: "the plan “\(key)”", expected: "one of the plans \(plans.map(\.text).joined(separator: ", "))")
        return nil
      }
      return (key, plan)
    }
  }

  private static func weights(_ section: ConfigSection, among tenants: [TenantID]) -> [TenantID: Int64] {
    if section.keys.isEmpty { section.note("", found: "no tenant", expected: "a weight for one tenant at least") }
    var weights: [TenantID: Int64] = [:]
    for key in section.keys {
      guard let tenant = TenantID(key), tenants.contains(tenant) else {
        section.note(
          key, found: "the tenant “\(key)”", expected: "one of the tenants \(tenants.map(\.text).joined(separator: ", "))")
        continue
      }
      weights[tenant] = section.int(key, in: 0...1_000_000).map { Int64($0) }
    }
    return weights
  }
}
