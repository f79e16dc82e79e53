public import Kit
public import Web

/// What a person has subscribed to, for her account page.
public protocol AccountSubscriptions: Sendable {
  /// - Parameter visit: the visit it is shown in; `nil` when it is asked for outside of one.
  /// - Returns: what she has: of state ``AccountSubscription/State/none`` when she has subscribed to nothing.
  func subscription(_ person: PersonID, _ visit: Visit?) async throws -> AccountSubscription
}

public struct AccountSubscription: Sendable {
  public enum State: String, Sendable, CaseIterable {
    /// Renews at ``AccountSubscription/until``.
    case active
    /// Cancelled: ends at ``AccountSubscription/until``.
    case ending
    /// A payment has failed; what was bought is granted until ``AccountSubscription/until``.
    case pastDue
    /// Nothing is subscribed to: the plan is the one that everyone has.
    case none
  }

  public let planName: LocalizedText
  public let state: State
  /// What is paid each period; `nil` for whom someone else pays.
  public let price: Money?
  /// The period: `month` or `year`.
  public let every: String?
  public let until: Instant?
  /// Whether she is the one who pays and decides.
  public let isOwner: Bool
  /// Who pays, when it is someone else.
  public let payerName: String?
  /// What the plan grants, a line each.
  public let grants: [LocalizedText]

  public init(
    planName: LocalizedText, state: State, price: Money? = nil, every: String? = nil, until: Instant? = nil,
    isOwner: Bool = true, payerName: String? = nil, grants: [LocalizedText] = []
  ) {
    self.planName = planName
    self.state = state
    self.price = price
    self.every = every
    self.until = until
    self.isOwner = isOwner
    self.payerName = payerName
    self.grants = grants
  }
}

extension AccountSubscription {
  /// The values of the card in the page's template.
  func model(_ visit: Visit) -> [String: any Sendable] {
    var model: [String: any Sendable] = [
      "plan": planName(visit.language), "state": visit.text("records.subscription.state.\(state.rawValue)"), "mood": mood,
      "isSubscribed": state != .none, "isManaged": state != .none && isOwner, "isPastDue": state == .pastDue,
      "grants": grants.map { $0(visit.language) }, "hasGrants": !grants.isEmpty,
    ]
    if state != .none, let price {
      let amount = visit.format.money(price)
      let key = every.map { "records.subscription.price.\($0)" }
      model["price"] = key.flatMap { visit.catalogue.has($0) ? visit.text($0, ["price": amount]) : nil } ?? amount
    }
    if let when = until.map({ visit.format.date($0) }), state != .none, isOwner || state != .active {
      model["when"] = visit.text("records.subscription.until.\(state.rawValue)", ["day": when])
    } else if state == .pastDue {
      model["when"] = visit.text("records.subscription.unpaid")
    }
    if !isOwner, let payerName { model["payer"] = visit.text("records.subscription.payer", ["name": payerName]) }
    return model
  }

  /// Beside words that say the same.
  private var mood: String {
    switch state {
    case .active: "good"
    case .ending: "warn"
    case .pastDue: "bad"
    case .none: ""
    }
  }
}

/// A subscription as programs get it.
struct SubscriptionView: Encodable, Sendable {
  let plan: String
  let state: String
  let price: AccountView.Points?
  let every: String?
  let until: String?
  let owner: Bool
  let payer: String?
  let grants: [String]

  static let shape: Shape = .object([
    ("plan", .string), ("state", .choice(AccountSubscription.State.allCases.map(\.rawValue))),
    ("price?", .object([("amount", .integer), ("currency", .string)])), ("every?", .string), ("until?", .instant),
    ("owner", .boolean), ("payer?", .string), ("grants", .array(.string)),
  ])

  init(_ subscription: AccountSubscription, language: Language) {
    plan = subscription.planName(language)
    state = subscription.state.rawValue
    price = subscription.price.map { .init(amount: $0.minorUnits, currency: $0.currency.rawValue) }
    every = subscription.every
    until = subscription.until?.rfc3339
    owner = subscription.isOwner
    payer = subscription.payerName
    grants = subscription.grants.map { $0(language) }
  }
}
