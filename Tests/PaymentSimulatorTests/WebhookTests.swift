import Crypto
import Foundation
import Kit
import Testing

@testable import PaymentSimulator

@Suite("Payment simulator, webhooks") struct WebhookTests {
  private func event(_ message: WebhookReceiver.Message) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: Data(message.body.utf8))
  }

  /// As a shop would check it.
  private func isSigned(_ message: WebhookReceiver.Message) -> Bool {
    let parts = message.signature.split(separator: ",").map { $0.split(separator: "=", maxSplits: 1) }
    guard parts.count == 2, parts[0][0] == "t", parts[1][0] == "v1", let time = Int64(parts[0][1]) else { return false }
    let code = HMAC<SHA256>.authenticationCode(
      for: Data("\(time).\(message.body)".utf8), using: SymmetricKey(data: Data(TestShop.secret.utf8)))
    return code.map { String(format: "%02x", $0) }.joined() == parts[1][1]
      && abs(Double(time) - message.at.timeIntervalSince1970) < 5
  }

  @Test("the signature of a known message (computed by openssl dgst -sha256 -hmac)")
  func knownSignature() {
    let value = WebhookSignature.value(Data(#"{"id":"evt_1"}"#.utf8), secret: "secret", at: 1_700_000_000)
    #expect(value == "t=1700000000,v1=af784f27423c462e20039559cd4264140f7b7ed4c9090e26fd663faa5eeb8dda")
  }

  @Test("events are signed; every second comes twice, every third late")
  func twiceAndLate() async throws {
    let receiver = try WebhookReceiver()
    defer { receiver.stop() }
    try await TestShop.open(webhooks: receiver.url) { (shop: TestShop) async throws in
      let began = Date()
      let method = try await shop.savedMethod(number: Cards.good)
      for number in 2...6 { _ = try await shop.charge(method, "r\(number)") }
      // Six events, three of them twice.
      let messages = try await receiver.wait(for: 9)
      try await Task.sleep(for: .milliseconds(300))
      #expect(receiver.messages.count == 9)
      var times: [String: [Date]] = [:]
      for message in messages {
        #expect(isSigned(message))
        let event = try event(message)
        #expect(event["type"] == "payment.succeeded")
        #expect(event["id"]?.string?.hasPrefix("evt_") == true)
        #expect(event["data"]?["id"]?.string?.hasPrefix("pay_") == true)
        times[event["data"]?["reference"]?.string ?? "", default: []].append(message.at)
      }
      #expect(times.mapValues(\.count) == ["first": 1, "r2": 2, "r3": 1, "r4": 2, "r5": 1, "r6": 2])
      for late in ["r3", "r6"] { #expect(try #require(times[late]?.first).timeIntervalSince(began) > 0.55) }
      #expect(try #require(times["first"]?.first) < #require(times["r3"]?.first))
    }
  }

  @Test("what is not taken is sent again until it is; over a restart too")
  func retries() async throws {
    let receiver = try WebhookReceiver()
    defer { receiver.stop() }
    let journal = TestShop.journal()
    receiver.refuse(3)
    try await TestShop.open(journal, webhooks: receiver.url) { (shop: TestShop) async throws in
      _ = try await shop.savedMethod(number: Cards.good)
      #expect(try await receiver.wait(for: 1).count == 1)
      #expect(receiver.refusals == 0)
    }
    receiver.refuse(1_000)
    try await TestShop.open(journal, webhooks: receiver.url) { (shop: TestShop) async throws in
      let open = try await shop.checkout("gone")
      _ = try await shop.get("/checkout/\(open.id)/cancel")
      #expect(try await shop.eventually { receiver.refusals < 998 })
    }
    receiver.refuse(0)
    try await TestShop.open(journal, webhooks: receiver.url) { _ in
      // The first is not told again; the second is the one that goes out twice.
      let messages = try await receiver.wait(for: 3)
      #expect(
        try messages.map { try event($0)["type"]?.string } == ["payment.succeeded", "checkout.canceled", "checkout.canceled"])
    }
  }

  @Test("a pending payment, a decline and a refund are told of; held back while tests ask so")
  func types() async throws {
    let receiver = try WebhookReceiver()
    defer { receiver.stop() }
    try await TestShop.open(webhooks: receiver.url, faults: true) { (shop: TestShop) async throws in
      _ = try await shop.send("POST", "/simulator/faults", ["webhooks": "hold"])
      let open = try await shop.checkout("a")
      _ = try await shop.pay(open, number: Cards.declined)
      _ = try await shop.pay(open, number: Cards.pending)
      let id = try await shop.payments("a").last?["id"]?.string ?? ""
      #expect(try await shop.eventually { try await shop.get("/v1/payments/\(id)")["status"] == "succeeded" })
      _ = try await shop.refund(id, 100)
      try await Task.sleep(for: .milliseconds(200))
      #expect(receiver.messages.isEmpty)
      _ = try await shop.send("POST", "/simulator/faults", ["webhooks": "release"])
      let types = try await receiver.wait(for: 6).compactMap { try event($0)["type"]?.string }
      #expect(Set(types) == ["payment.failed", "payment.pending", "payment.succeeded", "refund.succeeded"])
    }
  }

  @Test("the wait between attempts doubles up to a limit")
  func backOff() {
    let waits = [0, 1, 2, 5, 6, 60].map { Webhooks.wait(after: $0, PaymentSimulator.Timetable()) }
    #expect(waits == [500, 1_000, 2_000, 16_000, 30_000, 30_000])
  }
}
