import Database
import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Web

/// A request of a client that proves itself (RFC 6749 §2.3), at `/token` and `/revoke`.
struct ClientRequest: Sendable {
  let form: Parameters
  /// Id and secret of the header `Authorization: Basic`.
  let basic: (id: String, secret: String)?
}

extension IdentityService {
  /// Who asks: by `client_secret_basic`, `client_secret_post`, or `none` for a public client.
  /// - Throws: ``OAuthError`` `invalid_client`, `invalid_request`.
  func authenticateClient(_ request: ClientRequest) async throws -> Client {
    let posted = request.form["client_secret"]
    if request.basic != nil, posted != nil { throw OAuthError(.invalidRequest, "the client proves itself in two ways") }
    if let basic = request.basic, let id = request.form["client_id"], id != basic.id {
      throw OAuthError(.invalidRequest, "client_id is not the one of the Authorization header")
    }
    guard let id = request.basic?.id ?? request.form["client_id"] else {
      throw OAuthError(.invalidClient, "the client is not named")
    }
    guard let client = try await client(id) else { throw OAuthError(.invalidClient, "unknown client, or a wrong secret") }
    switch request.basic?.secret ?? posted {
    case let secret? where client.accepts(secret: secret): return client
    case nil where client.isPublic: return client
    default: throw OAuthError(.invalidClient, "unknown client, or a wrong secret")
    }
  }

  /// The token endpoint (RFC 6749 §3.2).
  func token(_ request: ClientRequest) async throws -> TokenAnswer {
    guard request.form.doubled.isEmpty else { throw OAuthError(.invalidRequest, "a parameter is given twice") }
    let client = try await authenticateClient(request)
    switch request.form["grant_type"] {
    case "authorization_code": return try await redeem(request.form, client: client)
    case "refresh_token": return try await refresh(request.form, client: client)
    case nil: throw OAuthError(.invalidRequest, "grant_type is missing")
    default: throw OAuthError(.unsupportedGrantType, "only authorization_code and refresh_token are supported")
    }
  }

  /// Token revocation (RFC 7009). What isn't there needs no revoking.
  func revoke(_ request: ClientRequest) async throws {
    let client = try await authenticateClient(request)
    guard let token = request.form["token"] else { throw OAuthError(.invalidRequest, "token is missing") }
    let digest = Secret.digest(token)
    let now = clock.now()
    try await database.transaction { [self] transaction in
      // A refresh token takes its family along; an access token goes alone.
      let families = try await transaction.execute(
        """
        UPDATE \(schema).token_family f SET revoked_at = \(now) FROM \(schema).refresh_token t
        WHERE t.digest = \(digest) AND f.id = t.family AND f.client = \(client.id) AND f.revoked_at IS NULL
        """)
      let tokens = try await transaction.execute(
        """
        DELETE FROM \(schema).access_token t USING \(schema).token_family f
        WHERE t.digest = \(digest) AND f.id = t.family AND f.client = \(client.id)
        """)
      if families + tokens > 0 { try await announceRevocation(in: transaction) }
    }
  }

  // MARK: HTTP

  /// An answer of an endpoint for programs, outside of any web framework.
  struct EndpointAnswer: Sendable {
    let status: Int
    let body: any Encodable & Sendable
    var challenge: String?
  }

  /// Answers a POST to `/token` or `/revoke`, from the wire and in process alike.
  func answer(_ request: ClientRequest, at path: String) async throws -> EndpointAnswer {
    do {
      switch path {
      case "/token": return EndpointAnswer(status: 200, body: try await token(request))
      case "/revoke":
        try await revoke(request)
        return EndpointAnswer(status: 200, body: JSONValue.object([:]))
      default: throw Problem(.notFound)
      }
    } catch let error as OAuthError {
      let challenge = error.code == .invalidClient && request.basic != nil ? "Basic realm=\"\(issuerIdentifier)\"" : nil
      return EndpointAnswer(status: error.status, body: error.body, challenge: challenge)
    }
  }

  func clientEndpoint(_ path: String, _ visit: Visit) async throws -> Answer {
    let answer: EndpointAnswer
    do {
      let request = ClientRequest(
        form: Parameters(try await visit.input()), basic: try BasicCredentials.read(visit.request.headers[.authorization]))
      answer = try await self.answer(request, at: path)
    } catch let problem as Problem where (400..<500).contains(problem.kind.status) && problem.kind != .tooManyRequests {
      answer = EndpointAnswer(status: 400, body: OAuthError(.invalidRequest, "the body is no form of one value each").body)
    } catch let error as OAuthError {
      answer = EndpointAnswer(status: error.status, body: error.body)
    }
    let response = Answer.json(answer.body, status: .init(code: answer.status))
    return answer.challenge.map { response.header(.wwwAuthenticate, $0) } ?? response
  }
}

/// `Authorization: Basic` of a client, its parts form-encoded first (RFC 6749 §2.3.1).
enum BasicCredentials {
  /// - Returns: `nil` when the header is of another scheme, or absent.
  /// - Throws: ``OAuthError`` `invalid_client` when it can't be read.
  static func read(_ header: String?) throws(OAuthError) -> (id: String, secret: String)? {
    guard let header, header.lowercased().hasPrefix("basic ") else { return nil }
    guard let bytes = [UInt8](base64URL: header.dropFirst(6).trimmed), let text = String(validating: bytes, as: UTF8.self),
      let colon = text.firstIndex(of: ":"),
      let id = text[..<colon].replacing("+", with: " ").removingPercentEncoding,
      let secret = text[text.index(after: colon)...].replacing("+", with: " ").removingPercentEncoding
    else { throw OAuthError(.invalidClient, "the Authorization header can't be read") }
    return (id, secret)
  }
}
