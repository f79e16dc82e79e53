import Foundation
import HTTPTypes
public import Hummingbird
import HummingbirdCore
public import Kit
public import Logging
import NIOCore
import Synchronization
public import Web

/// The context a connection gives a request before its site is known.
public struct GatewayContext: RequestContext {
  public var coreContext: CoreRequestContextStorage
  let network: String

  public init(source: Source) {
    coreContext = .init(source: source)
    network = Network.name(of: source.channel.remoteAddress?.ipAddress ?? "unknown")
  }
}

/// Where requests of a host go.
public struct Destination: Sendable {
  public let site: Site
  public let router: SiteRouter
  /// What the router's handlers work with.
  public let owner: any Sendable

  public init(site: Site, router: SiteRouter, owner: any Sendable) {
    self.site = site
    self.router = router
    self.owner = owner
  }
}

/// All hosts of the city. One dictionary, so that the ten-thousandth costs what the tenth does.
public struct HostDirectory: Sendable {
  public let cities: CityMap
  let fallback: Destination
  private let destinations: [String: Destination]

  /// - Parameter fallback: where problems of unknown hosts are shown.
  public init(cities: CityMap, destinations: [Destination], fallback: Destination) {
    self.cities = cities
    self.fallback = fallback
    self.destinations = Dictionary(destinations.map { ($0.site.origin.authority, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Matches the whole authority, lower-cased; the scheme's own port may be left out.
  func destination(_ authority: String) -> Destination? { destinations[authority.lowercased()] }
  public func destination(site id: String) -> Destination? { destinations.values.first { $0.site.id == id } }
}

/// What the gateway tells of each request.
public struct RequestReport: Sendable {
  public let site: String
  public let route: String
  public let method: String
  public let status: Int
  public let duration: Duration
}

/// The way of every request: host → tenant → breaker and deadline → the site's router → response.
public struct Gateway: HTTPResponder {
  public typealias Context = GatewayContext

  /// What answers without a site: probes and metrics.
  public struct Operations: Sendable {
    /// - Returns: what is not ready, in words; empty when all is.
    public let ready: @Sendable () async -> [String]
    public let metrics: @Sendable () async -> String
    /// `nil`: metrics are open (development). Else the bearer token that reads them.
    public let metricsToken: String?
    public init(
      ready: @escaping @Sendable () async -> [String], metrics: @escaping @Sendable () async -> String, metricsToken: String?
    ) {
      self.ready = ready
      self.metrics = metrics
      self.metricsToken = metricsToken
    }
  }

  private let directory: @Sendable () -> HostDirectory
  private let operations: Operations
  private let clock: DomainClock
  private let logger: Logger
  private let deadline: Duration
  private let report: @Sendable (RequestReport) -> Void
  private let breaker = Shared(CircuitBreaker())

  public init(
    directory: @escaping @Sendable () -> HostDirectory, operations: Operations, clock: DomainClock, logger: Logger,
    deadline: Duration = .seconds(30), report: @escaping @Sendable (RequestReport) -> Void
  ) {
    self.directory = directory
    self.operations = operations
    self.clock = clock
    self.logger = logger
    self.deadline = deadline
    self.report = report
  }

  public func respond(to request: Request, context: GatewayContext) async throws -> Response {
    await respond(to: request, network: context.network)
  }

  /// The same way without a socket, for the city's own relying parties.
  public func respond(to request: Request, network: String) async -> Response {
    if let response = await probe(request) { return response }
    let start = ContinuousClock.now
    let directory = directory()
    // Of a request, only the host's name is taken from the client, and only to look it up.
    let authority = request.head.authority ?? ""
    let found = directory.destination(authority)
    let destination = found ?? directory.fallback
    let now = clock.now()
    let id = UUID.v7(at: now).text
    var logger = self.logger
    logger[metadataKey: "request"] = "\(id)"
    logger[metadataKey: "tenant"] = "\(destination.site.id)"
    let isHead = request.method == .head
    var inner = request
    if isHead {
      var head = request.head
      head.method = .get
      inner = Request(head: head, body: request.body)
    }
    let arrival = Arrival(
      request: inner, site: destination.site, cities: directory.cities, now: now, requestID: id, logger: logger)

    let outcome: Outcome
    if found == nil {
      outcome = destination.router.refuse(
        Problem(.unknownHost, ["found": String(authority.prefix(100))]), arrival: arrival)
    } else if let wait = breaker.value.refuses(destination.site.id, now: now) {
      outcome = destination.router.refuse(Problem(.unavailable, retryAfter: wait), arrival: arrival)
    } else {
      outcome = await Network.$name.withValue(network) { await within(deadline, arrival, destination) }
      breaker.value.note(destination.site.id, failed: outcome.problem == .unavailable, now: now)
    }
    var response = outcome.response
    if isHead {
      let length = response.body.contentLength
      response.body = ResponseBody()
      if let length { response.headers[.contentLength] = "\(length)" }
    }
    let duration = ContinuousClock.now - start
    report(
      RequestReport(
        site: destination.site.id, route: outcome.route, method: request.method.rawValue, status: Int(response.status.code),
        duration: duration))
    logger.info(
      "request",
      metadata: [
        "method": "\(request.method.rawValue)", "route": "\(outcome.route)", "status": "\(response.status.code)",
        "ms": "\(duration.milliseconds)",
      ])
    return response
  }

  /// Runs the router; past the deadline its task is cancelled, and with it the query it waits for.
  private func within(_ deadline: Duration, _ arrival: Arrival, _ destination: Destination) async -> Outcome {
    await withTaskGroup(of: Outcome?.self) { group in
      group.addTask { await destination.router.respond(to: arrival, owner: destination.owner) }
      group.addTask {
        try? await Task.sleep(for: deadline)
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      return first
        ?? destination.router.refuse(Problem(.deadlineExceeded, retryAfter: 5), arrival: arrival)
    }
  }

  /// `/health`: the process lives. `/ready`: it can do its work. On any host, since probes come by address.
  private func probe(_ request: Request) async -> Response? {
    guard request.method == .get || request.method == .head else { return nil }
    switch request.uri.path {
    case "/health": return plain("{\"status\":\"ok\"}\n", .ok, "application/json")
    case "/ready":
      let missing = await operations.ready()
      if missing.isEmpty { return plain("{\"status\":\"ready\"}\n", .ok, "application/json") }
      let list = missing.map { "\"\($0.replacing("\"", with: "'"))\"" }.joined(separator: ",")
      return plain("{\"status\":\"not ready\",\"missing\":[\(list)]}\n", .serviceUnavailable, "application/json")
    case "/metrics":
      if let token = operations.metricsToken, !equal(request.headers[.authorization] ?? "", "Bearer \(token)") {
        return plain("a bearer token is needed\n", .unauthorized, "text/plain")
      }
      return plain(await operations.metrics(), .ok, "text/plain; version=0.0.4; charset=utf-8")
    default: return nil
    }
  }

  private func equal(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    return a.count == b.count && zip(a, b).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private func plain(_ text: String, _ status: HTTPResponse.Status, _ type: String) -> Response {
    Response(
      status: status, headers: [.contentType: type, .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}

/// Holds a class in a struct that is copied.
private struct Shared<Value: AnyObject & Sendable>: Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
