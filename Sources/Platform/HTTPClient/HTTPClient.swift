public import Foundation

/// An HTTP/1.1 client (RFC 9110, RFC 9112) with TLS, over libcurl, for calls whose fate must be known.
///
/// What it is careful about: every failure says whether the server can have acted (``HTTPClientError``); a request is
/// never sent twice behind the caller's back; no redirect is followed; certificates and host names are verified; no proxy
/// and no credentials are taken from the environment. Transfers run on a few threads of the client's own, each of which
/// keeps its connections open for the next request; Swift's cooperative threads never block.
///
/// ```swift
/// let client = HTTPClient()
/// let answer = try await client.send(.init(url: "https://example.org/v1/things"))
/// ```
/// The threads end when the last copy of the client is gone.
public struct HTTPClient: Sendable {
  /// A request. Content-Length is set by the client; everything else about the body is the caller's to say.
  public struct Request: Sendable {
    /// A token (RFC 9110 §9.1), upper case by custom.
    public var method: String
    /// An absolute `http` or `https` URL without user name and password.
    public var url: String
    public var headers: [(String, String)]
    public var body: Data?
    /// From ``HTTPClient/send(_:)`` to the last byte of the answer, waiting for a free thread included.
    public var timeout: Duration
    /// The largest body of an answer that is taken, in bytes.
    public var bodyLimit: Int

    public init(
      method: String = "GET", url: String, headers: [(String, String)] = [], body: Data? = nil,
      timeout: Duration = .seconds(10), bodyLimit: Int = 4 << 20
    ) {
      self.method = method
      self.url = url
      self.headers = headers
      self.body = body
      self.timeout = timeout
      self.bodyLimit = bodyLimit
    }
  }

  /// A whole answer, whatever its status. Redirects (3xx) come as they are.
  public struct Response: Sendable {
    public let status: Int
    /// As received, in order; names keep their spelling.
    public let headers: [(name: String, value: String)]
    public let body: Data

    public init(status: Int, headers: [(name: String, value: String)], body: Data) {
      self.status = status
      self.headers = headers
      self.body = body
    }

    /// The first value of a header; names compare without case (RFC 9110 §5.1).
    public func header(_ name: String) -> String? {
      headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
  }

  private let pool: WorkerPool

  /// - Parameters:
  ///   - workers: how many requests are under way at once; more wait their turn.
  ///   - authorities: a PEM file of certificate authorities to trust instead of the system's.
  public init(workers: Int = 4, authorities: String? = nil) {
    pool = WorkerPool(workers: max(1, workers), authorities: authorities)
  }

  /// Sends a request once and waits for the whole answer.
  ///
  /// Cancelling the task ends the transfer at once; whether the server acted is unknown then.
  public func send(_ request: Request) async throws(HTTPClientError) -> Response {
    if let fault = request.fault { throw .notSent(reason: fault) }
    let transfer = Transfer(request)
    let pool = pool
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if transfer.begin(continuation) { pool.enqueue(transfer) }
      }
    } onCancel: {
      transfer.cancel()
    }
    return try result.get()
  }
}

/// Why there is no answer, told by what the server can have done.
public enum HTTPClientError: Error, Hashable, Sendable {
  /// The server certainly didn't act: not a valid request, no address, refused, TLS failed, or out of time before the
  /// first byte was written. Sending again is safe.
  case notSent(reason: String)
  /// The request may have reached the server: out of time, or cut before the answer was whole. Ask before sending again.
  case outcomeUnknown(reason: String)
  /// The answer is larger than ``HTTPClient/Request/bodyLimit``, or its headers than 64 KiB. The server has acted.
  case tooLarge
  /// The task was cancelled. The server may have acted.
  case cancelled
}

extension HTTPClient.Request {
  private static let tokenCharacters = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
  /// These frame the message, which is the client's work.
  private static let framing: Set<String> = ["content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"]

  /// Why it can't be sent as it stands; a line break in a value would smuggle in a header.
  var fault: String? {
    func isToken(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(Self.tokenCharacters.contains) }
    guard isToken(method) else { return "the method is not a token" }
    let scheme = url.prefix(8).lowercased()
    guard scheme.hasPrefix("http://") || scheme.hasPrefix("https://") else { return "the URL is not of http or https" }
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return "the URL holds characters that need escaping" }
    for (name, value) in headers {
      guard isToken(name) else { return "a header's name is not a token" }
      guard !Self.framing.contains(name.lowercased()) else { return "the header \(name) is set by the client" }
      guard value.utf8.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
        return "the value of the header \(name) holds control characters"
      }
    }
    return nil
  }

  /// Whether sending it again could do a thing twice (RFC 9110 §9.2.2).
  var isIdempotent: Bool { ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].contains(method) }
}
