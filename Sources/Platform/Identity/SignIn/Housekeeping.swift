import Database
public import Kit

extension IdentityService {
  /// Deletes what has run out: sessions, codes, tokens, registrations, windows of attempts. The scheduler's nightly work.
  ///
  /// - Returns: how many rows of each table went.
  @discardableResult
  public func purgeExpired(now: Instant) async throws -> [String: Int] {
    // A revoked family is kept as long as its tokens could have lived, so that one used again is still known as such.
    let statements: [(String, SQL)] = [
      ("registration", "DELETE FROM \(schema).registration WHERE expires_at <= \(now)"),
      ("access_token", "DELETE FROM \(schema).access_token WHERE expires_at <= \(now)"),
      ("refresh_token", "DELETE FROM \(schema).refresh_token WHERE expires_at <= \(now)"),
      ("authorization_code", "DELETE FROM \(schema).authorization_code WHERE expires_at <= \(now - .days(1))"),
      (
        "token_family",
        """
        DELETE FROM \(schema).token_family f WHERE f.expires_at <= \(now)
          OR f.created_at <= \(now - .days(1)) AND NOT EXISTS (SELECT FROM \(schema).access_token t WHERE t.family = f.id)
            AND NOT EXISTS (SELECT FROM \(schema).refresh_token t WHERE t.family = f.id)
        """
      ),
      // Families of refresh tokens may outlive the session's own time, not its revocation.
      (
        "browser_session",
        """
        DELETE FROM \(schema).browser_session s WHERE s.expires_at <= \(now)
          AND NOT EXISTS (SELECT FROM \(schema).token_family f WHERE f.session = s.id)
          OR s.revoked_at <= \(now - .days(30))
        """
      ),
      ("attempt", "DELETE FROM \(schema).attempt WHERE window_start <= \(now - .days(1))"),
    ]
    var counts: [String: Int] = [:]
    for (table, statement) in statements { counts[table] = try await database.execute(statement) }
    return counts
  }

  /// Makes the next signing key when its time has come. The scheduler's daily work.
  public func rotateKeys(now: Instant) async throws { try await keys.rotate(now: now) }
}
