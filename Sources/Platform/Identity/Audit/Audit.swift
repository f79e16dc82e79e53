import Crypto
public import Database
public import Foundation
public import Kit

/// The audit chain is not what was sealed.
public struct AuditBroken: Error, Sendable, Equatable, CustomStringConvertible {
  /// The first line that was changed or is missing. One past the last line: the end was cut off.
  public let line: Int64
  public var description: String { "the audit log is broken at line \(line): it was changed, or lines are missing" }
}

extension IdentityService {
  /// Adds a line to the audit log, in the transaction of what it tells of. Put it last: writers of lines take turns.
  ///
  /// - Parameters:
  ///   - action: `account.created`: lower case, dotted.
  ///   - actor: who did it; `nil` for the city itself.
  ///   - detail: opaque ids and codes only.
  public func audit(
    _ action: String, actor: PersonID?, subject: UUID?, detail: JSONValue = [:], at: Instant, in transaction: Transaction
  ) async throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(detail), as: UTF8.self)
    // `seq`, `previous` and `hash` are the trigger's.
    try await transaction.execute(
      """
      INSERT INTO \(schema).audit (at, action, actor, subject, detail)
      VALUES (\(at), \(action), \(actor?.uuid), \(subject), \(text))
      """)
  }

  /// Computes the whole chain again, here and not in the database, whose owner could have changed how it is done there.
  ///
  /// - Returns: how many lines there are.
  /// - Throws: ``AuditBroken``.
  @discardableResult
  public func verifyAudit() async throws -> Int64 {
    var previous = Array(SHA256.hash(data: Data("metropolis audit".utf8)))
    var expected: Int64 = 1
    while true {
      let rows = try await database.query(
        """
        SELECT seq, at, action, actor, subject, detail, previous, hash FROM \(schema).audit
        WHERE seq >= \(expected) ORDER BY seq LIMIT 1000
        """)
      for row in rows {
        let actor = try row.getIfPresent("actor", as: UUID.self)?.text ?? ""
        let subject = try row.getIfPresent("subject", as: UUID.self)?.text ?? ""
        let at = try row.get("at", as: Instant.self).microseconds
        let content =
          "\(expected)\n\(at)\n\(try row.get("action", as: String.self))\n\(actor)\n\(subject)\n"
          + (try row.get("detail", as: String.self))
        let hash = Array(SHA256.hash(data: Data(previous + Array(content.utf8))))
        guard try row.get("seq", as: Int64.self) == expected, try row.get("previous", as: [UInt8].self) == previous,
          try row.get("hash", as: [UInt8].self) == hash
        else { throw AuditBroken(line: expected) }
        previous = hash
        expected += 1
      }
      if rows.isEmpty { break }
    }
    let head = try await database.one("SELECT seq, hash FROM \(schema).audit_head")
    // Lines may have been added since the last page was read: then the head is further, and its own line says so.
    guard let head, try head.get("seq", as: Int64.self) >= expected - 1 else { throw AuditBroken(line: expected) }
    if try head.get("seq", as: Int64.self) == expected - 1 {
      guard try head.get("hash", as: [UInt8].self) == previous else { throw AuditBroken(line: expected) }
      return expected - 1
    }
    let later = try await database.one("SELECT 1 AS found FROM \(schema).audit WHERE seq = \(expected)")
    guard later != nil else { throw AuditBroken(line: expected) }
    return expected - 1
  }
}
