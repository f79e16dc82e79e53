import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

@Suite("Revenue by day") struct RevenueRecognitionTests {
  @Test("V30: $120 for January to March less a $30 credit is earned 31, 28 and 31")
  func v30() async throws {
    try await withFinance(at: "2026-01-01T03:00:00Z") { books in
      let account = try await books.account("US")
      try await books.invoice(
        account,
        [
          .init(from: "2026-01-01", to: "2026-04-01", amount: 12_000),
          .init(from: "2026-01-01", to: "2026-04-01", amount: -3_000),
        ])
      #expect(try await books.deferred() == 9_000)
      books.go(to: "2026-02-01")
      let days = try await books.finance.recognise(through: CivilDate("2026-02-01")!)
      #expect(days.count == 31 && days.last == CivilDate("2026-01-31"))
      #expect(try await books.recognised("2026-01") == 3_100)
      #expect(try await books.deferred() == 5_900)
      books.go(to: "2026-04-10")
      #expect(try await books.finance.recognise(through: CivilDate("2026-04-09")!).count == 28 + 31 + 9)
      #expect(try await books.recognised("2026-02") == 2_800)
      #expect(try await books.recognised("2026-03") == 3_100)
      #expect(try await books.recognised("2026-04") == 0)
      #expect(try await books.deferred() == 0)
    }
  }

  @Test("a line issued late catches up on the day it was issued, and one whose days are over is earned whole")
  func late() async throws {
    try await withFinance(at: "2026-01-20T03:00:00Z") { books in
      let account = try await books.account("US")
      try await books.invoice(account, [.init(from: "2026-01-11", to: "2026-01-31", amount: 2_000)])
      try await books.invoice(account, [.init(from: "2026-01-01", to: "2026-01-05", amount: 700)])
      books.go(to: "2026-01-22")
      try await books.finance.tick()
      // Ten of twenty days by the 20th, and the 700; one day more on the 21st.
      let days = try await books.database.query("SELECT amount FROM \(books.schema).recognition ORDER BY day")
        .map { try $0.get(0, as: Int64.self) }
      #expect(days == [1_700, 100])
    }
  }

  @Test("won have no parts: a year's days add up to the whole")
  func won() async throws {
    try await withFinance(at: "2026-01-01T03:00:00Z") { books in
      let account = try await books.account("KR")
      try await books.invoice(account, [.init(from: "2026-01-01", to: "2026-02-01", amount: 19_900)])
      books.go(to: "2026-02-02")
      try await books.finance.tick()
      // V: 19,900 hold 18,091 of supply.
      #expect(try await books.recognised("2026-01", .krw) == 18_091)
      #expect(try await books.balance(.unallocated(entity: FinanceBench.entity, .krw)) == 18_091)
      let first: Int64 = try await books.database.one("SELECT amount FROM \(books.schema).recognition ORDER BY day LIMIT 1")!.get(
        0)
      #expect(first == 584)  // 18,091 / 31 = 583.58
    }
  }

  @Test("every day is booked once, by several nodes at once and again")
  func nodes() async throws {
    try await withFinance(at: "2026-01-01T03:00:00Z") { books in
      let account = try await books.account("US")
      try await books.invoice(account, [.init(from: "2026-01-01", to: "2026-02-01", amount: 3_100)])
      books.go(to: "2026-01-21")
      let booked = try await withThrowingTaskGroup(of: [CivilDate].self) { group in
        for _ in 0..<4 {
          let node = books.node()
          group.addTask { try await node.recognise(through: CivilDate("2026-01-20")!) }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(booked.count == 20 && Set(booked).count == 20)
      #expect(try await books.finance.recognise(through: CivilDate("2026-12-31")!) == [])
      #expect(try await books.recognised("2026-01") == 2_000)
      #expect(try await books.bench.count("recognition") == 20)
    }
  }

  @Test("a day waits for the invoices under way on it, and one that comes after is issued the next day")
  func underWay() async throws {
    try await withFinance(at: "2026-01-05T03:00:00Z") { books in
      let account = try await books.account("US")
      let other = try await books.account("US")
      try await books.invoice(account, [.init(from: "2026-01-05", to: "2026-01-15", amount: 1_000)])
      books.go(to: "2026-01-06")
      let finance = books.finance
      let recognising = try await books.database.transaction { transaction in
        // Issued on the 6th, and committed when the 6th is over.
        try await books.invoice(other, [.init(from: "2026-01-06", to: "2026-01-16", amount: 2_000)], in: transaction)
        books.go(to: "2026-01-07")
        let task = Task { try await finance.recognise(through: CivilDate("2026-01-06")!) }
        try await Task.sleep(for: .milliseconds(300))
        #expect(try await books.finance.recognition.booked(in: books.database) != CivilDate("2026-01-06"))
        return task
      }
      #expect(try await recognising.value.last == CivilDate("2026-01-06"))
      // 100 a day from the 5th, and 200 on the 6th.
      #expect(try await books.recognised("2026-01") == 400)
      // A clock that is behind: the day is booked, so the table refuses, as a conflict that is tried again.
      books.go(to: "2026-01-06")
      await #expect {
        try await books.invoice(account, [.init(from: "2026-01-06", to: "2026-01-16", amount: 2_000)])
      } throws: { error in
        (error as? DatabaseError)?.isRetryable == true
      }
      books.go(to: "2026-01-08")
      try await books.invoice(account, [.init(from: "2026-01-06", to: "2026-01-16", amount: 2_000)])
      books.go(to: "2026-01-20")
      try await books.finance.tick()
      #expect(try await books.deferred() == 0)
      #expect(try await books.recognised("2026-01") == 5_000)
    }
  }
}
