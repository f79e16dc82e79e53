import Database
import Keys
public import Kit
import Web

/// A person in another's care: an account without an e-mail.
public struct Dependant: Sendable, Hashable {
  public let person: PersonID
  public let displayName: String
  /// What she signs in by, in lower case.
  public let signInName: String
  public let created: Instant
}

extension IdentityService {
  /// How many people one guardian may have in her care.
  public static let dependantsPerGuardian = 10

  /// Makes an account without an e-mail under a guardian's care. Whoever has it signs in by the name and the password.
  ///
  /// - Parameters:
  ///   - guardian: someone with an account of her own: active, with an e-mail.
  ///   - displayName: 1 to 40 characters.
  ///   - signInName: 4 to 30 of a–z, 0–9, dot, hyphen and underscore, a letter first; capitals are taken as small letters.
  /// - Throws: ``Kit/Problem`` `invalid-input` with the fields `displayName`, `signInName`, `password`; a name that someone
  ///   has is refused with the code `taken`, one person more than ``dependantsPerGuardian`` with `dependants`.
  ///   `not-found` for an unknown guardian, `forbidden` for one who is in another's care herself, `unavailable` when too
  ///   many hashes wait.
  public func createDependant(
    of guardian: PersonID, displayName: String, signInName: String, password: String
  ) async throws -> PersonID {
    var input = Input([
      "displayName": .string(displayName), "signInName": .string(signInName), "password": .string(password),
    ])
    let shown = DisplayName.read(&input, "displayName")
    let name = SignInName.read(&input)
    _ = PasswordRules.read(&input, email: name?.text ?? "", displayName: shown)
    try input.check()
    // `check` has thrown if there is none.
    guard let name else { throw Problem(.invalidInput, fields: [.init("signInName", "signInName")]) }
    let now = clock.now()
    let passwordHash = try await hasher.hash(password)
    do {
      return try await database.transaction { [self] transaction in
        let locale = try await admitDependant(of: guardian, in: transaction)
        return try await makeAccount(
          .signInName(name, guardian: guardian), passwordHash: passwordHash, displayName: shown, locale: locale, now: now,
          in: transaction)
      }
    } catch let error as DatabaseError where error.isUniqueViolation && error.constraint == "account_sign_in_name_key" {
      throw Problem(.invalidInput, fields: [.init("signInName", "taken")])
    }
  }

  /// Holds the guardian's row, so that two at once don't both become her tenth.
  /// - Returns: the language a guardian's dependants begin in: her own.
  private func admitDependant(of guardian: PersonID, in transaction: Transaction) async throws -> String {
    let row = try await transaction.one(
      """
      SELECT locale, email_hash IS NULL AS is_dependant FROM \(schema).account
      WHERE id = \(guardian) AND state = 'active' FOR UPDATE
      """)
    guard let row else { throw Problem(.notFound) }
    guard try !row.get("is_dependant", as: Bool.self) else { throw Problem(.forbidden) }
    let count = try await transaction.one("SELECT count(*) FROM \(schema).account WHERE guardian = \(guardian)")
    guard let count, try count.get(0, as: Int.self) < IdentityService.dependantsPerGuardian else {
      let most = "\(IdentityService.dependantsPerGuardian)"
      throw Problem(.invalidInput, fields: [.init("signInName", "dependants", ["max": most])])
    }
    return try row.get("locale")
  }

  /// Who is in a person's care, the eldest account first.
  public func dependants(of guardian: PersonID) async throws -> [Dependant] {
    let rows = try await database.query(
      """
      SELECT id, display_name, sign_in_name, created_at FROM \(schema).account
      WHERE guardian = \(guardian) AND sign_in_name IS NOT NULL ORDER BY created_at, id
      """)
    return try rows.map {
      Dependant(
        person: try $0.get("id"), displayName: try $0.get("display_name"), signInName: try $0.get("sign_in_name"),
        created: try $0.get("created_at"))
    }
  }

  /// Gives a dependant a new password and ends all sessions that the old one began.
  ///
  /// - Throws: ``Kit/Problem`` `not-found` for anyone who is not in this guardian's care; `invalid-input` with the field
  ///   `password`; `unavailable` when too many hashes wait.
  public func setPassword(_ password: String, ofDependant person: PersonID, by guardian: PersonID) async throws {
    let row = try await database.one(
      """
      SELECT display_name, sign_in_name FROM \(schema).account
      WHERE id = \(person) AND guardian = \(guardian) AND sign_in_name IS NOT NULL
      """)
    guard let row else { throw Problem(.notFound) }
    let name = try row.get("sign_in_name", as: String.self)
    var input = Input(["password": .string(password)])
    _ = PasswordRules.read(&input, email: name, displayName: try row.get("display_name"))
    try input.check()
    let passwordHash = try await hasher.hash(password)
    let now = clock.now()
    try await database.transaction { [self] transaction in
      let changed = try await transaction.execute(
        """
        UPDATE \(schema).account SET password_hash = \(passwordHash) WHERE id = \(person) AND guardian = \(guardian)
        """)
      guard changed == 1 else { throw Problem(.notFound) }
      try await revokeSessions(of: person, actor: guardian, now: now, in: transaction)
      try await audit("password.changed", actor: guardian, subject: person.uuid, at: now, in: transaction)
    }
    // Whoever has forgotten the old one has often tried it too often: the new one works at once.
    try await forgiveAttempt(account: name, network: nil, now: now)
  }
}
