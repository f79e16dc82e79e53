import Foundation
import Kit
import Testing

@testable import PaymentSimulator

@Suite("Payment simulator, card page") struct CheckoutTests {
  @Test("a good card pays, sends the person back, and completes the checkout")
  func pays() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let open = try await shop.checkout("a")
      #expect(open.status == 201)
      #expect(open["status"] == "open")
      #expect(open["payment"] == .null)
      #expect(open["url"]?.string == "\(shop.origin)/checkout/\(open.id)")
      let paid = try await shop.pay(open, number: Cards.good)
      #expect(paid.status == 303)
      #expect(paid.location == "http://shop.localhost/back?order=7&checkout=\(open.id)")
      let after = try await shop.get("/v1/checkouts/\(open.id)")
      #expect(after["status"] == "complete")
      let payment = try await shop.get("/v1/payments/\(after["payment"]?.string ?? "")")
      #expect(payment["status"] == "succeeded")
      #expect(payment["amount"] == 19_900)
      #expect(payment["failure_code"] == .null)
      #expect(payment["checkout"] == .string(open.id))
      #expect(payment["method"]?["brand"] == "visa")
      #expect(payment["method"]?["last4"] == "4242")
      #expect(payment["method"]?["exp_month"] == 12)
      #expect(payment["method"]?["exp_year"] == 2039)
    }
  }

  @Test("two submits of one form, and many at once, pay once")
  func doubleSubmit() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let open = try await shop.checkout("a")
      let page = try await shop.get("/checkout/\(open.id)").text
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<8 { group.addTask { try await shop.pay(open, number: Cards.good, from: page).status } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses == Array(repeating: 303, count: 8))
      #expect(try await shop.payments("a").count == 1)
      // Another window, another form, later.
      #expect(try await shop.pay(open, number: Cards.poor, from: page).status == 303)
      #expect(try await shop.payments("a").count == 1)
      #expect(try await shop.get("/checkout/\(open.id)").text.contains("이미 결제했어요"))
    }
  }

  @Test("a decline shows why, is a failed payment, once for a form, and another card may follow")
  func declines() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let open = try await shop.checkout("a", language: "en")
      let page = try await shop.get("/checkout/\(open.id)").text
      for _ in 0..<2 {
        let declined = try await shop.pay(open, number: Cards.declined, from: page)
        #expect(declined.status == 402)
        #expect(declined.text.contains("The bank declined this payment."))
      }
      #expect(try await shop.pay(open, number: Cards.poor).text.contains("not enough money"))
      let failed = try await shop.payments("a")
      #expect(failed.compactMap { $0["failure_code"]?.string } == ["card_declined", "insufficient_funds"])
      #expect(failed.allSatisfy { $0["status"] == "failed" })
      #expect(try await shop.get("/v1/checkouts/\(open.id)")["status"] == "open")
      #expect(try await shop.pay(open, number: Cards.good).status == 303)
      #expect(try await shop.payments("a").map { $0["status"] } == ["failed", "failed", "succeeded"])
    }
  }

  @Test("what was typed wrong is said at its field; nothing is recorded")
  func faults() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let open = try await shop.checkout("a", language: "en")
      func page(_ number: String, _ expiry: String, _ cvc: String) async throws -> String {
        let answer = try await shop.pay(open, number: number, expiry: expiry, cvc: cvc)
        #expect(answer.status == 422)
        return answer.text
      }
      #expect(try await page("4242 4242 4242 4241", "12/39", "123").contains("This is not a card number."))
      #expect(try await page("5555 5555 5555 4444", "12/39", "123").contains("This is not a test card."))
      #expect(try await page(Cards.good, "01/20", "123").contains("The card has expired."))
      #expect(try await page(Cards.good, "13/39", "123").contains("like 12/34"))
      #expect(try await page(Cards.good, "12/39", "12").contains("3 or 4 digits"))
      #expect(try await page("", "", "").contains("Enter the card number."))
      #expect(try await shop.payments("a").isEmpty)
    }
  }

  @Test("canceling goes back, and a canceled checkout can't be paid; a paid one can't be canceled")
  func cancels() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let open = try await shop.checkout("a")
      let page = try await shop.get("/checkout/\(open.id)").text
      let canceled = try await shop.get("/checkout/\(open.id)/cancel")
      #expect(canceled.status == 303)
      #expect(canceled.location == "http://shop.localhost/back?order=7&checkout=\(open.id)&canceled=1")
      #expect(try await shop.get("/v1/checkouts/\(open.id)")["status"] == "canceled")
      #expect(try await shop.pay(open, number: Cards.good, from: page).status == 409)
      #expect(try await shop.payments("a").isEmpty)
      let paid = try await shop.checkout("b")
      _ = try await shop.pay(paid, number: Cards.good)
      #expect(try await shop.get("/checkout/\(paid.id)/cancel").location?.contains("canceled") == false)
      #expect(try await shop.get("/v1/checkouts/\(paid.id)")["status"] == "complete")
    }
  }

  @Test("an old checkout has expired")
  func expires() async throws {
    var timetable = TestShop.quick
    timetable.checkout = .milliseconds(500)
    try await TestShop.open(timetable: timetable) { (shop: TestShop) async throws in
      let open = try await shop.checkout("a")
      let page = try await shop.get("/checkout/\(open.id)").text
      #expect(try await shop.eventually { try await shop.get("/v1/checkouts/\(open.id)")["status"] == "expired" })
      #expect(try await shop.pay(open, number: Cards.good, from: page).status == 409)
      #expect(try await shop.payments("a").isEmpty)
    }
  }

  @Test("a form that a browser sends from elsewhere does nothing")
  func forged() async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let open = try await shop.checkout("a")
      #expect(try await shop.pay(open, number: Cards.good, from: "no token").status == 403)
      #expect(try await shop.payments("a").isEmpty)
    }
  }

  @Test(
    "the page is in the language asked for, names the test cards, and escapes what the shop says", arguments: Language.allCases)
  func page(language: Language) async throws {
    try await TestShop.open { (shop: TestShop) async throws in
      let body: JSONValue = [
        "reference": "a", "amount": 1_499, "currency": "USD", "description": "<b>Plan</b> & more",
        "return_url": "https://a.example/",
        "language": .string(language.rawValue), "save_method": true,
      ]
      let open = try await shop.send("POST", "/v1/checkouts", body)
      let page = try await shop.get("/checkout/\(open.id)").text
      #expect(page.contains("<html lang=\"\(language.rawValue)\">"))
      #expect(page.contains("$14.99"))
      #expect(page.contains("&lt;b&gt;Plan&lt;/b&gt; &amp; more"))
      for card in TestCard.allCases { #expect(page.contains(card.grouped)) }
      #expect(!page.contains("{{") && !page.contains("page."))
      #expect(try await shop.get("/checkout/chk_0").status == 404)
      #expect(try await shop.get("/checkout.css").status == 200)
    }
  }

  @Test(
    "Luhn",
    arguments: [
      ("4242424242424242", true), ("4242424242424241", false), ("378282246310005", true), ("79927398713", false),
      ("6011000990139424", true), ("0", false), ("４242424242424242", false),
    ])
  func luhn(_ digits: String, _ isRight: Bool) {
    #expect(CardInput.isCardNumber(digits) == isRight)
  }

  @Test("a card is good to the end of its month")
  func lastMonth() throws {
    let card = CardInput(number: Cards.good, expiry: "11/26", cvc: "123")
    #expect(try card.read(in: 2026 * 12 + 10) == .init(behaviour: .succeeds, month: 11, year: 2026))
    #expect(throws: CardInput.Faults(expiry: "expiry_past")) { try card.read(in: 2026 * 12 + 11) }
  }
}
