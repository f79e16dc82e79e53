import Crypto
import Foundation
import HTTPTypes
import Kit

/// The operations under `/v1`.
struct GatewayAPI: Sendable {
  let store: Store
  let options: PaymentSimulator.Options
  let clock: @Sendable () -> Moment

  func answer(_ ask: Ask, origin: String) async throws -> Answer {
    let parts = ask.parts
    switch (ask.method, parts.count > 1 ? parts[1] : "", parts.count) {
    case (.post, "checkouts", 2):
      let open = try checkout(JSONInput(ask.body), origin)
      return try await once(ask) { book throws(Refusal) in book.open(open).json(at: 0) }
    case (.get, "checkouts", 3):
      let now = clock().milliseconds
      return try await one(parts[2], "checkout") { $0.checkouts[parts[2]]?.json(at: now) }
    case (.post, "payments", 2):
      let input = try JSONInput(ask.body)
      let (reference, amount, currency) = (try input.text("reference", most: 200), try input.amount(), try input.currency())
      let (method, now) = (try input.text("method", most: 100), clock())
      return try await once(ask) { book throws(Refusal) in
        let payment = try book.charge(reference: reference, amount: amount, currency: currency, method: method, at: now)
        return book.json(payment)
      }
    case (.get, "payments", 3):
      return try await one(parts[2], "payment") { book in book.payments[parts[2]].map(book.json) }
    case (.get, "payments", 2):
      return try await list(ask, "payments") { book, reference in
        (book.paymentsOfReference[reference] ?? []).compactMap { book.payments[$0].map(book.json) }
      }
    case (.post, "refunds", 2):
      let input = try JSONInput(ask.body)
      let (payment, amount) = (try input.text("payment", most: 100), try input.amount())
      let (reference, now) = (try input.text("reference", most: 200), clock())
      return try await once(ask) { book throws(Refusal) in
        try book.refund(payment: payment, amount: amount, reference: reference, at: now).json
      }
    case (.get, "refunds", 3):
      return try await one(parts[2], "refund") { $0.refunds[parts[2]]?.json }
    case (.get, "refunds", 2):
      return try await list(ask, "refunds") { book, reference in
        (book.refundsOfReference[reference] ?? []).compactMap { book.refunds[$0]?.json }
      }
    case (_, "checkouts", 2...3), (_, "payments", 2...3), (_, "refunds", 2...3):
      throw Refusal(405, "method_not_allowed", "\(ask.method.rawValue) is not among the methods of \(ask.path)")
    default:
      throw Refusal(404, "not_found", "there is nothing at \(ask.path)")
    }
  }

  private func checkout(_ input: JSONInput, _ origin: String) throws(Refusal) -> Checkout {
    let id = newID("chk")
    return Checkout(
      id: id, url: "\(origin)/checkout/\(id)", reference: try input.text("reference", most: 200), amount: try input.amount(),
      currency: try input.currency(), description: try input.text("description", most: 500),
      returnURL: try input.url("return_url"), language: try input.language(), savesMethod: try input.flag("save_method"),
      expires: clock().milliseconds + options.timetable.checkout.milliseconds)
  }

  /// Acts, or gives the answer that the same key got before. Key, act and answer stand in one line of the journal.
  private func once(
    _ ask: Ask, _ act: @escaping @Sendable (inout Book) throws(Refusal) -> JSONValue
  ) async throws -> Answer {
    guard let key = try key(ask) else { return .json(try await store.act(act), status: 201) }
    // Equal by value: a client may write the members in another order when it asks again.
    let input = (try? JSONDecoder().decode(JSONValue.self, from: ask.body))?.canonical ?? ask.body
    let asked = Data("\(ask.method.rawValue) \(ask.path)\n".utf8) + input
    let fingerprint = SHA256.hash(data: asked).hex
    return try await store.act { book in
      if let answer = book.answers[key] {
        guard answer.fingerprint == fingerprint else {
          throw Refusal(409, "idempotency_key_reused", "this Idempotency-Key was used for another request")
        }
        return .json(Data(answer.body.utf8), status: answer.status)
      }
      let body = try act(&book).canonical
      book.record(
        .answer(StoredAnswer(key: key, fingerprint: fingerprint, status: 201, body: String(decoding: body, as: UTF8.self))))
      return .json(body, status: 201)
    }
  }

  private func key(_ ask: Ask) throws(Refusal) -> String? {
    guard let name = HTTPField.Name("Idempotency-Key"), let key = ask.headers[name] else { return nil }
    guard (1...255).contains(key.utf8.count) else {
      throw Refusal(400, "malformed", "Idempotency-Key: expected 1 to 255 bytes")
    }
    return "key \(key)"
  }

  private func one(_ id: String, _ kind: String, _ find: @escaping @Sendable (Book) -> JSONValue?) async throws -> Answer {
    guard let value = try await store.act({ find($0) }) else {
      throw Refusal(404, "not_found", "there is no \(kind) \(id)")
    }
    return .json(value)
  }

  private func list(
    _ ask: Ask, _ name: String, _ find: @escaping @Sendable (Book, String) -> [JSONValue]
  ) async throws -> Answer {
    guard let reference = ask.query["reference"] else { throw Refusal(422, "invalid", "expected the parameter reference") }
    return .json([name: .array(try await store.act { find($0, reference) })] as JSONValue)
  }
}

extension Sequence<UInt8> {
  /// Lower-case hexadecimal digits.
  var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
