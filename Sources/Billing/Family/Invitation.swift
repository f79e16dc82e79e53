import Crypto
import Database
import Foundation
import Keys
import Kit

/// A seat offered to whoever has the link. Of the link's secret only a digest is kept.
struct Invitation: Hashable, Sendable, Identifiable {
  enum State: String, Sendable, CaseIterable { case open, taken, withdrawn, expired }

  /// How long a link can be taken.
  static let lifetime: Duration = .days(7)
  /// Open ones of an account at most.
  static let mostOpen = 20

  let id: UUID
  let account: UUID
  let label: String
  let created: Instant
  /// The first instant it can't be taken any more.
  let expires: Instant
  let takenBy: PersonID?
  let withdrawn: Instant?

  init(row: Row) throws {
    id = try row.get("id")
    account = try row.get("account")
    label = try row.get("label")
    created = try row.get("created_at")
    expires = try row.get("expires_at")
    takenBy = try row.getIfPresent("taken_by")
    withdrawn = try row.getIfPresent("withdrawn_at")
  }

  func state(at now: Instant) -> State {
    if takenBy != nil { return .taken }
    if withdrawn != nil { return .withdrawn }
    return now >= expires ? .expired : .open
  }

  /// The id of what a form makes, sent once or twice: a UUID version 8 (RFC 9562 §5.8) of its key.
  static func id(key: String, account: UUID) -> UUID {
    var bytes = Array(SHA256.hash(data: Data("invitation/\(account.text)/\(key)".utf8)).prefix(16))
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
  }
}

/// Inviting, and thinking better of it.
extension FamilyService {
  /// An invitation, and the secret of its link: told once, to who invites.
  struct Invited: Sendable {
    let invitation: Invitation
    /// `nil` for one that was made before, whose secret was told.
    let secret: String?
  }

  /// For so long the same form sent again is a double click, whose first answer nobody has seen.
  private static let doubleClick: Duration = .minutes(1)

  /// - Parameter key: of the form: sent twice, it is one invitation, and the link told last is the one that holds.
  /// - Throws: ``FamilyRefusal``; ``Kit/Problem`` `idempotency-key-reused`.
  func invite(_ label: String, by owner: PersonID, key: String?) async throws -> Invited {
    try await own(of: owner) { account, now, transaction in
      let secret = Secret.random(bytes: 32)
      let id = key.map { Invitation.id(key: $0, account: account.id) } ?? UUID.v7(at: now)
      if let earlier = try await invitation(id, of: account.id, in: transaction) {
        guard earlier.label == label else { throw Problem(.keyReused) }
        guard earlier.state(at: now) == .open, now - earlier.created < FamilyService.doubleClick else {
          return Invited(invitation: earlier, secret: nil)
        }
        try await transaction.execute(
          "UPDATE \(schema).invitation SET token_digest = \(Secret.digest(secret)) WHERE id = \(id)")
        return Invited(invitation: earlier, secret: secret)
      }
      try await checkRoom(at: account.id, in: transaction)
      let open = try await invitations(of: account.id, at: now, in: transaction).count { $0.state(at: now) == .open }
      guard open < Invitation.mostOpen else { throw FamilyRefusal.tooManyInvitations }
      let row = try await transaction.one(
        """
        INSERT INTO \(schema).invitation (id, account, token_digest, label, created_at, expires_at)
        VALUES (\(id), \(account.id), \(Secret.digest(secret)), \(label), \(now), \(now + Invitation.lifetime)) RETURNING *
        """)
      guard let row else { throw Problem(.internalError) }
      try await append("family.invite", by: owner, of: id.text, account.id, at: now, in: transaction)
      return Invited(invitation: try Invitation(row: row), secret: secret)
    }
  }

  /// Takes an invitation back; one that was taken back stays so.
  /// - Throws: ``FamilyRefusal/taken``; ``Kit/Problem`` `not-found`.
  func withdraw(_ id: UUID, by owner: PersonID) async throws {
    try await own(of: owner) { account, now, transaction in
      guard let invitation = try await invitation(id, of: account.id, in: transaction) else { throw Problem(.notFound) }
      guard invitation.takenBy == nil else { throw FamilyRefusal.taken }
      guard invitation.withdrawn == nil else { return }
      try await transaction.execute("UPDATE \(schema).invitation SET withdrawn_at = \(now) WHERE id = \(id)")
      try await append("family.withdraw", by: owner, of: id.text, account.id, at: now, in: transaction)
    }
  }

  private func invitation(_ id: UUID, of account: UUID, in executor: any SQLExecutor) async throws -> Invitation? {
    try await executor.one("SELECT * FROM \(schema).invitation WHERE id = \(id) AND account = \(account)")
      .map { try Invitation(row: $0) }
  }

  /// The one a link is of.
  func invitation(secret: String, in executor: any SQLExecutor) async throws -> Invitation? {
    guard secret.utf8.count == 43 else { return nil }
    return try await executor.one("SELECT * FROM \(schema).invitation WHERE token_digest = \(Secret.digest(secret))")
      .map { try Invitation(row: $0) }
  }

  /// Those of an account that can be taken, and then the last of the others; newest first.
  func invitations(of account: UUID, at now: Instant, in executor: any SQLExecutor) async throws -> [Invitation] {
    try await executor.query(
      """
      SELECT * FROM \(schema).invitation WHERE account = \(account)
      ORDER BY taken_at IS NULL AND withdrawn_at IS NULL AND expires_at > \(now) DESC, created_at DESC, id DESC LIMIT 40
      """
    ).map { try Invitation(row: $0) }
  }
}
