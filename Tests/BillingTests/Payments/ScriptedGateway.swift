import Foundation
import Kit
import Synchronization

@testable import Billing

/// A gateway in memory that keeps its promises (one payment per key) and breaks the line where a test says so.
final class ScriptedGateway: PaymentGateway {
  enum Call: String, CaseIterable { case checkout, charge, payments, refund }

  enum Cut: String, CaseIterable {
    /// The line is cut on the way there; we don't know that.
    case before
    /// It is done, and the answer is lost.
    case after
    /// Not reached, and we know that.
    case unreachable
    /// Our process dies on the way there, and on the way back: nothing of ours runs after it.
    case diesBefore, diesAfter
    case refused
  }

  struct State {
    var cuts: [Call: [Cut]] = [:]
    var calls: [Call] = []
    var checkouts: [UUID: CheckoutRequest] = [:]
    var payments: [UUID: [GatewayPayment]] = [:]
    var refunds: [UUID: GatewayRefund] = [:]
    /// What the next charges come to.
    var outcome = GatewayPayment.State.succeeded
    var failure: String?
    var delay = Duration.zero
  }

  let name = "scripted"
  let state = Mutex(State())
  static let card = GatewayPayment.Method(token: "pm_1", brand: "visa", last4: "4242", expiryMonth: 12, expiryYear: 2030)

  func cut(_ call: Call, _ cuts: Cut...) { state.withLock { $0.cuts[call, default: []] += cuts } }
  func decide(_ outcome: GatewayPayment.State, _ failure: String? = nil) {
    state.withLock { ($0.outcome, $0.failure) = (outcome, failure) }
  }
  func count(_ call: Call) -> Int { state.withLock { $0.calls.count { $0 == call } } }
  /// Payments made, over all references.
  var made: [GatewayPayment] { state.withLock { $0.payments.values.flatMap(\.self).filter { $0.state == .succeeded } } }

  // MARK: What payers and banks do

  @discardableResult
  func pay(
    _ reference: UUID, _ outcome: GatewayPayment.State = .succeeded, amount: Money? = nil, failure: String? = nil,
    card: GatewayPayment.Method? = card
  ) -> GatewayPayment {
    state.withLock { state in
      let known = state.payments[reference] ?? []
      let payment = GatewayPayment(
        id: "pay_\(reference.text.suffix(12))_\(known.count)", reference: reference,
        amount: amount ?? state.checkouts[reference]?.amount ?? Money(1, .krw), state: outcome, failure: failure,
        method: outcome == .failed ? nil : card)
      state.payments[reference] = [payment] + known
      return payment
    }
  }

  /// The bank has decided on what was pending.
  func decidePending(_ reference: UUID, _ outcome: GatewayPayment.State) {
    state.withLock { state in
      state.payments[reference] = state.payments[reference]?.map {
        guard $0.state == .pending else { return $0 }
        return GatewayPayment(
          id: $0.id, reference: $0.reference, amount: $0.amount, state: outcome,
          failure: outcome == .failed ? "card_declined" : nil, method: $0.method)
      }
    }
  }

  // MARK: PaymentGateway

  func checkout(_ request: CheckoutRequest) async throws(GatewayFailure) -> GatewayCheckout {
    try await answer(.checkout) { state in
      state.checkouts[request.reference] = state.checkouts[request.reference] ?? request
      return GatewayCheckout(id: "chk_\(request.reference.text)", url: "https://gateway.example/\(request.reference.text)")
    }
  }

  func charge(_ request: ChargeRequest) async throws(GatewayFailure) -> GatewayPayment {
    try await answer(.charge) { state in
      if let known = state.payments[request.reference]?.first { return known }
      let payment = GatewayPayment(
        id: "pay_\(request.reference.text)", reference: request.reference, amount: request.amount, state: state.outcome,
        failure: state.failure, method: ScriptedGateway.card)
      state.payments[request.reference] = [payment]
      return payment
    }
  }

  func payments(reference: UUID) async throws(GatewayFailure) -> [GatewayPayment] {
    try await answer(.payments) { $0.payments[reference] ?? [] }
  }

  func refund(_ payment: String, amount: Money, reference: UUID) async throws(GatewayFailure) -> GatewayRefund {
    try await answer(.refund) { state in
      let refund = state.refunds[reference] ?? GatewayRefund(id: "re_\(reference.text)", amount: amount)
      state.refunds[reference] = refund
      return refund
    }
  }

  func event(body: Data, header: (String) -> String?, now: Instant) -> GatewayEvent? {
    guard let value = header("Payment-Signature"), WebhookSignature(secret: "whsec").isValid(value, of: body, now: now),
      let json = try? JSONDecoder().decode(JSONValue.self, from: body), let id = json["id"]?.string,
      let reference = json["reference"]?.string.flatMap({ UUID(uuidString: $0) })
    else { return nil }
    return GatewayEvent(id: id, type: "payment.succeeded", reference: reference)
  }

  private func answer<Answer: Sendable>(
    _ call: Call, _ act: @Sendable (inout State) -> Answer
  ) async throws(GatewayFailure) -> Answer {
    let (cut, delay) = state.withLock { state -> (Cut?, Duration) in
      state.calls.append(call)
      guard let first = state.cuts[call]?.first else { return (nil, state.delay) }
      state.cuts[call]?.removeFirst()
      return (first, state.delay)
    }
    if delay > .zero { try? await Task.sleep(for: delay) }
    switch cut {
    case .before: throw .unknown("cut")
    case .unreachable: throw .notDone(GatewayFailure.unreachable)
    case .refused: throw .notDone("refused")
    case .diesBefore: die()
    case nil, .after, .diesAfter: break
    }
    if cut == .diesBefore { throw .unknown("dead") }
    let answer = state.withLock { act(&$0) }
    if cut == .after { throw .unknown("cut") }
    if cut == .diesAfter { die() }
    return answer
  }

  /// A cancelled task can't reach the database any more: for what is committed, as good as dead.
  private func die() { withUnsafeCurrentTask { $0?.cancel() } }
}
