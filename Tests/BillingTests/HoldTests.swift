import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// What can fail later is held, then captured or released.
@Suite struct HoldTests {
  private let spent = LedgerAccount("points:spent", .income, .points, keepsBalance: false)

  /// A person with 100 points.
  private func withPoints(_ body: (Bench, LedgerAccount) async throws -> Void) async throws {
    try await withBilling { bench in
      let account = LedgerAccount.pointsEarned(by: .anyone)
      try await bench.ledger.post(
        try Entry(
          key: "k", description: "test", occurred: bench.clock.domain.now(), amount: Money(100, .points),
          debit: .pointsIssued(by: .jeju), credit: account))
      try await body(bench, account)
    }
  }

  private func hold(_ amount: Int64, _ key: String, of account: LedgerAccount, _ bench: Bench) async throws -> Hold {
    try await bench.database.transaction {
      try await bench.ledger.hold(
        Money(amount, .points), of: account, key: key, until: bench.clock.domain.now() + .hours(1), actor: "test", in: $0)
    }
  }

  private func capture(_ hold: Hold, _ amount: Int64? = nil, _ bench: Bench) async throws -> Ledger.Posted {
    try await bench.database.transaction {
      try await bench.ledger.capture(
        hold.id, amount: amount.map { Money($0, .points) }, to: spent, description: "test", actor: "test", in: $0)
    }
  }

  @Test func whatIsHeldCanNotBeHeldAgain() async throws {
    try await withPoints { bench, account in
      let first = try await hold(70, "a", of: account, bench)
      #expect(try await hold(70, "a", of: account, bench).id == first.id)
      await #expect(throws: Problem(.keyReused)) { _ = try await hold(60, "a", of: account, bench) }
      await #expect(throws: LedgerError.notCovered) { _ = try await hold(31, "b", of: account, bench) }
      let balance = try await bench.ledger.balance(account)
      #expect(balance.settled.minorUnits == 100 && balance.available.minorUnits == 30)
    }
  }

  @Test func parallelHoldsNeverExceedTheBalance() async throws {
    try await withPoints { bench, account in
      let held = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<16 {
          group.addTask { (try? await hold(10, "h\(number)", of: account, bench)) != nil }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      let balance = try await bench.ledger.balance(account)
      #expect(held == 10 && balance.available.minorUnits == 0)
      #expect(try await bench.service.audit.verify().isIntact)
    }
  }

  @Test func aPartIsCapturedAndTheRestIsFree() async throws {
    try await withPoints { bench, account in
      let held = try await hold(70, "a", of: account, bench)
      let posted = try await capture(held, 50, bench)
      let repeated = try await capture(held, 50, bench)
      #expect(repeated == Ledger.Posted(id: posted.id, isNew: false))
      await #expect(throws: Problem(.keyReused)) { _ = try await capture(held, 40, bench) }
      await #expect(throws: LedgerError.holdSettled) {
        try await bench.database.transaction { try await bench.ledger.release(held.id, actor: "test", in: $0) }
      }
      let balance = try await bench.ledger.balance(account)
      #expect(balance.settled.minorUnits == 50 && balance.held.minorUnits == 0)
      #expect(try await bench.ledger.trialBalance().isBalanced)
    }
  }

  @Test func aReleasedHoldIsFreeAgainAndCanNotBeCaptured() async throws {
    try await withPoints { bench, account in
      let held = try await hold(100, "a", of: account, bench)
      for _ in 0..<2 {
        try await bench.database.transaction { try await bench.ledger.release(held.id, actor: "test", in: $0) }
      }
      await #expect(throws: LedgerError.holdSettled) { _ = try await capture(held, nil, bench) }
      #expect(try await bench.ledger.balance(account).available.minorUnits == 100)
    }
  }

  @Test func aHoldExpires() async throws {
    try await withPoints { bench, account in
      let held = try await hold(100, "a", of: account, bench)
      bench.clock.set("2026-11-21T01:00:00Z")
      await #expect(throws: LedgerError.holdExpired) { _ = try await capture(held, nil, bench) }
      // A new hold finds the room at once; nobody has to sweep first.
      _ = try await hold(100, "b", of: account, bench)
      bench.clock.set("2026-11-21T03:00:00Z")
      #expect(try await bench.ledger.expireHolds() == 1)
      #expect(try await bench.ledger.balance(account).available.minorUnits == 100)
    }
  }
}
