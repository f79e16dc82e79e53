import Database
import Foundation
import Kit

/// What costs nothing: leaving at the end of the period, staying after all, another choice of tenants.
extension SubscriptionService {
  /// It ends with the period instead of renewing. Until then everything stays.
  func cancel(by person: PersonID, revision: Int64?) async throws -> Subscription {
    try await act("subscription.cancel", by: person, revision: revision) { subscription, transaction in
      guard !subscription.cancels else { throw SubscriptionRefusal.noChange }
      try await transaction.execute(
        """
        UPDATE \(schema).subscription SET cancels = true, next_plan = NULL, next_version = NULL, next_every = NULL,
          next_chosen = NULL, revision = revision + 1
        WHERE id = \(subscription.id)
        """)
    }
  }

  /// Takes back a cancellation, or a change that was to come with the next period.
  func undo(by person: PersonID, revision: Int64?) async throws -> Subscription {
    try await act("subscription.undo", by: person, revision: revision) { subscription, transaction in
      guard subscription.cancels || subscription.next != nil else { throw SubscriptionRefusal.nothingToUndo }
      try await transaction.execute(
        """
        UPDATE \(schema).subscription SET cancels = false, next_plan = NULL, next_version = NULL, next_every = NULL,
          next_chosen = NULL, revision = revision + 1
        WHERE id = \(subscription.id)
        """)
    }
  }

  /// Other tenants of those the plan offers; once a period.
  func choose(_ chosen: [TenantID], by person: PersonID, revision: Int64?) async throws -> Subscription {
    try await act("subscription.choose", by: person, revision: revision) { subscription, transaction in
      let plan = try await plan(subscription.terms)
      guard plan.choice != nil else { throw SubscriptionRefusal.choiceNotOffered }
      try SubscriptionService.check(chosen, against: plan)
      guard Set(chosen) != Set(subscription.terms.chosen) else { throw SubscriptionRefusal.noChange }
      guard let period = subscription.period, subscription.chosenIn != period.start else {
        throw SubscriptionRefusal.choiceChangedBefore
      }
      try await transaction.execute(
        """
        UPDATE \(schema).subscription
        SET chosen = \(chosen.map(\.text)), chosen_in = \(period.start), revision = revision + 1 WHERE id = \(subscription.id)
        """)
    }
  }

  /// One change of a running subscription by the one who pays for it.
  private func act(
    _ action: String, by person: PersonID, revision: Int64?,
    _ change: @Sendable (Subscription, Transaction) async throws -> Void
  ) async throws -> Subscription {
    let now = clock.now()
    return try await database.transaction { transaction in
      guard let found = try await accounts.account(ownedBy: person, in: transaction) else {
        throw SubscriptionRefusal.notSubscribed
      }
      let account = try await accounts.lock(found.id, in: transaction)
      guard let subscription = try await current(of: account.id, in: transaction), subscription.isLive else {
        throw SubscriptionRefusal.notSubscribed
      }
      if let revision, revision != subscription.revision { throw SubscriptionRefusal.changedMeanwhile }
      try await change(subscription, transaction)
      try await announce(subscription.id, of: account.id, at: now, in: transaction)
      try await audit.append(
        AuditLine(actor: person.description, action: action, subject: subscription.id.text), at: now, in: transaction)
      guard let changed = try await self.subscription(subscription.id, in: transaction) else { throw Problem(.notFound) }
      return changed
    }
  }
}
