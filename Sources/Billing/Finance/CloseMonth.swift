import Database
import Foundation
public import Kit

/// A month that is closed: nothing is booked into it any more.
public struct ClosedMonth: Hashable, Sendable {
  public let month: Month
  public let closed: Instant
  public let by: String
  /// Debits in minor units.
  public let debits: [Currency: Int64]
  /// SHA-256 of the month's postings in order: ``LedgerExport/Figures`` says of what.
  public let digest: [UInt8]

  /// As `sha256sum` writes it.
  public var digestText: String { digest.hex }

  static func totals(_ debits: [Currency: Int64]) -> JSONValue {
    .object(Dictionary(uniqueKeysWithValues: debits.map { ($0.key.rawValue, .integer($0.value)) }))
  }

  init(row: Row) throws {
    month = Month(of: try row.get("month"))
    closed = try row.get("closed_at")
    by = try row.get("closed_by")
    digest = try row.get("digest")
    debits = try LedgerExport.Closed.totals(try row.get("totals"))
  }
}

/// Why a month can't be closed. Each has a text under `billing.finance.refusal`.
public enum CloseRefusal: Error, Hashable, Sendable, ProblemConvertible {
  /// It can be from this day on.
  case notOver(from: CivilDate)
  case notRecognised
  case notSplit
  /// This one comes first.
  case earlierOpen(Month)
  case closedBefore
  /// The figures don't agree, and each difference is named.
  case differs([MonthDifference])

  public var code: String {
    switch self {
    case .notOver: "notOver"
    case .notRecognised: "notRecognised"
    case .notSplit: "notSplit"
    case .earlierOpen: "earlierOpen"
    case .closedBefore: "closedBefore"
    case .differs: "differs"
    }
  }

  public var problem: Problem {
    var members: [String: JSONValue] = ["code": .string(code)]
    switch self {
    case .notOver(let from): members["from"] = .string(from.description)
    case .earlierOpen(let month): members["month"] = .string(month.description)
    case .differs(let differences):
      members["differences"] = .array(
        differences.map {
          [
            "check": .string($0.check.rawValue), "of": .string($0.of), "currency": .string($0.currency),
            "expected": .integer($0.expected), "found": .integer($0.found),
          ]
        })
    case .notRecognised, .notSplit, .closedBefore: break
    }
    return Problem(.conflict, ["reason": code], members: members)
  }
}

extension FinanceService {
  /// An entry came to the month between its digest and the lock.
  private struct Moved: Error, ProblemConvertible {
    var problem: Problem { Problem(.unavailable) }
  }

  public func closed(_ month: Month) async throws -> ClosedMonth? {
    try await database.one("SELECT * FROM \(schema).closed_month WHERE month = \(month.first)").map { try ClosedMonth(row: $0) }
  }

  /// Closes a month of the books for good: nothing is booked into it, or any month before it, afterwards.
  ///
  /// - Parameter actor: who decided it, for the audit: an opaque id, or the name of a service.
  /// - Throws: ``CloseRefusal``; ``Kit/Problem`` `not-found` for a month before the books began.
  @discardableResult
  public func close(_ month: Month, by actor: String) async throws -> ClosedMonth {
    if try await closed(month) != nil { throw CloseRefusal.closedBefore }
    guard month.settles(in: timeZone) <= clock.now() else { throw CloseRefusal.notOver(from: month.settlesOn) }
    guard let first = try await firstMonth(), first <= month else { throw Problem(.notFound) }
    // What was booked is not lost by waiting; an entry that comes in between is read with the rest, the next time round.
    for _ in 1..<3 {
      do { return try await closeOnce(month, first: first, by: actor) } catch is Moved { continue }
    }
    return try await closeOnce(month, first: first, by: actor)
  }

  /// The month of the first entry.
  func firstMonth() async throws -> Month? {
    let day: CivilDate? = try await database.one("SELECT min(booked_on) AS day FROM \(schema).ledger_entry")?
      .getIfPresent("day")
    return day.map { Month(of: $0) }
  }

  /// Of the whole ledger: debits are credits, and the balances that are kept are the sums of their postings.
  private func trial() async throws -> [MonthDifference] {
    let trial = try await ledger.trialBalance()
    var found = trial.differences.filter { $0.value != 0 }.map { currency, difference in
      MonthDifference(check: .balance, of: "", currency: currency.rawValue, expected: 0, found: difference)
    }
    if trial.accountsAdrift > 0 {
      found.append(MonthDifference(check: .kept, of: "", currency: "", expected: 0, found: Int64(trial.accountsAdrift)))
    }
    return found
  }

  private func closeOnce(_ month: Month, first: Month, by actor: String) async throws -> ClosedMonth {
    let unbalanced = try await trial()
    guard unbalanced.isEmpty else { throw CloseRefusal.differs(unbalanced) }
    try await database.transaction(.repeatableRead) { try await check(month, first: first, in: $0) }
    // Read as it will be exported: the digest is the export's.
    let figures = try await export.check(month).figures
    return try await database.transaction { transaction in
      // Entries under way end first, new ones wait, and find the month closed. None is ever changed: as many entries as were
      // read are the ones that were read. So the lock is held for a count, not for the reading.
      try await transaction.execute("SELECT \(schema).ledger_stand_still()")
      let count = try await transaction.one(
        "SELECT count(*) AS entries FROM \(schema).ledger_entry WHERE booked_on BETWEEN \(month.first) AND \(month.last)")
      guard try count?.get("entries", as: Int.self) == figures.entries, let digest = figures.digest else { throw Moved() }
      let now = clock.now()
      let row = try await transaction.one(
        """
        INSERT INTO \(schema).closed_month (month, closed_at, closed_by, totals, digest)
        VALUES (\(month.first), \(now), \(actor), \(ClosedMonth.totals(figures.debits)), \(digest))
        ON CONFLICT (month) DO NOTHING RETURNING *
        """)
      guard let closed = try row.map({ try ClosedMonth(row: $0) }) else { throw CloseRefusal.closedBefore }
      try await audit.append(
        AuditLine(
          actor: actor, action: "finance.close", subject: month.description, details: ["digest": .string(closed.digestText)]),
        at: now, in: transaction)
      return closed
    }
  }

  private func check(_ month: Month, first: Month, in transaction: Transaction) async throws {
    let row = try await transaction.one(
      """
      SELECT EXISTS (SELECT FROM \(schema).invoice WHERE issued_on <= \(month.last)) AS sells,
        coalesce((SELECT max(day) FROM \(schema).recognition) >= \(month.last), false) AS recognised,
        EXISTS (SELECT FROM \(schema).revenue_split WHERE month = \(month.first)) AS split,
        (SELECT max(month) FROM \(schema).closed_month) AS closed
      """)
    guard let row else { throw Problem(.internalError) }
    // A month before the first invoice has nothing to recognise or to split.
    if try row.get("sells", as: Bool.self) {
      guard try row.get("recognised", as: Bool.self) else { throw CloseRefusal.notRecognised }
      guard try row.get("split", as: Bool.self) else { throw CloseRefusal.notSplit }
    }
    let before = try row.getIfPresent("closed", as: CivilDate.self).map { Month(of: $0) }
    let due = max(before?.following ?? first, first)
    if due < month { throw CloseRefusal.earlierOpen(due) }
    if due > month { throw CloseRefusal.closedBefore }
    let differences = try await differences(in: month, executor: transaction)
    guard differences.isEmpty else { throw CloseRefusal.differs(differences) }
  }
}
