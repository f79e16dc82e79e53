public import Foundation
public import Kit

/// Counts what persons did at tenants: what revenue is split by. Met by the records.
public protocol UsageSource: Sendable {
  /// What came to the record in [`from`, `to`) and tells of what happened before `happenedBefore`.
  /// - Parameter each: called once for each person and tenant with a use.
  func usage(
    from: Instant, to: Instant, happenedBefore: Instant,
    each: @Sendable (PersonID, TenantID, Int) async throws -> Void
  ) async throws
}

/// Shows what stands behind a count. Met by the records.
public protocol StatementSource: Sendable {
  /// What persons did at a tenant and came to the record within `stored`, the first stored first; at most `limit`.
  func statements(
    of people: [PersonID], at tenant: TenantID, stored: Range<Instant>, happenedBefore: Instant, limit: Int
  ) async throws -> [UsedStatement]
}

/// One use, as finance sees it: what was done, not by whom.
public struct UsedStatement: Sendable, Hashable {
  public let id: UUID
  /// The last word of the verb's IRI: `answered`.
  public let verb: String
  public let object: LocalizedText
  public let happened: Instant
  public let stored: Instant

  public init(id: UUID, verb: String, object: LocalizedText, happened: Instant, stored: Instant) {
    self.id = id
    self.verb = verb
    self.object = object
    self.happened = happened
    self.stored = stored
  }
}
