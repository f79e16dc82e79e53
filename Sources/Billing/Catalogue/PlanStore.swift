import Database
import Foundation
public import Kit

/// The plans as they were published: immutable versions.
public struct PlanStore: Sendable {
  let database: Database
  let schema: Schema
  let audit: AuditTrail

  /// A version of a plan, and whether this publication made it.
  public struct Published: Sendable, Hashable {
    public let plan: PlanID
    public let version: Int
    public let isNew: Bool
  }

  /// A plan's owner is part of what it is: another owner needs another plan.
  public struct OwnerChanged: Error, Sendable, CustomStringConvertible {
    public let plan: PlanID
    public let found: String
    public let expected: String
    public var description: String {
      "plan \(plan): found owner \(found), expected \(expected) as published before. Give the new owner's plan another id"
    }
  }

  /// Publishes a catalogue: a plan that differs from its last version gets a new one, a plan that is missing is withdrawn.
  ///
  /// Any number of nodes may do so at once. Nobody who holds an older version is moved.
  /// - Throws: ``OwnerChanged``; ``Database/DatabaseError``. Nothing is published then.
  @discardableResult
  public func publish(_ catalogue: PlanCatalogue, actor: String = "billing", now: Instant) async throws -> [Published] {
    try await database.transaction { transaction in
      var published: [Published] = []
      // In one order, so that two nodes wait for each other instead of deadlocking.
      for plan in catalogue.plans.sorted(by: { $0.id < $1.id }) {
        published.append(try await publish(plan, now: now, in: transaction))
      }
      let ids = catalogue.plans.map(\.id.text)
      let withdrawn = try await transaction.query(
        """
        UPDATE \(schema).plan SET withdrawn_at = \(now)
        WHERE withdrawn_at IS NULL AND id <> ALL (\(ids)) RETURNING id
        """)
      for version in published where version.isNew {
        try await audit.append(
          AuditLine(
            actor: actor, action: "plan.publish", subject: version.plan.text,
            details: ["version": .integer(Int64(version.version))]),
          at: now, in: transaction)
      }
      for row in withdrawn {
        try await audit.append(
          AuditLine(actor: actor, action: "plan.withdraw", subject: try row.get("id")), at: now, in: transaction)
      }
      return published
    }
  }

  private func publish(_ plan: Plan, now: Instant, in transaction: Transaction) async throws -> Published {
    // The update of the row is the lock under which versions are counted.
    let owner = try await transaction.one(
      """
      INSERT INTO \(schema).plan (id, owner, published_at) VALUES (\(plan.id.text), \(plan.owner.text), \(now))
      ON CONFLICT (id) DO UPDATE SET withdrawn_at = NULL RETURNING owner
      """)
    if let owner = try owner?.get("owner", as: String.self), owner != plan.owner.text {
      throw OwnerChanged(plan: plan.id, found: plan.owner.text, expected: owner)
    }
    let document = try CanonicalJSON.text(plan)
    let last = try await transaction.one(
      """
      SELECT version, digest = sha256(convert_to(\(document), 'UTF8')) AS same FROM \(schema).plan_version
      WHERE plan = \(plan.id.text) ORDER BY version DESC LIMIT 1
      """)
    if let last, try last.get("same") {
      return Published(plan: plan.id, version: try last.get("version"), isNew: false)
    }
    let version = try last.map { try $0.get("version", as: Int.self) + 1 } ?? 1
    try await transaction.execute(
      """
      INSERT INTO \(schema).plan_version (plan, version, document, digest, published_at)
      VALUES (\(plan.id.text), \(version), \(JSONText(document)), sha256(convert_to(\(document), 'UTF8')), \(now))
      """)
    return Published(plan: plan.id, version: version, isNew: true)
  }

  /// A version as it was sold; the last one when none is named. `nil` when there is no such version.
  public func plan(_ id: PlanID, version: Int? = nil) async throws -> Plan? {
    let row = try await database.one(
      """
      SELECT document FROM \(schema).plan_version
      WHERE plan = \(id.text) AND (\(version) IS NULL OR version = \(version)) ORDER BY version DESC LIMIT 1
      """)
    guard let row else { return nil }
    return try JSONDecoder().decode(Plan.self, from: Data(try row.get("document", as: JSONText.self).text.utf8))
  }
}
