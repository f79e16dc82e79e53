public import Foundation
import HTTPTypes
public import Hummingbird
import Keys
public import Kit
public import Logging
import NIOCore
import Synchronization

/// One request on its way to a handler: what was asked, by whom, on which site, in which language.
public struct Visit: Sendable {
  let arrival: Arrival
  let who: Session?
  public let language: Language
  public let parameters: Parameters
  let renderer: Renderer
  let forgery: Fingerprint
  let body: RequestBodyBytes
  /// What the response will carry besides the answer; filled while the request is worked on.
  let extras: ResponseExtras

  var arrived: Request { arrival.request }
  public var site: Site { arrival.site }
  public var cities: CityMap { arrival.cities }
  /// The instant the request came in, by the domain's clock.
  public var now: Instant { arrival.now }
  public var requestID: String { arrival.requestID }
  public var logger: Logger { arrival.logger }

  /// The request as it came. An answer whose handler looks at it is not kept for others: its headers may say anything.
  public var request: Request {
    extras.dependsOnRequest.store(true, ordering: .relaxed)
    return arrived
  }
  /// Who asks. An answer whose handler looks here is kept for this person only.
  public var session: Session? {
    extras.dependsOnWho.store(true, ordering: .relaxed)
    return who
  }

  public var path: String { arrived.uri.path }
  /// Path and query, for coming back here.
  public var pathAndQuery: String { arrived.uri.string }
  public var catalogue: Catalogue { renderer.catalogue }
  public var format: Formatting { Formatting(language: language, timeZone: site.timeZone, catalogue: catalogue) }

  /// Programs say they want JSON, or send it; everyone else is a person.
  public var wantsJSON: Bool {
    Visit.wantsJSON(arrived.headers) ?? (who?.proof == .bearer)
  }

  /// - Returns: `nil` when the headers don't say.
  static func wantsJSON(_ headers: HTTPFields) -> Bool? {
    let accept = headers[.accept] ?? ""
    if accept.utf8.holds("text/html") { return false }
    return accept.utf8.holds("json") || isJSON(headers) ? true : nil
  }

  var isJSON: Bool { Visit.isJSON(arrived.headers) }

  private static func isJSON(_ headers: HTTPFields) -> Bool {
    headers[.contentType]?.lowercased().hasPrefix("application/json") ?? false
  }

  public func text(_ key: String, _ arguments: [String: String] = [:]) -> String {
    catalogue.text(key, arguments, in: language)
  }

  /// The person who asks.
  /// - Throws: ``Kit/Problem`` `not-signed-in`.
  public func requireSession() throws(Problem) -> Session {
    guard let session else { throw Problem(.notSignedIn) }
    return session
  }

  /// A value of the query string, decoded.
  public func query(_ name: String) -> String? {
    guard let query = arrived.uri.query else { return nil }
    // As forms write it (WHATWG URL §5.1): a plus is a space.
    for pair in query.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard RequestBodyBytes.decode(halves[0]) == name else { continue }
      return RequestBodyBytes.decode(halves.count > 1 ? halves[1] : "")
    }
    return nil
  }

  /// A path parameter, decoded.
  public func parameter(_ name: String) -> String? { parameters.get(name) }

  /// A path parameter that must be a UUID; anything else is a page that doesn't exist.
  public func id(_ name: String = "id") throws(Problem) -> UUID {
    guard let text = parameters.get(name), let id = UUID(uuidString: text) else { throw Problem(.notFound) }
    return id
  }

  /// The body's fields, from JSON or a form.
  /// - Throws: ``Kit/Problem`` `malformed-request`, `too-large`, `unsupported-media-type`.
  public func input() async throws -> Input {
    Input(try RequestBodyBytes.fields(try await bytes(), contentType: arrived.headers[.contentType]))
  }

  /// The body as it came.
  public func bytes() async throws -> Data { try await body.bytes(of: request) }

  /// The key that makes a repeated request the same request: the header `Idempotency-Key`, or a form's hidden `_key`.
  ///
  /// - Throws: ``Kit/Problem`` `malformed-request` when it is longer than 100 characters.
  public func idempotencyKey(_ input: Input) throws(Problem) -> String? {
    let header = HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] }
    let key = header ?? input.values["_key"]?.string
    guard let key, !key.isEmpty else { return nil }
    guard key.utf8.count <= 100 else {
      throw Problem(.malformedRequest, ["reason": text("web.reason.longKey")])
    }
    return key
  }

  /// Adds a cookie to the response. In https origins it is `Secure`; it is never readable by scripts.
  public func setCookie(_ name: String, _ value: String, maxAge: Int? = nil, sameSite: Cookie.SameSite = .lax) {
    extras.cookies.withLock {
      $0.append(
        Cookie(
          name: cookieName(name), value: value, maxAge: maxAge, path: "/", secure: site.origin.isSecure, httpOnly: true,
          sameSite: sameSite))
    }
  }

  public func clearCookie(_ name: String) { setCookie(name, "", maxAge: 0) }

  public func cookie(_ name: String) -> String? { request.cookies[cookieName(name)]?.value }

  /// The same visit for another try: what the first left on the response is gone.
  public func anew() -> Visit {
    Visit(
      arrival: arrival, who: who, language: language, parameters: parameters, renderer: renderer, forgery: forgery, body: body,
      extras: ResponseExtras(visitor: arrived.cookies[cookieName(ForgeryToken.cookie)]?.value))
  }

  private func cookieName(_ name: String) -> String { site.origin.isSecure ? "__Host-\(name)" : name }
}

extension Site {
  /// A cookie's name on this site: `__Host-` where the origin is https (RFC 6265bis §4.1.3.2).
  public func cookieName(_ name: String) -> String { origin.isSecure ? "__Host-\(name)" : name }
}

/// What a response carries besides its answer.
final class ResponseExtras: Sendable {
  let cookies = Mutex<[Cookie]>([])
  /// The browser's cookie that form tokens are bound to.
  let visitor: Mutex<String?>
  /// Whether the handler asked who asks.
  let dependsOnWho = Atomic(false)
  /// Whether the handler looked at more of the request than what an answer is kept by.
  let dependsOnRequest = Atomic(false)

  /// - Parameter visitor: the cookie as it came; one of another form is none.
  init(visitor: String?) { self.visitor = Mutex(visitor.flatMap { $0.utf8.count == 22 ? $0 : nil }) }
}

/// A request's body, read once and kept.
final class RequestBodyBytes: Sendable {
  private let read = Mutex<Data?>(nil)
  let limit: Int

  init(limit: Int) { self.limit = limit }

  func bytes(of request: Request) async throws -> Data {
    if let data = read.withLock({ $0 }) { return data }
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge(length) }
    var data = Data()
    for try await buffer in request.body {
      guard data.count + buffer.readableBytes <= limit else { throw tooLarge(data.count + buffer.readableBytes) }
      data.append(contentsOf: buffer.readableBytesView)
    }
    read.withLock { $0 = data }
    return data
  }

  private func tooLarge(_ found: Int) -> Problem {
    Problem(.tooLarge, ["found": "\(found)", "max": "\(limit)"], members: ["limit": .integer(Int64(limit))])
  }

  static func fields(_ data: Data, contentType: String?) throws(Problem) -> [String: JSONValue] {
    let media = (contentType ?? "").lowercased().split(separator: ";").first.map { $0.trimmed } ?? ""
    switch media {
    case "application/json":
      do {
        guard case .object(let members) = try JSONDecoder().decode(JSONValue.self, from: data) else {
          throw Problem(.malformedRequest, ["reason": "the body is JSON, but not an object"])
        }
        return members
      } catch let problem as Problem {
        throw problem
      } catch {
        throw Problem(.malformedRequest, ["reason": "the body is not well-formed JSON"])
      }
    case "application/x-www-form-urlencoded":
      guard let text = String(data: data, encoding: .utf8) else {
        throw Problem(.malformedRequest, ["reason": "the form is not UTF-8"])
      }
      return try form(text)
    case "" where data.isEmpty: return [:]
    default:
      throw Problem(
        .unsupportedMediaType,
        ["found": media.isEmpty ? "none" : media, "expected": "application/json, application/x-www-form-urlencoded"])
    }
  }

  /// Decodes `application/x-www-form-urlencoded` (WHATWG URL §5.1). A name given twice is a mistake: nobody can say which holds.
  static func form(_ text: String) throws(Problem) -> [String: JSONValue] {
    var fields: [String: JSONValue] = [:]
    for pair in text.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = decode(halves[0]), let value = decode(halves.count > 1 ? halves[1] : "") else {
        throw Problem(.malformedRequest, ["reason": "the form is not percent-encoded UTF-8"])
      }
      guard fields.updateValue(.string(value), forKey: name) == nil else {
        throw Problem(.malformedRequest, ["reason": "the form has the field \(name) twice"])
      }
    }
    return fields
  }

  static func decode(_ text: Substring) -> String? {
    text.replacing("+", with: " ").removingPercentEncoding
  }
}
