import Crypto
import Database
import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Web

extension IdentityService {
  static let codeLifetime = Duration.seconds(60)
  /// How long a refresh token may lie unused; each use gives a new one.
  static let refreshLifetime = Duration.days(30)

  /// The authorization endpoint, by GET and by POST.
  func authorize(_ visit: Visit) async throws -> Answer {
    let parameters: Parameters
    if visit.request.method == .post {
      do {
        parameters = Parameters(try await visit.input())
      } catch let problem as Problem where problem.kind == .malformedRequest {
        return refusalPage("doubled", visit: visit)
      }
    } else {
      parameters = Parameters(pathAndQuery: visit.pathAndQuery)
    }
    do {
      let request = try await read(parameters)
      return try await answer(request, parameters: parameters, visit: visit)
    } catch let refusal as AuthorizationRequest.Refusal {
      switch refusal {
      case .page(let reason): return refusalPage(reason, visit: visit)
      case .redirect(let response): return deliver(response, visit: visit)
      }
    }
  }

  private func read(_ parameters: Parameters) async throws -> AuthorizationRequest {
    var client: Client?
    if let id = parameters["client_id"] { client = try await self.client(id) }
    return try AuthorizationRequest(parameters, client: client)
  }

  /// The request behind a `continue` path, for pages on the way to it.
  func pendingRequest(_ path: String?) async throws -> AuthorizationRequest? {
    guard let path, path.hasPrefix("/authorize?") else { return nil }
    do {
      return try await read(Parameters(pathAndQuery: path))
    } catch is AuthorizationRequest.Refusal {
      return nil
    }
  }

  private func answer(_ request: AuthorizationRequest, parameters: Parameters, visit: Visit) async throws -> Answer {
    func refuse(_ code: OAuthError.Code, _ description: String) -> Answer {
      deliver(AuthorizationResponse(to: request, error: OAuthError(code, description)), visit: visit)
    }
    var hint: IDTokenClaims?
    if let token = request.idTokenHint {
      hint = try await keys.verify(token, now: visit.now)
      if hint == nil { return refuse(.invalidRequest, "id_token_hint is not an ID token of this issuer") }
    }
    var session: BrowserSession?
    if let present = visit.session { session = try await browserSession(present.id, now: visit.now) }
    let isTooOld = session.map { found in request.maxAge.map { visit.now - found.authTime > .seconds($0) } ?? false } ?? false
    let isAnother = session.map { found in hint.map { $0.sub != found.person.description } ?? false } ?? false
    guard let session, !isTooOld, !isAnother, request.prompt.isDisjoint(with: ["login", "select_account"]) else {
      if request.prompt.contains("none") { return refuse(.loginRequired, "the person is not signed in, or must sign in again") }
      // What asked for this sign-in is satisfied by it, and must not ask again on the way back.
      let prompt = request.prompt.subtracting(["login", "select_account"]).sorted().joined(separator: " ")
      let rest = parameters.removing("max_age", "id_token_hint").setting("prompt", prompt.isEmpty ? nil : prompt)
      let language = request.locales.first.map { "&lang=\($0.rawValue)" } ?? ""
      return .redirect("/signin?continue=\(Renderer.encode("/authorize?\(rest.query)"))\(language)")
    }
    if try await needsConsent(request, of: session.person) {
      if request.prompt.contains("none") { return refuse(.consentRequired, "the person has not agreed yet") }
      return consentPage(request, parameters: parameters, visit: visit)
    }
    let code = try await makeCode(request, session: session, now: visit.now)
    return deliver(AuthorizationResponse(to: request, code: code), visit: visit)
  }

  /// Makes a code, and the family that all its tokens will belong to.
  private func makeCode(_ request: AuthorizationRequest, session: BrowserSession, now: Instant) async throws -> String {
    let code = Secret.random(bytes: 32)
    let family = UUID.v7(at: now)
    try await database.execute(
      """
      WITH family AS (
        INSERT INTO \(schema).token_family (id, client, person, session, scope, claims, auth_time, created_at, expires_at)
        VALUES (\(family), \(request.client.id), \(session.person), \(session.id), \(request.scope), \(request.claims),
          \(session.authTime), \(now), \(now + IdentityService.refreshLifetime))
        RETURNING id
      )
      INSERT INTO \(schema).authorization_code (digest, family, redirect_uri, nonce, code_challenge, expires_at)
      SELECT \(Secret.digest(code)), id, \(request.redirectURI), \(request.nonce), \(request.challenge),
        \(now + IdentityService.codeLifetime)
      FROM family
      """)
    return code
  }

  // MARK: Answers

  /// Sends the browser back to the client.
  func deliver(_ response: AuthorizationResponse, visit: Visit) -> Answer {
    let parameters = response.parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } + [("iss", issuerIdentifier)]
    switch response.mode {
    case .query: return .redirect(RedirectURI.adding(parameters, to: response.redirectURI))
    case .formPost: return formPost(parameters, to: response.redirectURI, visit: visit)
    }
  }

  private static let submitScript = "document.forms[0].submit()"
  private static let submitScriptHash = Data(SHA256.hash(data: Data(submitScript.utf8))).base64EncodedString()

  /// OAuth 2.0 Form Post Response Mode. A document of its own: its one line of script is named in its policy by hash, and
  /// without scripts the button does the same.
  private func formPost(_ parameters: [(String, String)], to uri: String, visit: Visit) -> Answer {
    let fields = parameters.map { "<input type=\"hidden\" name=\"\(escape($0.0))\" value=\"\(escape($0.1))\">" }.joined()
    let document = """
      <!doctype html><html lang="\(visit.language.rawValue)"><meta charset="utf-8"><title>\(escape(visit.site.name(visit.language)))\
      </title><form method="post" action="\(escape(uri))">\(fields)<button>\(escape(visit.text("identity.formPost.button")))\
      </button></form><script>\(IdentityService.submitScript)</script></html>
      """
    return .text(document, contentType: "text/html; charset=utf-8")
      .header(
        .contentSecurityPolicy,
        "default-src 'none'; script-src 'sha256-\(IdentityService.submitScriptHash)'; base-uri 'none'; frame-ancestors 'none'; "
          + "form-action \(RedirectURI.origin(of: uri) ?? "'none'")")
  }

  private func escape(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
  }

  /// An error that must not be sent to an address nobody has vouched for.
  private func refusalPage(_ reason: String, visit: Visit) -> Answer {
    .page(
      Page(
        "identity.authorize-refused", title: visit.text("identity.refused.title"),
        ["reason": visit.text("identity.refused.\(reason)")]),
      json: OAuthError(.invalidRequest, visit.catalogue.text("identity.refused.\(reason)", in: .en)).body, status: .badRequest)
  }
}
