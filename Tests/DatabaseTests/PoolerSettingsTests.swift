import Foundation
import Support
import Testing

@testable import Database

@Suite struct PoolerSettingsTests {
  @Test func `Through a pooler nothing is prepared, and time-outs are set within the transaction`() async throws {
    try await withDatabase { test in
      let database = test.connect(
        pool: PoolSettings(
          connections: 2, statementTimeout: .milliseconds(12_345), pooler: .transaction,
          listenSettings: test.settings))
      for _ in 1...4 { #expect(try await database.one("SELECT 1 AS x")?.get("x") == 1) }
      #expect(try await database.one("SELECT count(*) AS n FROM pg_prepared_statements")?.get("n") == 0)
      #expect(try await database.one("SELECT current_setting('statement_timeout') AS x")?.get("x") == "0")
      let within: String? = try await database.transaction {
        try await $0.one("SELECT current_setting('statement_timeout') AS x")?.get("x")
      }
      #expect(within == "12345ms")
      #expect(try await database.one("SELECT current_setting('statement_timeout') AS x")?.get("x") == "0")
      var looks = database.listen(on: "news").makeAsyncIterator()
      await looks.next()
      try await test.database.execute("NOTIFY news")
      await looks.next()
    }
  }
}
