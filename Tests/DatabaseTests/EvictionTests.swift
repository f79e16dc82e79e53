import Support
import Testing

@testable import Database

@Suite struct EvictionTests {
  @Test func `Plans that made room are dropped though there is nothing but transactions`() async throws {
    try await withDatabase { test in
      let database = test.connect(pool: PoolSettings(connections: 1))
      for number in 1...320 {
        try await database.transaction { transaction in
          for _ in 1...2 { _ = try await transaction.query("SELECT \(literal: "\(number)") AS x") }
        }
      }
      let count: Int? = try await database.one("SELECT count(*) AS n FROM pg_prepared_statements")?.get("n")
      #expect(count.map { $0 <= 276 } == true)
      #expect(await eventually { database.status.connectionsOpened == 1 })
    }
  }
}
