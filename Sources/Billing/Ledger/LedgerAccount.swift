public import Kit

/// An account of the ledger. Not the billing account that pays, and not a person: a place where one kind of value stands.
///
/// It is opened by the first entry that names it, and never changes.
public struct LedgerAccount: Hashable, Sendable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case asset, liability, equity, income, expense

    /// Whether a debit makes it more.
    public var isDebitNormal: Bool { self == .asset || self == .expense }
  }

  /// Unique: `points:earned:<person>`. One account has one currency; where there may be several, the code names it.
  public let code: String
  public let kind: Kind
  public let currency: Currency
  /// Whether its balance is kept beside it, as persons' accounts need it (and holds, which lock it). A system account takes
  /// part in every entry of a tenant; its balance is computed, so that nobody queues for its row.
  public let keepsBalance: Bool

  public init(_ code: String, _ kind: Kind, _ currency: Currency, keepsBalance: Bool) {
    self.code = code
    self.kind = kind
    self.currency = currency
    self.keepsBalance = keepsBalance
  }

  /// What a tenant has given away in points.
  public static func pointsIssued(by tenant: TenantID) -> LedgerAccount {
    LedgerAccount("points:issued:\(tenant)", .expense, .points, keepsBalance: false)
  }

  /// Points a person has earned and not spent. Bought points are another account.
  public static func pointsEarned(by person: PersonID) -> LedgerAccount {
    LedgerAccount("points:earned:\(person)", .liability, .points, keepsBalance: true)
  }

  /// An amount as the ledger has it (debit positive) in the account's own direction, and back.
  func natural(_ amount: Int64) -> Int64 { kind.isDebitNormal ? amount : -amount }
}
