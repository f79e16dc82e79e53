public import Kit

/// The key of a plan's stanza: as narrow as a tenant's id.
public struct PlanID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  public let text: String

  public init?(_ text: String) {
    guard TenantID(text) != nil else { return nil }
    self.text = text
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let id = PlanID(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected a plan id")
    }
    self = id
  }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
  public static func < (a: PlanID, b: PlanID) -> Bool { a.text < b.text }
  public var description: String { text }
}

/// Whose plan it is. A tenant's plan grants that tenant's features only, and only its operator edits it.
public enum PlanOwner: Hashable, Sendable {
  case city
  case tenant(TenantID)

  public var text: String {
    switch self {
    case .city: "city"
    case .tenant(let id): id.text
    }
  }
}

public enum BillingInterval: String, Sendable, Codable, CaseIterable {
  case month, year
}

/// Where the periods of a plan's subscriptions begin.
public enum BillingAlignment: String, Sendable, Codable, CaseIterable {
  /// On the day each subscription began: the house's default.
  case anniversary
  /// On the first of the month, after a stub.
  case calendar

  /// The bill day of a ``BillingAnchor``.
  public var billDay: Int? { self == .calendar ? 1 : nil }
}

/// What is sold, in one version. Once published it does not change: who bought it keeps it.
public struct Plan: Hashable, Sendable, Identifiable {
  public let id: PlanID
  public let owner: PlanOwner
  public let name: LocalizedText
  public let summary: LocalizedText?
  /// For one ``every``; at most one of a currency, in written order. None: the plan is free, and its grants are everyone's.
  public let prices: [Money]
  public let every: BillingInterval
  /// For a year, where ``every`` is a month; at most one of a currency.
  public let yearly: [Money]
  /// Persons it covers besides no one else's: 1 but for families.
  public let seats: Int
  /// By what a change within a period is measured.
  public let proration: ProrationUnit
  public let alignment: BillingAlignment
  public let grants: [Grant]

  public init(
    id: PlanID, owner: PlanOwner, name: LocalizedText, summary: LocalizedText? = nil, prices: [Money] = [],
    every: BillingInterval = .month, yearly: [Money] = [], seats: Int = 1, proration: ProrationUnit = .day,
    alignment: BillingAlignment = .anniversary, grants: [Grant]
  ) {
    self.id = id
    self.owner = owner
    self.name = name
    self.summary = summary
    self.prices = prices
    self.every = every
    self.yearly = yearly
    self.seats = seats
    self.proration = proration
    self.alignment = alignment
    self.grants = grants
  }

  public var isFree: Bool { prices.isEmpty }

  /// The price of one ``every``.
  public func price(in currency: Currency) -> Money? { prices.first { $0.currency == currency } }

  /// The price of an interval; `nil` where it is not sold so.
  public func price(in currency: Currency, every interval: BillingInterval) -> Money? {
    if interval == every { return price(in: currency) }
    return interval == .year ? yearly.first { $0.currency == currency } : nil
  }

  /// How often it may be paid, the shortest first; none when it is free.
  public var intervals: [BillingInterval] {
    if isFree { return [] }
    return every == .month && !yearly.isEmpty ? [.month, .year] : [every]
  }
}

/// One thing a plan allows.
public enum Grant: Hashable, Sendable {
  /// A feature at some tenants.
  case feature(String, at: TenantSelection, Quantity)
  /// Features without limit at `count` of these tenants, which the subscriber chooses.
  case choice(count: Int, of: [TenantID], features: [String])

  public enum Quantity: Hashable, Sendable {
    case unlimited
    /// So many a civil month.
    case limited(Int, pool: Pool)
  }

  /// Whether the tenants of a grant draw from one allowance, or each from its own.
  public enum Pool: String, Sendable, Codable, CaseIterable {
    case shared, tenant
  }
}

/// The tenants a grant is for.
public enum TenantSelection: Hashable, Sendable {
  /// All of a kind, those too that come later.
  case module(String)
  case tenants([TenantID])
}
