import Database
public import Foundation
public import Kit

/// A role someone was given somewhere, with what an operator must know to give or take it.
public struct StaffMembership: Sendable, Hashable {
  public let person: PersonID
  public let displayName: String
  /// `nil` when the master key is not the one it was sealed with.
  public let email: String?
  /// A tenant's id, or `city`.
  public let tenant: String
  public let role: String
  public let granted: Instant
}

extension IdentityService {
  /// Everyone who has one of these roles anywhere, by place and role. For operators only: it opens e-mail addresses.
  public func memberships(roles: Set<String>) async throws -> [StaffMembership] {
    let rows = try await database.query(
      """
      SELECT m.person, m.tenant, m.role, m.granted_at, a.display_name, a.email_sealed
      FROM \(schema).membership m JOIN \(schema).account a ON a.id = m.person
      WHERE m.role = ANY(\(roles.sorted())) ORDER BY m.tenant, m.role, m.granted_at, m.person
      """)
    return try rows.map { row in
      let person = try row.get("person", as: PersonID.self)
      return StaffMembership(
        person: person, displayName: try row.get("display_name"),
        email: openEmail(try row.get("email_sealed"), of: person), tenant: try row.get("tenant"), role: try row.get("role"),
        granted: try row.get("granted_at"))
    }
  }

  /// Adds a line to the audit log for an act that changed nothing here, like a dead letter that is tried again.
  ///
  /// - Parameter detail: opaque ids and codes only.
  public func note(_ action: String, actor: PersonID?, subject: UUID?, detail: JSONValue = [:]) async throws {
    let now = clock.now()
    try await database.transaction { [self] transaction in
      try await audit(action, actor: actor, subject: subject, detail: detail, at: now, in: transaction)
    }
  }
}
