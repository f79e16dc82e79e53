public import Foundation
public import HTTPClient
public import Kit

/// The payment simulator as a gateway: its JSON API over HTTP.
public struct SimulatorGateway: PaymentGateway {
  public let name = "simulator"
  private let baseURL: String
  private let key: String
  private let signature: WebhookSignature
  private let client: HTTPClient
  /// For one call, the answer read. Shorter than ``LookSchedule/first``: when a payment is looked at, no call is under way.
  private static let timeout = Duration.seconds(8)

  /// - Parameters:
  ///   - baseURL: origin without a slash at its end: `http://127.0.0.1:8090`.
  ///   - key: the API key, sent as bearer token.
  ///   - webhookSecret: what its webhooks are signed with.
  public init(baseURL: String, key: String, webhookSecret: String, client: HTTPClient) {
    self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
    self.key = key
    self.client = client
    signature = WebhookSignature(secret: webhookSecret)
  }

  public func checkout(_ request: CheckoutRequest) async throws(GatewayFailure) -> GatewayCheckout {
    let body = CheckoutBody(
      reference: request.reference.text, amount: request.amount.minorUnits, currency: request.amount.currency.rawValue,
      description: request.description, returnURL: request.returnURL, language: request.language.rawValue,
      savesMethod: true)
    let answer: CheckoutAnswer = try await post("/v1/checkouts", body, reference: request.reference)
    guard answer.reference == request.reference.text, answer.url.hasPrefix("http") else { throw .unknown("malformed answer") }
    return GatewayCheckout(id: answer.id, url: answer.url)
  }

  public func charge(_ request: ChargeRequest) async throws(GatewayFailure) -> GatewayPayment {
    let body = ChargeBody(
      reference: request.reference.text, amount: request.amount.minorUnits, currency: request.amount.currency.rawValue,
      method: request.method)
    let answer: PaymentAnswer = try await post("/v1/payments", body, reference: request.reference)
    return try answer.payment()
  }

  public func payments(reference: UUID) async throws(GatewayFailure) -> [GatewayPayment] {
    let answer: PaymentsAnswer = try await send("GET", "/v1/payments?reference=\(reference.text)")
    // It lists them as they were made; of one second, the later comes first.
    let newest = answer.payments.enumerated().sorted { ($0.element.created, $0.offset) > ($1.element.created, $1.offset) }
    var payments: [GatewayPayment] = []
    for (_, payment) in newest { payments.append(try payment.payment()) }
    return payments
  }

  public func refund(_ payment: String, amount: Money, reference: UUID) async throws(GatewayFailure) -> GatewayRefund {
    let body = RefundBody(payment: payment, amount: amount.minorUnits, reference: reference.text)
    let answer: RefundAnswer = try await post("/v1/refunds", body, reference: reference)
    guard answer.status == "succeeded" else { throw .unknown("refund is \(answer.status == "pending" ? "pending" : "unclear")") }
    return GatewayRefund(id: answer.id, amount: try money(answer.amount, answer.currency))
  }

  public func event(body: Data, header: (String) -> String?, now: Instant) -> GatewayEvent? {
    guard let value = header("Payment-Signature"), signature.isValid(value, of: body, now: now),
      let event = try? JSONDecoder().decode(EventBody.self, from: body), (1...200).contains(event.id.utf8.count),
      (1...100).contains(event.type.utf8.count), let reference = UUID(uuidString: event.data.reference)
    else { return nil }
    return GatewayEvent(id: event.id, type: event.type, reference: reference)
  }

  // MARK: The wire

  private func post<Answer: Decodable>(
    _ path: String, _ body: some Encodable & Sendable, reference: UUID
  ) async throws(GatewayFailure) -> Answer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    guard let data = try? encoder.encode(body) else { throw .notDone("not encodable") }
    return try await send(
      "POST", path, headers: [("Content-Type", "application/json"), ("Idempotency-Key", reference.text)], body: data)
  }

  private func send<Answer: Decodable>(
    _ method: String, _ path: String, headers: [(String, String)] = [], body: Data? = nil
  ) async throws(GatewayFailure) -> Answer {
    let response: HTTPClient.Response
    do {
      response = try await client.send(
        HTTPClient.Request(
          method: method, url: baseURL + path,
          headers: [("Authorization", "Bearer \(key)"), ("Accept", "application/json")] + headers, body: body,
          timeout: Self.timeout))
    } catch {
      throw Self.failure(error)
    }
    switch response.status {
    case 200..<300:
      guard let answer = try? JSONDecoder().decode(Answer.self, from: response.body) else { throw .unknown("malformed answer") }
      return answer
    case 401, 403: throw .notDone(GatewayFailure.unauthorized)
    case 429: throw .notDone(GatewayFailure.busy)
    case 400..<500: throw .notDone(Self.code(of: response.body))
    default: throw .unknown("status \(response.status)")
    }
  }

  private static func failure(_ error: HTTPClientError) -> GatewayFailure {
    switch error {
    case .notSent: .notDone(GatewayFailure.unreachable)
    case .outcomeUnknown: .unknown("answer lost")
    case .tooLarge: .unknown("answer too large")
    case .cancelled: .unknown("cancelled")
    }
  }

  /// `{"error": {"code": …}}`; only what looks like a code, for it is stored and logged.
  private static func code(of body: Data) -> String {
    guard let refusal = try? JSONDecoder().decode(RefusalAnswer.self, from: body),
      (1...60).contains(refusal.error.code.utf8.count),
      refusal.error.code.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 95 })
    else { return "refused" }
    return refusal.error.code
  }
}

// What goes over the wire, by the names it has there.
private struct CheckoutBody: Encodable {
  let reference: String
  let amount: Int64
  let currency: String
  let description: String
  let returnURL: String
  let language: String
  let savesMethod: Bool

  enum CodingKeys: String, CodingKey {
    case reference, amount, currency, description, language
    case returnURL = "return_url"
    case savesMethod = "save_method"
  }
}
private struct CheckoutAnswer: Decodable {
  let id: String
  let url: String
  let reference: String
}
private struct ChargeBody: Encodable {
  let reference: String
  let amount: Int64
  let currency: String
  let method: String
}
private struct RefundBody: Encodable {
  let payment: String
  let amount: Int64
  let reference: String
}
private struct RefundAnswer: Decodable {
  let id: String
  let amount: Int64
  let currency: String
  let status: String
}
private struct RefusalAnswer: Decodable {
  struct Refusal: Decodable { let code: String }
  let error: Refusal
}
private struct EventBody: Decodable {
  struct Subject: Decodable { let reference: String }
  let id: String
  let type: String
  let data: Subject
}
private struct PaymentsAnswer: Decodable { let payments: [PaymentAnswer] }
private struct PaymentAnswer: Decodable {
  struct Method: Decodable {
    let id: String
    let brand: String
    let last4: String
    let expiryMonth: Int
    let expiryYear: Int

    enum CodingKeys: String, CodingKey {
      case id, brand, last4
      case expiryMonth = "exp_month"
      case expiryYear = "exp_year"
    }
  }
  let id: String
  let reference: String
  let amount: Int64
  let currency: String
  let status: GatewayPayment.State
  let failureCode: String?
  let method: Method?
  let created: Int64

  enum CodingKeys: String, CodingKey {
    case id, reference, amount, currency, status, method, created
    case failureCode = "failure_code"
  }

  func payment() throws(GatewayFailure) -> GatewayPayment {
    guard let reference = UUID(uuidString: reference) else { throw .unknown("malformed answer") }
    return GatewayPayment(
      id: id, reference: reference, amount: try money(amount, currency), state: status, failure: failureCode,
      method: method.map {
        GatewayPayment.Method(
          token: $0.id, brand: $0.brand, last4: $0.last4, expiryMonth: $0.expiryMonth, expiryYear: $0.expiryYear)
      })
  }
}

/// A currency we don't have can't be compared, let alone booked: the answer tells us nothing.
private func money(_ amount: Int64, _ currency: String) throws(GatewayFailure) -> Money {
  guard let currency = Currency(rawValue: currency), currency != .points else { throw .unknown("unknown currency") }
  return Money(amount, currency)
}
