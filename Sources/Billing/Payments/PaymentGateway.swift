public import Foundation
public import Kit

/// A company that takes money for us: the simulator here, PortOne or Stripe elsewhere.
///
/// Every call may be repeated: `reference` is our payment's id and the gateway's idempotency key. What a gateway says in a
/// webhook is never believed; it is asked again.
public protocol PaymentGateway: Sendable {
  /// Names it in rows and in the ledger's accounts: `simulator`.
  var name: String { get }

  /// Makes a page of the gateway's where the payer enters her card.
  /// - Throws: ``GatewayFailure``.
  func checkout(_ request: CheckoutRequest) async throws(GatewayFailure) -> GatewayCheckout

  /// Charges a saved method. A decline is an answer, not an error.
  /// - Throws: ``GatewayFailure``.
  func charge(_ request: ChargeRequest) async throws(GatewayFailure) -> GatewayPayment

  /// Everything the gateway knows under a reference, newest first: a checkout may have had several attempts.
  func payments(reference: UUID) async throws(GatewayFailure) -> [GatewayPayment]

  /// Gives money back. `reference` is our refund's id.
  func refund(_ payment: String, amount: Money, reference: UUID) async throws(GatewayFailure) -> GatewayRefund

  /// Reads a webhook after checking its signature.
  /// - Returns: `nil` for one that is forged, too old, or no event of this gateway.
  func event(body: Data, header: (String) -> String?, now: Instant) -> GatewayEvent?
}

public struct CheckoutRequest: Sendable {
  public let reference: UUID
  public let amount: Money
  /// What the payer reads on the gateway's page.
  public let description: String
  public let returnURL: String
  public let language: Language
}

public struct ChargeRequest: Sendable {
  public let reference: UUID
  public let amount: Money
  /// The gateway's token of a saved method.
  public let method: String
}

public struct GatewayCheckout: Sendable, Hashable {
  public let id: String
  public let url: String
}

public struct GatewayPayment: Sendable, Hashable {
  public enum State: String, Sendable, Codable { case pending, succeeded, failed }
  public struct Method: Sendable, Hashable {
    public let token: String
    public let brand: String
    public let last4: String
    public let expiryMonth: Int
    public let expiryYear: Int
  }

  public let id: String
  public let reference: UUID
  public let amount: Money
  public let state: State
  /// `card_declined`, `insufficient_funds`, …
  public let failure: String?
  /// The card, when it may be charged again.
  public let method: Method?
}

public struct GatewayRefund: Sendable, Hashable {
  public let id: String
  public let amount: Money
}

public struct GatewayEvent: Sendable, Hashable {
  public let id: String
  public let type: String
  /// Our payment's or refund's id.
  public let reference: UUID
}

/// Why a gateway gave no answer to act on.
public enum GatewayFailure: Error, Sendable, Hashable {
  /// It certainly did nothing: not reached, or refused with this code.
  case notDone(String)
  /// It may have done it. Ask before anything else is tried.
  case unknown(String)
}
