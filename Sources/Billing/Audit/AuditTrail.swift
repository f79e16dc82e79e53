public import Database
public import Kit

/// One line of the audit: who did what to which plan or money.
public struct AuditLine: Sendable {
  /// An opaque id, or the name of a service.
  public let actor: String
  /// `plan.publish`, `ledger.reverse`.
  public let action: String
  public let subject: String
  /// Opaque ids and figures only.
  public let details: [String: JSONValue]

  public init(actor: String, action: String, subject: String, details: [String: JSONValue] = [:]) {
    self.actor = actor
    self.action = action
    self.subject = subject
    self.details = details
  }
}

/// The audit of what changes money and plans: append-only, each line bound to the one before it by its hash.
public struct AuditTrail: Sendable {
  let database: Database
  let schema: Schema

  public init(database: Database, schema: Schema) {
    self.database = database
    self.schema = schema
  }

  /// Appends a line to the transaction of the effect. The end of the chain is locked until that ends, so call it last.
  public func append(_ line: AuditLine, at now: Instant, in transaction: Transaction) async throws {
    _ = try await transaction.query(
      """
      SELECT \(schema).audit_append(\(now), \(line.actor), \(line.action), \(line.subject), \(JSONValue.object(line.details)))
      """)
  }

  /// What a walk along the chain found.
  public struct Verification: Sendable, Hashable {
    /// The oldest line there is; above 1 when old months were dropped.
    public let first: Int64
    public let last: Int64
    /// The first line that does not fit what stands before it; one past the last when the end is missing.
    public let brokenAt: Int64?
    /// The newest hash. Kept elsewhere, it proves that the chain was not made anew as a whole.
    public let head: [UInt8]
    public var isIntact: Bool { brokenAt == nil }
  }

  /// Walks the whole chain.
  public func verify() async throws -> Verification {
    let row = try await database.one("SELECT first_line, last_line, broken_at, head FROM \(schema).audit_verify()")
    guard let row else { return Verification(first: 0, last: 0, brokenAt: 1, head: []) }
    return Verification(
      first: try row.get("first_line"), last: try row.get("last_line"), brokenAt: try row.getIfPresent("broken_at"),
      head: try row.get("head"))
  }
}
