/// What went wrong, in the terms of RFC 9457. Programs get it as `application/problem+json`, people as a page.
///
/// Title and detail are not in the code: they stand in the catalogues under `problem.<type>.title` and
/// `problem.<type>.detail`, filled with ``arguments``.
public struct Problem: Error, Sendable, Equatable {
  /// A stable kind of problem: its slug ends the `type` URI and never changes its meaning.
  public struct Kind: Hashable, Sendable {
    public let slug: String
    /// The HTTP status (RFC 9110 §15).
    public let status: Int
    public init(_ slug: String, _ status: Int) {
      self.slug = slug
      self.status = status
    }
  }

  /// One field of the input that can't be taken, and why: `code` is a key `field.<code>` of the catalogues.
  public struct Field: Hashable, Sendable {
    public let name: String
    public let code: String
    public let arguments: [String: String]
    public init(_ name: String, _ code: String, _ arguments: [String: String] = [:]) {
      self.name = name
      self.code = code
      self.arguments = arguments
    }
  }

  public var kind: Kind
  public var arguments: [String: String]
  public var fields: [Field]
  /// Further members of the problem document (RFC 9457 §3.2).
  public var members: [String: JSONValue]
  /// Seconds to wait, sent as `Retry-After`.
  public var retryAfter: Int?

  public init(
    _ kind: Kind, _ arguments: [String: String] = [:], fields: [Field] = [], members: [String: JSONValue] = [:],
    retryAfter: Int? = nil
  ) {
    self.kind = kind
    self.arguments = arguments
    self.fields = fields
    self.members = members
    self.retryAfter = retryAfter
  }
}

extension Problem.Kind {
  public static let malformedRequest = Problem.Kind("malformed-request", 400)
  public static let notSignedIn = Problem.Kind("not-signed-in", 401)
  public static let quotaExceeded = Problem.Kind("quota-exceeded", 402)
  public static let forbidden = Problem.Kind("forbidden", 403)
  public static let forgedRequest = Problem.Kind("forged-request", 403)
  public static let notFound = Problem.Kind("not-found", 404)
  public static let methodNotAllowed = Problem.Kind("method-not-allowed", 405)
  public static let gone = Problem.Kind("gone", 410)
  public static let conflict = Problem.Kind("conflict", 409)
  public static let keyReused = Problem.Kind("idempotency-key-reused", 409)
  public static let tooLarge = Problem.Kind("too-large", 413)
  public static let unsupportedMediaType = Problem.Kind("unsupported-media-type", 415)
  public static let unknownHost = Problem.Kind("unknown-host", 421)
  public static let invalidInput = Problem.Kind("invalid-input", 422)
  public static let tooManyRequests = Problem.Kind("too-many-requests", 429)
  public static let internalError = Problem.Kind("internal-error", 500)
  /// A service that rests, on purpose.
  public static let closed = Problem.Kind("closed", 503)
  public static let unavailable = Problem.Kind("unavailable", 503)
  public static let deadlineExceeded = Problem.Kind("deadline-exceeded", 503)
}

/// An error that knows which problem it is for the one who asked.
public protocol ProblemConvertible: Error {
  var problem: Problem { get }
}
