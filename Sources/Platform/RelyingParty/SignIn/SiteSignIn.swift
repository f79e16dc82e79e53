import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import Web

extension RelyingPartyService {
  static let sessionCookie = "session"
  static let pendingCookie = "signin"

  static let signInEndpoints: [Endpoint<RelyingPartyService>] = [
    .get("/signin") { service, visit in try service.beginSignIn(visit) },
    .get("/signin/callback") { service, visit in try await service.finishSignIn(visit) },
  ]

  /// Sends the browser to the issuer (OpenID Connect Core §3.1.2.1).
  private func beginSignIn(_ visit: Visit) throws -> Answer {
    // A browser that fetches links ahead must not begin to sign in by it.
    if RelyingPartyService.isPrefetch(visit.request.headers) { return .noContent }
    let site = visit.site
    let pending = PendingSignIn(
      returnTo: ReturnPath.read(visit.query("return_to")), isRetry: visit.query("again") == "1", now: visit.now)
    try keep(waiting(visit) + [pending], visit: visit)
    let parameters = [
      ("response_type", "code"), ("client_id", site.id), ("redirect_uri", redirectURI(site)), ("scope", "openid"),
      ("state", pending.state), ("nonce", pending.nonce), ("code_challenge", pending.challenge),
      ("code_challenge_method", "S256"), ("ui_locales", visit.language.rawValue),
    ]
    return .redirect(issuer.origin.url("/authorize?") + query(parameters))
  }

  /// Takes the browser back from the issuer (§3.1.2.5 to §3.1.3.7).
  private func finishSignIn(_ visit: Visit) async throws -> Answer {
    if RelyingPartyService.isPrefetch(visit.request.headers) { return .noContent }
    let waiting = waiting(visit)
    let state = visit.query("state") ?? ""
    guard let pending = waiting.first(where: { Secret.equal($0.state, state) }) else {
      // Another browser, or too late: begin anew here. She is signed in at the issuer by now and will hardly notice.
      if state.isEmpty || state.hasSuffix(PendingSignIn.retryMark) { return failurePage(visit, "state") }
      return .redirect("/signin?again=1")
    }
    try keep(waiting.filter { $0 != pending }, visit: visit)
    // An answer that another issuer had to give is not for us (RFC 9207).
    guard visit.query("iss") == issuer.origin.description else { return failurePage(visit, "failed") }
    if let error = visit.query("error") {
      visit.logger.info("a sign-in was refused", metadata: ["error": "\(error.prefix(40).filter { $0.isLetter || $0 == "_" })"])
      return failurePage(visit, error == "access_denied" ? "cancelled" : "failed", returnTo: pending.returnTo)
    }
    guard let code = visit.query("code"), !code.isEmpty else { return failurePage(visit, "failed") }
    do {
      let idToken = try await exchange(code, pending: pending, site: visit.site)
      try await startSession(idToken, nonce: pending.nonce, visit: visit)
    } catch let refusal as IDTokenRefusal {
      visit.logger.warning("an ID token was refused", metadata: ["reason": "\(refusal.rawValue)"])
      return failurePage(visit, "failed", returnTo: pending.returnTo)
    } catch let refusal as TokenRefusal {
      visit.logger.info("a code was refused", metadata: ["error": "\(refusal.error)"])
      return failurePage(visit, "failed", returnTo: pending.returnTo)
    }
    return .redirect(pending.returnTo)
  }

  /// The token endpoint did not take the code.
  private struct TokenRefusal: Error {
    let error: String
  }

  private func exchange(_ code: String, pending: PendingSignIn, site: Site) async throws -> String {
    let answer = try await transport.post(
      path: "/token",
      form: [
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirectURI(site), "code_verifier": pending.verifier,
      ], basic: (site.id, key.password("client:\(site.id)")))
    let body = try? JSONDecoder().decode(JSONValue.self, from: answer.body)
    guard answer.status < 500 else { throw Problem(.unavailable, retryAfter: 5) }
    guard answer.status == 200, let token = body?["id_token"]?.string else {
      throw TokenRefusal(error: body?["error"]?.string ?? "no_id_token")
    }
    return token
  }

  private func startSession(_ idToken: String, nonce: String, visit: Visit) async throws {
    let check = IDTokenCheck(issuer: issuer.origin.description, client: visit.site.id, nonce: nonce, now: visit.now)
    guard let key = try await keySet.key(try check.keyID(of: idToken)) else { throw IDTokenRefusal.key }
    let person = try await check.person(idToken, key: key)
    _ = try await authority.join(person.id, at: visit.site.membershipName)
    // A session that was here before ends; the new one has a new secret, whatever the browser brought.
    if let old = visit.cookie(RelyingPartyService.sessionCookie) {
      _ = try await store.end(digest: Secret.digest(old), site: visit.site.id)
    }
    let token = try await store.make(
      site: visit.site.id, person: person.id, sid: person.sid, idToken: idToken, now: visit.now)
    visit.setCookie(
      RelyingPartyService.sessionCookie, token, maxAge: Int(SiteSessionStore.lifetime.components.seconds))
  }

  // MARK: Small things

  private func redirectURI(_ site: Site) -> String { site.origin.url("/signin/callback") }

  func query(_ parameters: [(String, String)]) -> String {
    parameters.map { "\($0.0)=\(Renderer.encode($0.1))" }.joined(separator: "&")
  }

  private func waiting(_ visit: Visit) -> [PendingSignIn] {
    PendingSignIn.read(visit.cookie(RelyingPartyService.pendingCookie), sealer: sealer, site: visit.site.id, now: visit.now)
  }

  private func keep(_ waiting: [PendingSignIn], visit: Visit) throws {
    guard !waiting.isEmpty else { return visit.clearCookie(RelyingPartyService.pendingCookie) }
    visit.setCookie(
      RelyingPartyService.pendingCookie, try PendingSignIn.seal(waiting, sealer: sealer, site: visit.site.id),
      maxAge: Int(PendingSignIn.lifetime.components.seconds))
  }

  static func isPrefetch(_ headers: HTTPFields) -> Bool {
    ["Sec-Purpose", "Purpose"].contains { name in
      HTTPField.Name(name).flatMap { headers[$0] }?.contains("prefetch") ?? false
    }
  }

  /// - Parameter kind: `cancelled`, `failed` or `state`, as the texts have it.
  private func failurePage(_ visit: Visit, _ kind: String, returnTo: String = "/") -> Answer {
    .page(
      Page(
        "relyingparty.sign-in-failed", title: visit.text("relyingparty.\(kind).title"),
        [
          "detail": visit.text("relyingparty.\(kind).detail"), "isFailure": kind != "cancelled",
          "againURL": "/signin?return_to=\(Renderer.encode(returnTo))",
        ]), status: kind == "cancelled" ? .ok : .badRequest)
  }
}
