public import Kit
public import Web

extension BillingService {
  /// What a person has, in few words: for a page of another service.
  public struct Standing: Sendable {
    public enum State: Sendable { case active, ending, pastDue, free }

    public let planName: LocalizedText
    public let state: State
    public let price: Money?
    public let every: BillingInterval?
    /// The first instant that is not paid for.
    public let until: Instant?
    public let isOwner: Bool
    /// Who pays.
    public let payer: PersonID
    /// A line each, in the reader's language.
    public let grants: [String]
  }

  /// - Throws: ``Database/DatabaseError``.
  public func standing(of person: PersonID, _ visit: Visit) async throws -> Standing {
    let words = GrantWords(catalogue: catalogue, visit: visit)
    guard let (subscription, isOwner) = try await subscriptions.held(by: person), subscription.isLive,
      let account = try await subscriptions.accounts.account(subscription.account, in: database)
    else {
      return Standing(
        planName: catalogue.free.first?.name ?? LocalizedText(ko: "–"), state: .free, price: nil, every: nil, until: nil,
        isOwner: true, payer: person, grants: catalogue.free.flatMap(words.lines))
    }
    let plan = try await subscriptions.plan(subscription.terms)
    let state: Standing.State =
      if subscription.status == .pastDue { .pastDue } else if subscription.cancels { .ending } else { .active }
    let end = state == .pastDue ? subscription.graceUntil : subscription.period?.end
    return Standing(
      planName: plan.name, state: state,
      price: isOwner ? plan.price(in: subscription.currency, every: subscription.terms.every) : nil,
      every: subscription.terms.every, until: end?.start(in: account.timeZone), isOwner: isOwner, payer: account.owner,
      grants: words.lines(of: plan))
  }
}
