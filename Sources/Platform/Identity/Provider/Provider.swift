public import Foundation
import HTTPTypes
import Kit
import Web

extension IdentityService {
  /// What comes from other origins, or from programs without a session: each carries its own proof, so no form token.
  /// Our own relying parties come to the token endpoint too, all from one place: it is a class of its own.
  private static let open = EndpointRules(checksForgery: false)
  private static let token = EndpointRules(limit: "token", checksForgery: false, bodyLimit: 16 * 1024)

  static let providerEndpoints: [Endpoint<IdentityService>] = [
    .get("/.well-known/openid-configuration") { service, _ in .json(service.discovery) },
    .get("/jwks") { service, visit in
      .json(try await service.keys.keySet(now: visit.now)).header(.cacheControl, "public, max-age=600")
    },
    .get("/authorize") { service, visit in try await service.authorize(visit) },
    .post("/authorize", open) { service, visit in try await service.authorize(visit) },
    .post("/consent") { service, visit in try await service.decideConsent(visit) },
    .post("/token", token) { service, visit in try await service.clientEndpoint("/token", visit) },
    .post("/revoke", token) { service, visit in try await service.clientEndpoint("/revoke", visit) },
    .get("/userinfo") { service, visit in try await service.userInfoEndpoint(visit) },
    .post("/userinfo", open) { service, visit in try await service.userInfoEndpoint(visit) },
    .get("/logout") { service, visit in try await service.logout(visit) },
    .post("/logout", open) { service, visit in try await service.logout(visit) },
  ]

  /// Provider metadata (OpenID Connect Discovery §3, RFC 8414, RFC 9207).
  var discovery: JSONValue {
    func url(_ path: String) -> JSONValue { .string(issuer.origin.url(path)) }
    return [
      "issuer": .string(issuerIdentifier),
      "authorization_endpoint": url("/authorize"), "token_endpoint": url("/token"), "userinfo_endpoint": url("/userinfo"),
      "jwks_uri": url("/jwks"), "end_session_endpoint": url("/logout"), "revocation_endpoint": url("/revoke"),
      "scopes_supported": .array(AuthorizationRequest.knownScopes.map { .string($0) }),
      "response_types_supported": ["code"],
      "response_modes_supported": ["query", "form_post"],
      "grant_types_supported": ["authorization_code", "refresh_token"],
      "subject_types_supported": ["public"],
      "id_token_signing_alg_values_supported": ["RS256"],
      "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
      "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
      "code_challenge_methods_supported": ["S256"],
      "claims_supported": [
        "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "name", "locale", "email", "email_verified",
      ],
      "claims_parameter_supported": true,
      "request_parameter_supported": false,
      "request_uri_parameter_supported": false,
      "require_request_uri_registration": false,
      "authorization_response_iss_parameter_supported": true,
      "prompt_values_supported": ["none", "login", "consent", "select_account"],
      "ui_locales_supported": .array(issuer.languages.map { .string($0.rawValue) }),
    ]
  }

  // MARK: In process

  /// Answers a POST of a relying party in this process to `/token` or `/revoke`, as the wire would.
  public func post(path: String, form: [String: String], basic: (String, String)?) async throws -> (status: Int, body: Data) {
    let answer = try await answer(ClientRequest(form: Parameters(form), basic: basic.map { ($0.0, $0.1) }), at: path)
    return (answer.status, try JSONEncoder().encode(answer.body))
  }

  /// Answers a GET of a relying party in this process: `/jwks`, `/.well-known/openid-configuration`.
  public func get(path: String) async throws -> (status: Int, body: Data) {
    switch path {
    case "/jwks": (200, try JSONEncoder().encode(try await keys.keySet(now: clock.now())))
    case "/.well-known/openid-configuration": (200, try JSONEncoder().encode(discovery))
    default: throw Problem(.notFound)
    }
  }
}
