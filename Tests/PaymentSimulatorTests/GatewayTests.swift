import Foundation
import Kit
import Testing

@testable import PaymentSimulator

@Suite("Payment simulator, API") struct GatewayAPITests {
  @Test("the same key and body get the same answer, in any order of members; another body 409")
  func idempotency() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let first = try await shop.checkout("a", key: "k1")
      let again = try await shop.checkout("a", key: "k1")
      #expect(first.text == again.text && again.status == 201)
      #expect(try await shop.checkout("a", amount: 20_000, key: "k1").errorCode == "idempotency_key_reused")
      let method = try await shop.savedMethod(number: Cards.good)
      let charges = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<10 { group.addTask { try await shop.charge(method, "r", key: "k2").text } }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }
      #expect(charges.count == 1)
      #expect(try await shop.payments("r").count == 1)
      #expect(try await shop.charge(method, "r2", key: "k2").status == 409)
      #expect(try await shop.refund("pay_0", 1, key: "k2").status == 409)
      let payment = try await shop.payments("r").first?["id"]?.string ?? ""
      let refund = try await shop.refund(payment, 900, key: "k3")
      #expect(try await shop.refund(payment, 900, key: "k3").text == refund.text)
      #expect(try await shop.get("/v1/payments/\(payment)")["refunded"] == 900)
      // A refusal leaves the key free.
      #expect(try await shop.refund(payment, 99_999, key: "k4").status == 422)
      #expect(try await shop.refund(payment, 100, key: "k4").status == 201)
    }
  }

  @Test("a saved method is charged again; one that declines later fails, and one not saved is refused")
  func offSession() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let good = try await shop.savedMethod(number: Cards.good)
      let payment = try await shop.charge(good, "r")
      #expect(payment.status == 201)
      #expect(payment["status"] == "succeeded")
      #expect(payment["checkout"] == .null)
      let later = try await shop.savedMethod(number: Cards.declinedLater, reference: "second")
      for number in 0..<2 {
        let failed = try await shop.charge(later, "later\(number)")
        #expect(failed.status == 201)
        #expect(failed["status"] == "failed")
        #expect(failed["failure_code"] == "card_declined")
      }
      let open = try await shop.checkout("c", save: false)
      _ = try await shop.pay(open, number: Cards.good)
      let unsaved = try await shop.payments("c").first?["method"]?["id"]?.string ?? ""
      #expect(try await shop.charge(unsaved, "r").errorCode == "method_unknown")
      #expect(try await shop.charge("pm_0", "r").errorCode == "method_unknown")
    }
  }

  @Test("a pending payment completes the checkout and succeeds after a while")
  func pending() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let open = try await shop.checkout("a")
      #expect(try await shop.pay(open, number: Cards.pending).status == 303)
      let first = try #require(try await shop.payments("a").first)
      #expect(first["status"] == "pending")
      #expect(try await shop.refund(first["id"]?.string ?? "", 1).errorCode == "payment_not_succeeded")
      #expect(try await shop.eventually { try await shop.payments("a").first?["status"] == "succeeded" })
      #expect(try await shop.payments("a").count == 1)
    }
  }

  @Test("never more is refunded than was paid, and nothing of a failed payment")
  func refunds() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let method = try await shop.savedMethod(number: Cards.declinedLater)
      let paid = try await shop.payments("first").first?["id"]?.string ?? ""
      for amount: Int64 in [0, -1, 19_901] { #expect(try await shop.refund(paid, amount).status == 422) }
      #expect(try await shop.refund(paid, 19_000)["status"] == "succeeded")
      #expect(try await shop.refund(paid, 901).errorCode == "refund_too_large")
      #expect(try await shop.refund(paid, 900).status == 201)
      #expect(try await shop.refund(paid, 1).errorCode == "refund_too_large")
      #expect(try await shop.get("/v1/payments/\(paid)")["refunded"] == 19_900)
      guard case .array(let list) = try await shop.get("/v1/refunds?reference=back")["refunds"] else {
        Issue.record("no list")
        return
      }
      #expect(list.map { $0["amount"] } == [19_000, 900])
      let failed = try await shop.charge(method, "f")
      #expect(try await shop.refund(failed.id, 1).errorCode == "payment_not_succeeded")
    }
  }

  @Test("bad input gets one clear answer")
  func badInput() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      for amount: Int64 in [0, -5] { #expect(try await shop.checkout("a", amount: amount).errorCode == "invalid_amount") }
      #expect(try await shop.checkout("a", currency: "PTS").errorCode == "invalid_currency")
      #expect(try await shop.checkout("a", currency: "EUR").errorCode == "invalid_currency")
      #expect(try await shop.checkout("").errorCode == "invalid")
      #expect(try await shop.checkout("a", language: "fr").errorCode == "invalid")
      #expect(try await shop.send("POST", "/v1/checkouts", "text").errorCode == "malformed")
      #expect(try await shop.send("GET", "/v1/payments/pay_0").status == 404)
      #expect(try await shop.send("DELETE", "/v1/payments").status == 405)
      #expect(try await shop.send("GET", "/v1/payments?reference=a", apiKey: "wrong").errorCode == "unauthorized")
      #expect(try await shop.send("GET", "/else").status == 404)
      #expect(try await shop.send("GET", "/simulator/state").status == 404)
      #expect(try await shop.send("POST", "/simulator/faults", ["next": []]).status == 404)
    }
  }

  @Test("faults: cut before, after and in the middle of the answer; each once")
  func faults() async throws {
    try await TestShop.open(faults: true) { (shop: TestShop) async throws in
      let method = try await shop.savedMethod(number: Cards.good)
      for (cut, count) in [("before", 0), ("after", 1), ("mid-answer", 1)] {
        let set = try await shop.send(
          "POST", "/simulator/faults", ["next": [["path": "/v1/payments", "cut": .string(cut), "delay_ms": 10]]])
        #expect(set.status == 200)
        await #expect(throws: (any Error).self) { try await shop.charge(method, cut, key: cut) }
        #expect(try await shop.payments(cut).count == count, "\(cut)")
        // Asking again with the key makes it once.
        #expect(try await shop.charge(method, cut, key: cut)["status"] == "succeeded")
        #expect(try await shop.payments(cut).count == 1, "\(cut)")
      }
      let state = try await shop.get("/simulator/state")
      #expect(state["payments"]?["after"]?["succeeded"] == 1)
      #expect(try await shop.send("POST", "/simulator/faults", ["next": [["path": "/x", "cut": "half"]]]).status == 422)
    }
  }
}
