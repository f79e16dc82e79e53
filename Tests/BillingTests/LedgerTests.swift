import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// The ledger as the billing role meets it: what its tables keep against any client, and what `Ledger` makes of it.
@Suite struct LedgerTests {
  private let issued = LedgerAccount.pointsIssued(by: .jeju)
  private let noon = Instant(seconds: 1_795_219_200)

  private func award(_ key: String, _ points: Int64, to person: PersonID) throws -> Entry {
    try Entry(
      key: key, description: "test", occurred: noon, amount: Money(points, .points), debit: issued,
      credit: .pointsEarned(by: person))
  }

  /// Writes an entry with SQL of one's own, going round the type that would refuse it.
  private func write(_ amounts: [Int64], currencies: [String]? = nil, _ bench: Bench) async throws {
    let schema = Bench.schema
    try await bench.database.transaction { transaction in
      let id = UUID()
      try await transaction.execute(
        """
        INSERT INTO \(schema).ledger_entry (id, key, kind, description, details, occurred_at, posted_at, booked_on, content)
        VALUES (\(id), \(id.text), 'posting', 'test', '{}', now(), now(), '2026-11-21', sha256('x'))
        """)
      for (line, amount) in amounts.enumerated() {
        let account = UUID()
        let currency = currencies?[line] ?? "KRW"
        try await transaction.execute(
          """
          INSERT INTO \(schema).ledger_account (id, code, kind, currency, keeps_balance, opened_at)
          VALUES (\(account), \(account.text), 'asset', \(currency), true, now())
          """)
        try await transaction.execute(
          """
          INSERT INTO \(schema).ledger_posting (entry, line, account, amount, currency)
          VALUES (\(id), \(line), \(account), \(amount), \(currency))
          """)
      }
    }
  }

  private func refusal(_ body: () async throws -> Void) async -> DatabaseError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? DatabaseError
    }
  }

  @Test func anUnbalancedEntryFailsAtCommit() async throws {
    try await withBilling { bench in
      let unbalanced = await refusal { try await write([100, -99], bench) }
      #expect(unbalanced?.state == .checkViolation)
      #expect(unbalanced?.constraint == "ledger_entry_balanced")
      let incomplete = await refusal { try await write([], bench) }
      #expect(incomplete?.constraint == "ledger_entry_complete")
      let crossed = await refusal { try await write([100, -100], currencies: ["KRW", "USD"], bench) }
      #expect(crossed?.constraint == "ledger_entry_balanced")
      let mixed = await refusal { try await write([1, -1, 1, -1], currencies: ["KRW", "KRW", "PTS", "PTS"], bench) }
      #expect(mixed?.constraint == "ledger_entry_unmixed")
      #expect(try await bench.count("ledger_entry") == 0)
      try await write([100, -100], bench)
      #expect(try await bench.count("ledger_entry") == 1)
    }
  }

  @Test func theBillingRoleMayNotChangeWhatWasPosted() async throws {
    try await withBilling { bench in
      try await bench.ledger.post(try award("k", 30, to: .anyone))
      let statements: [SQL] = [
        "UPDATE billing.ledger_entry SET description = 'x'", "DELETE FROM billing.ledger_entry",
        "UPDATE billing.ledger_posting SET amount = amount * 2", "DELETE FROM billing.ledger_posting",
        "TRUNCATE billing.ledger_posting", "UPDATE billing.ledger_account SET kind = 'income'",
        "UPDATE billing.ledger_balance SET balance = 0", "DELETE FROM billing.ledger_hold",
        "UPDATE billing.audit SET actor = 'x'", "DELETE FROM billing.audit", "UPDATE billing.plan_version SET version = 2",
        "UPDATE billing.usage_counter SET used = 0", "DELETE FROM billing.usage_take",
      ]
      for statement in statements {
        let error = await refusal { _ = try await bench.database.query(statement) }
        #expect(error?.state == .insufficientPrivilege, "\(statement.text)")
      }
      // Nor may the owner, though the privilege is hers.
      for statement in statements.prefix(6) {
        let error = await refusal { _ = try await bench.test.database.query(statement) }
        #expect(error?.state == .insufficientPrivilege, "\(statement.text)")
      }
    }
  }

  @Test func postingsDoNotJoinAnEntryLater() async throws {
    try await withBilling { bench in
      let posted = try await bench.ledger.post(try award("k", 30, to: .anyone))
      let late = await refusal {
        try await bench.database.execute(
          """
          INSERT INTO billing.ledger_posting (entry, line, account, amount, currency)
          SELECT \(posted.id), line + 10, account, amount, currency FROM billing.ledger_posting
          """)
      }
      #expect(late?.constraint == "ledger_entry_closed")
    }
  }

  @Test func aRepeatedKeyGivesTheFirstEntryBack() async throws {
    try await withBilling { bench in
      let person = PersonID.anyone
      let first = try await bench.ledger.post(try award("k", 30, to: person))
      let second = try await bench.ledger.post(try award("k", 30, to: person))
      #expect(first.isNew && !second.isNew && first.id == second.id)
      await #expect(throws: Problem(.keyReused)) { try await bench.ledger.post(try award("k", 31, to: person)) }
      #expect(try await bench.ledger.balance(.pointsEarned(by: person)).settled == Money(30, .points))
    }
  }

  @Test func parallelPostingsOfOneKeyAreOneAndOfManyAreAll() async throws {
    try await withBilling { bench in
      let (person, other) = (PersonID.anyone, PersonID.anyone)
      let posted = try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<32 { group.addTask { try await bench.ledger.post(try award("one", 7, to: person)).isNew } }
        for number in 0..<32 { group.addTask { try await bench.ledger.post(try award("n\(number)", 1, to: other)).isNew } }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(posted == 33)
      #expect(try await bench.ledger.balance(.pointsEarned(by: person)).settled.minorUnits == 7)
      #expect(try await bench.ledger.balance(.pointsEarned(by: other)).settled.minorUnits == 32)
      #expect(try await bench.ledger.balance(issued).settled.minorUnits == 39)
      let trial = try await bench.ledger.trialBalance()
      #expect(trial.isBalanced && trial.differences == [.points: 0])
      #expect(trial.lines.map(\.debit).reduce(0, +) == 39)
    }
  }

  @Test func anAccountKeepsItsKind() async throws {
    try await withBilling { bench in
      try await bench.ledger.post(try award("k", 1, to: .anyone))
      let wrong = LedgerAccount(issued.code, .income, .points, keepsBalance: false)
      let entry = try Entry(
        key: "w", description: "test", occurred: noon, amount: Money(1, .points), debit: wrong, credit: .pointsEarned(by: .anyone)
      )
      await #expect(throws: LedgerError.self) { try await bench.ledger.post(entry) }
      #expect(try await bench.count("ledger_entry") == 1)
    }
  }

  @Test func anEntryIsReversedOnce() async throws {
    try await withBilling { bench in
      let person = PersonID.anyone
      let posted = try await bench.ledger.post(try award("k", 30, to: person))
      @Sendable func reverse(_ key: String) async throws -> Ledger.Posted {
        try await bench.database.transaction {
          try await bench.ledger.reverse(posted.id, key: key, description: "test", occurred: noon, actor: "test", in: $0)
        }
      }
      let first = try await reverse("r")
      #expect(try await reverse("r") == Ledger.Posted(id: first.id, isNew: false))
      await #expect(throws: LedgerError.alreadyReversed) { try await reverse("other") }
      #expect(try await bench.ledger.balance(.pointsEarned(by: person)).settled.minorUnits == 0)
      #expect(try await bench.ledger.trialBalance().isBalanced)
      #expect(try await bench.count("audit") == 1)
    }
  }
}
