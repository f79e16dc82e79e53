import Foundation
import HTTPTypes
import Keys
import Kit
import Web

extension RelyingPartyService {
  static let signOutEndpoints: [Endpoint<RelyingPartyService>] = [
    .get("/signout") { service, visit in service.signOutPage(visit) },
    .post(
      "/signout", EndpointRules(operation: Operation("signOut", "Sign out of every service", input: .object([]), status: 204))
    ) { service, visit in try await service.signOut(visit) },
  ]

  private func signOutPage(_ visit: Visit) -> Answer {
    guard let session = visit.session else { return .redirect("/") }
    return .page(
      Page(
        "relyingparty.site-sign-out", title: visit.text("relyingparty.signOut.title"),
        ["lead": visit.text("relyingparty.signOut.lead", ["name": session.displayName])]))
  }

  /// Ends the session here and goes on to the issuer, which ends all of them (RP-Initiated Logout 1.0), and back here.
  ///
  /// A program is not sent round: for it the issuer's session ends at once.
  private func signOut(_ visit: Visit) async throws -> Answer {
    if visit.session?.proof == .bearer, let session = visit.session {
      try await authority.end(session.id)
      return .noContent
    }
    guard let cookie = visit.cookie(RelyingPartyService.sessionCookie) else {
      return visit.wantsJSON ? .noContent : .redirect("/")
    }
    let digest = Secret.digest(cookie)
    let row = try await store.find(digest: digest, site: visit.site.id, now: visit.now)
    let hint = try await store.end(digest: digest, site: visit.site.id)
    visit.clearCookie(RelyingPartyService.sessionCookie)
    if visit.wantsJSON {
      if let row { try await authority.end(row.sid) }
      return .noContent
    }
    guard let hint else { return .redirect("/") }
    let parameters = [
      ("id_token_hint", hint), ("client_id", visit.site.id), ("post_logout_redirect_uri", visit.site.origin.url("/")),
    ]
    return .redirect(issuer.origin.url("/logout?") + query(parameters))
  }
}
