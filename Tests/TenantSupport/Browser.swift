import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Keys
public import Kit
import Logging
import NIOCore
public import TenantKit
import Web

/// Sends requests to a tenant through its router, as one person or nobody.
public struct Browser<Module: TenantModule>: Sendable {
  public struct Reply: Sendable {
    public let status: Int
    public let location: String?
    public let text: String
    public var value: JSONValue { (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null }
  }

  private struct Person: SessionReader {
    let person: PersonID?
    func session(of request: Request, on site: Site) async throws -> Session? {
      // Proven by a token, so that forms need none of their own; the tokens of forms are tested where they are made.
      person.map { Session(id: $0.uuid, person: $0, displayName: "미나", proof: .bearer, roles: []) }
    }
  }

  private struct NoLimit: RateLimiter {
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  private let tenant: TestTenant<Module>
  private let router: SiteRouter
  private let program: Bool
  private let language: String

  public init(
    _ tenant: TestTenant<Module>, person: PersonID? = nil, program: Bool = false, language: String = "ko"
  ) throws {
    self.tenant = tenant
    self.program = program
    self.language = language
    router = SiteRouter(
      routes: Module.endpoints.map { SiteRouter.Route($0) }, renderer: try Renderer([(Module.kind, Module.resources)]),
      sessions: Person(person: person), limiter: NoLimit(), key: MasterKey(bytes: Array(repeating: 7, count: 32)))
  }

  public func get(_ path: String) async throws -> Reply { try await send(.get, path, body: nil) }
  public func post(_ path: String, _ body: String) async throws -> Reply { try await send(.post, path, body: body) }

  private func send(_ method: HTTPRequest.Method, _ path: String, body: String?) async throws -> Reply {
    var head = HTTPRequest(method: method, scheme: "http", authority: tenant.site.origin.authority, path: path)
    head.headerFields[.accept] = program ? "application/json" : "text/html"
    head.headerFields[.acceptLanguage] = language
    if body != nil {
      head.headerFields[.contentType] = program ? "application/json" : "application/x-www-form-urlencoded"
    }
    let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body ?? "")))
    let cities = CityMap(city: tenant.site, issuer: tenant.site, tenants: [tenant.site], isDevelopment: true)
    let outcome = await router.respond(
      to: Arrival(
        request: request, site: tenant.site, cities: cities, now: tenant.clock.now, requestID: "test",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      owner: tenant.module)
    let writer = Collector()
    try await outcome.response.body.write(writer)
    return Reply(
      status: outcome.response.status.code, location: outcome.response.headers[.location], text: writer.text)
  }
}

private final class Collector: ResponseBodyWriter, @unchecked Sendable {
  // Written by one task, read when it has ended.
  private(set) var text = ""
  func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
