import Database
import Foundation
import HTTPTypes
import Keys
import Kit
import Web

extension IdentityService {
  /// The link in the mail. Looking is not confirming: mail scanners follow links.
  func confirmPage(_ visit: Visit) async throws -> Answer {
    let token = visit.query("token") ?? ""
    guard
      let row = try await database.one(
        """
        SELECT display_name, continue_path FROM \(schema).registration
        WHERE token_digest = \(Secret.digest(token)) AND expires_at > \(visit.now) AND password_hash IS NOT NULL
        """)
    else { return expiredLinkPage(visit) }
    let asked = try await pendingRequest(ContinuePath.read(try row.getIfPresent("continue_path")))
    let name = try row.get("display_name", as: String.self)
    let page = Page(
      "identity.confirm", title: visit.text("identity.confirm.title"),
      ["token": token, "lead": visit.text("identity.confirm.lead", ["name": name])])
    return .page(page.allowingForms(to: formTargets(asked, visit: visit)))
  }

  private func expiredLinkPage(_ visit: Visit) -> Answer {
    .page(Page("identity.confirm-expired", title: visit.text("identity.confirm.expiredTitle")), status: .notFound)
  }

  func confirm(_ visit: Visit) async throws -> Answer {
    let token = try await visit.input().typed("token")
    guard let confirmed = try await makeAccount(confirming: token, now: visit.now) else {
      if visit.wantsJSON { throw Problem(.notFound) }
      return expiredLinkPage(visit)
    }
    // Only the browser that registered is signed in: the link alone, seen in another's mailbox, is no password.
    let isSameBrowser =
      visit.cookie(IdentityService.registrationCookie).map { Secret.digest($0) == confirmed.browserDigest } ?? false
    if isSameBrowser {
      try await startSession(confirmed.person, visit: visit)
      visit.clearCookie(IdentityService.registrationCookie)
    }
    if visit.wantsJSON { return .json(Confirmed(person: confirmed.person, signedIn: isSameBrowser)) }
    if isSameBrowser { return .redirect(confirmed.continuePath ?? accountURL(visit)) }
    let onward = confirmed.continuePath.map { "&continue=\(Renderer.encode($0))" } ?? ""
    return .redirect("/signin?confirmed=1\(onward)")
  }

  private struct ConfirmedRegistration: Sendable {
    let person: PersonID
    let browserDigest: [UInt8]
    let continuePath: String?
  }

  struct Confirmed: Encodable, Sendable {
    let person: PersonID
    let signedIn: Bool
    enum CodingKeys: String, CodingKey {
      case person
      case signedIn = "signed_in"
    }
  }

  /// Turns a registration into an account, once.
  /// - Returns: `nil` for a token that is unknown, expired or used, and when the e-mail has got an account meanwhile.
  private func makeAccount(confirming token: String, now: Instant) async throws -> ConfirmedRegistration? {
    do {
      return try await database.transaction { [self] transaction -> ConfirmedRegistration? in
        let row = try await transaction.one(
          """
          DELETE FROM \(schema).registration
          WHERE token_digest = \(Secret.digest(token)) AND expires_at > \(now) AND password_hash IS NOT NULL
          RETURNING id, email_sealed, email_hash, display_name, password_hash, continue_path, locale, browser_digest
          """)
        guard let row,
          let email = sealer.open(try row.get("email_sealed"), context: IdentityService.registrationContext(try row.get("id"))),
          let address = EmailAddress(email)
        else { return nil }
        let person = try await makeAccount(
          .email(address), passwordHash: try row.get("password_hash"), displayName: try row.get("display_name"),
          locale: try row.get("locale"), now: now, in: transaction)
        // Whoever else began to register this address, with a password of his own, must not go on.
        let emailHash = try row.get("email_hash", as: [UInt8].self)
        try await transaction.execute("DELETE FROM \(schema).registration WHERE email_hash = \(emailHash)")
        return ConfirmedRegistration(
          person: person, browserDigest: try row.get("browser_digest"),
          continuePath: ContinuePath.read(try row.getIfPresent("continue_path")))
      }
    } catch let error as DatabaseError where error.isUniqueViolation && error.constraint == "account_email_hash_key" {
      return nil
    }
  }
}
