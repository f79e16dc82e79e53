import Database
import Foundation
public import Kit

/// Plans that operators write in the console: a draft, then versions, then withdrawn; and those of the file that are their
/// tenant's, of which they publish versions, too.
extension PlanStore {
  /// A plan as its owner sees it.
  public struct Stored: Sendable, Hashable, Identifiable {
    public let id: PlanID
    public let origin: Origin
    /// The last version that was published; `nil` for a draft that never was.
    public let current: Version?
    /// What waits to be published.
    public let draft: Plan?
    /// Since when it is no longer on sale.
    public let withdrawn: Instant?

    public var isOnSale: Bool { current != nil && withdrawn == nil }
  }

  public struct Version: Sendable, Hashable {
    public let version: Int
    public let plan: Plan
    public let published: Instant
    /// From when holders of earlier versions are moved to it.
    public let holdersFrom: CivilDate?

    init(_ row: Row) throws {
      version = try row.get("version")
      plan = try PlanStore.plan(row)
      published = try row.get("published_at")
      holdersFrom = try row.getIfPresent("holders_from")
    }
  }

  /// Keeps what an operator is writing, in place of what was kept before. Nothing is sold of it.
  ///
  /// - Throws: ``Kit/Problem`` `invalid-input` with every mistake by ``TenantPlanRules``, `conflict` when another
  ///   owner has a plan of this id; ``Database/DatabaseError``.
  public func draft(_ plan: Plan, by actor: String, in catalogue: PlanCatalogue, now: Instant) async throws {
    try PlanStore.check(plan, in: catalogue)
    try await database.transaction { transaction in
      try await refuseOthers(plan, in: transaction)
      try await transaction.execute(
        """
        INSERT INTO \(schema).plan_draft (plan, owner, document, saved_by, saved_at)
        VALUES (\(plan.id.text), \(plan.owner.text), \(JSONText(try CanonicalJSON.text(plan))), \(actor), \(now))
        ON CONFLICT (plan) DO UPDATE SET document = excluded.document, saved_by = excluded.saved_by,
          saved_at = excluded.saved_at
        """)
    }
  }

  /// Throws a draft away. Does nothing when there is none.
  public func discardDraft(_ id: PlanID, of tenant: TenantID) async throws {
    try await database.execute("DELETE FROM \(schema).plan_draft WHERE plan = \(id.text) AND owner = \(tenant.text)")
  }

  /// Publishes a tenant's draft: a new version, on sale at once. Who holds an earlier one keeps it, or is moved from a day on.
  ///
  /// Repeated, it gives the version there is. To be followed by ``LiveCatalogue/refresh()``.
  /// - Throws: ``Kit/Problem`` `not-found` when the tenant has no such plan, `invalid-input` when the draft does not fit
  ///   the rules (any more) or the day for holders is not to come; ``Database/DatabaseError``.
  @discardableResult
  public func publish(
    plan id: PlanID, of tenant: TenantID, by actor: String, holdersFrom: CivilDate? = nil, in catalogue: PlanCatalogue,
    now: Instant
  ) async throws -> Published {
    let earliest = CivilDate(now, in: .gmt).adding(days: 1)
    if let holdersFrom, holdersFrom < earliest {
      throw Problem(
        .invalidInput,
        fields: [Problem.Field("holders_from", "outOfRange", ["min": "\(earliest)", "max": "9999-12-31"])])
    }
    return try await database.transaction { transaction in
      let row = try await transaction.one(
        """
        DELETE FROM \(schema).plan_draft WHERE plan = \(id.text) AND owner = \(tenant.text) RETURNING document
        """)
      guard let row else {
        let newest = try await transaction.one(
          """
          SELECT max(version) AS version FROM \(schema).plan_version JOIN \(schema).plan ON plan.id = plan_version.plan
          WHERE plan = \(id.text) AND owner = \(tenant.text) AND withdrawn_at IS NULL
            AND 'console' IN (plan.origin, plan_version.origin)
          """)
        guard let version: Int = try newest?.getIfPresent("version") else { throw Problem(.notFound) }
        return Published(plan: id, version: version, isNew: false)
      }
      let plan = try PlanStore.plan(row)
      try PlanStore.check(plan, in: catalogue)
      try await refuseOthers(plan, in: transaction)
      _ = try await lock(plan, origin: .console, isOnSale: true, now: now, in: transaction)
      let published = try await append(plan, .console, by: actor, holdersFrom: holdersFrom, now: now, in: transaction)
      if published.isNew { try await audit.append(published.line(by: actor), at: now, in: transaction) }
      try await Look.atPlans.announce(of: schema, in: transaction)
      return published
    }
  }

  /// Takes a tenant's plan from sale. Who holds it keeps it. Does nothing the second time.
  ///
  /// To be followed by ``LiveCatalogue/refresh()``.
  /// - Throws: ``Kit/Problem`` `not-found` when the tenant has no such plan in the console; ``Database/DatabaseError``.
  public func withdraw(plan id: PlanID, of tenant: TenantID, by actor: String, now: Instant) async throws {
    try await database.transaction { transaction in
      let row = try await transaction.one(
        """
        SELECT withdrawn_at FROM \(schema).plan
        WHERE id = \(id.text) AND owner = \(tenant.text) AND origin = 'console' FOR UPDATE
        """)
      guard let row else { throw Problem(.notFound) }
      guard try row.getIfPresent("withdrawn_at", as: Instant.self) == nil else { return }
      try await transaction.execute("UPDATE \(schema).plan SET withdrawn_at = \(now) WHERE id = \(id.text)")
      try await audit.append(
        AuditLine(actor: actor, action: "plan.withdraw", subject: id.text), at: now, in: transaction)
      try await Look.atPlans.announce(of: schema, in: transaction)
    }
  }

  /// An owner's plans, those of the file too, by id.
  public func plans(ownedBy owner: PlanOwner) async throws -> [Stored] {
    let rows = try await database.query(
      """
      SELECT coalesce(p.id, d.plan) AS id, coalesce(p.origin, 'console') AS origin, p.withdrawn_at, d.document AS draft,
        v.version, v.document, v.published_at, v.holders_from
      FROM (SELECT * FROM \(schema).plan WHERE owner = \(owner.text)) AS p
      FULL JOIN (SELECT * FROM \(schema).plan_draft WHERE owner = \(owner.text)) AS d ON d.plan = p.id
      LEFT JOIN LATERAL (
        SELECT * FROM \(schema).plan_version WHERE plan = p.id ORDER BY version DESC LIMIT 1
      ) AS v ON true
      ORDER BY 1
      """)
    return try rows.compactMap { row in
      guard let id = PlanID(try row.get("id")), let origin = Origin(rawValue: try row.get("origin")) else { return nil }
      let isDraft = try row.getIfPresent("draft", as: JSONText.self) != nil
      let isPublished = try row.getIfPresent("version", as: Int.self) != nil
      return Stored(
        id: id, origin: origin, current: isPublished ? try Version(row) : nil,
        draft: isDraft ? try PlanStore.plan(row, "draft") : nil, withdrawn: try row.getIfPresent("withdrawn_at"))
    }
  }

  /// A plan's versions, the newest first.
  public func versions(of id: PlanID) async throws -> [Version] {
    try await database.query(
      """
      SELECT version, document, published_at, holders_from FROM \(schema).plan_version
      WHERE plan = \(id.text) ORDER BY version DESC
      """
    ).map { try Version($0) }
  }

  private static func check(_ plan: Plan, in catalogue: PlanCatalogue) throws(Problem) {
    guard case .tenant(let tenant) = plan.owner else { throw Problem(.forbidden) }
    try TenantPlanRules.check(plan, of: tenant, in: catalogue)
  }

  /// An id belongs to whom it was given to first.
  private func refuseOthers(_ plan: Plan, in transaction: Transaction) async throws {
    let row = try await transaction.one(
      """
      SELECT 1 AS taken FROM \(schema).plan WHERE id = \(plan.id.text) AND owner <> \(plan.owner.text)
      UNION ALL SELECT 1 FROM \(schema).plan_draft WHERE plan = \(plan.id.text) AND owner <> \(plan.owner.text)
      """)
    if row != nil { throw Problem(.conflict, members: ["code": "planIDTaken"]) }
  }
}
