import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// The chain of lines: whoever goes round it is found out.
@Suite struct AuditTests {
  private func append(_ count: Int, _ bench: Bench) async throws {
    for number in 1...count {
      try await bench.database.transaction {
        try await bench.service.audit.append(
          AuditLine(actor: "test", action: "plan.publish", subject: "plan-\(number)", details: ["n": .integer(Int64(number))]),
          at: bench.clock.domain.now(), in: $0)
      }
    }
  }

  @Test func aWholeChainIsIntactAcrossMonths() async throws {
    try await withBilling { bench in
      #expect(try await bench.service.audit.verify().isIntact)
      try await append(3, bench)
      bench.clock.set("2026-12-05T00:00:00Z")
      try await append(2, bench)
      let found = try await bench.service.audit.verify()
      #expect(found.isIntact && found.first == 1 && found.last == 5 && found.head.count == 32)
    }
  }

  @Test(arguments: [
    ("UPDATE billing.audit SET actor = 'x' WHERE number = 2", 2), ("DELETE FROM billing.audit WHERE number = 2", 3),
    ("DELETE FROM billing.audit WHERE number = 4", 4),
    ("UPDATE billing.audit SET details = '{}' WHERE number = 1", 1),
  ])
  func aChangedOrMissingLineIsFound(statement: String, brokenAt: Int64) async throws {
    try await withBilling { bench in
      try await append(4, bench)
      // Only a superuser who switches the triggers off gets this far.
      try await bench.test.database.transaction { transaction in
        try await transaction.execute("SET LOCAL session_replication_role = 'replica'")
        try await transaction.execute("DO \(literal: "BEGIN \(statement); END")")
      }
      #expect(try await bench.service.audit.verify().brokenAt == brokenAt)
    }
  }
}
