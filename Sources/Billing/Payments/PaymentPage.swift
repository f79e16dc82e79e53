import Database
import Foundation
import Kit
public import Web

extension PaymentService {
  static let endpoints: [Endpoint<PaymentService>] = [webhook, returned]

  /// For the city's own site.
  public var routes: [SiteRouter.Route] {
    PaymentService.endpoints.map { SiteRouter.Route($0, of: self) }
  }

  /// GET /payments/{id}/return: where the gateway sends the payer back to; also where she looks again.
  static let returned = Endpoint<PaymentService>.get(
    "/payments/{id}/return",
    EndpointRules(
      access: .signedIn,
      operation: Operation(
        "lookAtPayment", "What became of a payment, after asking the gateway",
        query: [Operation.Parameter("canceled", "1: the payer left the gateway's page; an unpaid checkout is given up")],
        output: PaymentView.shape, problems: [.notFound]))
  ) { payments, visit in
    let person = try visit.requireSession().person
    let id = try visit.id()
    // Another's payment is none.
    guard let known = try await payments.find(id), try await payments.owner(of: known.account) == person else {
      throw Problem(.notFound)
    }
    var payment = try await payments.look(at: id)
    if visit.query("canceled") == "1", payment.kind == .checkout, payment.state == .created {
      payment = try await payments.cancel(payment)
      // The order stays: she may pay it on a new page, or order something else.
      if payment.state == .abandoned, !visit.wantsJSON { return .redirect("/plans") }
    }
    if visit.wantsJSON { return .json(PaymentView(payment)) }
    if payment.state == .succeeded { return .redirect("/subscription?started=1") }
    return .page(page(payment, visit), json: PaymentView(payment))
  }

  func owner(of account: UUID) async throws -> PersonID? {
    try await database.one("SELECT owner FROM \(schema).billing_account WHERE id = \(account)")?.get("owner")
  }

  /// The payer has left the gateway's page, which is closed by that: an order is paid on a new one.
  private func cancel(_ payment: Payment) async throws -> Payment {
    _ = try await database.transaction { try await self.abandon(invoice: payment.invoice, in: $0) }
    return try await self.payment(payment.id)
  }

  private static func page(_ payment: Payment, _ visit: Visit) -> Page {
    let words: String
    var model: [String: any Sendable] = [
      "amount": visit.format.money(payment.amount), "againURL": "/payments/\(payment.id.text)/return",
    ]
    switch payment.state {
    case .created where payment.failure != nil:
      words = "failed"
      model["isBad"] = true
      model["pageURL"] = payment.checkoutURL
    case .created where payment.kind == .checkout:
      words = "unpaid"
      model["pageURL"] = payment.checkoutURL
      model["isLooking"] = true
    case .created, .pending, .succeeded:
      words = "pending"
      model["isLooking"] = true
    case .failed:
      words = "failed"
      model["isBad"] = true
      model["backURL"] = "/subscription"
    case .abandoned:
      words = "abandoned"
      model["plansURL"] = "/plans"
    case .mismatched:
      words = "mismatched"
    }
    if model["isBad"] != nil {
      let key = "billing.payment.reason.\(payment.failure ?? "other")"
      model["reason"] = visit.text(visit.catalogue.has(key) ? key : "billing.payment.reason.other")
    }
    model["detail"] = visit.text("billing.payment.\(words).detail")
    return Page("billing.payment", title: visit.text("billing.payment.\(words).title"), model)
  }
}

/// What programs get of a payment.
struct PaymentView: Encodable, Sendable {
  let id: String
  let invoice: String
  let kind: String
  let state: String
  /// Minor units.
  let amount: Int64
  let currency: String
  let checkoutURL: String?
  let failure: String?

  init(_ payment: Payment) {
    id = payment.id.text
    invoice = payment.invoice.text
    kind = payment.kind.rawValue
    state = payment.state.rawValue
    amount = payment.amount.minorUnits
    currency = payment.amount.currency.rawValue
    checkoutURL = payment.state.isOpen ? payment.checkoutURL : nil
    failure = payment.failure
  }

  static let shape = Shape.object([
    ("id", .uuid), ("invoice", .uuid), ("kind", .choice(Payment.Kind.allCases.map(\.rawValue))),
    ("state", .choice(Payment.State.allCases.map(\.rawValue))), ("amount", .integer),
    ("currency", .choice([Currency.krw.rawValue, Currency.usd.rawValue])), ("checkoutURL?", .string), ("failure?", .string),
  ])
}
