import Foundation
import HTTPClient
import Kit
import Testing

@testable import PaymentSimulator

/// A shop with a running simulator on any free port and a journal of its own.
struct TestShop: Sendable {
  static let apiKey = "key-of-tests"
  static let secret = "secret-of-tests"
  static let quick = PaymentSimulator.Timetable(
    pending: .milliseconds(400), late: .milliseconds(600), repetition: .milliseconds(100), retryFirst: .milliseconds(100),
    retryMost: .milliseconds(400))

  let origin: String
  let client = HTTPClient(workers: 4)

  struct Answer: Sendable {
    let status: Int
    let json: JSONValue
    let text: String
    let location: String?
    subscript(key: String) -> JSONValue? { json[key] }
    var id: String { json["id"]?.string ?? "" }
    var errorCode: String? { json["error"]?["code"]?.string }
  }

  static func journal() -> String { NSTemporaryDirectory() + "payments-\(UUID().uuidString).journal" }

  /// Runs a simulator while the body runs.
  static func open<Value: Sendable>(
    _ journal: String = journal(), webhooks: String? = nil, faults: Bool = false,
    timetable: PaymentSimulator.Timetable = quick, _ body: @escaping @Sendable (TestShop) async throws -> Value
  ) async throws -> Value {
    let simulator = try PaymentSimulator(
      .init(
        journal: journal, apiKey: apiKey, webhookSecret: secret, webhookURL: webhooks, allowsFaults: faults,
        timetable: timetable))
    let (ports, ready) = AsyncStream.makeStream(of: Int.self)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await simulator.run { ready.yield($0) } }
      var iterator = ports.makeAsyncIterator()
      let port = try #require(await iterator.next())
      let value = try await body(TestShop(origin: "http://127.0.0.1:\(port)"))
      group.cancelAll()
      try await group.waitForAll()
      return value
    }
  }

  func send(
    _ method: String, _ path: String, _ body: JSONValue? = nil, key: String? = nil, apiKey: String = apiKey
  ) async throws -> Answer {
    var headers = [("Authorization", "Bearer \(apiKey)"), ("Content-Type", "application/json")]
    if let key { headers.append(("Idempotency-Key", key)) }
    let data = try body.map { try JSONEncoder().encode($0) }
    return answer(try await client.send(.init(method: method, url: url(path), headers: headers, body: data)))
  }

  func get(_ path: String) async throws -> Answer { try await send("GET", path) }

  private func url(_ path: String) -> String { path.hasPrefix("http") ? path : origin + path }

  private func answer(_ response: HTTPClient.Response) -> Answer {
    Answer(
      status: response.status, json: (try? JSONDecoder().decode(JSONValue.self, from: response.body)) ?? .null,
      text: String(decoding: response.body, as: UTF8.self), location: response.header("location"))
  }

  func checkout(
    _ reference: String, amount: Int64 = 19_900, currency: String = "KRW", language: String = "ko", save: Bool = true,
    key: String? = nil
  ) async throws -> Answer {
    let body: JSONValue = [
      "reference": .string(reference), "amount": .integer(amount), "currency": .string(currency), "description": "학생 요금제",
      "return_url": "http://shop.localhost/back?order=7", "language": .string(language), "save_method": .bool(save),
    ]
    return try await send("POST", "/v1/checkouts", body, key: key)
  }

  /// Sends the card form as a browser does: with the hidden fields of the page.
  func pay(
    _ checkout: Answer, number: String, expiry: String = "12/39", cvc: String = "123", from page: String? = nil
  ) async throws -> Answer {
    let path = "/checkout/\(checkout.id)"
    let page = if let page { page } else { try await get(path).text }
    var fields = ["number": number, "expiry": expiry, "cvc": cvc]
    for name in ["_csrf", "_key"] {
      if let match = try page.firstMatch(of: Regex<(Substring, Substring)>(#"name="\#(name)" value="([^"]*)""#)) {
        fields[name] = String(match.1)
      }
    }
    let body = fields.map { "\($0.key)=\($0.value.replacing("/", with: "%2F").replacing(" ", with: "+"))" }.joined(separator: "&")
    return answer(
      try await client.send(
        .init(
          method: "POST", url: url(path),
          headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", origin)], body: Data(body.utf8))))
  }

  /// The id of a method saved at a checkout.
  func savedMethod(number: String, reference: String = "first") async throws -> String {
    #expect(try await pay(checkout(reference), number: number).status == 303)
    return try await payments(reference).last?["method"]?["id"]?.string ?? ""
  }

  func charge(_ method: String, _ reference: String, amount: Int64 = 19_900, key: String? = nil) async throws -> Answer {
    try await send(
      "POST", "/v1/payments",
      ["reference": .string(reference), "amount": .integer(amount), "currency": "KRW", "method": .string(method)], key: key)
  }

  func payments(_ reference: String) async throws -> [JSONValue] {
    guard case .array(let list) = try await get("/v1/payments?reference=\(reference)")["payments"] else { return [] }
    return list
  }

  func refund(_ payment: String, _ amount: Int64, key: String? = nil) async throws -> Answer {
    try await send(
      "POST", "/v1/refunds", ["payment": .string(payment), "amount": .integer(amount), "reference": "back"], key: key)
  }

  /// Waits until something holds.
  func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<250 {
      if try await condition() { return true }
      try await Task.sleep(for: .milliseconds(20))
    }
    return false
  }
}

enum Cards {
  static let good = "4242 4242 4242 4242"
  static let declined = "4000 0000 0000 0002"
  static let poor = "4000 0000 0000 9995"
  static let declinedLater = "4000 0000 0000 0341"
  static let pending = "4000 0000 0000 3220"
}
