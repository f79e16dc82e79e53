import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

@Suite("Who earned a month") struct RevenueSplitTests {
  private let three: [TenantID] = [.dreamseed, .univprep, .majorprep]

  @Test("by the account's own use: to the own entity's tenants as revenue, to another entity as payable")
  func byUse() async throws {
    try await withFinance { books in
      let account = try await books.account("US")
      try await books.invoice(account, [.init(from: "2026-01-01", to: "2026-02-01", amount: 1_499, tenants: three)])
      for (tenant, count) in [(TenantID.dreamseed, 10), (.univprep, 6), (.majorprep, 3), (.jeju, 50)] {
        books.usage.add(account.owner, tenant, count, at: "2026-01-15T00:00:00Z")
      }
      books.usage.add(.anyone, .dreamseed, 900, at: "2026-01-15T00:00:00Z")
      // 2026-02-03T15:00Z is the 4th in Seoul: three days are over.
      books.bench.clock.set("2026-02-03T14:59:59Z")
      try await books.finance.tick()
      #expect(try await books.shares("2026-01") == [])
      books.bench.clock.set("2026-02-03T15:00:00Z")
      try await books.finance.tick()
      #expect(
        try await books.shares("2026-01") == ["dreamseed 789 by-use 10", "majorprep 237 by-use 3", "univprep 473 by-use 6"])
      #expect(try await books.revenue(.dreamseed) == 789)
      #expect(try await books.revenue(.univprep) == 473)
      #expect(try await books.balance(.payable(to: "major-kr", by: FinanceBench.entity, .usd)) == 237)
      #expect(try await books.balance(.unallocated(entity: FinanceBench.entity, .usd)) == 0)
      #expect(try await books.bench.count("revenue_use") == 0)
      #expect(try await books.differences("2026-01") == [])
    }
  }

  @Test("nothing used is split equally; a plan that reaches no tenant earns for the city")
  func nothingUsed() async throws {
    try await withFinance { books in
      let account = try await books.account("US")
      try await books.invoice(
        account,
        [
          .init(from: "2026-01-01", to: "2026-02-01", amount: 1_001, tenants: [.dreamseed, .univprep]),
          .init(from: "2026-01-01", to: "2026-02-01", amount: 300, tenants: []),
        ])
      books.go(to: "2026-02-10")
      try await books.finance.tick()
      #expect(
        try await books.shares("2026-01") == ["city 300 equal 0", "dreamseed 501 equal 0", "univprep 500 equal 0"])
      #expect(try await books.differences("2026-01") == [])
    }
  }

  @Test("late use counts in the next month, and what is used in a month's first days counts in that month, each once")
  func lateUse() async throws {
    try await withFinance { books in
      let account = try await books.account("US")
      let two: [TenantID] = [.dreamseed, .univprep]
      try await books.invoice(account, [.init(from: "2026-01-01", to: "2026-03-01", amount: 5_900, tenants: two)])
      let owner = account.owner
      books.usage.add(owner, .dreamseed, 1, at: "2026-01-10T00:00:00Z")
      // In time: it came within the three days.
      books.usage.add(owner, .dreamseed, 2, at: "2026-01-31T10:00:00Z", stored: "2026-02-02T10:00:00Z")
      // Late.
      books.usage.add(owner, .univprep, 4, at: "2026-01-30T10:00:00Z", stored: "2026-02-20T10:00:00Z")
      // Of February, before January was counted.
      books.usage.add(owner, .univprep, 8, at: "2026-02-02T10:00:00Z")
      books.usage.add(owner, .dreamseed, 16, at: "2026-02-15T10:00:00Z")
      // Midnight in Seoul parts the months: March.
      books.usage.add(owner, .dreamseed, 32, at: "2026-02-28T15:00:00Z")
      books.go(to: "2026-03-10")
      try await books.finance.tick()
      #expect(try await books.shares("2026-01") == ["dreamseed 3100 by-use 3", "univprep 0 by-use 0"])
      // 2,800 over 16:12.
      #expect(try await books.shares("2026-02") == ["dreamseed 1600 by-use 16", "univprep 1200 by-use 12"])
      #expect(try await books.finance.explain(account.id, in: Month("2026-02")!).uses.map(\.statements.count) == [16, 12])
    }
  }

  @Test("a family's use is that of all who sat there in the month")
  func family() async throws {
    try await withFinance { books in
      let account = try await books.account("US")
      let (child, gone, later) = (PersonID.anyone, PersonID.anyone, PersonID.anyone)
      try await books.invoice(
        account, [.init(from: "2026-01-01", to: "2026-02-01", amount: 3_100, tenants: [.dreamseed, .univprep])])
      try await books.database.transaction { transaction in
        let seats = AccountStore(schema: books.schema)
        try await seats.seat(child, at: account.id, as: .child, now: books.now, in: transaction)
        try await seats.seat(gone, at: account.id, as: .member, now: books.now - .days(40), in: transaction)
        _ = try await seats.unseat(gone, from: account.id, now: books.now - .days(10), in: transaction)
        try await seats.seat(later, at: account.id, as: .member, now: books.now + .days(40), in: transaction)
      }
      books.usage.add(account.owner, .dreamseed, 1, at: "2026-01-10T00:00:00Z")
      books.usage.add(child, .univprep, 3, at: "2026-01-10T00:00:00Z")
      for person in [gone, later] { books.usage.add(person, .dreamseed, 100, at: "2026-01-10T00:00:00Z") }
      books.go(to: "2026-02-10")
      try await books.finance.tick()
      #expect(try await books.shares("2026-01") == ["dreamseed 775 by-use 1", "univprep 2325 by-use 3"])
    }
  }

  @Test("fixed, equal and pooled plans beside each other")
  func rules() async throws {
    let rules = ShareRules(
      standard: .pooled,
      plans: [PlanID("premium")!: .fixed([.dreamseed: 10, .univprep: 6, .majorprep: 3]), PlanID("family")!: .equal])
    try await withFinance(rules) { books in
      let (heavy, light) = (try await books.account("US"), try await books.account("US"))
      for (account, plan) in [(heavy, "student"), (light, "student"), (light, "premium"), (light, "family")] {
        try await books.invoice(
          account, [.init(plan: plan, from: "2026-01-01", to: "2026-02-01", amount: 1_499, tenants: three)])
      }
      books.usage.add(heavy.owner, .dreamseed, 9, at: "2026-01-10T00:00:00Z")
      books.usage.add(heavy.owner, .univprep, 6, at: "2026-01-10T00:00:00Z")
      books.usage.add(light.owner, .dreamseed, 1, at: "2026-01-10T00:00:00Z")
      books.usage.add(light.owner, .majorprep, 3, at: "2026-01-10T00:00:00Z")
      books.go(to: "2026-02-10")
      try await books.finance.tick()
      #expect(
        try await books.shares("2026-01", of: heavy)
          == ["dreamseed 789 pooled 9", "majorprep 237 pooled 0", "univprep 473 pooled 6"])
      let light3 = try await books.shares("2026-01", of: light)
      for expected in [
        "dreamseed 789 pooled 1", "univprep 473 pooled 0", "majorprep 237 fixed 3", "dreamseed 789 fixed 1",
        "dreamseed 500 equal 1", "univprep 500 equal 0", "majorprep 499 equal 3",
      ] {
        #expect(light3.contains(expected), "\(light3)")
      }
    }
  }

  @Test("several nodes at once split a month once")
  func nodes() async throws {
    try await withFinance { books in
      for _ in 0..<30 {
        let account = try await books.account("US")
        try await books.invoice(account, [.init(from: "2026-01-01", to: "2026-02-01", amount: 1_499, tenants: three)])
      }
      books.go(to: "2026-02-10")
      try await books.finance.recognise(through: CivilDate("2026-02-09")!)
      let done = try await withThrowingTaskGroup(of: [Month].self) { group in
        for _ in 0..<3 {
          let node = books.node()
          group.addTask { try await node.splitDue() }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(done == [Month("2026-01")!])
      #expect(try await books.bench.count("revenue_share") == 90)
      #expect(try await books.differences("2026-01") == [])
    }
  }
}
