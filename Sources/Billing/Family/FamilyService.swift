import Database
import Foundation
import Kit
public import Web

/// The family of a billing account: who sits with the one who pays. What a seat grants is decided by ``HeldPlans``.
///
/// Every act locks the account first, as those on its subscription do: seats and plan change one after the other.
public struct FamilyService: Sendable {
  let database: Database
  let schema: Schema
  let clock: DomainClock
  let accounts: AccountStore
  let subscriptions: SubscriptionService
  let audit: AuditTrail
  /// Told after the commit that what these persons hold has changed.
  let changed: @Sendable ([PersonID]) -> Void
  let people: any FamilyPeople
  let progress: any FamilyProgress

  /// For the city's own site.
  public var routes: [SiteRouter.Route] { FamilyService.endpoints.map { SiteRouter.Route($0, of: self) } }

  static let endpoints: [Endpoint<FamilyService>] =
    homeEndpoints + invitationEndpoints + joinEndpoints + memberEndpoints + childEndpoints

  // MARK: Reading

  /// The seats of a live plan that has some to give.
  struct Room: Sendable {
    let plan: Plan
    /// Those that stay with what is planned for the next period.
    let lasting: Int
  }

  func room(at account: UUID, in executor: any SQLExecutor) async throws -> Room? {
    guard let subscription = try await subscriptions.current(of: account, in: executor), subscription.isLive else { return nil }
    let plan = try await subscriptions.plan(subscription.terms)
    guard plan.seats > 1 else { return nil }
    var lasting = plan.seats
    if let next = subscription.next { lasting = min(lasting, try await subscriptions.plan(next).seats) }
    return Room(plan: plan, lasting: lasting)
  }

  /// - Throws: ``FamilyRefusal`` when nobody more can be seated.
  func checkRoom(at account: UUID, in executor: any SQLExecutor) async throws {
    guard let room = try await room(at: account, in: executor) else { throw FamilyRefusal.noFamilyPlan }
    let taken = try await accounts.seats(at: account, in: executor).count
    guard taken < room.plan.seats else { throw FamilyRefusal.full }
    guard taken < room.lasting else { throw FamilyRefusal.plannedChange }
  }

  // MARK: Parts that all acts share

  /// An act on the account a person pays with, while nothing else changes it.
  func own<R: Sendable>(
    of owner: PersonID, _ act: @Sendable (BillingAccount, Instant, Transaction) async throws -> R
  ) async throws -> R {
    guard let account = try await accounts.account(ownedBy: owner, in: database) else { throw FamilyRefusal.noFamilyPlan }
    return try await locked(account.id, act)
  }

  /// The time is that of the act's turn, so that whoever leaves does so after she has come.
  func locked<R: Sendable>(
    _ account: UUID, _ act: @Sendable (BillingAccount, Instant, Transaction) async throws -> R
  ) async throws -> R {
    do {
      return try await database.transaction { transaction in
        let account = try await accounts.lock(account, in: transaction)
        return try await act(account, clock.now(), transaction)
      }
    } catch let error as DatabaseError where error.isUniqueViolation && error.constraint == "billing_member_one_family" {
      // Another family took her in at the same moment.
      throw FamilyRefusal.alreadyInFamily
    }
  }

  /// Has what these persons hold read anew: of one who came or went, and of those whose turn it may be now.
  func tell(_ person: PersonID, at account: UUID, in transaction: Transaction) async throws {
    let persons = try await accounts.seats(at: account, in: transaction).map(\.person) + [person]
    let changed = self.changed
    transaction.afterCommit { changed(persons) }
    try await Look.atHoldings.announce(of: schema, in: transaction)
  }

  func append(
    _ action: String, by actor: PersonID, of subject: String, _ account: UUID, at now: Instant, in transaction: Transaction
  ) async throws {
    try await audit.append(
      AuditLine(actor: actor.description, action: action, subject: subject, details: ["account": .string(account.text)]),
      at: now, in: transaction)
  }
}

extension BillingService {
  /// The families of its accounts, with what other services know of people.
  public func family(people: any FamilyPeople, progress: any FamilyProgress) -> FamilyService {
    FamilyService(
      database: database, schema: schema, clock: clock, accounts: subscriptions.accounts, subscriptions: subscriptions,
      audit: audit, changed: { [entitlements] in entitlements.changed($0) }, people: people, progress: progress)
  }
}
