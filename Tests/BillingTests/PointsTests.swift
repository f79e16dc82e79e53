import Database
import Foundation
import Jobs
import Kit
import Support
import Testing

@testable import Billing

/// Points of accepted answers: exactly once, however often the event comes.
@Suite struct PointsTests {
  private func event(
    _ type: String = "answer.accepted", answer: UUID, author: PersonID, points: Int64 = 30, id: UUID = UUID(),
    tenant: TenantID? = .jeju
  ) -> Event {
    Event(
      id: id, type: type, tenant: tenant, occurred: Instant(seconds: 1_795_219_200),
      payload: [
        "answer": .string(answer.text), "question": .string(UUID().text), "author": .string("\(author)"),
        "points": .integer(points),
      ])
  }

  private func points(_ person: PersonID, _ bench: Bench) async throws -> Int64 {
    try await bench.service.points.balance(person).minorUnits
  }

  @Test func anAcceptedAnswerPaysOnceHoweverParallelItsEventComes() async throws {
    try await withBilling { bench in
      let (person, accepted) = (PersonID.anyone, UUID())
      let event = event(answer: accepted, author: person)
      try await withThrowingTaskGroup { group in
        for _ in 0..<16 { group.addTask { try await bench.service.points.apply([event]) } }
        try await group.waitForAll()
      }
      try await bench.service.points.apply([event, event])
      #expect(try await points(person, bench) == 30)
      #expect(try await bench.count("ledger_entry") == 1)
    }
  }

  @Test func theSameAnswerUnderAnotherEventPaysNoMore() async throws {
    try await withBilling { bench in
      let (person, answer) = (PersonID.anyone, UUID())
      let first = event(answer: answer, author: person)
      let again = Event(
        id: UUID(), type: first.type, tenant: first.tenant, occurred: first.occurred + .seconds(5), payload: first.payload)
      try await bench.service.points.apply([first, again])
      #expect(try await points(person, bench) == 30)
      // Other content under the same answer is a contradiction, not a second award.
      await #expect(throws: Problem(.keyReused)) {
        try await bench.service.points.apply([event(answer: answer, author: person, points: 50)])
      }
      #expect(try await points(person, bench) == 30)
    }
  }

  @Test func anAcceptanceTakenBackAndGivenAgainCountsEachTime() async throws {
    try await withBilling { bench in
      let (person, answer) = (PersonID.anyone, UUID())
      let accepted = event(answer: answer, author: person)
      let unaccepted = event("answer.unaccepted", answer: answer, author: person)
      try await bench.service.points.apply([accepted, unaccepted])
      #expect(try await points(person, bench) == 0)
      // The first events come once more, late: nothing moves.
      try await bench.service.points.apply([accepted, unaccepted])
      #expect(try await points(person, bench) == 0)
      try await bench.service.points.apply([event(answer: answer, author: person)])
      #expect(try await points(person, bench) == 30)
      try await bench.service.points.apply([event("answer.unaccepted", answer: answer, author: person)])
      try await bench.service.points.apply([event(answer: answer, author: person, points: 40)])
      #expect(try await points(person, bench) == 40)
      #expect(try await bench.count("ledger_entry") == 5)
      let statement = try await bench.service.points.statement(person, limit: 3)
      #expect(statement.map(\.amount.minorUnits) == [40, -30, 30])
      let older = try await bench.service.points.statement(person, before: statement.last?.entry, limit: 3)
      #expect(older.map(\.description) == ["answer.unaccepted", "answer.accepted"])
      #expect(try await bench.ledger.trialBalance().isBalanced)
    }
  }

  @Test func anEventThatCanNotBeUnderstoodIsRefusedWhole() async throws {
    try await withBilling { bench in
      let person = PersonID.anyone
      let good = event(answer: UUID(), author: person)
      let points = bench.service.points
      for (bad, reason) in [
        (event(answer: UUID(), author: person, points: 0), PointsService.RefusedEvent.malformed(member: "points")),
        (event(answer: UUID(), author: person, tenant: nil), .noTenant),
        (event("answer.unaccepted", answer: UUID(), author: person), .notAwarded),
      ] {
        await #expect(throws: reason) { try await points.apply([good, bad]) }
      }
      #expect(try await self.points(person, bench) == 0)
      try await points.apply([good])
      #expect(try await self.points(person, bench) == 30)
    }
  }
}
