import Database
import Foundation
public import Kit

/// What a person may do somewhere: `tenant` is a tenant's id, or `city`.
public struct Membership: Sendable, Hashable {
  public let tenant: String
  public let role: String
  public init(tenant: String, role: String) {
    self.tenant = tenant
    self.role = role
  }
}

extension IdentityService {
  // MARK: Memberships

  /// Gives a person a role at a tenant, or at ``city``. A role she has stays as it is.
  public func grant(_ person: PersonID, at tenant: String, role: String, by actor: PersonID? = nil) async throws {
    try await add(role, of: person, at: tenant, by: actor, isNews: true)
  }

  /// - Parameter isNews: whether somebody may have remembered that she hasn't the role.
  private func add(_ role: String, of person: PersonID, at tenant: String, by actor: PersonID?, isNews: Bool) async throws {
    let now = clock.now()
    try await database.transaction { [self] transaction in
      let added = try await transaction.execute(
        """
        INSERT INTO \(schema).membership (person, tenant, role, granted_at) VALUES (\(person), \(tenant), \(role), \(now))
        ON CONFLICT DO NOTHING
        """)
      guard added == 1 else { return }
      try await audit(
        "membership.granted", actor: actor, subject: person.uuid, detail: ["tenant": .string(tenant), "role": .string(role)],
        at: now, in: transaction)
      if isNews { try await announceRevocation(in: transaction) }
    }
  }

  /// Takes a role away.
  public func withdraw(_ person: PersonID, at tenant: String, role: String, by actor: PersonID? = nil) async throws {
    let now = clock.now()
    try await database.transaction { [self] transaction in
      let removed = try await transaction.execute(
        "DELETE FROM \(schema).membership WHERE person = \(person) AND tenant = \(tenant) AND role = \(role)")
      guard removed == 1 else { return }
      try await audit(
        "membership.withdrawn", actor: actor, subject: person.uuid, detail: ["tenant": .string(tenant), "role": .string(role)],
        at: now, in: transaction)
      try await announceRevocation(in: transaction)
    }
  }

  /// What a person may do at a tenant.
  public func roles(of person: PersonID, at tenant: String) async throws -> Set<String> {
    let rows = try await database.query(
      "SELECT role FROM \(schema).membership WHERE person = \(person) AND tenant = \(tenant)")
    return Set(try rows.map { try $0.get("role") })
  }

  /// Makes a person a member of a tenant with her first sign-in there.
  /// - Returns: her roles.
  public func join(_ person: PersonID, at tenant: String) async throws -> Set<String> {
    let roles = try await roles(of: person, at: tenant)
    guard roles.isEmpty else { return roles }
    // Her first session there is made after this: nobody remembers one without the role.
    try await add("member", of: person, at: tenant, by: person, isNews: false)
    return try await self.roles(of: person, at: tenant)
  }

  /// All roles of a person, by tenant.
  public func memberships(of person: PersonID) async throws -> [Membership] {
    let rows = try await database.query(
      "SELECT tenant, role FROM \(schema).membership WHERE person = \(person) ORDER BY tenant, role")
    return try rows.map { Membership(tenant: try $0.get("tenant"), role: try $0.get("role")) }
  }

  // MARK: Names

  /// Display names, remembered for a minute. A person who is gone has none.
  public func names(_ people: Set<PersonID>) async throws -> [PersonID: String] {
    var names: [PersonID: String] = [:]
    var unknown: [UUID] = []
    for person in people {
      if let known = displayNames[person] { names[person] = known } else { unknown.append(person.uuid) }
    }
    guard !unknown.isEmpty else { return names }
    let generation = displayNames.generation
    let rows = try await database.query("SELECT id, display_name FROM \(schema).account WHERE id = ANY(\(unknown))")
    for row in rows { names[try row.get("id")] = try row.get("display_name", as: String.self) }
    for person in unknown.map(PersonID.init) { displayNames.keep(names[person], for: person, generation: generation) }
    return names
  }

  // MARK: Her own data

  /// All that is held here on a person.
  public func export(_ person: PersonID) async throws -> JSONValue {
    guard let profile = try await profile(person) else { return .null }
    let sessions = try await database.query(
      """
      SELECT id, created_at, last_seen, user_agent FROM \(schema).browser_session WHERE person = \(person) ORDER BY created_at
      """)
    let audit = try await database.query(
      "SELECT at, action, detail FROM \(schema).audit WHERE subject = \(person.uuid) OR actor = \(person.uuid) ORDER BY seq")
    let memberships = try await memberships(of: person)
    let dependants = try await dependants(of: person)
    return [
      "id": .string(person.description), "email": profile.email.map { .string($0) } ?? .null,
      "display_name": .string(profile.displayName), "locale": .string(profile.locale),
      "sign_in_name": profile.signInName.map { .string($0) } ?? .null,
      "guardian": profile.guardian.map { .string($0.description) } ?? .null,
      "verified_at": profile.verified.map { .string($0.rfc3339) } ?? .null,
      "dependants": .array(
        dependants.map { ["id": .string($0.person.description), "created_at": .string($0.created.rfc3339)] }),
      "memberships": .array(memberships.map { ["tenant": .string($0.tenant), "role": .string($0.role)] }),
      "sessions": .array(
        try sessions.map { row in
          [
            "id": .string(try row.get("id", as: UUID.self).text), "user_agent": .string(try row.get("user_agent")),
            "created_at": .string(try row.get("created_at", as: Instant.self).rfc3339),
            "last_seen": .string(try row.get("last_seen", as: Instant.self).rfc3339),
          ]
        }),
      "history": .array(
        try audit.map { row in
          [
            "at": .string(try row.get("at", as: Instant.self).rfc3339), "action": .string(try row.get("action")),
            "detail": .string(try row.get("detail")),
          ]
        }),
    ]
  }

  /// Deletes a person's account and everything that hangs on it. Audit lines stay: they hold nothing but her opaque id.
  /// - Returns: how many rows of each table are gone: the proof.
  public func erase(_ person: PersonID) async throws -> [String: Int] {
    let now = clock.now()
    let counts = try await database.transaction { [self] transaction -> [String: Int] in
      var counts: [String: Int] = [:]
      let account = try await transaction.one("SELECT email_hash FROM \(schema).account WHERE id = \(person) FOR UPDATE")
      guard let account else { return [:] }
      // `NULL` for who has no e-mail: then no registration is hers.
      let emailHash = try account.getIfPresent("email_hash", as: [UInt8].self)
      counts["registration"] = try await transaction.execute(
        "DELETE FROM \(schema).registration WHERE email_hash = \(emailHash)")
      counts["token_family"] = try await transaction.execute("DELETE FROM \(schema).token_family WHERE person = \(person)")
      counts["browser_session"] = try await transaction.execute(
        "DELETE FROM \(schema).browser_session WHERE person = \(person)")
      counts["consent"] = try await transaction.execute("DELETE FROM \(schema).consent WHERE person = \(person)")
      counts["membership"] = try await transaction.execute("DELETE FROM \(schema).membership WHERE person = \(person)")
      counts["account"] = try await transaction.execute("DELETE FROM \(schema).account WHERE id = \(person)")
      try await audit("account.erased", actor: nil, subject: person.uuid, at: now, in: transaction)
      try await announceRevocation(in: transaction)
      return counts
    }
    displayNames.drop()
    return counts
  }
}
