public import Kit

/// A plan that gives more of a feature at a tenant than one has for nothing.
public struct PlanOffer: Sendable, Hashable {
  public let plan: Plan
  /// How much more; `nil` is without limit.
  public let limit: Int?
  /// Whether she has to choose this tenant among others.
  public let isChoice: Bool
}

extension PlanCatalogue {
  /// The plans on sale that lift the limit of a feature at a tenant, the cheapest first.
  public func plans(lifting feature: String, at tenant: TenantID) -> [PlanOffer] {
    let offers = onSale.compactMap { plan -> PlanOffer? in
      guard !plan.isFree else { return nil }
      var limited: Int?
      for grant in plan.grants {
        switch grant {
        case .feature(let granted, at: let selection, let quantity) where granted == feature && covers(selection, tenant):
          guard case .limited(let limit, _) = quantity else { return PlanOffer(plan: plan, limit: nil, isChoice: false) }
          // Grants are a union: several of one plan add up.
          limited = (limited ?? 0) + limit
        default: break
        }
      }
      let isChoice = plan.grants.contains { grant in
        guard case .choice(_, of: let tenants, let features) = grant else { return false }
        return tenants.contains(tenant) && features.contains(feature)
      }
      if isChoice { return PlanOffer(plan: plan, limit: nil, isChoice: true) }
      return limited.map { PlanOffer(plan: plan, limit: $0, isChoice: false) }
    }
    // By the first currency they have in common with the others; a sort that keeps the written order of equals.
    func cost(_ offer: PlanOffer) -> Int64 {
      for currency in Currency.allCases {
        // By the year, so that a plan paid yearly is not dearer for it.
        if let price = offer.plan.price(in: currency) { return price.minorUnits * Int64(12 / offer.plan.every.months) }
      }
      return .max
    }
    return offers.enumerated().sorted { (cost($0.element), $0.offset) < (cost($1.element), $1.offset) }.map(\.element)
  }
}
