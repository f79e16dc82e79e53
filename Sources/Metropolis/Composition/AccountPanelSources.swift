import Billing
import Identity
import Kit
import Records
import TenantKit
import Web

extension AccountPanels {
  /// The panels of the account page, each filled by the service that knows.
  static func live(
    identity: IdentityService, billing: BillingService, tenants: @escaping @Sendable () -> [RunningTenant]
  ) -> AccountPanels {
    AccountPanels(
      allowances: Allowances(entitlements: billing.entitlements, tenants: tenants),
      points: Points(billing: billing), memberships: Memberships(identity: identity),
      subscriptions: Subscriptions(billing: billing, identity: identity))
  }

  private struct Subscriptions: AccountSubscriptions {
    let billing: BillingService
    let identity: IdentityService

    func subscription(_ person: PersonID, _ visit: Visit?) async throws -> AccountSubscription {
      guard let visit else { throw Problem(.internalError) }
      let standing = try await billing.standing(of: person, visit)
      let state: AccountSubscription.State =
        switch standing.state {
        case .active: .active
        case .ending: .ending
        case .pastDue: .pastDue
        case .free: .none
        }
      let payer = standing.isOwner ? nil : try await identity.names([standing.payer])[standing.payer]
      return AccountSubscription(
        planName: standing.planName, state: state, price: standing.price, every: standing.every?.rawValue, until: standing.until,
        isOwner: standing.isOwner, payerName: payer, grants: standing.grants.map { LocalizedText(ko: $0) })
    }
  }

  private struct Allowances: AccountAllowances {
    let entitlements: EntitlementService
    let tenants: @Sendable () -> [RunningTenant]

    /// One line for each allowance: a pool that several tenants share is shown once.
    func allowances(_ person: PersonID) async throws -> [AccountAllowance] {
      var shown: [AccountAllowance] = []
      let tenants = tenants()
      for binding in ModuleBinding.all {
        for feature in binding.features {
          var seen: [(allowance: EntitlementService.Allowance, places: [TenantID])] = []
          for tenant in tenants where tenant.stanza.kind == binding.kind {
            let allowance = try await entitlements.check(person, feature.name, at: tenant.stanza.id)
            if let known = seen.firstIndex(where: { $0.allowance == allowance }) {
              seen[known].places.append(tenant.stanza.id)
            } else {
              seen.append((allowance, [tenant.stanza.id]))
            }
          }
          for (allowance, places) in seen {
            switch allowance {
            case .none: break
            case .unlimited:
              shown.append(AccountAllowance(title: feature.title, used: 0, limit: nil, renews: nil, tenants: places))
            case .limited(let limit, let used, let renews):
              shown.append(AccountAllowance(title: feature.title, used: used, limit: limit, renews: renews, tenants: places))
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
    /// What she is where, and one line for the console with all posts she has.
    func memberships(_ person: PersonID) async throws -> [AccountMembership] {
      let all = try await identity.memberships(of: person)
      let plain = Dictionary(grouping: all.filter { StaffPost($0) == nil }, by: \.tenant)
      let rows = plain.compactMap { tenant, memberships in
        TenantID(tenant).map { AccountMembership(tenant: $0, roles: memberships.map(\.role).sorted()) }
      }.sorted { $0.tenant < $1.tenant }
      let posts = StaffPost.among(all)
      guard !posts.isEmpty, let console = TenantID(Site.consoleID) else { return rows }
      return [AccountMembership(tenant: console, roles: posts.map(\.description))] + rows
    }
  }
}
