public import Kit

/// All plans on sale, and what they speak of: the tenants and the features there are.
public struct PlanCatalogue: Sendable {
  /// In written order.
  public let plans: [Plan]
  /// Each tenant's module, in written order.
  public let tenants: [(id: TenantID, module: String)]
  /// How people call a feature, by its name.
  public let features: [String: LocalizedText]
  private let modules: [TenantID: String]

  public init(plans: [Plan], tenants: [(id: TenantID, module: String)], features: [String: LocalizedText]) {
    self.plans = plans
    self.tenants = tenants
    self.features = features
    modules = Dictionary(tenants.map { ($0.id, $0.module) }) { first, _ in first }
  }

  /// The plans everyone has.
  public var free: [Plan] { plans.filter(\.isFree) }

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
