import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Testing
import Web

@testable import Gateway

/// A tenant whose answers are kept, and what its handlers have done.
struct KeptCity {
  /// Counts the calls of each handler, and holds those that wait.
  final class Shop: Sendable {
    let calls = Shared<[String: Int]>([:])
    let gate = Gate()

    func call(_ name: String) -> Int {
      calls.withLock { calls in
        calls[name, default: 0] += 1
        return calls[name]!
      }
    }
  }

  /// Session cookies: a name, and those that were signed out.
  final class Sessions: SessionReader {
    let ended = Shared<Set<String>>([])
    let names = Shared<[String: String]>([:])
    let remembers = Shared(true)

    func session(of request: Request, on site: Site) async throws -> Session? { read(request.head) }

    func remembered(_ head: HTTPRequest, on site: Site) -> Session?? { remembers.withLock { $0 } ? .some(read(head)) : nil }

    private func read(_ head: HTTPRequest) -> Session? {
      guard let cookie = head.headerFields[.cookie], let word = cookie.split(separator: "=").last.map(String.init),
        cookie.hasPrefix("session="), !ended.withLock({ $0.contains(word) })
      else { return nil }
      let person = KeptCity.person(word)
      return Session(
        id: UUID(), person: person, displayName: names.withLock { $0[word] } ?? word, proof: .cookie,
        roles: word == "operator" ? ["operator"] : [])
    }
  }

  /// Refuses nobody, and can say so at once.
  struct NoLimits: RateLimiter {
    func admit(_ rule: String, visit: Visit) async throws {}
    func admitsAtOnce(_ rule: String, _ asking: Asking) -> Bool { true }
  }

  /// The first letters of a word make an id.
  static func person(_ word: String) -> PersonID {
    let letters = Array(word.utf8.prefix(16))
    let bytes = letters + Array(repeating: 0, count: 16 - letters.count)
    return PersonID(bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) })
  }

  let shop = Shop()
  let sessions = Sessions()
  let cache: ResponseCache
  let reports = Shared<[RequestReport]>([])
  let now = Shared(Instant(seconds: 1_795_000_000))
  let gateway: Gateway
  let directory: Shared<HostDirectory>
  let remake: @Sendable () -> HostDirectory

  init(bytes: Int = 1_000_000, limiter: (any RateLimiter)? = nil, settings: Gateway.Settings = .init()) throws {
    cache = ResponseCache(bytes: bytes)
    func kept(_ sharing: Caching.Sharing, _ tags: String...) -> Caching { Caching(for: .minutes(5), shared: sharing, tags: tags) }
    let endpoints: [Endpoint<Shop>] = [
      .get("/list", .init(limit: "list", cache: kept(.everyone, "list"))) { shop, visit in
        .json(["n": shop.call("list"), "length": visit.query("q")?.count ?? 0])
      },
      .get("/things/{id}", .init(cache: kept(.everyone, "thing:{id}"))) { shop, _ in .json(["n": shop.call("thing")]) },
      .get("/mine", .init(cache: kept(.person, "mine:{person}"))) { shop, visit in
        .json(["name": visit.session?.displayName ?? "nobody", "n": "\(shop.call("mine"))"])
      },
      .get("/sneaky", .init(cache: kept(.everyone))) { shop, visit in
        .json(["name": visit.session?.displayName ?? "nobody", "n": "\(shop.call("sneaky"))"])
      },
      .get("/agent", .init(cache: kept(.everyone))) { shop, visit in
        .json(["agent": visit.request.headers[.userAgent] ?? "", "n": "\(shop.call("agent"))"])
      },
      .get("/cookie", .init(cache: kept(.everyone))) { shop, visit in
        visit.setCookie("taste", "tea")
        return .json(["n": shop.call("cookie")])
      },
      .get("/desk", .init(access: .role("operator"), cache: kept(.everyone))) { shop, _ in .json(["n": shop.call("desk")]) },
      .get("/page", .init(cache: kept(.everyone))) { shop, _ in
        .page(Page("web.problem", title: "page"), json: ["n": shop.call("page")])
      },
      .get("/gone", .init(cache: kept(.everyone))) { shop, _ in
        _ = shop.call("gone")
        throw Problem(.notFound)
      },
      .get("/slow", .init(cache: kept(.everyone, "slow"))) { shop, _ in
        let call = shop.call("slow")
        try await shop.gate.wait()
        return .json(["n": call])
      },
      .get("/plain") { shop, _ in .json(["n": shop.call("plain")]) },
    ]
    let router = SiteRouter(
      routes: endpoints.map { SiteRouter.Route($0) }, renderer: try Renderer([]), sessions: sessions,
      limiter: limiter ?? NoLimits(), key: MasterKey(bytes: Array(repeating: 7, count: 32)))
    let seoul = try #require(TimeZone(identifier: "Asia/Seoul"))
    func site(_ id: String) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: LocalizedText(ko: id),
        summary: LocalizedText(ko: id), look: Look(accent: .ink, mark: "제"), languages: [.ko, .en], timeZone: seoul)
    }
    let (jeju, busan) = (site("jeju"), site("busan"))
    let shop = self.shop
    remake = {
      HostDirectory(
        cities: CityMap(city: jeju, issuer: busan, tenants: [jeju, busan], isDevelopment: true),
        destinations: [jeju, busan].map { Destination(site: $0, router: router, owner: shop, schema: $0.id) },
        fallback: Destination(site: jeju, router: router, owner: shop),
        moved: ["old.localhost:8080": jeju.origin])
    }
    directory = Shared(remake())
    let (directory, reports, now) = (directory, reports, now)
    gateway = Gateway(
      directory: { directory.withLock { $0 } },
      operations: .init(ready: { [] }, metrics: { "" }, metricsToken: nil), cache: cache, settings: settings,
      clock: DomainClock { now.withLock { $0 } }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      report: { report in reports.withLock { $0.append(report) } })
  }

  static func head(
    _ path: String, as person: String? = nil, host: String = "jeju.localhost:8080", method: HTTPRequest.Method = .get,
    _ more: HTTPFields = [:]
  ) -> HTTPRequest {
    var fields: HTTPFields = [.accept: "application/json"]
    if let person { fields[.cookie] = "session=\(person)" }
    for field in more { fields[field.name] = field.value }
    return HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: fields)
  }

  func ask(
    _ path: String, as person: String? = nil, host: String = "jeju.localhost:8080", method: HTTPRequest.Method = .get,
    _ more: HTTPFields = [:]
  ) async throws -> Reply {
    let head = KeptCity.head(path, as: person, host: host, method: method, more)
    return try await Reply(
      gateway.respond(to: Request(head: head, body: RequestBody(buffer: ByteBuffer())), network: "192.0.2.1"))
  }

  /// What is answered at once.
  func atOnce(_ path: String, as person: String? = nil, _ more: HTTPFields = [:]) -> String? {
    gateway.immediate(KeptCity.head(path, as: person, more)) { "192.0.2.1" }.map { String(buffer: $0.body) }
  }

  func calls(_ name: String) -> Int { shop.calls.withLock { $0[name] ?? 0 } }
}

/// Holds tasks until it is opened, and says how many came.
final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var came = 0
    var held: [UInt64: CheckedContinuation<Void, any Error>] = [:]
    var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    var lastID: UInt64 = 0
  }
  private let state = Shared(State())

  func wait() async throws {
    let id = state.withLock { state in
      state.lastID += 1
      return state.lastID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let (goesOn, ready) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
          state.came += 1
          let ready = state.watchers.filter { $0.count <= state.came }.map(\.continuation)
          state.watchers.removeAll { $0.count <= state.came }
          if state.isOpen || Task.isCancelled { return (true, ready) }
          state.held[id] = continuation
          return (false, ready)
        }
        for watcher in ready { watcher.resume() }
        if goesOn { continuation.resume(with: Task.isCancelled ? .failure(CancellationError()) : .success(())) }
      }
    } onCancel: {
      state.withLock { $0.held.removeValue(forKey: id) }?.resume(throwing: CancellationError())
    }
  }

  /// Returns when so many have come.
  func came(_ count: Int) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state -> Bool in
        if state.came >= count { return true }
        state.watchers.append((count, continuation))
        return false
      }
      if isThere { continuation.resume() }
    }
  }

  func open() {
    let held = state.withLock { state in
      state.isOpen = true
      defer { state.held = [:] }
      return state.held.values.map { $0 }
    }
    for continuation in held { continuation.resume() }
  }
}
