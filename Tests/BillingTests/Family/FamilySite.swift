import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Web

@testable import Billing

/// The city's site with the routes of families, as a person's browser and a program of hers reach it.
struct FamilySite: Sendable {
  private struct Fixed: SessionReader, RateLimiter {
    let person: PersonID?
    func session(of request: Request, on site: Site) async throws -> Session? {
      person.map { Session(id: $0.uuid, person: $0, displayName: "미나", proof: .cookie, roles: []) }
    }
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  struct Reply: Sendable {
    let status: Int
    let body: String
    let location: String?
    let cookie: String?

    var json: JSONValue { (try? JSONDecoder().decode(JSONValue.self, from: Data(body.utf8))) ?? .null }
    /// The value of a hidden field of the page's forms.
    func hidden(_ name: String) -> String? {
      body.components(separatedBy: "name=\"\(name)\" value=\"").dropFirst().first?.components(separatedBy: "\"").first
    }
  }

  private let house: FamilyHouse
  private let router: SiteRouter
  private let cities: CityMap

  init(_ house: FamilyHouse, as person: PersonID?) throws {
    func site(_ id: String, _ name: LocalizedText, tenant: TenantID? = nil) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: name,
        summary: LocalizedText(ko: "요약"), look: Look(accent: Colour("#4263EB")!, mark: "꿈"), languages: [.ko, .en],
        timeZone: TimeZone(identifier: "Asia/Seoul")!, tenant: tenant, kind: tenant == nil ? "city" : "prep")
    }
    self.house = house
    let fixed = Fixed(person: person)
    cities = CityMap(
      city: site("city", LocalizedText(ko: "드림시드", en: "DreamSeed")), issuer: site("id", LocalizedText(ko: "계정")),
      tenants: [site("univprep", LocalizedText(ko: "유니브프렙AI", en: "UnivPrepAI"), tenant: .univprep)], isDevelopment: true)
    router = SiteRouter(
      routes: house.family.routes, renderer: try Renderer([("billing", BillingService.resources)]), sessions: fixed,
      limiter: fixed, key: MasterKey(bytes: Array(repeating: 1, count: 32)))
  }

  func get(_ path: String, json: Bool = false, language: String = "ko") async throws -> Reply {
    try await send(.get, path, ["accept": json ? "application/json" : "text/html", "accept-language": language], "")
  }

  /// As a program does.
  func post(_ path: String, _ body: JSONValue = .object([:])) async throws -> Reply {
    try await send(
      .post, path, ["accept": "application/json", "content-type": "application/json"],
      String(decoding: try JSONEncoder().encode(body), as: UTF8.self))
  }

  /// Fills in a form of a page, and sends it.
  func submit(_ path: String, from page: String, _ fields: [String: String] = [:], language: String = "ko") async throws -> Reply
  {
    let shown = try await get(page, language: language)
    var fields = fields
    for name in ["_csrf", "_key"] where fields[name] == nil { fields[name] = shown.hidden(name) }
    let body = fields.map { "\($0)=\(Renderer.encode($1))" }.joined(separator: "&")
    return try await send(
      .post, path,
      [
        "accept": "text/html", "accept-language": language, "content-type": "application/x-www-form-urlencoded",
        "cookie": shown.cookie ?? "",
      ], body)
  }

  private func send(
    _ method: HTTPRequest.Method, _ path: String, _ headers: [String: String], _ body: String
  ) async throws -> Reply {
    var fields = HTTPFields()
    for (name, value) in headers { if let name = HTTPField.Name(name) { fields[name] = value } }
    let request = Request(
      head: HTTPRequest(method: method, scheme: "http", authority: "city.localhost:8080", path: path, headerFields: fields),
      body: RequestBody(buffer: ByteBuffer(string: body)))
    let response = await router.respond(
      to: Arrival(
        request: request, site: cities.city, cities: cities, now: house.shop.bench.clock.domain.now(), requestID: "r",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), owner: 0
    ).response
    let written = PageBody()
    try await response.body.write(written)
    return Reply(
      status: response.status.code, body: await written.text, location: response.headers[.location],
      cookie: response.headers[.setCookie]?.components(separatedBy: ";").first)
  }
}

private actor PageBytes {
  var bytes: [UInt8] = []
  func add(_ more: [UInt8]) { bytes += more }
}

private struct PageBody: ResponseBodyWriter {
  let collected = PageBytes()
  var text: String { get async { String(decoding: await collected.bytes, as: UTF8.self) } }
  mutating func write(_ buffer: ByteBuffer) async throws { await collected.add(Array(buffer.readableBytesView)) }
  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
