import Foundation
import Kit
import Testing

@testable import PaymentSimulator

@Suite("Payment simulator, journal") struct JournalTests {
  private func append(_ text: String, to path: String) throws {
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.seekToEnd()
    try file.write(contentsOf: Data(text.utf8))
    try file.close()
  }

  @Test("after a restart all is there: checkouts, payments, refunds, methods, keys; the card's number is not")
  func restart() async throws {
    let journal = TestShop.journal()
    let (method, charge, checkout) = try await TestShop.open(journal) { shop in
      let method = try await shop.savedMethod(number: Cards.good)
      let charge = try await shop.charge(method, "r", key: "k")
      #expect(try await shop.refund(charge.id, 400).status == 201)
      return (method, charge, try await shop.checkout("open"))
    }
    let text = try String(contentsOfFile: journal, encoding: .utf8)
    for card in TestCard.allCases { #expect(!text.contains(card.rawValue) && !text.contains(card.grouped)) }
    // The process died while it wrote a line.
    try append(#"[{"payment":{"_0":{"id":"pay_torn","#, to: journal)
    try await TestShop.open(journal) { (shop: TestShop) async throws in
      #expect(try await shop.charge(method, "r", key: "k").text == charge.text)
      #expect(try await shop.payments("r").map { $0["refunded"] } == [400])
      #expect(try await shop.charge(method, "r3")["status"] == "succeeded")
      #expect(try await shop.get("/v1/payments/pay_torn").status == 404)
      #expect(try await shop.get("/v1/checkouts/\(checkout.id)")["status"] == "open")
    }
    // What was written behind the cut is whole.
    try await TestShop.open(journal) { (shop: TestShop) async throws in
      #expect(try await shop.payments("r3").count == 1)
      #expect(try await shop.payments("first").count == 1)
    }
  }

  @Test("a pending payment succeeds after a restart")
  func pendingOverRestart() async throws {
    let journal = TestShop.journal()
    try await TestShop.open(journal) { (shop: TestShop) async throws in
      _ = try await shop.pay(shop.checkout("a"), number: Cards.pending)
    }
    try await TestShop.open(journal) { (shop: TestShop) async throws in
      #expect(try await shop.eventually { try await shop.payments("a").first?["status"] == "succeeded" })
    }
  }

  @Test("a journal damaged in its middle, or in use, stops the start")
  func unusable() async throws {
    let journal = TestShop.journal()
    try await TestShop.open(journal) { (shop: TestShop) async throws in
      _ = try await shop.checkout("a")
      #expect(throws: PaymentSimulator.Unusable.self) {
        try PaymentSimulator(.init(journal: journal, apiKey: "a", webhookSecret: "b"))
      }
    }
    try append("not json\n[]\n", to: journal)
    #expect(throws: PaymentSimulator.Unusable.self) {
      try PaymentSimulator(.init(journal: journal, apiKey: "a", webhookSecret: "b"))
    }
    #expect(throws: PaymentSimulator.Unusable.self) {
      try PaymentSimulator(.init(journal: TestShop.journal(), apiKey: "", webhookSecret: "b"))
    }
  }
}
