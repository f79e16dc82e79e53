import Database
import Foundation
import Keys
public import Kit

/// The secrets of a person, as her row keeps them.
struct Credentials: Sendable {
  let person: PersonID
  let passwordHash: String
  let isActive: Bool

  init(_ row: Row) throws {
    person = try row.get("id")
    passwordHash = try row.get("password_hash")
    isActive = try row.get("state") == "active"
  }
}

/// What a new account is signed in with.
enum AccountName: Sendable {
  /// Verified to be the person's own.
  case email(EmailAddress)
  /// Without an e-mail, in someone's care.
  case signInName(SignInName, guardian: PersonID)
}

extension IdentityService {
  /// What an e-mail is found by.
  func hash(of email: EmailAddress) -> [UInt8] { emailFingerprint.bytes(email.text) }

  private static func emailContext(_ person: PersonID) -> String { "account/\(person)/email" }

  func openEmail(_ sealed: [UInt8], of person: PersonID) -> String? {
    sealer.open(sealed, context: IdentityService.emailContext(person))
  }

  func credentials(for emailHash: [UInt8]) async throws -> Credentials? {
    try await database.one(
      "SELECT id, password_hash, state FROM \(schema).account WHERE email_hash = \(emailHash)"
    ).map(Credentials.init)
  }

  /// The account that has this e-mail or this sign-in name. One statement for both kinds and for neither, so that its time
  /// tells nothing; what is an e-mail is no name, so two accounts never answer to one text.
  func credentials(for emailHash: [UInt8], or signInName: SignInName?) async throws -> Credentials? {
    try await database.one(
      """
      SELECT id, password_hash, state FROM \(schema).account
      WHERE email_hash = \(emailHash) OR sign_in_name = \(signInName?.text)
      """
    ).map(Credentials.init)
  }

  /// Makes an account in the transaction, with its event and its audit line.
  /// - Throws: ``Database/DatabaseError`` on the constraint `account_email_hash_key` or `account_sign_in_name_key` when
  ///   another has that e-mail or name.
  func makeAccount(
    _ name: AccountName, passwordHash: String, displayName: String, locale: String, now: Instant, in transaction: Transaction
  ) async throws -> PersonID {
    let person = PersonID(UUID.v7(at: now))
    var (email, signInName, guardian): (EmailAddress?, SignInName?, PersonID?)
    switch name {
    case .email(let address): email = address
    case .signInName(let chosen, let carer): (signInName, guardian) = (chosen, carer)
    }
    let sealed = email.map { sealer.seal($0.text, context: IdentityService.emailContext(person)) }
    try await transaction.execute(
      """
      INSERT INTO \(schema).account
        (id, email_sealed, email_hash, sign_in_name, guardian, display_name, password_hash, locale, verified_at, created_at)
      VALUES (\(person), \(sealed), \(email.map(hash(of:))), \(signInName?.text), \(guardian), \(displayName),
        \(passwordHash), \(locale), \(email.map { _ in now }), \(now))
      """)
    try await transaction.execute(
      """
      INSERT INTO \(schema).membership (person, tenant, role, granted_at)
      VALUES (\(person), \(IdentityService.city), 'member', \(now))
      """)
    try await events.registered(person, at: now, in: transaction)
    try await audit("account.created", actor: guardian ?? person, subject: person.uuid, at: now, in: transaction)
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
          .email(address), passwordHash: passwordHash, displayName: displayName, locale: Language.ko.rawValue, now: now,
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
      SELECT email_sealed, sign_in_name, guardian, display_name, locale, verified_at FROM \(schema).account
      WHERE id = \(person) AND state = 'active'
      """)
    guard let row else { return nil }
    let sealed = try row.getIfPresent("email_sealed", as: [UInt8].self)
    return Profile(
      email: sealed.flatMap { sealer.open($0, context: IdentityService.emailContext(person)) },
      signInName: try row.getIfPresent("sign_in_name"), guardian: try row.getIfPresent("guardian"),
      displayName: try row.get("display_name"), locale: try row.get("locale"), verified: try row.getIfPresent("verified_at"))
  }

  /// Who has this e-mail: for an operator's commands.
  public func person(email: String) async throws -> PersonID? {
    guard let address = EmailAddress(email) else { return nil }
    return try await credentials(for: hash(of: address))?.person
  }
}

struct Profile: Sendable {
  /// `nil` for who has none, and when the master key is not the one it was sealed with.
  let email: String?
  /// `nil` for who signs in by an e-mail.
  let signInName: String?
  let guardian: PersonID?
  let displayName: String
  let locale: String
  /// When the e-mail was verified.
  let verified: Instant?
}
