import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Web

@testable import Billing

/// The city's site with the routes of payments, as a browser, a program and the gateway reach it.
struct PaymentSite: Sendable {
  private struct Fixed: SessionReader, RateLimiter {
    let person: PersonID?
    func session(of request: Request, on site: Site) async throws -> Session? {
      person.map { Session(id: UUID(), person: $0, displayName: "미나", proof: .cookie, roles: []) }
    }
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  struct Reply {
    let status: Int
    let body: String
    let location: String?
  }

  private let bench: PaymentBench
  private let router: SiteRouter
  private let cities: CityMap

  init(_ bench: PaymentBench, service: PaymentService? = nil, person: PersonID? = nil) throws {
    func site(_ id: String) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: LocalizedText(ko: "드림시드"),
        summary: LocalizedText(ko: "요약"), look: Look(accent: Colour("#4263EB")!, mark: "꿈"), languages: [.ko, .en],
        timeZone: TimeZone(identifier: "Asia/Seoul")!, tenant: nil, kind: "city")
    }
    self.bench = bench
    let fixed = Fixed(person: person)
    cities = CityMap(city: site("city"), issuer: site("id"), tenants: [], isDevelopment: true)
    router = SiteRouter(
      routes: (service ?? bench.service).routes, renderer: try Renderer([("billing", BillingService.resources)]),
      sessions: fixed, limiter: fixed, key: MasterKey(bytes: Array(repeating: 1, count: 32)))
  }

  func respond(to request: Request) async -> Response {
    await router.respond(
      to: Arrival(
        request: request, site: cities.city, cities: cities, now: bench.clock.domain.now(), requestID: "r",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), owner: 0
    ).response
  }

  func get(_ path: String, accept: String = "text/html", language: String = "ko") async throws -> Reply {
    try await send(.get, path, ["accept": accept, "accept-language": language], Data())
  }

  func webhook(_ body: Data, signature: String?) async throws -> Reply {
    try await send(
      .post, "/payments/webhook",
      ["content-type": "application/json", "accept": "application/json", "payment-signature": signature], body)
  }

  private func send(
    _ method: HTTPRequest.Method, _ path: String, _ headers: [String: String?], _ body: Data
  ) async throws -> Reply {
    var fields = HTTPFields()
    for (name, value) in headers {
      if let value, let name = HTTPField.Name(name) { fields[name] = value }
    }
    let request = Request(
      head: HTTPRequest(method: method, scheme: "http", authority: "city.localhost:8080", path: path, headerFields: fields),
      body: RequestBody(buffer: ByteBuffer(bytes: body)))
    let response = await respond(to: request)
    let written = WrittenBody()
    try await response.body.write(written)
    return Reply(status: response.status.code, body: await written.text, location: response.headers[.location])
  }
}

private actor WrittenBodyBytes {
  var bytes: [UInt8] = []
  func add(_ more: [UInt8]) { bytes += more }
}

private struct WrittenBody: ResponseBodyWriter {
  let collected = WrittenBodyBytes()
  var text: String { get async { String(decoding: await collected.bytes, as: UTF8.self) } }
  mutating func write(_ buffer: ByteBuffer) async throws { await collected.add(Array(buffer.readableBytesView)) }
  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
