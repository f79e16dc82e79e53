import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

@Suite("Closing the books") struct CloseMonthTests {
  private let january = Month("2026-01")!

  /// A month of one invoice, recognised and split.
  private func withJanuary(_ body: (FinanceBench) async throws -> Void) async throws {
    try await withFinance { books in
      let account = try await books.account("KR")
      try await books.invoice(
        account, [.init(from: "2026-01-01", to: "2026-02-01", amount: 19_900, tenants: [.dreamseed, .majorprep])])
      books.go(to: "2026-02-04")
      try await books.finance.tick()
      try await body(books)
    }
  }

  private func post(_ books: FinanceBench, _ key: String, on day: String, in transaction: Transaction) async throws {
    try await books.bench.ledger.post(
      try Entry(
        key: key, description: "test", occurred: books.now, booked: CivilDate(day),
        postings: [.init(.cash(at: "x", entity: "other", .krw), 1), .init(.tax(entity: "other", .krw), -1)]), in: transaction)
  }

  @Test("a closed month can't change, by the ledger or by raw SQL; the next is open")
  func closed() async throws {
    try await withJanuary { books in
      let closed = try await books.finance.close(january, by: "finance-1")
      #expect(closed.debits[.krw] == 19_900 + 18_091 * 2 && closed.digest.count == 32)
      #expect(try await books.finance.export.check(january).figures.digest == closed.digest)
      await #expect {
        try await books.database.transaction { try await post(books, "late", on: "2026-01-31", in: $0) }
      } throws: { ($0 as? DatabaseError)?.constraint == "ledger_month_open" }
      let (id, now) = (UUID.v7(), books.now)
      await #expect {
        try await books.database.execute(
          """
          INSERT INTO \(books.schema).ledger_entry
            (id, key, kind, description, details, occurred_at, posted_at, booked_on, content)
          VALUES (\(id), 'raw', 'posting', 'raw', '{}', \(now), \(now), '2025-12-31', sha256('x'))
          """)
      } throws: { ($0 as? DatabaseError)?.constraint == "ledger_month_open" }
      for statement: SQL in [
        "UPDATE \(books.schema).closed_month SET closed_by = 'me'", "DELETE FROM \(books.schema).closed_month",
        "UPDATE \(books.schema).ledger_posting SET amount = amount + 1", "DELETE FROM \(books.schema).revenue_share",
        "UPDATE \(books.schema).recognition SET amount = 0",
      ] {
        await #expect { try await books.database.execute(statement) } throws: {
          ($0 as? DatabaseError)?.state == .insufficientPrivilege
        }
      }
      try await books.database.transaction { try await post(books, "next", on: "2026-02-01", in: $0) }
      await #expect(throws: CloseRefusal.closedBefore) { try await books.finance.close(january, by: "finance-1") }
      #expect(
        try await books.database.one(
          "SELECT count(*) FROM \(books.schema).audit WHERE action = 'finance.close' AND subject = '2026-01'")!.get(
            0, as: Int.self) == 1)
    }
  }

  @Test("a month that is not over, not split, or behind an open one is refused with what is to be done")
  func refused() async throws {
    try await withFinance { books in
      let account = try await books.account("US")
      try await books.invoice(account, [.init(from: "2026-01-01", to: "2026-04-01", amount: 9_000)])
      books.bench.clock.set("2026-02-03T14:00:00Z")
      await #expect(throws: CloseRefusal.notOver(from: CivilDate("2026-02-04")!)) {
        try await books.finance.close(january, by: "f")
      }
      books.go(to: "2026-02-04")
      await #expect(throws: CloseRefusal.notRecognised) { try await books.finance.close(january, by: "f") }
      try await books.finance.recognise(through: CivilDate("2026-02-03")!)
      await #expect(throws: CloseRefusal.notSplit) { try await books.finance.close(january, by: "f") }
      books.go(to: "2026-03-05")
      try await books.finance.tick()
      await #expect(throws: CloseRefusal.earlierOpen(january)) { try await books.finance.close(january.following, by: "f") }
      try await books.finance.close(january, by: "f")
      try await books.finance.close(january.following, by: "f")
      await #expect(throws: Problem(.notFound)) { try await books.finance.close(Month("2025-12")!, by: "f") }
    }
  }

  @Test("entries under way are waited for and sealed; those that come behind find the month closed")
  func underWay() async throws {
    try await withJanuary { books in
      let finance = books.finance
      let closing = try await books.database.transaction { transaction in
        try await post(books, "under-way", on: "2026-01-31", in: transaction)
        let task = Task { try await finance.close(january, by: "f") }
        try await Task.sleep(for: .milliseconds(400))
        #expect(try await books.finance.closed(january) == nil)
        return task
      }
      let closed = try await closing.value
      #expect(closed.debits[.krw] == 56_083)  // 19,900 + 18,091 × 2 + 1
      #expect(try await books.finance.export.check(january).figures.digest == closed.digest)
    }
  }

  @Test("a figure that doesn't agree is named, and the month stays open")
  func differs() async throws {
    try await withJanuary { books in
      try await books.bench.ledger.post(
        try Entry(
          key: "stray", description: "invoice.issued", occurred: books.now, booked: CivilDate("2026-01-31"),
          postings: [
            .init(.tax(entity: FinanceBench.entity, .krw), -7), .init(.cash(at: "x", entity: FinanceBench.entity, .krw), 7),
          ]))
      await #expect(
        throws: CloseRefusal.differs([
          MonthDifference(check: .invoicedTax, of: FinanceBench.entity, currency: "KRW", expected: 1_809, found: 1_816)
        ])
      ) { try await books.finance.close(january, by: "f") }
      #expect(try await books.finance.closed(january) == nil)
    }
  }

  @Test("a year of random lines, closed month by month: invoices, postings and shares agree to the minor unit")
  func year() async throws {
    let rules = ShareRules(plans: [PlanID("premium")!: .pooled, PlanID("university")!: .equal])
    try await withFinance(rules, at: "2026-01-01T03:00:00Z") { books in
      var random = SeededRandom(2_026)
      var accounts: [BillingAccount] = []
      for index in 0..<24 { accounts.append(try await books.account(index % 3 == 0 ? "KR" : "US")) }
      let all: [TenantID] = [.dreamseed, .univprep, .majorprep, .jeju]
      var sold: [Currency: Int64] = [:]
      for day in 0..<365 {
        let date = CivilDate("2026-01-01")!.adding(days: day)
        books.go(to: date.description)
        if day % 2 == 0 {
          let account = accounts.randomElement(using: &random)!
          let lines = (0..<Int.random(in: 1...3, using: &random)).map { index -> FinanceBench.Line in
            let from = date.adding(days: Int.random(in: -40...5, using: &random))
            let amount = Int64.random(in: 1...60_000, using: &random)
            return FinanceBench.Line(
              plan: ["student", "premium", "university"].randomElement(using: &random)!, from: from.description,
              to: from.adding(days: Int.random(in: 1...180, using: &random)).description,
              amount: index == 2 ? -amount : amount,
              tenants: Array(all.shuffled(using: &random).prefix(Int.random(in: 0...4, using: &random))).sorted())
          }
          let id = try await books.invoice(account, lines)
          sold[account.currency, default: 0] += try await books.database.one(
            "SELECT supply FROM \(books.schema).invoice WHERE id = \(id)")!.get(0)
          books.usage.add(
            account.owner, all.randomElement(using: &random)!, Int.random(in: 1...9, using: &random), at: books.now.rfc3339)
        }
        if day % 9 == 0 { try await books.finance.tick() }
      }
      books.go(to: "2027-10-10")
      try await books.finance.tick()
      var month = january
      while month < Month("2027-10")! {
        #expect(try await books.finance.differences(in: month, executor: books.database) == [])
        let closed = try await books.finance.close(month, by: "f")
        #expect(try await books.finance.export.check(month).figures.digest == closed.digest)
        month = month.following
      }
      for currency in [Currency.krw, .usd] {
        #expect(try await books.deferred(currency) == 0)
        let shared: Int64 = try await books.database.one(
          "SELECT coalesce(sum(amount), 0)::bigint FROM \(books.schema).revenue_share WHERE currency = \(currency.rawValue)")!
          .get(0)
        #expect(shared == sold[currency])
        #expect(try await books.balance(.unallocated(entity: FinanceBench.entity, currency)) == 0)
      }
      #expect(try await books.bench.ledger.trialBalance().isBalanced)
    }
  }
}
