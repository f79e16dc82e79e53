import Database
import Foundation
import Keys
public import Kit

/// The secrets of a person, as her row keeps them.
struct Credentials: Sendable {
  let person: PersonID
  let passwordHash: String
  let isActive: Bool
}

extension IdentityService {
  /// What an e-mail is found by.
  func hash(of email: EmailAddress) -> [UInt8] { emailFingerprint.bytes(email.text) }

  private static func emailContext(_ person: PersonID) -> String { "account/\(person)/email" }

  func credentials(for emailHash: [UInt8]) async throws -> Credentials? {
    let row = try await database.one(
      "SELECT id, password_hash, state FROM \(schema).account WHERE email_hash = \(emailHash)")
    return try row.map {
      Credentials(person: try $0.get("id"), passwordHash: try $0.get("password_hash"), isActive: try $0.get("state") == "active")
    }
  }

  /// Makes an account in the transaction, with its event and its audit line.
  /// - Throws: ``Database/DatabaseError`` on the constraint `account_email_hash_key` when the e-mail has one.
  func makeAccount(
    email: EmailAddress, passwordHash: String, displayName: String, locale: String, now: Instant, in transaction: Transaction
  ) async throws -> PersonID {
    let person = PersonID(UUID.v7(at: now))
    let sealed = sealer.seal(email.text, context: IdentityService.emailContext(person))
    try await transaction.execute(
      """
      INSERT INTO \(schema).account
        (id, email_sealed, email_hash, display_name, password_hash, locale, verified_at, created_at)
      VALUES (\(person), \(sealed), \(hash(of: email)), \(displayName), \(passwordHash), \(locale), \(now), \(now))
      """)
    try await transaction.execute(
      """
      INSERT INTO \(schema).membership (person, tenant, role, granted_at)
      VALUES (\(person), \(IdentityService.city), 'member', \(now))
      """)
    try await events.registered(person, at: now, in: transaction)
    try await audit("account.created", actor: person, subject: person.uuid, at: now, in: transaction)
    return person
  }

  /// A verified account with this e-mail, made if there is none: sample people of development, first operators.
  ///
  /// An account that is there stays as it is, its password too.
  /// - Throws: ``Kit/Problem`` `invalid-input` for what is no e-mail address.
  @discardableResult
  public func ensureAccount(email: String, password: String, displayName: String, now: Instant) async throws -> PersonID {
    guard let address = EmailAddress(email) else { throw Problem(.invalidInput, fields: [.init("email", "email")]) }
    if let known = try await credentials(for: hash(of: address)) { return known.person }
    let passwordHash = try await hasher.hash(password)
    do {
      return try await database.transaction { transaction in
        try await self.makeAccount(
          email: address, passwordHash: passwordHash, displayName: displayName, locale: Language.ko.rawValue, now: now,
          in: transaction)
      }
    } catch let error as DatabaseError where error.isUniqueViolation {
      guard let known = try await credentials(for: hash(of: address)) else { throw error }
      return known.person
    }
  }

  /// The person's profile, as she and clients with her leave may see it.
  func profile(_ person: PersonID) async throws -> Profile? {
    let row = try await database.one(
      """
      SELECT email_sealed, display_name, locale, verified_at FROM \(schema).account
      WHERE id = \(person) AND state = 'active'
      """)
    guard let row else { return nil }
    let email = sealer.open(try row.get("email_sealed"), context: IdentityService.emailContext(person))
    return Profile(
      email: email, displayName: try row.get("display_name"), locale: try row.get("locale"), verified: try row.get("verified_at"))
  }

  /// Who has this e-mail: for an operator's commands.
  public func person(email: String) async throws -> PersonID? {
    guard let address = EmailAddress(email) else { return nil }
    return try await credentials(for: hash(of: address))?.person
  }
}

struct Profile: Sendable {
  /// `nil` when the master key is not the one it was sealed with.
  let email: String?
  let displayName: String
  let locale: String
  let verified: Instant
}
