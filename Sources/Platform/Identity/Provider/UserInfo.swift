import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Web

extension IdentityService {
  /// Claims about the person an access token stands for (OpenID Connect Core §5.3).
  /// - Throws: ``OAuthError`` `invalid_token`, `insufficient_scope`.
  func userInfo(_ token: String?) async throws -> [String: JSONValue] {
    guard let token, let bearer = try await session(bearer: token), let profile = try await profile(bearer.person) else {
      throw OAuthError(.invalidToken, "the access token is unknown, expired or revoked")
    }
    guard bearer.scope.contains("openid") else { throw OAuthError(.insufficientScope, "scope has no openid") }
    var claims: [String: JSONValue] = ["sub": .string(bearer.person.description)]
    func add(_ name: String, _ scope: String, _ value: JSONValue?) {
      if bearer.scope.contains(scope) || bearer.claims.contains(name) { claims[name] = value }
    }
    add("name", "profile", .string(profile.displayName))
    add("locale", "profile", .string(profile.locale))
    add("email", "email", profile.email.map { .string($0) })
    add("email_verified", "email", profile.email.map { _ in true })
    return claims
  }

  func userInfoEndpoint(_ visit: Visit) async throws -> Answer {
    let header = visit.request.headers[.authorization]
    var token: String?
    if let header, header.lowercased().hasPrefix("bearer ") {
      token = header.dropFirst(7).trimmed
    } else if visit.request.method == .post {
      token = (try? await visit.input())?.values["access_token"]?.string
    }
    do {
      return .json(try await userInfo(token))
    } catch let error as OAuthError {
      // Without any token there is no error to tell of (RFC 6750 §3.1).
      let challenge =
        token == nil ? "Bearer" : "Bearer error=\"\(error.code.rawValue)\", error_description=\"\(error.description)\""
      return .json(error.body, status: .init(code: error.status)).header(.wwwAuthenticate, challenge)
    }
  }
}
