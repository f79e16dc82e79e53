import Kit
public import Web

/// The pages of a tenant's operator on the console: the tenant's numbers, and its plans from the draft to the withdrawal.
///
/// For `operator@<tenant>` only. To anyone else who is signed in the tenant's pages don't exist.
public struct OperatorConsole: Sendable {
  let billing: BillingService
  let figures: (any TenantFigures)?

  /// - Parameter figures: who is active at a tenant; `nil` where nobody counts, and then the overview goes without.
  public init(billing: BillingService, figures: (any TenantFigures)?) {
    self.billing = billing
    self.figures = figures
  }

  /// For the console's site.
  public var routes: [SiteRouter.Route] { OperatorConsole.endpoints.map { SiteRouter.Route($0, of: self) } }

  static let endpoints = overviewEndpoints + planListEndpoints + planFormEndpoints + planEndpoints

  /// The tenant of the address and who works there, if she operates it.
  /// - Throws: ``Kit/Problem`` `not-found` for everyone else, `not-signed-in` for a visitor.
  func desk(_ visit: Visit) throws(Problem) -> Desk {
    let session = try visit.requireSession()
    guard let tenant = visit.parameter("id").flatMap({ TenantID($0) }), session.holds("operator", at: tenant.text),
      billing.catalogue.module(of: tenant) != nil
    else { throw Problem(.notFound) }
    return Desk(tenant: tenant, actor: session.person.description, visit: visit)
  }

  /// The plan of the address, as far as it concerns the desk's tenant.
  /// - Throws: ``Kit/Problem`` `not-found` for another tenant's, and for a plan of the city that does nothing here.
  func plan(_ desk: Desk) async throws -> ConsolePlan {
    guard let id = desk.visit.parameter("plan").flatMap({ PlanID($0) }) else { throw Problem(.notFound) }
    if let stored = try await billing.plans.plans(ownedBy: .tenant(desk.tenant)).first(where: { $0.id == id }) {
      return .own(stored)
    }
    if let plan = billing.catalogue.plan(id), plan.owner == .city { return .city(plan) }
    throw Problem(.notFound)
  }

  /// The plan of the address, to be changed.
  /// - Throws: ``Kit/Problem`` `not-found` as ``plan(_:)``; `forbidden` for a plan of the city.
  func changeablePlan(_ desk: Desk) async throws -> PlanStore.Stored {
    guard case .own(let stored) = try await plan(desk) else { throw Problem(.forbidden) }
    return stored
  }
}

extension BillingService {
  /// The pages of the tenants' operators, for the console's site.
  public func operatorConsole(figures: (any TenantFigures)?) -> OperatorConsole {
    OperatorConsole(billing: self, figures: figures)
  }
}

/// An operator at work: at which tenant, and under which id the audit knows her.
struct Desk: Sendable {
  let tenant: TenantID
  let actor: String
  let visit: Visit

  var path: String { "/tenants/\(tenant)" }
  func path(of plan: PlanID) -> String { "\(path)/plans/\(plan)" }
  var name: String { visit.cities.tenants.first { $0.id == tenant.text }?.name(visit.language) ?? tenant.text }

  func text(_ key: String, _ arguments: [String: String] = [:]) -> String { visit.text("billing.operator.\(key)", arguments) }
  func number(_ value: Int) -> String { visit.format.number(Int64(value)) }

  /// What every page of the desk shows: where one is, and the way to its neighbours.
  func frame(_ here: String) -> [String: any Sendable] {
    [
      "tenantName": name, "tenantURL": path, "plansURL": "\(path)/plans",
      "tabs": [
        ["url": path, "name": text("overview.tab"), "here": here == "overview"] as [String: any Sendable],
        ["url": "\(path)/plans", "name": text("plans.title"), "here": here == "plans"],
      ],
    ]
  }

  /// A price as its reader's country writes it: won first for readers of Korean, dollars for others.
  func prices(_ prices: [Money]) -> String {
    let order: [Currency] = visit.language == .ko ? [.krw, .usd] : [.usd, .krw]
    let written = order.compactMap { currency in prices.first { $0.currency == currency } }.map(visit.format.money)
    return written.isEmpty ? text("plans.free") : written.joined(separator: " · ")
  }
}

/// A plan that concerns a tenant: its own, or one of the city's.
enum ConsolePlan: Sendable {
  case own(PlanStore.Stored)
  case city(Plan)
}

extension PlanCatalogue {
  /// How a plan reaches a tenant.
  enum Reach: Sendable {
    case always
    /// Only for those who chose the tenant.
    case byChoice
  }

  /// `nil` when it does nothing there.
  func reach(of plan: Plan, to tenant: TenantID) -> Reach? {
    var reach: Reach?
    for grant in plan.grants {
      switch grant {
      case .feature(_, at: let selection, _): if covers(selection, tenant) { return .always }
      case .choice(_, of: let tenants, _): if tenants.contains(tenant) { reach = .byChoice }
      }
    }
    return reach
  }
}
