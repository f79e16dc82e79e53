import Kit

/// How what was earned of a line is split between its tenants. Values in, values out.
enum RevenueShares {
  /// What a line's revenue is divided by, and what that came to.
  struct Outcome: Hashable, Sendable {
    /// The rule that held; `equal` where the one asked for had nothing to go by.
    let rule: ShareRule.Name
    /// One for each tenant; they add up to the amount.
    let parts: [Money]
  }

  /// - Parameters:
  ///   - amount: without tax; below zero for a credit.
  ///   - tenants: those the plan reached when it was sold, one at least.
  ///   - uses: of the account's persons, one for each tenant.
  ///   - pooled: uses by tenant of all who have the plan.
  static func split(
    _ amount: Money, by rule: ShareRule, between tenants: [TenantID], uses: [Int64], pooled: [TenantID: Int64]
  ) -> Outcome {
    precondition(!tenants.isEmpty && uses.count == tenants.count, "one count for each tenant, and one tenant at least")
    let weights: [Int64] =
      switch rule {
      case .byUse: uses
      case .equal: tenants.map { _ in 1 }
      case .pooled: tenants.map { pooled[$0] ?? 0 }
      case .fixed(let weights): tenants.map { weights[$0] ?? 0 }
      }
    guard weights.contains(where: { $0 > 0 }) else {
      return Outcome(rule: .equal, parts: amount.split(by: tenants.map { _ in 1 }))
    }
    return Outcome(rule: rule.name, parts: amount.split(by: weights))
  }
}
