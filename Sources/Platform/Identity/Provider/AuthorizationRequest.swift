import Foundation
import Kit

/// A request at the authorization endpoint that may be answered by redirect (OpenID Connect Core §3.1.2.1).
struct AuthorizationRequest: Sendable, Equatable {
  let client: Client
  let redirectURI: String
  let mode: ResponseMode
  let state: String?
  let scope: [String]
  let nonce: String?
  /// S256 of the client's verifier (RFC 7636 §4.2).
  let challenge: String?
  let prompt: Set<String>
  let maxAge: Int?
  let idTokenHint: String?
  let loginHint: String?
  let locales: [Language]
  /// Claims asked for at userinfo one by one.
  let claims: [String]

  enum ResponseMode: String, Sendable { case query, formPost = "form_post" }

  static let knownScopes = ["openid", "profile", "email", "offline_access"]
  static let knownClaims = ["name", "locale", "email", "email_verified"]

  /// Whom to tell what is wrong with a request.
  enum Refusal: Error, Equatable {
    /// The person, by a page: the address to redirect to can't be trusted. The key of the reason's text.
    case page(String)
    /// The client, by redirect.
    case redirect(AuthorizationResponse)
  }

  /// - Parameter client: the client the parameters name, if there is one.
  /// - Throws: ``Refusal``.
  init(_ parameters: Parameters, client: Client?) throws(Refusal) {
    guard parameters.doubled.isDisjoint(with: ["client_id", "redirect_uri"]) else { throw .page("doubled") }
    guard let client else { throw .page("client") }
    guard let uri = parameters["redirect_uri"], RedirectURI.isRegistered(uri, in: client.redirectURIs) else {
      throw .page("redirect")
    }
    let mode = parameters["response_mode"].map(ResponseMode.init(rawValue:)) ?? .query
    func refusal(_ code: OAuthError.Code, _ description: String) -> Refusal {
      .redirect(
        AuthorizationResponse(
          redirectURI: uri, mode: mode ?? .query, error: OAuthError(code, description), state: parameters["state"]))
    }
    guard parameters.doubled.isEmpty else { throw refusal(.invalidRequest, "a parameter is given twice") }
    guard let mode else { throw refusal(.invalidRequest, "response_mode is neither query nor form_post") }
    if parameters["request"] != nil { throw refusal(.requestNotSupported, "request objects are not supported") }
    if parameters["request_uri"] != nil { throw refusal(.requestURINotSupported, "request_uri is not supported") }
    if parameters["registration"] != nil { throw refusal(.registrationNotSupported, "registration is not supported") }
    guard let type = parameters["response_type"] else { throw refusal(.invalidRequest, "response_type is missing") }
    guard type == "code" else { throw refusal(.unsupportedResponseType, "only the response type code is supported") }
    let asked = parameters["scope"]?.split(separator: " ").map(String.init) ?? []
    guard asked.contains("openid") else { throw refusal(.invalidScope, "scope has no openid") }
    for name in ["state", "nonce"] where (parameters[name]?.utf8.count ?? 0) > 1024 {
      throw refusal(.invalidRequest, "\(name) is longer than 1024 bytes")
    }
    do {
      challenge = try AuthorizationRequest.challenge(parameters, isRequired: client.isPublic)
      prompt = try AuthorizationRequest.prompt(parameters["prompt"])
      maxAge = try AuthorizationRequest.maxAge(parameters["max_age"])
      claims = try AuthorizationRequest.claims(parameters["claims"])
    } catch {
      throw refusal(error.code, error.description)
    }
    self.client = client
    redirectURI = uri
    self.mode = mode
    state = parameters["state"]
    // Scopes we don't know are left out (§3.1.2.1).
    scope = AuthorizationRequest.knownScopes.filter(asked.contains)
    nonce = parameters["nonce"]
    idTokenHint = parameters["id_token_hint"]
    loginHint = parameters["login_hint"].flatMap { $0.count <= 254 ? $0 : nil }
    locales =
      parameters["ui_locales"]?.split(separator: " ").compactMap { tag in
        tag.split(separator: "-").first.flatMap { Language(rawValue: $0.lowercased()) }
      } ?? []
  }

  private static func challenge(_ parameters: Parameters, isRequired: Bool) throws(OAuthError) -> String? {
    guard let challenge = parameters["code_challenge"] else {
      if parameters["code_challenge_method"] != nil {
        throw OAuthError(.invalidRequest, "code_challenge_method without code_challenge")
      }
      if isRequired { throw OAuthError(.invalidRequest, "code_challenge is missing: a public client needs PKCE") }
      return nil
    }
    // Without a method it would be `plain`, which protects against nothing we know of.
    guard parameters["code_challenge_method"] == "S256" else {
      throw OAuthError(.invalidRequest, "code_challenge_method is not S256")
    }
    guard challenge.utf8.count == 43, challenge.utf8.allSatisfy(PKCE.isUnreserved) else {
      throw OAuthError(.invalidRequest, "code_challenge is no SHA-256 in base64url")
    }
    return challenge
  }

  private static func prompt(_ text: String?) throws(OAuthError) -> Set<String> {
    let prompt = Set((text ?? "").split(separator: " ").map(String.init))
    if prompt.contains("none"), prompt.count > 1 {
      throw OAuthError(.invalidRequest, "prompt has none together with another value")
    }
    return prompt
  }

  private static func maxAge(_ text: String?) throws(OAuthError) -> Int? {
    guard let text else { return nil }
    guard let seconds = Int(text), (0...1_000_000_000).contains(seconds) else {
      throw OAuthError(.invalidRequest, "max_age is no number of seconds")
    }
    return seconds
  }

  private static func claims(_ text: String?) throws(OAuthError) -> [String] {
    guard let text else { return [] }
    guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)), case .object = value else {
      throw OAuthError(.invalidRequest, "claims is no JSON object")
    }
    guard case .object(let asked)? = value["userinfo"] else { return [] }
    return knownClaims.filter { asked[$0] != nil }
  }
}

/// Proof Key for Code Exchange (RFC 7636).
enum PKCE {
  /// `[A-Za-z0-9-._~]` (RFC 3986 §2.3).
  static func isUnreserved(_ byte: UInt8) -> Bool {
    (65...90).contains(byte) || (97...122).contains(byte) || (48...57).contains(byte) || "-._~".utf8.contains(byte)
  }
}

/// What the authorization endpoint tells a client, by way of the browser.
struct AuthorizationResponse: Sendable, Equatable {
  let redirectURI: String
  let mode: AuthorizationRequest.ResponseMode
  /// Without `iss`, which every response gets (RFC 9207).
  let parameters: [String: String]

  init(redirectURI: String, mode: AuthorizationRequest.ResponseMode, error: OAuthError, state: String?) {
    self.redirectURI = redirectURI
    self.mode = mode
    parameters = ["error": error.code.rawValue, "error_description": error.description]
      .merging(state.map { ["state": $0] } ?? [:]) { first, _ in first }
  }

  init(to request: AuthorizationRequest, code: String) {
    (redirectURI, mode) = (request.redirectURI, request.mode)
    parameters = ["code": code].merging(request.state.map { ["state": $0] } ?? [:]) { first, _ in first }
  }

  init(to request: AuthorizationRequest, error: OAuthError) {
    self.init(redirectURI: request.redirectURI, mode: request.mode, error: error, state: request.state)
  }
}
