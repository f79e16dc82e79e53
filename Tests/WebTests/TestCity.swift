import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Testing

@testable import Web

/// What the handlers of the test's routes work with.
struct Shop: Sendable { let name: String }

/// A city of three sites with a router of small routes, entered without a socket.
struct TestCity {
  let cities: CityMap
  let site: Site
  let router: SiteRouter
  let now = Instant(rfc3339: "2026-11-21T05:02:30Z")!

  init(isSecure: Bool = false, languages: [Language] = [.ko, .en]) throws {
    let seoul = try #require(TimeZone(identifier: "Asia/Seoul"))
    func site(_ id: String, _ host: String, _ ko: String, _ en: String, kind: String = "city") throws -> Site {
      Site(
        id: id, origin: Origin(scheme: isSecure ? "https" : "http", host: host, port: isSecure ? nil : 8080),
        name: LocalizedText(ko: ko, en: en), summary: LocalizedText(ko: "요약", en: "summary"),
        look: Look(accent: try #require(Colour("#E8590C")), mark: "제"), languages: languages, timeZone: seoul,
        tenant: kind == "city" ? nil : TenantID(id), kind: kind, menu: [MenuItem("/notes", titleKey: "shop.notes")])
    }
    let jeju = try site("jeju", "jeju.localhost", "제주", "Jeju", kind: "town")
    self.site = jeju
    cities = CityMap(
      city: try site("city", "localhost", "도시", "City"), issuer: try site("id", "id.localhost", "계정", "Account"),
      tenants: [jeju], isDevelopment: true)
    router = SiteRouter(
      routes: Shop.endpoints.map { SiteRouter.Route($0) }, renderer: try Renderer([("shop", Shop.resources)]),
      sessions: CookieSessions(), limiter: ShutLimiter(), key: MasterKey(bytes: Array(repeating: 7, count: 32)))
  }

  /// Sends one request the whole way and reads the response.
  func ask(
    _ method: HTTPRequest.Method, _ path: String, _ headers: [String: String] = [:], body: String = "", of site: Site? = nil
  ) async throws -> Reply {
    try await ask(method, path, headers, body: RequestBody(buffer: ByteBuffer(string: body)), of: site)
  }

  func ask(
    _ method: HTTPRequest.Method, _ path: String, _ headers: [String: String], body: RequestBody, of site: Site? = nil
  ) async throws -> Reply {
    let site = site ?? self.site
    var fields = HTTPFields()
    for (name, value) in headers { fields[try #require(HTTPField.Name(name))] = value }
    let head = HTTPRequest(
      method: method, scheme: site.origin.scheme, authority: site.origin.authority, path: path, headerFields: fields)
    let arrival = Arrival(
      request: Request(head: head, body: body), site: site, cities: cities, now: now, requestID: "request-1",
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    return try await Reply(router.respond(to: arrival, owner: Shop(name: "kiosk")))
  }

  /// A page with a form, as a browser gets it: the form's token and the cookies that came with it.
  func form(_ headers: [String: String] = [:], of site: Site? = nil) async throws -> (token: String, cookie: String) {
    let page = try await ask(.get, "/", headers, of: site)
    let token = try #require(page.text.firstMatch(of: /name="_csrf" value="([^"]+)"/)).1
    let made = page.cookies.map { $0.split(separator: ";")[0] }.joined(separator: "; ")
    return (String(token), [headers["Cookie"], made].compactMap(\.self).joined(separator: "; "))
  }
}

extension [String: String] {
  static let asProgram = ["Accept": "application/json"]
  static let asPerson = ["Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Accept-Language": "en"]
  static let form = ["Content-Type": "application/x-www-form-urlencoded"]
  static let json = ["Content-Type": "application/json"]

  static func + (a: Self, b: Self) -> Self { a.merging(b) { _, new in new } }
}

/// A response, read.
struct Reply {
  let status: Int
  let headers: HTTPFields
  let text: String
  let route: String
  let problem: String?

  init(_ outcome: Outcome) async throws {
    status = Int(outcome.response.status.code)
    headers = outcome.response.headers
    route = outcome.route
    problem = outcome.problem?.slug
    let collector = BodyCollector()
    try await outcome.response.body.write(collector)
    text = collector.text
  }

  subscript(header: String) -> String? { HTTPField.Name(header).flatMap { headers[$0] } }
  var cookies: [String] { headers[values: .setCookie] }
  var json: JSONValue { get throws { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) } }
}

/// Used by the one task that reads a response.
private final class BodyCollector: ResponseBodyWriter {
  private(set) var text = ""
  func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// The session cookie's value is the name; a few names mean something.
struct CookieSessions: SessionReader {
  struct Down: ProblemConvertible {
    var problem: Problem { Problem(.unavailable, retryAfter: 30) }
  }

  func session(of request: Request, on site: Site) async throws -> Session? {
    if request.headers[.authorization] == "Bearer good" { return session("program", .bearer) }
    switch request.cookies[site.cookieName("session")]?.value {
    case nil, "expired": return nil
    case "down": throw Down()
    case let name?: return session(name, .cookie)
    }
  }

  private func session(_ name: String, _ proof: Session.Proof) -> Session {
    // One id for each name: tokens of forms are bound to it.
    var bytes = Array(name.utf8.prefix(16))
    bytes += Array(repeating: 0, count: 16 - bytes.count)
    let id = bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    return Session(
      id: id, person: PersonID(id), displayName: name, proof: proof, roles: name == "operator" ? ["operator"] : [])
  }
}

struct ShutLimiter: RateLimiter {
  func admit(_ rule: String, visit: Visit) async throws {
    if rule == "shut" { throw Problem(.tooManyRequests, ["seconds": "12"], retryAfter: 12) }
  }
}

extension Shop {
  struct Fault: Error {}
  struct Note: Encodable { let title: String }

  static let note = Operation(
    "createNote", "Writes a note", input: .object([("title", .text(1...20)), ("pinned?", .boolean)]),
    output: .object([("title", .string)]), status: 201, problems: [.conflict])

  static var endpoints: [Endpoint<Shop>] {
    [
      .get("/", .init(operation: Operation("home", "Greets"))) { shop, visit in
        .page(
          Page("shop.home", title: "Home", ["shop": shop.name, "said": visit.query("said") ?? ""]), json: ["shop": shop.name])
      },
      .get("/chart") { _, visit in
        let chart = Chart(
          .bar, title: "Sales <2026>", labels: ["Jan", "Feb"],
          series: [.init("Student", [-100, 300]), .init("Premium", [200, 250])], format: { String($0) })
        return .page(Page("shop.chart", title: "Chart", ["chart": chart.model(visit)]))
      },
      .post("/notes", .init(operation: note)) { _, visit in
        var input = try await visit.input()
        let title = input.text("title", length: 1...20)
        _ = input.int("stars", in: 1...5)
        try input.check()
        return visit.wantsJSON ? .json(Note(title: title), status: .created) : .redirect("/notes")
      },
      .get("/notes/{id}", .init(operation: Operation("readNote", "Reads a note"))) { _, visit in
        .json(["id": try visit.id().text])
      },
      .delete("/notes/{id}", .init(access: .signedIn, operation: Operation("deleteNote", "Deletes a note", status: 204))) {
        _, _ in .noContent
      },
      .get("/private", .init(access: .signedIn)) { _, visit in .json(["name": try visit.requireSession().displayName]) },
      .post("/private", .init(access: .signedIn)) { _, _ in .noContent },
      .get("/desk", .init(access: .role("operator"), operation: Operation("desk", "Shows the desk"))) { _, _ in .noContent },
      .post("/small", .init(bodyLimit: 32)) { _, visit in
        _ = try await visit.input()
        return .noContent
      },
      .post("/token", .init(checksForgery: false)) { _, visit in .json(["size": try await visit.bytes().count]) },
      .get("/shut", .init(limit: "shut")) { _, _ in .noContent },
      .get("/fault") { _, _ in throw Fault() },
      .get("/teapot") { _, _ in throw HTTPError(.badRequest, message: "no such tea") },
      .get("/quota") { _, _ in
        throw Problem(
          .quotaExceeded, ["feature": "Items", "limit": "100", "renews": "1 December"],
          members: ["limit": 100, "plans": ["student"]])
      },
      .get("/cookies") { _, visit in
        visit.setCookie("chosen", "tea", maxAge: 60)
        visit.clearCookie("old")
        return .noContent
      },
      .get("/key") { _, visit in
        .json(["key": try visit.idempotencyKey(Input(["_key": .string(visit.query("form") ?? "")]))])
      },
    ]
  }

  static let resources = [
    // Ends with a line break, as files do.
    "home.mustache": """
    {{<web.layout}}{{$content}}<main id="main"><h1>{{t.shop.notes}}</h1><p class="said">{{said}}</p>
    <form method="post" action="/notes"><input type="hidden" name="_csrf" value="{{csrf}}"></form></main>
      {{/content}}{{/web.layout}}

    """,
    "chart.mustache": "{{<web.layout}}{{$content}}<main>{{#chart}}{{>web.chart}}{{/chart}}</main>{{/content}}{{/web.layout}}",
    "texts.ko.json": #"{"notes": "쪽지"}"#,
    "texts.en.json": #"{"notes": "Notes"}"#,
  ]
}
