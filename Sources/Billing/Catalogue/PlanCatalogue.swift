public import Kit

/// The plans there are, and what they speak of: the tenants and the features.
public struct PlanCatalogue: Sendable {
  /// In written order, those that are withdrawn among them.
  public let plans: [Plan]
  /// Held by those who have them, and no longer sold.
  public let withdrawn: Set<PlanID>
  /// What was sold before a plan became what it is, oldest first.
  public let earlier: [PlanID: [Plan]]
  /// From when those who hold an earlier version are moved to the current one; who is not named here is never moved.
  public let holdersFrom: [PlanID: CivilDate]
  /// The version each plan is sold in, as far as it has been published.
  public let versions: [PlanID: Int]
  /// Each tenant's module, in written order.
  public let tenants: [(id: TenantID, module: String)]
  /// How people call a feature, by its name.
  public let features: [String: LocalizedText]
  /// What is sold, in written order.
  public let onSale: [Plan]
  private let modules: [TenantID: String]

  public init(
    plans: [Plan], withdrawn: Set<PlanID> = [], earlier: [PlanID: [Plan]] = [:], holdersFrom: [PlanID: CivilDate] = [:],
    versions: [PlanID: Int] = [:], tenants: [(id: TenantID, module: String)], features: [String: LocalizedText]
  ) {
    self.plans = plans
    self.withdrawn = withdrawn
    self.earlier = earlier
    self.holdersFrom = holdersFrom
    self.versions = versions
    self.tenants = tenants
    self.features = features
    onSale = plans.filter { !withdrawn.contains($0.id) }
    modules = Dictionary(tenants.map { ($0.id, $0.module) }) { first, _ in first }
  }

  /// The plans everyone has.
  public var free: [Plan] { onSale.filter(\.isFree) }

  /// A plan by its id, whether it is sold or not.
  public func plan(_ id: PlanID) -> Plan? { plans.first { $0.id == id } }

  /// The features a tenant has: those of its module, whose name begins with the module's.
  public func features(of tenant: TenantID) -> [String] {
    guard let module = modules[tenant] else { return [] }
    return features.keys.filter { $0.hasPrefix("\(module).") }.sorted()
  }

  /// The same with further plans behind its own, or in place of its own of that id, and the versions that are sold.
  func adding(_ further: [Plan], versions: [PlanID: Int]) -> PlanCatalogue {
    let (own, newer) = (Set(plans.map(\.id)), Dictionary(further.map { ($0.id, $0) }) { first, _ in first })
    return PlanCatalogue(
      plans: plans.map { newer[$0.id] ?? $0 } + further.filter { !own.contains($0.id) }, withdrawn: withdrawn,
      earlier: earlier, holdersFrom: holdersFrom, versions: versions, tenants: tenants, features: features)
  }

  public func module(of tenant: TenantID) -> String? { modules[tenant] }

  /// The tenants a selection means today.
  public func tenants(in selection: TenantSelection) -> [TenantID] {
    switch selection {
    case .module(let module): tenants.filter { $0.module == module }.map(\.id)
    case .tenants(let ids): ids
    }
  }

  func covers(_ selection: TenantSelection, _ tenant: TenantID) -> Bool {
    switch selection {
    case .module(let module): modules[tenant] == module
    case .tenants(let ids): ids.contains(tenant)
    }
  }
}
