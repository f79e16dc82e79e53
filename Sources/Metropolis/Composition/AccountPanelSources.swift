import Billing
import Identity
import Kit
import Records
import TenantKit

extension AccountPanels {
  /// The panels of the account page, each filled by the service that knows.
  static func live(identity: IdentityService, billing: BillingService, tenants: [City.RunningTenant]) -> AccountPanels {
    AccountPanels(
      allowances: Allowances(entitlements: billing.entitlements, tenants: tenants),
      points: Points(billing: billing), memberships: Memberships(identity: identity))
  }

  private struct Allowances: AccountAllowances {
    let entitlements: EntitlementService
    let tenants: [City.RunningTenant]

    /// One line for each allowance: a pool that several tenants share is shown once.
    func allowances(_ person: PersonID) async throws -> [AccountAllowance] {
      var shown: [AccountAllowance] = []
      for binding in ModuleBinding.all {
        for feature in binding.features {
          var seen: Set<EntitlementService.Allowance> = []
          for tenant in tenants where tenant.stanza.kind == binding.kind {
            let allowance = try await entitlements.check(person, feature.name, at: tenant.stanza.id)
            guard seen.insert(allowance).inserted else { continue }
            switch allowance {
            case .none: break
            case .unlimited: shown.append(AccountAllowance(title: feature.title, used: 0, limit: nil, renews: nil))
            case .limited(let limit, let used, let renews):
              shown.append(AccountAllowance(title: feature.title, used: used, limit: limit, renews: renews))
            }
          }
        }
      }
      return shown
    }
  }

  private struct Points: AccountPoints {
    let billing: BillingService
    func points(_ person: PersonID) async throws -> Money { try await billing.points.balance(person) }
  }

  private struct Memberships: AccountMemberships {
    let identity: IdentityService
    func memberships(_ person: PersonID) async throws -> [AccountMembership] {
      let roles = Dictionary(grouping: try await identity.memberships(of: person), by: \.tenant)
      return roles.compactMap { tenant, memberships in
        TenantID(tenant).map { AccountMembership(tenant: $0, roles: memberships.map(\.role).sorted()) }
      }.sorted { $0.tenant < $1.tenant }
    }
  }
}
