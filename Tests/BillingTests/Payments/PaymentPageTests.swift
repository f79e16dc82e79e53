import Foundation
import Kit
import Testing

@testable import Billing

/// Coming back from the gateway's page.
@Suite struct PaymentPageTests {
  @Test func thePageIsTheOwnersAlone() async throws {
    try await withPayments { bench in
      let payment = try await bench.checkout(try await bench.invoice())
      let path = "/payments/\(payment.id.text)/return"
      #expect(try await PaymentSite(bench).get(path).location == "/signin?return_to=\(path)")
      #expect(try await PaymentSite(bench).get(path, accept: "application/json").status == 401)
      #expect(try await PaymentSite(bench, person: PersonID(UUID())).get(path).status == 404)
      let site = try PaymentSite(bench, person: bench.owner)
      #expect(try await site.get("/payments/\(UUID().text)/return").status == 404)
      #expect(try await site.get("/payments/x/return").status == 404)
      #expect(try await site.get(path).status == 200)
    }
  }

  @Test func itSaysWhatBecameOfThePayment() async throws {
    try await withPayments { bench in
      let payment = try await bench.checkout(try await bench.invoice())
      let path = "/payments/\(payment.id.text)/return"
      let site = try PaymentSite(bench, person: bench.owner)
      let unpaid = try await site.get(path)
      #expect(unpaid.body.contains("아직 결제하지 않았어요") && unpaid.body.contains("https://gateway.example/\(payment.id.text)"))
      bench.gateway.pay(payment.id, .failed, failure: "insufficient_funds")
      let failed = try await site.get(path)
      for words in ["결제하지 못했어요", "잔액이나 한도가 모자라요", "다시 결제하기", "19,900원"] {
        #expect(failed.body.contains(words), "\(words)")
      }
      #expect(try await site.get(path, language: "en").body.contains("The card doesn&#39;t cover the amount."))
      bench.gateway.pay(payment.id, .pending)
      let pending = try await site.get(path)
      #expect(pending.status == 200 && pending.body.contains("은행에서 확인하고 있어요") && !pending.body.contains("http-equiv"))
      #expect(!pending.body.contains("gateway.example"))
      let json = try await site.get(path, accept: "application/json")
      #expect(json.body.contains(#""state":"pending""#))
      bench.gateway.decidePending(payment.id, .succeeded)
      #expect(try await site.get(path).location == "/subscription?started=1")
      #expect(try await site.get(path, accept: "application/json").body.contains(#""state":"succeeded""#))
      for page in [unpaid, failed, pending] { #expect(!page.body.contains("billing."), "a text is missing") }
    }
  }

  @Test func whoCancelsOrdersAnew() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let first = try await bench.checkout(invoice)
      let site = try PaymentSite(bench, person: bench.owner)
      #expect(try await site.get("/payments/\(first.id.text)/return?canceled=1").location == "/plans")
      #expect(try await bench.service.payment(first.id).state == .abandoned)
      #expect(try await site.get("/payments/\(first.id.text)/return").body.contains("닫힌 결제예요"))
      let second = try await bench.checkout(invoice)
      #expect(second.id != first.id)
      // Canceled in one window, paid in the other: it is paid.
      bench.gateway.pay(second.id)
      #expect(try await site.get("/payments/\(second.id.text)/return?canceled=1").location == "/subscription?started=1")
      #expect(try await bench.settled(invoice) == 1)
    }
  }

  @Test func anotherAmountIsSaidCalmly() async throws {
    try await withPayments { bench in
      let payment = try await bench.checkout(try await bench.invoice())
      bench.gateway.pay(payment.id, amount: Money(1, .krw))
      let page = try await PaymentSite(bench, person: bench.owner).get("/payments/\(payment.id.text)/return")
      #expect(page.status == 200 && page.body.contains("금액을 확인하고 있어요"))
    }
  }
}
