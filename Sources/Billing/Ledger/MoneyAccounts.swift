public import Foundation
public import Kit

// The accounts money moves through. A code names the legal entity whose books it is in, and the currency.
extension LedgerAccount {
  /// What an account owes for issued invoices.
  public static func receivable(of account: UUID, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("receivable:\(account.text):\(currency.rawValue)", .asset, currency, keepsBalance: true)
  }

  /// What the city owes an account: set off against its next invoice.
  public static func credit(of account: UUID, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("credit:\(account.text):\(currency.rawValue)", .liability, currency, keepsBalance: true)
  }

  /// What a payment gateway has taken for an entity.
  public static func cash(at gateway: String, entity: String, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("cash:\(entity):\(gateway):\(currency.rawValue)", .asset, currency, keepsBalance: false)
  }

  /// Sold and not yet earned.
  public static func deferred(entity: String, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("deferred:\(entity):\(currency.rawValue)", .liability, currency, keepsBalance: false)
  }

  /// Value added tax, owed to the state.
  public static func tax(entity: String, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("vat:\(entity):\(currency.rawValue)", .liability, currency, keepsBalance: false)
  }

  /// Earned, and not yet split between the tenants.
  public static func unallocated(entity: String, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("revenue:\(entity):unallocated:\(currency.rawValue)", .income, currency, keepsBalance: false)
  }

  /// A tenant's share of what the entity that sells has earned.
  public static func revenue(of tenant: TenantID, entity: String, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("revenue:\(entity):\(tenant):\(currency.rawValue)", .income, currency, keepsBalance: false)
  }

  /// The shares of a tenant of another entity, which the seller owes it.
  public static func payable(to earner: String, by entity: String, _ currency: Currency) -> LedgerAccount {
    LedgerAccount("payable:\(entity):\(earner):\(currency.rawValue)", .liability, currency, keepsBalance: false)
  }
}
