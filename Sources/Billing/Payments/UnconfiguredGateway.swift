public import Foundation
public import Kit

/// Where no gateway is set up: plans can be read, nothing can be paid, and that is said at once.
public struct UnconfiguredGateway: PaymentGateway {
  public let name = "none"

  public init() {}

  public func checkout(_ request: CheckoutRequest) async throws(GatewayFailure) -> GatewayCheckout {
    throw .notDone("no payment gateway is configured")
  }
  public func charge(_ request: ChargeRequest) async throws(GatewayFailure) -> GatewayPayment {
    throw .notDone("no payment gateway is configured")
  }
  public func payments(reference: UUID) async throws(GatewayFailure) -> [GatewayPayment] { [] }
  public func refund(_ payment: String, amount: Money, reference: UUID) async throws(GatewayFailure) -> GatewayRefund {
    throw .notDone("no payment gateway is configured")
  }
  public func event(body: Data, header: (String) -> String?, now: Instant) -> GatewayEvent? { nil }
}
