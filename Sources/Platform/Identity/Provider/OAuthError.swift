import Foundation
import Kit

/// An error in the terms of OAuth 2.0 (RFC 6749 §4.1.2.1, §5.2) and OpenID Connect Core §3.1.2.6.
struct OAuthError: Error, Sendable, Equatable {
  enum Code: String, Sendable {
    case invalidRequest = "invalid_request"
    case invalidClient = "invalid_client"
    case invalidGrant = "invalid_grant"
    case invalidScope = "invalid_scope"
    case invalidToken = "invalid_token"
    case insufficientScope = "insufficient_scope"
    case unauthorizedClient = "unauthorized_client"
    case unsupportedGrantType = "unsupported_grant_type"
    case unsupportedResponseType = "unsupported_response_type"
    case accessDenied = "access_denied"
    case loginRequired = "login_required"
    case consentRequired = "consent_required"
    case requestNotSupported = "request_not_supported"
    case requestURINotSupported = "request_uri_not_supported"
    case registrationNotSupported = "registration_not_supported"
    case temporarilyUnavailable = "temporarily_unavailable"
  }

  let code: Code
  /// For the developer of the client: plain ASCII, no values.
  let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  /// The status of the token endpoint's answer.
  var status: Int {
    switch code {
    case .invalidClient, .invalidToken: 401
    case .insufficientScope: 403
    case .temporarilyUnavailable: 503
    default: 400
    }
  }

  struct Body: Encodable, Sendable {
    let error: String
    let errorDescription: String
    enum CodingKeys: String, CodingKey {
      case error
      case errorDescription = "error_description"
    }
  }

  var body: Body { Body(error: code.rawValue, errorDescription: description) }
}
