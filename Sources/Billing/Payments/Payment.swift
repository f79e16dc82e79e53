public import Foundation
public import Kit

/// One attempt to get the money for an invoice. Its id is the gateway's reference and idempotency key.
public struct Payment: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The payer is led to the gateway's page.
    case checkout
    /// Her saved method is charged, without her.
    case charge
  }

  public enum State: String, Sendable, CaseIterable {
    /// Committed; the gateway may or may not have heard of it.
    case created
    /// The gateway has it, and has not decided.
    case pending
    case succeeded
    case failed
    /// Given up by us. Money that comes all the same is booked and given back.
    case abandoned
    /// The gateway took another amount: nothing is booked until someone has looked.
    case mismatched

    /// Whether it may still become another state by what the gateway says.
    public var isOpen: Bool { self == .created || self == .pending }
  }

  public let id: UUID
  /// The billing account that pays.
  public let account: UUID
  public let invoice: UUID
  /// The gateway's name: `simulator`.
  public let gateway: String
  public let kind: Kind
  public let amount: Money
  public let state: State
  /// The saved method that was charged, or that came of a checkout.
  public let method: UUID?
  /// Where the payer is to be sent; `nil` for a charge, and until the gateway has answered.
  public let checkoutURL: String?
  /// The gateway's code of the last failed attempt: `card_declined`. An open checkout may have one: another card may do.
  public let failure: String?
  public let created: Instant
  /// `nil` while it is open.
  public let settled: Instant?
}

/// A card that may be charged again, as the gateway describes it. Never its number.
public struct PaymentMethod: Sendable, Hashable {
  public let id: UUID
  public let account: UUID
  public let gateway: String
  /// `visa`
  public let brand: String
  public let last4: String
  public let expiryMonth: Int
  public let expiryYear: Int
  public let added: Instant

  /// Whether the card can't be charged any more on a day of this month.
  public func isExpired(year: Int, month: Int) -> Bool { (expiryYear, expiryMonth) < (year, month) }
}
