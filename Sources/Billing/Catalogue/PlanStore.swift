import Database
import Foundation
public import Kit

/// The plans as they were published: immutable versions.
public struct PlanStore: Sendable {
  let database: Database
  let schema: Schema
  let audit: AuditTrail
  private let held = HeldVersions()

  init(database: Database, schema: Schema, audit: AuditTrail) {
    self.database = database
    self.schema = schema
    self.audit = audit
  }

  /// Where a plan is written.
  public enum Origin: String, Sendable, Codable {
    /// In the configuration's file.
    case file
    /// In the console, by the operator of its tenant.
    case console
  }

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

  /// The file names a plan that was made in the console, and nobody said that it is to take its place.
  public struct MadeInConsole: Error, Sendable, CustomStringConvertible {
    public let plan: PlanID
    public var description: String {
      "plan \(plan): found in the file, expected in the console, where its operator made it. Give the file's plan another id"
    }
  }

  /// Publishes the catalogue of a file: a plan that differs from what the file said last gets a new version, a plan of the
  /// file that is missing or withdrawn is no longer on sale. Versions from before are published with a plan that has none yet.
  ///
  /// A version that the console published since the file's last stays on sale while the file says what it said before.
  /// Any number of nodes may do so at once. Nobody who holds an older version is moved, but from the day the plan names.
  /// - Parameter asserting: plans in which the file's word holds whatever the console published: those that differ from
  ///   their newest version get a new one, and one that was made in the console is the file's from now on.
  /// - Returns: the current version of each plan, in the order of their ids.
  /// - Throws: ``OwnerChanged``; ``MadeInConsole``; ``Database/DatabaseError``. Nothing is published then.
  @discardableResult
  public func publish(
    _ catalogue: PlanCatalogue, asserting: Set<PlanID> = [], actor: String = "billing", now: Instant
  ) async throws -> [Published] {
    try await database.transaction { transaction in
      var published: [Published] = []
      var lines: [AuditLine] = []
      // In one order, so that two nodes wait for each other instead of deadlocking.
      for plan in catalogue.plans.sorted(by: { $0.id < $1.id }) {
        let owner = try await lock(
          plan, origin: .file, isOnSale: !catalogue.withdrawn.contains(plan.id), now: now, in: transaction)
        if owner == .console {
          guard asserting.contains(plan.id) else { throw MadeInConsole(plan: plan.id) }
          try await transaction.execute("UPDATE \(schema).plan SET origin = 'file' WHERE id = \(plan.id.text)")
        }
        let isFirst = try await newestVersion(of: plan.id, in: transaction) == nil
        for before in isFirst ? catalogue.earlier[plan.id] ?? [] : [] {
          let version = try await append(before, .file, by: actor, holdersFrom: nil, now: now, in: transaction)
          if version.isNew { lines.append(version.line(by: actor)) }
        }
        let version = try await append(
          plan, .file, by: actor, isAsserted: asserting.contains(plan.id), holdersFrom: catalogue.holdersFrom[plan.id], now: now,
          in: transaction)
        if version.isNew { lines.append(version.line(by: actor)) }
        published.append(version)
      }
      let ids = catalogue.onSale.map(\.id.text)
      let withdrawn = try await transaction.query(
        """
        UPDATE \(schema).plan SET withdrawn_at = \(now)
        WHERE withdrawn_at IS NULL AND origin = 'file' AND id <> ALL (\(ids)) RETURNING id
        """)
      for row in withdrawn {
        lines.append(AuditLine(actor: actor, action: "plan.withdraw", subject: try row.get("id")))
      }
      for line in lines { try await audit.append(line, at: now, in: transaction) }
      if !lines.isEmpty { try await Look.atPlans.announce(of: schema, in: transaction) }
      return published
    }
  }

  /// Makes the plan's row, or locks it: under this lock versions are counted.
  func lock(
    _ plan: Plan, origin: Origin, isOnSale: Bool, now: Instant, in transaction: Transaction
  ) async throws -> Origin? {
    let row = try await transaction.one(
      """
      INSERT INTO \(schema).plan AS there (id, owner, published_at, origin)
      VALUES (\(plan.id.text), \(plan.owner.text), \(now), \(origin.rawValue))
      ON CONFLICT (id) DO UPDATE SET withdrawn_at = CASE WHEN \(isOnSale) THEN NULL ELSE there.withdrawn_at END
      RETURNING owner, origin
      """)
    guard let row else { return nil }
    let owner: String = try row.get("owner")
    if owner != plan.owner.text { throw OwnerChanged(plan: plan.id, found: plan.owner.text, expected: owner) }
    return Origin(rawValue: try row.get("origin"))
  }

  /// Appends a version, unless it is the last one's document and asks for no other day for its holders.
  ///
  /// - Parameter isAsserted: else the file's version isn't new either when it is one that was published since the file's
  ///   last, that one included: what the console made of it stays.
  func append(
    _ plan: Plan, _ origin: Origin, by actor: String, isAsserted: Bool = false, holdersFrom: CivilDate?, now: Instant,
    in transaction: Transaction
  ) async throws -> Published {
    let document = try CanonicalJSON.text(plan)
    let yields = origin == .file && !isAsserted
    let row = try await transaction.one(
      """
      SELECT max(version) AS newest,
        (array_agg(holders_from ORDER BY version DESC) FILTER (WHERE same AND version >= since))[1] AS holders_from,
        coalesce(bool_or(same) FILTER (WHERE version >= since), false) AS same
      FROM (
        SELECT version, holders_from, digest = sha256(convert_to(\(document), 'UTF8')) AS same,
          CASE WHEN \(yields) THEN coalesce(max(version) FILTER (WHERE origin = 'file') OVER (), max(version) OVER ())
            ELSE max(version) OVER () END AS since
        FROM \(schema).plan_version WHERE plan = \(plan.id.text)
      ) AS known
      """)
    let newest: Int? = try row?.getIfPresent("newest")
    if let newest, try row?.get("same") == true {
      let before: CivilDate? = try row?.getIfPresent("holders_from")
      if holdersFrom == nil || holdersFrom == before { return Published(plan: plan.id, version: newest, isNew: false) }
    }
    let version = (newest ?? 0) + 1
    try await transaction.execute(
      """
      INSERT INTO \(schema).plan_version (plan, version, document, digest, published_at, holders_from, origin, published_by)
      VALUES (\(plan.id.text), \(version), \(JSONText(document)), sha256(convert_to(\(document), 'UTF8')), \(now),
        \(holdersFrom), \(origin.rawValue), \(actor))
      """)
    return Published(plan: plan.id, version: version, isNew: true)
  }

  // MARK: Reading

  /// A version as it was sold; the last one when none is named. `nil` when there is no such version.
  ///
  /// A version that is named is remembered: it never changes.
  public func plan(_ id: PlanID, version: Int? = nil) async throws -> Plan? {
    if let version, let plan = held.plan(id, version) { return plan }
    let row = try await database.one(
      """
      SELECT document FROM \(schema).plan_version
      WHERE plan = \(id.text) AND (\(version) IS NULL OR version = \(version)) ORDER BY version DESC LIMIT 1
      """)
    guard let row else { return nil }
    let plan = try PlanStore.plan(row)
    if let version { held.keep(plan, version) }
    return plan
  }

  static func plan(_ row: Row, _ column: String = "document") throws -> Plan {
    try JSONDecoder().decode(Plan.self, from: Data(try row.get(column, as: JSONText.self).text.utf8))
  }

  /// The number of the version published last; `nil` when there is none.
  public func newestVersion(of id: PlanID) async throws -> Int? { try await newestVersion(of: id, in: database) }

  func newestVersion(of id: PlanID, in executor: any SQLExecutor) async throws -> Int? {
    try await executor.one("SELECT max(version) AS newest FROM \(schema).plan_version WHERE plan = \(id.text)")?
      .getIfPresent("newest")
  }

  /// The version that holds on a day for who has one: hers, until a later one names a day for holders that has come (V19).
  public func versionInForce(_ id: PlanID, held: Int, on day: CivilDate) async throws -> Int {
    let row = try await database.one(
      """
      SELECT max(version) AS moved FROM \(schema).plan_version
      WHERE plan = \(id.text) AND version > \(held) AND holders_from <= \(day)
      """)
    return try row?.getIfPresent("moved") ?? held
  }
}

extension PlanStore.Published {
  func line(by actor: String) -> AuditLine {
    AuditLine(actor: actor, action: "plan.publish", subject: plan.text, details: ["version": .integer(Int64(version))])
  }
}
