import Database
import Foundation
import Kit
import Synchronization
import Testing

@testable import Billing

/// A payment whose answer was lost is neither made twice nor forgotten: the line is cut, and our process killed, at each step.
@Suite struct PaymentCutTests {
  typealias Cut = ScriptedGateway.Cut
  /// All but a refusal, which is an answer.
  static let cuts = Cut.allCases.filter { $0 != .refused }

  /// Runs one step as a process of its own, which may die in it.
  private func step(_ body: @escaping @Sendable () async throws -> Void) async { _ = await Task { try await body() }.result }

  @Test(arguments: cuts, [nil] + cuts.map(Optional.some))
  func aChargeIsMadeOnce(_ cut: Cut, thenAtTheLook second: Cut?) async throws {
    try await withPayments { bench in
      try await bench.saveCard()
      let invoice = try await bench.invoice()
      bench.gateway.cut(.charge, cut, cut)
      if let second { bench.gateway.cut(.payments, second) }
      await step { _ = try await bench.charge(invoice) }
      let payments = try await bench.service.payments(of: invoice)
      #expect(payments.count == 1)
      try await bench.reconcileUntilQuiet()
      let payment = try #require(try await bench.service.payments(of: invoice).first)
      #expect(payment.id == payments.first?.id && payment.state == .succeeded)
      #expect(bench.gateway.made.count { $0.reference == payment.id } == 1)
      #expect(try await bench.settled(invoice) == 1)
      #expect(try await bench.entries("payment") == 2)
      #expect(try await bench.books() == [39_800, -39_800])
    }
  }

  @Test(arguments: cuts, [nil] + cuts.map(Optional.some))
  func aCheckoutIsPaidOnce(_ cut: Cut, thenAtTheLook second: Cut?) async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      bench.gateway.cut(.checkout, cut)
      await step { _ = try await bench.checkout(invoice) }
      #expect(try await bench.count("payment") == 1)
      // She presses the button again: the same payment, with its page.
      let payment = try await bench.checkout(invoice, by: bench.restarted())
      #expect(payment.checkoutURL != nil)
      #expect(try await bench.count("payment") == 1)
      bench.gateway.pay(payment.id)
      if let second { bench.gateway.cut(.payments, second, second) }
      // She comes back, and our process dies; no webhook comes.
      await step { _ = try await bench.restarted().look(at: payment.id) }
      try await bench.reconcileUntilQuiet()
      #expect(try await bench.service.payment(payment.id).state == .succeeded)
      #expect(try await bench.settled(invoice) == 1)
      #expect(try await bench.books() == [19_900, -19_900])
    }
  }

  @Test(arguments: cuts)
  func aRefundIsMadeOnce(_ cut: Cut) async throws {
    try await withPayments { bench in
      bench.settler.isWanted.withLock { $0 = false }
      let payment = try await bench.checkout(try await bench.invoice())
      bench.gateway.pay(payment.id)
      _ = try await bench.service.look(at: payment.id)
      bench.gateway.cut(.refund, cut, cut, cut)
      bench.wait(.seconds(1))
      await step { try await bench.restarted().reconcile() }
      try await bench.reconcileUntilQuiet()
      #expect(try await bench.refunds().map(\.state) == ["succeeded"])
      #expect(bench.gateway.state.withLock { $0.refunds.count } == 1)
      #expect(try await bench.entries("refund") == 1)
      #expect(try await bench.books() == [0, 0])
    }
  }

  @Test func whatFailsWithinTheSettlementLeavesNothingBehind() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      bench.gateway.pay(payment.id)
      bench.settler.troubles.withLock { $0 = 3 }
      await #expect(throws: NotingSettler.Trouble.self) { try await bench.service.look(at: payment.id) }
      #expect(try await bench.service.payment(payment.id).state == .created)
      #expect(try await bench.count("ledger_entry") == 0)
      #expect(try await bench.count("payment_method") == 0)
      #expect(try await bench.settled(invoice) == 0)
      try await bench.reconcileUntilQuiet()
      #expect(try await bench.settled(invoice) == 1)
      #expect(try await bench.entries("payment") == 1)
    }
  }

  @Test func aChargeTheGatewayRefusesFailsAtOnce() async throws {
    try await withPayments { bench in
      try await bench.saveCard()
      let invoice = try await bench.invoice()
      bench.gateway.cut(.charge, .refused)
      let payment = try #require(try await bench.charge(invoice))
      #expect(payment.state == .failed && payment.failure == "refused")
      #expect(try await bench.failures(invoice) == 1)
    }
  }

  @Test func aPageThatCanNotBeMadeAgainIsReplaced() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      // Made and lost; asked for again in another language, the gateway finds the key used.
      bench.gateway.cut(.checkout, .after, .refused)
      await #expect(throws: Problem(.unavailable, retryAfter: 5)) { try await bench.checkout(invoice) }
      let payment = try await bench.checkout(invoice)
      #expect(payment.checkoutURL != nil)
      #expect(Set(try await bench.service.payments(of: invoice).map(\.state)) == [.abandoned, .created])
    }
  }

  @Test func aChargeTheGatewayNeverMakesFailsAfterADay() async throws {
    try await withPayments { bench in
      try await bench.saveCard()
      let invoice = try await bench.invoice()
      bench.gateway.state.withLock { $0.cuts[.charge] = Array(repeating: .unreachable, count: 200) }
      let payment = try #require(try await bench.charge(invoice))
      #expect(payment.state == .created)
      for _ in 0..<26 {
        bench.wait(.hours(1))
        try await bench.restarted().reconcile()
      }
      let failed = try await bench.service.payment(payment.id)
      #expect(failed.state == .failed && failed.failure == "not_made")
      #expect(try await bench.failures(invoice) == 1)
      #expect(bench.gateway.count(.charge) < 40)
      // It was made after all, and nobody told us: booked and given back.
      bench.gateway.pay(payment.id, amount: Money(19_900, .krw))
      for _ in 0..<3 {
        bench.wait(.hours(1))
        try await bench.restarted().reconcile()
      }
      #expect(try await bench.settled(invoice) == 0)
      #expect(try await bench.refunds().map(\.state) == ["succeeded"])
      #expect(try await bench.books() == [19_900, -19_900])
    }
  }

  @Test func whileTheGatewayIsSilentNothingIsDecided() async throws {
    try await withPayments { bench in
      try await bench.saveCard()
      let invoice = try await bench.invoice()
      bench.gateway.cut(.charge, .after)
      bench.gateway.state.withLock { $0.cuts[.payments] = Array(repeating: .before, count: 200) }
      _ = try await bench.charge(invoice)
      for _ in 0..<60 {
        bench.wait(.hours(1))
        try await bench.restarted().reconcile()
      }
      #expect(try await bench.service.payments(of: invoice).map(\.state) == [.created])
      bench.gateway.state.withLock { $0.cuts = [:] }
      bench.wait(.hours(1))
      try await bench.restarted().reconcile()
      #expect(try await bench.settled(invoice) == 1)
      #expect(bench.gateway.count(.charge) == 1)
    }
  }

  @Test func manyReconcilersAtOnceDoEverythingOnce() async throws {
    try await withPayments { bench in
      try await bench.saveCard()
      var invoices: [UUID] = []
      for number in 0..<20 {
        let invoice = try await bench.invoice()
        invoices.append(invoice)
        bench.gateway.cut(.charge, number.isMultiple(of: 2) ? .before : .after)
        _ = try await bench.charge(invoice)
      }
      for _ in 0..<3 {
        bench.wait(.minutes(2))
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<6 { group.addTask { try await bench.restarted().reconcile() } }
          try await group.waitForAll()
        }
      }
      for invoice in invoices { #expect(try await bench.settled(invoice) == 1) }
      #expect(bench.gateway.made.count == 21)
      #expect(try await bench.cash() == 21 * 19_900)
      #expect(try await bench.ledger.trialBalance().isBalanced)
    }
  }
}
