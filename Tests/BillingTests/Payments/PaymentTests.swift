import Database
import Foundation
import Kit
import Synchronization
import Testing

@testable import Billing

/// Payments as they mostly go, and everything a payer can do about them.
@Suite struct PaymentTests {
  @Test func aPaidCheckoutIsBookedOnceHoweverOftenItIsLookedAt() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      #expect(payment.state == .created && payment.checkoutURL == "https://gateway.example/\(payment.id.text)")
      #expect(try await bench.service.look(at: payment.id).state == .created)
      bench.gateway.pay(payment.id)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<12 { group.addTask { _ = try await bench.restarted().look(at: payment.id) } }
        try await group.waitForAll()
      }
      #expect(try await bench.service.payment(payment.id).state == .succeeded)
      #expect(try await bench.settled(invoice) == 1)
      #expect(try await bench.entries("payment") == 1)
      #expect(try await bench.books() == [19_900, -19_900])
      #expect(try await bench.ledger.trialBalance().isBalanced)
    }
  }

  @Test func theSameInvoiceHasTheSamePage() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let first = try await bench.checkout(invoice)
      #expect(try await bench.checkout(invoice, by: bench.restarted()) == first)
      #expect(bench.gateway.count(.checkout) == 1)
      await #expect(throws: Problem.self) { try await bench.checkout(invoice, Money(9_900, .krw)) }
      await #expect(throws: Problem.self) { try await bench.checkout(invoice, Money(19_900, .usd)) }
      bench.gateway.pay(first.id)
      _ = try await bench.service.look(at: first.id)
      await #expect(throws: Problem.self) { try await bench.checkout(invoice) }
      #expect(try await bench.service.payments(of: invoice).count == 1)
    }
  }

  @Test func twoDevicesPayOnce() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let pages = try await withThrowingTaskGroup(of: Payment.self) { group in
        for _ in 0..<16 { group.addTask { try await bench.checkout(invoice, by: bench.restarted()) } }
        return try await group.reduce(into: Set<UUID>()) { $0.insert($1.id) }
      }
      #expect(pages.count == 1)
      #expect(try await bench.count("payment") == 1)

      try await bench.saveCard()
      let charged = try await bench.invoice()
      bench.gateway.state.withLock { $0.delay = .milliseconds(30) }
      let payments = try await withThrowingTaskGroup(of: Payment?.self) { group in
        for _ in 0..<16 { group.addTask { try await bench.charge(charged) } }
        return try await group.reduce(into: Set<UUID?>()) { $0.insert($1?.id) }
      }
      #expect(payments.count == 1 && !payments.contains(nil))
      #expect(try await bench.settled(charged) == 1)
      #expect(bench.gateway.made.count { $0.reference == payments.first } == 1)
      #expect(try await bench.cash() == 2 * 19_900)
    }
  }

  @Test func aChargeNeedsASavedMethod() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      #expect(try await bench.charge(invoice) == nil)
      #expect(try await bench.count("payment") == 0)
      try await bench.saveCard()
      let method = try #require(try await bench.service.method(of: bench.account))
      #expect(method.last4 == "4242" && method.isExpired(year: 2031, month: 1) && !method.isExpired(year: 2030, month: 12))
      let payment = try #require(try await bench.charge(invoice))
      #expect(payment.state == .succeeded && payment.method == method.id)
      #expect(try await bench.settled(invoice) == 1)
      // Asked again, it is the payment that was made.
      #expect(try await bench.charge(invoice)?.id == payment.id)
    }
  }

  @Test func aDeclinedChargeFailsAndMayBeTriedAgain() async throws {
    try await withPayments { bench in
      try await bench.saveCard()
      let invoice = try await bench.invoice()
      bench.gateway.decide(.failed, "card_declined")
      let declined = try #require(try await bench.charge(invoice))
      #expect(declined.state == .failed && declined.failure == "card_declined")
      #expect(try await bench.failures(invoice) == 1)
      #expect(try await bench.service.look(at: declined.id) == declined)
      bench.gateway.decide(.succeeded)
      bench.wait(.days(3))
      let paid = try #require(try await bench.charge(invoice))
      #expect(paid.state == .succeeded && paid.id != declined.id)
      #expect(try await bench.service.payments(of: invoice).map(\.state) == [.failed, .succeeded])
      #expect(try await bench.failures(invoice) == 1)
      #expect(try await bench.cash() == 2 * 19_900)
    }
  }

  @Test func aDeclinedCardLeavesThePageOpenForAnother() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      bench.gateway.pay(payment.id, .failed, failure: "insufficient_funds")
      let failed = try await bench.service.look(at: payment.id)
      #expect(failed.state == .created && failed.failure == "insufficient_funds" && failed.checkoutURL != nil)
      #expect(try await bench.failures(invoice) == 0)
      bench.gateway.pay(payment.id, .pending)
      #expect(try await bench.service.look(at: payment.id).state == .pending)
      bench.gateway.decidePending(payment.id, .failed)
      #expect(try await bench.service.look(at: payment.id).state == .created)
      bench.gateway.pay(payment.id)
      let paid = try await bench.service.look(at: payment.id)
      #expect(paid.state == .succeeded && paid.failure == nil && paid.method != nil)
      #expect(try await bench.cash() == 19_900)
    }
  }

  @Test func aNewCardTakesThePlaceOfTheOldOne() async throws {
    try await withPayments { bench in
      try await bench.saveCard()
      let second = GatewayPayment.Method(token: "pm_2", brand: "visa", last4: "0341", expiryMonth: 1, expiryYear: 2028)
      try await bench.saveCard(second)
      #expect(try await bench.service.method(of: bench.account)?.last4 == "0341")
      #expect(try await bench.count("payment_method") == 2)
      // The first one again: the same row, in use again.
      try await bench.saveCard()
      #expect(try await bench.service.method(of: bench.account)?.last4 == "4242")
      #expect(try await bench.count("payment_method") == 2)
      // A card described in a form we can't keep is not saved, and the payment counts.
      try await bench.saveCard(GatewayPayment.Method(token: "pm_3", brand: "x", last4: "42", expiryMonth: 0, expiryYear: 0))
      #expect(try await bench.count("payment_method") == 2)
      #expect(try await bench.cash() == 4 * 19_900)
    }
  }

  @Test(arguments: [Money(19_901, .krw), Money(1, .krw), Money(19_900, .usd)])
  func anotherAmountIsNeverBooked(_ amount: Money) async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      bench.gateway.pay(payment.id, amount: amount)
      #expect(try await bench.service.look(at: payment.id).state == .mismatched)
      #expect(try await bench.service.look(at: payment.id).state == .mismatched)
      #expect(try await bench.settled(invoice) == 0)
      #expect(try await bench.count("ledger_entry") == 0)
      #expect(try await bench.count("refund") == 0)
    }
  }

  @Test(arguments: [Money(0, .krw), Money(-1, .krw), Money(100, .points), Money(Entry.amountMost + 1, .usd)])
  func whatCanNotBePaidIsRefused(_ amount: Money) async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      await #expect(throws: Problem.self) { try await bench.checkout(invoice, amount) }
      try await bench.saveCard()
      await #expect(throws: Problem.self) { try await bench.charge(invoice, amount) }
      #expect(bench.gateway.count(.charge) == 0)
    }
  }

  @Test func whatIsNoLongerWantedIsBookedAndGivenBack() async throws {
    try await withPayments { bench in
      bench.settler.isWanted.withLock { $0 = false }
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      bench.gateway.pay(payment.id)
      #expect(try await bench.service.look(at: payment.id).state == .succeeded)
      #expect(try await bench.refunds().map(\.reason) == ["orphaned"])
      #expect(try await bench.cash() == 19_900)
      try await bench.reconcileUntilQuiet()
      #expect(try await bench.refunds().map(\.state) == ["succeeded"])
      #expect(try await bench.entries("refund") == 1)
      #expect(try await bench.books() == [0, 0])
      #expect(try await bench.ledger.trialBalance().isBalanced)
    }
  }

  @Test func moneyThatComesAfterGivingUpIsBookedAndGivenBackOnce() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let first = try await bench.checkout(invoice)
      let gaveUp = try await bench.database.transaction { try await bench.service.abandon(invoice: invoice, in: $0) }
      #expect(gaveUp)
      // The invoice is paid on a new page, and the old one was still open on a phone.
      let second = try await bench.checkout(invoice)
      #expect(second.id != first.id)
      bench.gateway.pay(second.id)
      bench.gateway.pay(first.id)
      #expect(try await bench.service.look(at: second.id).state == .succeeded)
      // No webhook comes: the reconciler remembers what it gave up.
      bench.wait(.hours(1))
      try await bench.reconcileUntilQuiet()
      for _ in 0..<3 { #expect(try await bench.restarted().look(at: first.id).state == .abandoned) }
      #expect(try await bench.settled(invoice) == 1)
      #expect(try await bench.entries("payment") == 2)
      #expect(try await bench.refunds().map(\.state) == ["succeeded"])
      #expect(try await bench.books() == [19_900, -19_900])
    }
  }

  @Test func whatMayBePaidIsNotGivenUp() async throws {
    try await withPayments { bench in
      let service = bench.service
      func abandon(_ invoice: UUID) async throws -> Bool {
        try await bench.database.transaction { try await service.abandon(invoice: invoice, in: $0) }
      }
      #expect(try await abandon(try await bench.invoice()))
      let deciding = try await bench.invoice()
      let payment = try await bench.checkout(deciding)
      bench.gateway.pay(payment.id, .pending)
      _ = try await service.look(at: payment.id)
      #expect(try await !abandon(deciding))
      bench.gateway.decidePending(payment.id, .succeeded)
      _ = try await service.look(at: payment.id)
      #expect(try await !abandon(deciding))
      let charged = try await bench.invoice()
      bench.gateway.cut(.charge, .before)
      #expect(try await bench.charge(charged)?.state == .created)
      #expect(try await !abandon(charged))
    }
  }

  @Test func aCheckoutNobodyPaysIsGivenUpAfterADay() async throws {
    try await withPayments { bench in
      let invoice = try await bench.invoice()
      let payment = try await bench.checkout(invoice)
      bench.wait(.hours(23))
      try await bench.restarted().reconcile()
      #expect(try await bench.service.payment(payment.id).state == .created)
      // Nothing is decided while the gateway is silent.
      bench.wait(.hours(2))
      bench.gateway.cut(.payments, .before)
      try await bench.restarted().reconcile()
      #expect(try await bench.service.payment(payment.id).state == .created)
      bench.wait(.hours(2))
      try await bench.restarted().reconcile()
      #expect(try await bench.service.payment(payment.id).state == .abandoned)
      #expect(try await bench.abandonments(invoice) == 1)
      // Some days later nobody looks any more.
      bench.wait(.days(4))
      let calls = bench.gateway.count(.payments)
      try await bench.restarted().reconcile()
      #expect(bench.gateway.count(.payments) == calls)
    }
  }

  @Test func aPaymentIsGivenBackInPartsButNotMoreThanItWas() async throws {
    try await withPayments { bench in
      let payment = try await bench.checkout(try await bench.invoice())
      let service = bench.service
      func refund(_ amount: Int64, _ currency: Currency = .krw) async throws -> UUID {
        try await bench.database.transaction {
          try await service.refund(
            payment: payment.id, amount: Money(amount, currency), reason: "correction", creditNote: nil, in: $0)
        }
      }
      await #expect(throws: Problem.self) { _ = try await refund(100) }
      bench.gateway.pay(payment.id)
      _ = try await service.look(at: payment.id)
      for (amount, currency) in [(0, Currency.krw), (-5, .krw), (100, .usd), (19_901, .krw)] as [(Int64, Currency)] {
        await #expect(throws: Problem.self) { _ = try await refund(amount, currency) }
      }
      _ = try await refund(9_900)
      _ = try await refund(10_000)
      await #expect(throws: Problem.self) { _ = try await refund(1) }
      try await bench.reconcileUntilQuiet()
      #expect(try await bench.entries("refund") == 2)
      #expect(try await bench.cash() == 0)
    }
  }

  @Test func aRefundTheGatewayRefusesForADayIsLeftToPeople() async throws {
    try await withPayments { bench in
      bench.settler.isWanted.withLock { $0 = false }
      let payment = try await bench.checkout(try await bench.invoice())
      bench.gateway.pay(payment.id)
      _ = try await bench.service.look(at: payment.id)
      bench.gateway.state.withLock { $0.cuts[.refund] = Array(repeating: .refused, count: 100) }
      try await bench.reconcileUntilQuiet()
      #expect(try await bench.refunds().map(\.state) == ["created"])
      bench.wait(.hours(25))
      try await bench.restarted().reconcile()
      #expect(try await bench.refunds().map(\.state) == ["failed"])
      #expect(try await bench.entries("refund") == 0)
      #expect(try await bench.cash() == 19_900)
    }
  }
}
