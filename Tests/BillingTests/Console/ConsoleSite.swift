import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Support
import Web

@testable import Billing

/// The console's site with the operator's routes, as a browser and a program reach it.
struct ConsoleSite: Sendable {
  private struct Fixed: SessionReader, RateLimiter {
    let session: Session?
    func session(of request: Request, on site: Site) async throws -> Session? { session }
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  struct Reply {
    let status: Int
    let body: String
    let location: String?
    var json: JSONValue { get throws { try JSONDecoder().decode(JSONValue.self, from: Data(body.utf8)) } }
    var errors: [String] {
      guard case .array(let errors)? = try? json["errors"] else { return [] }
      return errors.compactMap { $0["field"]?.string }
    }
  }

  static let operatorID = PersonID(UUID(uuidString: "0198F6D0-0000-7000-8000-000000000001")!)

  private let shop: Shop
  private let router: SiteRouter
  private let cities: CityMap
  private let console: Site

  /// - Parameter posts: what the person may do; `nil` for a visitor.
  init(_ shop: Shop, posts: Set<String>? = ["operator@univprep"], figures: (any TenantFigures)? = nil) throws {
    func site(_ id: String, _ name: LocalizedText, tenant: TenantID? = nil) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: name,
        summary: LocalizedText(ko: "요약"), look: Look(accent: Colour("#4263EB")!, mark: "꿈"), languages: [.ko, .en],
        timeZone: TimeZone(identifier: "Asia/Seoul")!, tenant: tenant, kind: tenant == nil ? "city" : "prep")
    }
    self.shop = shop
    console = site("console", LocalizedText(ko: "관리 콘솔"))
    cities = CityMap(
      city: site("city", LocalizedText(ko: "드림시드")), issuer: site("id", LocalizedText(ko: "계정")),
      tenants: [site("univprep", LocalizedText(ko: "유니브프렙AI", en: "UnivPrepAI"), tenant: .univprep)], isDevelopment: true)
    let session = posts.map {
      Session(id: UUID(), person: ConsoleSite.operatorID, displayName: "도윤", proof: .cookie, roles: $0)
    }
    let fixed = Fixed(session: session)
    router = SiteRouter(
      routes: OperatorConsole(billing: shop.billing, figures: figures).routes,
      renderer: try Renderer([("billing", BillingService.resources)]), sessions: fixed, limiter: fixed,
      key: MasterKey(bytes: Array(repeating: 1, count: 32)))
  }

  func get(_ path: String, accept: String = "text/html", language: String = "ko") async throws -> Reply {
    try await send(.get, path, ["accept": accept, "accept-language": language], Data())
  }

  func read(_ path: String) async throws -> Reply { try await get(path, accept: "application/json") }

  /// As a program posts.
  func post(_ path: String, _ body: JSONValue = [:]) async throws -> Reply {
    try await send(
      .post, path, ["content-type": "application/json", "accept": "application/json"], try JSONEncoder().encode(body))
  }

  /// As a browser posts the form of a page it has open.
  func submit(_ path: String, from page: String, _ fields: [String: String]) async throws -> Reply {
    let form = await respond(.get, page, ["accept": "text/html"], Data())
    let html = try await ConsoleSite.text(of: form)
    let cookie = form.headers[values: .setCookie].compactMap { $0.split(separator: ";").first.map(String.init) }
    let token = html.firstMatch(of: #/name="_csrf" value="([^"]+)"/#).map { String($0.1) } ?? ""
    let body = fields.merging(["_csrf": token]) { $1 }.map { "\(ConsoleSite.encoded($0))=\(ConsoleSite.encoded($1))" }
    return try await send(
      .post, path,
      [
        "content-type": "application/x-www-form-urlencoded", "accept": "text/html", "accept-language": "ko",
        "cookie": cookie.joined(separator: "; "),
      ], Data(body.joined(separator: "&").utf8))
  }

  private static func encoded(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
  }

  private func send(
    _ method: HTTPRequest.Method, _ path: String, _ headers: [String: String], _ body: Data
  ) async throws -> Reply {
    let response = await respond(method, path, headers, body)
    return Reply(
      status: response.status.code, body: try await ConsoleSite.text(of: response), location: response.headers[.location])
  }

  private func respond(
    _ method: HTTPRequest.Method, _ path: String, _ headers: [String: String], _ body: Data
  ) async -> Response {
    var fields = HTTPFields()
    for (name, value) in headers { if let name = HTTPField.Name(name) { fields[name] = value } }
    let request = Request(
      head: HTTPRequest(
        method: method, scheme: "http", authority: "console.localhost:8080", path: path, headerFields: fields),
      body: RequestBody(buffer: ByteBuffer(bytes: body)))
    return await router.respond(
      to: Arrival(
        request: request, site: console, cities: cities, now: shop.bench.clock.domain.now(), requestID: "r",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), owner: 0
    ).response
  }

  private static func text(of response: Response) async throws -> String {
    let written = ConsoleBody()
    try await response.body.write(written)
    return await written.text
  }
}

private actor ConsoleBytes {
  var bytes: [UInt8] = []
  func add(_ more: [UInt8]) { bytes += more }
}

private struct ConsoleBody: ResponseBodyWriter {
  let collected = ConsoleBytes()
  var text: String { get async { String(decoding: await collected.bytes, as: UTF8.self) } }
  mutating func write(_ buffer: ByteBuffer) async throws { await collected.add(Array(buffer.readableBytesView)) }
  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
