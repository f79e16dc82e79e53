import Database
import Foundation
import Kit

/// What persons hold by the accounts they sit at.
extension SubscriptionService {
  func account(of person: PersonID) async throws -> BillingAccount? {
    try await accounts.account(ownedBy: person, in: database)
  }

  /// The subscription a person has: the one she pays for, else that of the family she sits with.
  func held(by person: PersonID) async throws -> (subscription: Subscription, isOwner: Bool)? {
    if let account = try await account(of: person), let own = try await current(of: account.id, in: database) {
      return (own, true)
    }
    guard let seat = try await accounts.familySeat(of: person, in: database),
      let shared = try await current(of: seat.account, in: database), shared.isLive
    else { return nil }
    return (shared, false)
  }

  /// What waits for the payer: an order, a change, or an unpaid renewal.
  func openInvoice(of subscription: Subscription) async throws -> Invoice? {
    try await database.one(
      """
      SELECT * FROM \(schema).invoice WHERE subscription = \(subscription.id) AND status IN ('draft', 'open') AND kind = 'invoice'
      ORDER BY created_at DESC LIMIT 1
      """
    ).map { try Invoice(row: $0) }
  }
}

/// The plans persons hold by the accounts they sit at.
struct HeldPlans: Sendable {
  let database: Database
  let schema: Schema
  let plans: PlanStore

  /// The plans a person holds beside the free ones: of her own account, and of the family she sits with while it has a seat
  /// for her.
  func plans(of person: PersonID) async throws -> [HeldPlan] {
    let rows = try await database.query(
      """
      SELECT s.plan, s.plan_version, s.chosen, m.role = 'owner' AS owner,
        (SELECT count(*) FROM \(schema).billing_member AS b WHERE b.account = m.account AND b.left_at IS NULL
          AND (b.role = 'owner' OR (m.role <> 'owner' AND (b.joined_at, b.id) < (m.joined_at, m.id)))) AS before
      FROM \(schema).billing_member AS m JOIN \(schema).subscription AS s ON s.account = m.account
      WHERE m.person = \(person) AND m.left_at IS NULL AND s.status IN ('active', 'past_due')
      """)
    var held: [HeldPlan] = []
    for row in rows {
      guard let id = PlanID(try row.get("plan", as: String.self)),
        let plan = try await plans.plan(id, version: try row.get("plan_version"))
      else { continue }
      // Who came when all seats were taken, as a smaller plan leaves them, has none.
      let hasSeat = try row.get("owner") || (try row.get("before", as: Int.self)) < plan.seats
      guard hasSeat else { continue }
      held.append(HeldPlan(plan, chosen: try row.get("chosen", as: [String].self).compactMap { TenantID($0) }))
    }
    return held
  }
}
