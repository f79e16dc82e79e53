import Foundation
import HTTPTypes
import Hummingbird
import Identity
import Keys
import Kit
import Logging
import NIOCore
import Support
import Web

/// A browser in the test city: cookies by host, redirects, forms. Used by one task at a time.
final class Browser {
  struct Reply {
    let url: String
    let status: Int
    let headers: HTTPFields
    let text: String

    var json: JSONValue? { try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }
    var location: String? { headers[.location] }

    /// A parameter of the redirect.
    func redirected(_ name: String) -> String? {
      location.flatMap { URLComponents(string: $0) }?.queryItems?.first { $0.name == name }?.value
    }

    /// The hidden fields of the page's forms.
    var hidden: [String: String] {
      text.matches(of: /<input type="hidden" name="([^"]+)" value="([^"]*)">/).reduce(into: [:]) {
        $0[String($1.1)] = Reply.unescape(String($1.2))
      }
    }

    private static func unescape(_ text: String) -> String {
      text.replacing("&quot;", with: "\"").replacing("&#39;", with: "'").replacing("&lt;", with: "<").replacing("&gt;", with: ">")
        .replacing("&#x2F;", with: "/").replacing("&amp;", with: "&")
    }
  }

  let city: TestCity
  var cookies: [String: [String: String]] = [:]
  var language = "ko"
  /// Every address asked for.
  private(set) var trail: [String] = []

  init(_ city: TestCity) { self.city = city }

  /// One request, redirects not followed.
  func send(
    _ method: HTTPRequest.Method, _ url: String, form: [String: String]? = nil, json: JSONValue? = nil,
    headers: [String: String] = [:]
  ) async throws -> Reply {
    trail.append(url)
    let parts = URLComponents(string: url)!
    let site = city.cities.all.first { $0.origin.host == parts.host }!
    var fields: HTTPFields = [.accept: json == nil ? "text/html" : "application/json", .acceptLanguage: language]
    let jar = cookies[site.origin.host, default: [:]]
    if !jar.isEmpty { fields[.cookie] = jar.map { "\($0)=\($1)" }.sorted().joined(separator: "; ") }
    var body = ""
    if let form {
      body = form.map { "\(Renderer.encode($0.key))=\(Renderer.encode($0.value))" }.joined(separator: "&")
      fields[.contentType] = "application/x-www-form-urlencoded"
    }
    if let json {
      body = String(decoding: try JSONEncoder().encode(json), as: UTF8.self)
      fields[.contentType] = "application/json"
    }
    for (name, value) in headers { fields[HTTPField.Name(name)!] = value }
    let path = String(url.dropFirst("\(site.origin)".count))
    let head = HTTPRequest(
      method: method, scheme: "http", authority: site.origin.authority, path: path.isEmpty ? "/" : path, headerFields: fields)
    let arrival = Arrival(
      request: Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body))), site: site, cities: city.cities,
      now: city.clock.now, requestID: "r", logger: city.test.logger)
    let response = await city.routers[site.id]!.respond(to: arrival, owner: "").response
    for cookie in response.headers[values: .setCookie] {
      let pair = cookie.split(separator: ";")[0].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let isGone = cookie.contains("Max-Age=0")
      cookies[site.origin.host, default: [:]][String(pair[0])] = isGone ? nil : String(pair[1])
    }
    let collector = Collector()
    try await response.body.write(collector)
    return Reply(url: url, status: Int(response.status.code), headers: response.headers, text: collector.text)
  }

  /// Follows redirects within the city; stops before an address outside of it.
  func follow(_ reply: Reply) async throws -> Reply {
    var reply = reply
    for _ in 0..<12 {
      guard (300..<400).contains(reply.status), let location = reply.location else { return reply }
      let origin = URLComponents(string: reply.url)!
      let next = location.hasPrefix("/") ? "http://\(origin.host!):8080\(location)" : location
      guard let host = URLComponents(string: next)?.host, city.cities.all.contains(where: { $0.origin.host == host }) else {
        return reply
      }
      reply = try await send(.get, next)
    }
    return reply
  }

  func open(_ url: String) async throws -> Reply { try await follow(try await send(.get, url)) }

  /// Posts the form of a page, hidden fields and all, and follows.
  func submit(_ page: Reply, to path: String, _ fields: [String: String] = [:]) async throws -> Reply {
    try await follow(try await post(page, to: path, fields))
  }

  func post(_ page: Reply, to path: String, _ fields: [String: String] = [:]) async throws -> Reply {
    let host = URLComponents(string: page.url)!.host!
    return try await send(.post, "http://\(host):8080\(path)", form: page.hidden.merging(fields) { $1 })
  }

  /// Signs in at the issuer's own page.
  @discardableResult
  func signIn(_ email: String = "mina@example.com", password: String = TestCity.password) async throws -> Reply {
    let page = try await send(.get, "\(city.issuer)/signin")
    return try await post(page, to: "/signin", ["email": email, "password": password])
  }
}

/// Used by the one task that reads a response.
private final class Collector: ResponseBodyWriter {
  private(set) var text = ""
  func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// A relying party of strangers: what Authlib would send.
struct Stranger {
  static let redirect = "https://app.example/cb"
  let id: String
  let secret: String?
  let verifier = Secret.random(bytes: 32)

  static func register(_ city: TestCity, id: String = "stranger", isPublic: Bool = false) async throws -> Stranger {
    let secret = isPublic ? nil : Secret.random(bytes: 32)
    try await city.identity.registerClient(
      id: id, name: LocalizedText(ko: "남의 앱", en: "Their app"), redirectURIs: [redirect], secret: secret,
      postLogoutRedirectURIs: ["https://app.example/bye"])
    return Stranger(id: id, secret: secret)
  }

  /// The address of the authorization endpoint. A `nil` takes a parameter out.
  func authorize(_ city: TestCity, _ changes: [String: String?] = [:]) -> String {
    var parameters: [String: String] = [
      "response_type": "code", "client_id": id, "redirect_uri": Stranger.redirect, "scope": "openid profile email offline_access",
      "state": "st", "nonce": "no", "code_challenge": Secret.digest(verifier).base64URL, "code_challenge_method": "S256",
    ]
    for (name, value) in changes { parameters[name] = value }
    return "\(city.issuer)/authorize?"
      + parameters.map { "\($0.key)=\(Renderer.encode($0.value))" }.sorted().joined(separator: "&")
  }

  /// A code for the one who is signed in in this browser; agrees when asked.
  func code(_ browser: Browser, _ changes: [String: String?] = [:]) async throws -> String? {
    var reply = try await browser.send(.get, authorize(browser.city, changes))
    if reply.status == 200, reply.text.contains("action=\"/consent\"") {
      reply = try await browser.submit(reply, to: "/consent", ["decision": "allow"])
    }
    return reply.redirected("code")
  }

  struct NoCode: Error {}

  /// All tokens for the one who is signed in in this browser.
  func tokens(_ browser: Browser, _ changes: [String: String?] = [:]) async throws -> JSONValue {
    guard let code = try await code(browser, changes) else { throw NoCode() }
    return try await redeem(browser.city, code).json
  }

  func post(
    _ city: TestCity, _ path: String, _ form: [String: String], asPost: Bool = false
  ) async throws -> (status: Int, json: JSONValue) {
    var form = form
    if secret == nil || asPost { form["client_id"] = id }
    if asPost { form["client_secret"] = secret }
    let answer = try await city.identity.post(
      path: path, form: form, basic: asPost ? nil : secret.map { (id, $0) })
    return (answer.status, try JSONDecoder().decode(JSONValue.self, from: answer.body))
  }

  func redeem(_ city: TestCity, _ code: String, _ changes: [String: String?] = [:]) async throws -> (status: Int, json: JSONValue)
  {
    var form = [
      "grant_type": "authorization_code", "code": code, "redirect_uri": Stranger.redirect, "code_verifier": verifier,
    ]
    for (name, value) in changes { form[name] = value }
    return try await post(city, "/token", form)
  }

  func refresh(
    _ city: TestCity, _ token: String, _ changes: [String: String] = [:]
  ) async throws -> (status: Int, json: JSONValue) {
    try await post(city, "/token", ["grant_type": "refresh_token", "refresh_token": token].merging(changes) { $1 })
  }
}
