public import Database
public import Foundation
public import Jobs
public import Kit

/// Points earned by accepted answers: postings of the ledger, never a counter.
public struct PointsService: EventHandler {
  public let name = "billing.points"
  public let types: Set<String> = ["answer.accepted", "answer.unaccepted"]

  let ledger: Ledger
  let database: Database
  let schema: Schema
  let clock: DomainClock

  public init(ledger: Ledger, database: Database, schema: Schema, clock: DomainClock) {
    self.ledger = ledger
    self.database = database
    self.schema = schema
    self.clock = clock
  }

  /// Why an event has no effect here. The relay keeps it with this reason until an operator has looked.
  public enum RefusedEvent: Error, Hashable, Sendable {
    case unknownVersion
    /// Points are issued by a tenant; the event has none.
    case noTenant
    case malformed(member: String)
    /// Nothing was awarded for the answer, or not yet: its acceptance may be under way.
    case notAwarded
  }

  /// Applies events in one transaction: all of them, or none.
  public func apply(_ events: [Event]) async throws {
    let now = clock.now()
    try await database.transaction { transaction in
      for event in events {
        let isFirst = try await transaction.execute(
          """
          INSERT INTO \(schema).applied_event (event, handler, applied_at) VALUES (\(event.id), \(name), \(now))
          ON CONFLICT (event, handler) DO NOTHING
          """)
        guard isFirst == 1 else { continue }
        guard event.version == 1 else { throw RefusedEvent.unknownVersion }
        switch event.type {
        case "answer.accepted": try await award(event, in: transaction)
        case "answer.unaccepted": try await takeBack(event, in: transaction)
        default: break
        }
      }
    }
  }

  /// Points a person has earned and not spent.
  public func balance(_ person: PersonID) async throws -> Money {
    try await ledger.balance(.pointsEarned(by: person)).available
  }

  /// What a person's points come from, newest first.
  public func statement(_ person: PersonID, before: UUID? = nil, limit: Int) async throws -> [Ledger.Line] {
    try await ledger.statement(.pointsEarned(by: person), before: before, limit: limit)
  }

  // MARK: Awards

  private func award(_ event: Event, in transaction: Transaction) async throws {
    guard let tenant = event.tenant else { throw RefusedEvent.noTenant }
    let answer = try event.uuid("answer")
    let author = PersonID(try event.uuid("author"))
    guard let points = event.payload["points"]?.integer, (1...1_000_000).contains(points) else {
      throw RefusedEvent.malformed(member: "points")
    }
    var details: [String: JSONValue] = ["answer": .string(answer.text), "tenant": .string(tenant.text)]
    details["question"] = .string(try event.uuid("question").text)
    let award = try await lastAward(of: answer, in: transaction)
    let entry = try Entry(
      key: award.isOpen ? award.key : award.nextKey, description: "answer.accepted", details: details,
      occurred: event.occurred, amount: Money(points, .points), debit: .pointsIssued(by: tenant),
      credit: .pointsEarned(by: author))
    try await ledger.post(entry, in: transaction)
  }

  private func takeBack(_ event: Event, in transaction: Transaction) async throws {
    let award = try await lastAward(of: try event.uuid("answer"), in: transaction)
    guard award.isOpen, let entry = award.entry else { throw RefusedEvent.notAwarded }
    try await ledger.reverse(
      entry, key: "\(award.key):reversed", description: "answer.unaccepted", occurred: event.occurred, actor: name,
      in: transaction)
  }

  /// An answer may be accepted, unaccepted and accepted again: each acceptance is an entry of its own, by its round.
  private struct Award {
    let answer: UUID
    var round = 1
    var entry: UUID?
    var isReversed = false
    var isOpen: Bool { entry != nil && !isReversed }
    var key: String { Award.key(answer, round) }
    /// The key the next acceptance is posted with: this one, when nothing was awarded yet.
    var nextKey: String { entry == nil ? key : Award.key(answer, round + 1) }

    private static func key(_ answer: UUID, _ round: Int) -> String {
      "answer.accepted:\(answer.text)" + (round == 1 ? "" : ":\(round)")
    }
  }

  private func lastAward(of answer: UUID, in transaction: Transaction) async throws -> Award {
    var award = Award(answer: answer)
    while true {
      let row = try await transaction.one(
        """
        SELECT e.id, EXISTS (SELECT FROM \(schema).ledger_entry AS r WHERE r.reverses = e.id) AS reversed
        FROM \(schema).ledger_entry AS e WHERE e.key = \(award.nextKey)
        """)
      guard let row else { return award }
      if award.entry != nil { award.round += 1 }
      award.entry = try row.get("id")
      award.isReversed = try row.get("reversed")
      if award.isOpen { return award }
    }
  }
}

extension Event {
  fileprivate func uuid(_ member: String) throws(PointsService.RefusedEvent) -> UUID {
    guard let text = payload[member]?.string, let id = UUID(uuidString: text) else { throw .malformed(member: member) }
    return id
  }
}
