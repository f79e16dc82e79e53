import Database
import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Synchronization
import Testing
import Web

@testable import Gateway

/// Two tenants behind a gateway, entered without a socket.
struct TestGateway {
  struct Owner: Sendable { let name: String }

  struct Sessions: SessionReader {
    func session(of request: Request, on site: Site) async throws -> Session? {
      guard let name = request.cookies["session"]?.value else { return nil }
      // Tests name persons by a word: its letters make the id.
      let letters = Array(name.utf8.prefix(16))
      let bytes = letters + Array(repeating: 0, count: 16 - letters.count)
      let id = bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
      return Session(id: id, person: PersonID(id), displayName: name, proof: .cookie, roles: [])
    }
  }

  struct Open: RateLimiter {
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  let directory: HostDirectory
  let reports = Shared<[RequestReport]>([])
  private let router: SiteRouter
  private let visits: Shared<[Visit]>

  init() throws {
    let visits = Shared<[Visit]>([])
    self.visits = visits
    let endpoints: [Endpoint<Owner>] = [
      .get("/", .init()) { owner, visit in
        visits.withLock { $0.append(visit) }
        return .json(["owner": owner.name, "network": Network.current])
      },
      .get("/away", .init()) { _, _ in throw DatabaseError(.connectionFailed) },
      .get("/slow", .init()) { _, _ in
        try await Task.sleep(for: .hours(1))
        return .noContent
      },
    ]
    router = try TestGateway.router(endpoints)
    directory = try TestGateway.directory(router)
  }

  private static func router(_ endpoints: [Endpoint<Owner>]) throws -> SiteRouter {
    SiteRouter(
      routes: endpoints.map { SiteRouter.Route($0) }, renderer: try Renderer([]), sessions: Sessions(), limiter: Open(),
      key: MasterKey(bytes: Array(repeating: 7, count: 32)))
  }

  /// The same hosts with other routes.
  /// - Parameter databases: by site; `main` for the others.
  func directory(of endpoints: [Endpoint<Owner>], databases: [String: String] = [:]) throws -> HostDirectory {
    try TestGateway.directory(TestGateway.router(endpoints), databases: databases)
  }

  private static func directory(_ router: SiteRouter, databases: [String: String] = [:]) throws -> HostDirectory {
    let seoul = try #require(TimeZone(identifier: "Asia/Seoul"))
    func site(_ id: String, _ origin: Origin) -> Site {
      Site(
        id: id, origin: origin, name: LocalizedText(ko: id), summary: LocalizedText(ko: id),
        look: Look(accent: .ink, mark: "제"), languages: [.ko, .en], timeZone: seoul)
    }
    let city = site("city", Origin(scheme: "http", host: "localhost", port: 8080))
    let jeju = site("jeju", Origin(scheme: "http", host: "Jeju.localhost", port: 8080))
    let busan = site("busan", Origin(scheme: "https", host: "busan.example"))
    return HostDirectory(
      cities: CityMap(city: city, issuer: site("id", city.origin), tenants: [jeju, busan], isDevelopment: true),
      destinations: [city, jeju, busan].map {
        Destination(site: $0, router: router, owner: Owner(name: $0.id), database: databases[$0.id] ?? "main")
      },
      fallback: Destination(site: city, router: router, owner: Owner(name: "city")))
  }

  /// A visit as a handler gets it.
  func visit(at now: Instant, person: String?) async throws -> Visit {
    var headers = HTTPFields()
    if let person { headers[.cookie] = "session=\(person)" }
    let destination = try #require(directory.destination(site: "jeju"))
    let arrival = Arrival(
      request: request(.get, "jeju.localhost:8080", "/", headers), site: destination.site, cities: directory.cities, now: now,
      requestID: "1", logger: logger)
    let before = visits.withLock { $0.count }
    _ = await router.respond(to: arrival, owner: destination.owner)
    return try #require(visits.withLock { $0.count > before ? $0.last : nil })
  }

  func request(_ method: HTTPRequest.Method, _ authority: String?, _ path: String, _ headers: HTTPFields = [:]) -> Request {
    Request(
      head: HTTPRequest(method: method, scheme: "http", authority: authority, path: path, headerFields: headers),
      body: RequestBody(buffer: ByteBuffer()))
  }

  /// A gateway whose clock the test holds.
  func gateway(
    now: @escaping @Sendable () -> Instant = { Instant(seconds: 1_795_000_000) }, deadline: Duration = .seconds(30),
    ready: @escaping @Sendable () async -> [String] = { [] }, token: String? = nil
  ) -> Gateway {
    let (directory, reports) = (self.directory, self.reports)
    var settings = Gateway.Settings()
    settings.deadline = deadline
    return Gateway(
      directory: { directory }, operations: .init(ready: ready, metrics: { "up 1\n" }, metricsToken: token),
      settings: settings, clock: DomainClock(now: now), logger: logger,
      report: { report in reports.withLock { $0.append(report) } })
  }

  var logger: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

/// A value that the tasks of a test share.
final class Shared<Value: Sendable>: Sendable {
  private let state: Mutex<Value>
  init(_ value: Value) { state = Mutex(value) }
  func withLock<R: Sendable>(_ body: (inout Value) -> R) -> R { state.withLock { body(&$0) } }
}

/// What a response says.
struct Reply {
  let status: Int
  let headers: HTTPFields
  let text: String

  init(_ response: Response) async throws {
    status = Int(response.status.code)
    headers = response.headers
    let collector = BodyCollector()
    try await response.body.write(collector)
    text = collector.text
  }

  subscript(header: String) -> String? { HTTPField.Name(header).flatMap { headers[$0] } }
}

/// Used by the one task that reads a response.
private final class BodyCollector: ResponseBodyWriter {
  private(set) var text = ""
  func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
