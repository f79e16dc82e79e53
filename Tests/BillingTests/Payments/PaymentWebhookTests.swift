import Database
import Foundation
import Kit
import Synchronization
import Testing

@testable import Billing

/// Webhooks say "look" and nothing more: forged, replayed, early, late, or about another amount.
@Suite struct PaymentWebhookTests {
  private let signature = WebhookSignature(secret: "whsec")

  private func body(_ reference: UUID, id: String = "evt_1") -> Data {
    Data(#"{"id":"\#(id)","reference":"\#(reference.text)","amount":1}"#.utf8)
  }

  private func deliveries(_ bench: PaymentBench) async throws -> [Int] {
    try await bench.database.query("SELECT deliveries FROM \(Bench.schema).gateway_event ORDER BY id").map {
      try $0.get("deliveries")
    }
  }

  @Test func aForgedOneIsRefusedAndNothingIsStored() async throws {
    try await withPayments { bench in
      let site = try PaymentSite(bench)
      let payment = try await bench.checkout(try await bench.invoice())
      bench.gateway.pay(payment.id)
      let (body, now) = (body(payment.id), bench.clock.domain.now())
      let good = signature.header(for: body, at: now)
      let refused: [(Data, String?)] = [
        (body, nil), (body, ""), (body, "t=1"), (body, WebhookSignature(secret: "other").header(for: body, at: now)),
        (body + Data(" ".utf8), good), (body, good.replacing("v1=", with: "v0=")), (body, "t=\(now.seconds),t=1," + good),
        (body, String(good.dropLast())), (body, good.replacing("t=1", with: "t=2")),
        (body, signature.header(for: body, at: now - .seconds(301))),
        (body, signature.header(for: body, at: now + .seconds(301))),
        (Data("[]".utf8), signature.header(for: Data("[]".utf8), at: now)),
      ]
      for (body, header) in refused {
        let reply = try await site.webhook(body, signature: header)
        #expect(reply.status == 400 && reply.body.contains("malformed-request"), "\(header ?? "none")")
      }
      #expect(try await bench.count("gateway_event") == 0)
      #expect(try await bench.service.payment(payment.id).state == .created)
      #expect(bench.gateway.count(.payments) == 0)
    }
  }

  @Test func aVerifiedOneIsFollowedAndARepeatedOneHasNoMoreEffect() async throws {
    try await withPayments { bench in
      let site = try PaymentSite(bench)
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      bench.gateway.pay(payment.id)
      let body = body(payment.id)
      let header = signature.header(for: body, at: bench.clock.domain.now())
      try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<8 { group.addTask { try await site.webhook(body, signature: header).status } }
        for try await status in group { #expect(status == 200) }
      }
      // Signed anew, and late.
      bench.wait(.hours(20))
      #expect(try await site.webhook(body, signature: signature.header(for: body, at: bench.clock.domain.now())).status == 200)
      // What was recorded on the way is too old by now.
      #expect(try await site.webhook(body, signature: header).status == 400)
      #expect(try await deliveries(bench) == [9])
      #expect(try await bench.settled(invoice) == 1)
      #expect(try await bench.cash() == 19_900)
    }
  }

  @Test func earlyAndUnknownOnesAreNotedAndHarmless() async throws {
    try await withPayments { bench in
      let site = try PaymentSite(bench)
      let now = bench.clock.domain.now()
      for (number, reference) in [UUID(), UUID()].enumerated() {
        let body = body(reference, id: "evt_\(number)")
        #expect(try await site.webhook(body, signature: signature.header(for: body, at: now)).status == 200)
      }
      // Told of before anyone has paid: looked at, and left open.
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      let early = body(payment.id, id: "evt_2")
      #expect(try await site.webhook(early, signature: signature.header(for: early, at: now)).status == 200)
      #expect(try await bench.service.payment(payment.id).state == .created)
      #expect(try await deliveries(bench) == [1, 1, 1])
      // Before the answer to the charge itself.
      bench.gateway.pay(payment.id)
      _ = try await bench.service.look(at: payment.id)
      let charged = try await bench.invoice()
      bench.gateway.cut(.charge, .after)
      let open = try #require(try await bench.charge(charged))
      let body = body(open.id, id: "evt_3")
      #expect(try await site.webhook(body, signature: signature.header(for: body, at: now)).status == 200)
      #expect(try await bench.settled(charged) == 1)
      #expect(try await bench.restarted().carryOut(open).state == .succeeded)
      #expect(try await bench.settled(charged) == 1)
      #expect(try await bench.cash() == 2 * 19_900)
    }
  }

  @Test func whatItSaysOfTheAmountIsNotBelieved() async throws {
    try await withPayments { bench in
      let site = try PaymentSite(bench)
      let now = bench.clock.domain.now()
      let invoices = [try await bench.invoice(), try await bench.invoice()]
      let honest = try await bench.checkout(invoices[0])
      let short = try await bench.checkout(invoices[1])
      bench.gateway.pay(honest.id)
      bench.gateway.pay(short.id, amount: Money(100, .krw))
      for (number, payment) in [honest, short].enumerated() {
        // Both bodies speak of one won.
        let body = body(payment.id, id: "evt_\(number)")
        #expect(try await site.webhook(body, signature: signature.header(for: body, at: now)).status == 200)
      }
      #expect(try await bench.service.payment(honest.id).state == .succeeded)
      #expect(try await bench.service.payment(short.id).state == .mismatched)
      #expect(try await bench.cash() == 19_900)
    }
  }

  @Test func itIsTakenWhileTheGatewayCanNotBeAskedAndTheReconcilerLooks() async throws {
    try await withPayments { bench in
      let site = try PaymentSite(bench)
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      bench.gateway.pay(payment.id)
      bench.gateway.cut(.payments, .before)
      let body = body(payment.id)
      #expect(try await site.webhook(body, signature: signature.header(for: body, at: bench.clock.domain.now())).status == 200)
      #expect(try await bench.service.payment(payment.id).state == .created)
      // Within the same second, not after the first look's minute.
      try await bench.restarted().reconcile()
      #expect(try await bench.settled(invoice) == 1)
    }
  }

  @Test func aBodyThatIsTooLargeIsRefused() async throws {
    try await withPayments { bench in
      let body = Data(repeating: 32, count: 65_537)
      let reply = try await PaymentSite(bench).webhook(body, signature: signature.header(for: body, at: bench.clock.domain.now()))
      #expect(reply.status == 413)
      #expect(try await bench.count("gateway_event") == 0)
    }
  }

  @Test func aRefundsWebhookCarriesTheRefundOut() async throws {
    try await withPayments { bench in
      bench.settler.isWanted.withLock { $0 = false }
      let payment = try await bench.checkout(try await bench.invoice())
      bench.gateway.pay(payment.id)
      _ = try await bench.service.look(at: payment.id)
      let refund: UUID = try await bench.database.one("SELECT id FROM \(Bench.schema).refund")!.get("id")
      let body = body(refund)
      let header = signature.header(for: body, at: bench.clock.domain.now())
      for _ in 0..<2 { #expect(try await PaymentSite(bench).webhook(body, signature: header).status == 200) }
      #expect(try await bench.entries("refund") == 1)
    }
  }
}
