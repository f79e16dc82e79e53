import Database
import Foundation
public import HTTPTypes
public import Hummingbird
import HummingbirdCore
public import Kit
public import Logging
public import NIOCore
import Synchronization
public import Web

/// The context a connection gives a request before its site is known.
public struct GatewayContext: RequestContext {
  public var coreContext: CoreRequestContextStorage
  private let channel: any Channel

  public init(source: Source) {
    coreContext = .init(source: source)
    channel = source.channel
  }

  /// Of the connection's other end. Written out only when somebody asks.
  var network: String { Network.name(of: channel.remoteAddress?.ipAddress ?? "unknown") }
}

/// What the gateway tells of each request.
public struct RequestReport: Sendable {
  public let site: String
  public let route: String
  public let method: String
  public let status: Int
  public let duration: Duration
  public let requestID: String
  /// Whether it was answered with a kept answer.
  public let isKept: Bool
}

/// The way of every request: host → tenant → kept answer, or shedding, breaker and deadline → the site's router → response.
public struct Gateway: HTTPResponder {
  public typealias Context = GatewayContext

  /// The table R54, where it isn't about rates.
  public struct Settings: Sendable {
    /// Of routes that name none of their own.
    public var deadline = Duration.seconds(30)
    /// Errors in a row that open a circuit, for how long, and how many per cent of the databases may be given up at a time.
    public var breakerErrors = 5
    public var breakerPause = Duration.seconds(30)
    public var breakerEjectedMost = 50
    public var shedding = LoadShedding.Settings()
    /// How often a read is tried while its connection fails.
    public var readTries = 3
    /// Whether answers may be kept for, and given to, who asks there: a flag of the configuration.
    public var keepsAnswers: @Sendable (Site, Session?) -> Bool = { _, _ in true }

    public init() {}
  }

  let directory: @Sendable () -> HostDirectory
  let operations: Operations
  let clock: DomainClock
  let logger: Logger
  let settings: Settings
  let report: @Sendable (RequestReport) -> Void
  let shared: GatewayState

  /// - Parameters:
  ///   - cache: where answers are kept: the one that `Freshness` and the followers drop from. This one keeps nothing.
  ///   - limiter: whose figures stand in ``metrics``; the routers ask theirs.
  ///   - report: called after each request, on the thread that answered it; it must be quick. It writes the log's line.
  public init(
    directory: @escaping @Sendable () -> HostDirectory, operations: Operations, cache: ResponseCache = ResponseCache(bytes: 0),
    limiter: SharedRateLimiter? = nil, settings: Settings = Settings(), clock: DomainClock, logger: Logger,
    report: @escaping @Sendable (RequestReport) -> Void
  ) {
    self.directory = directory
    self.operations = operations
    self.clock = clock
    self.logger = logger
    self.settings = settings
    self.report = report
    shared = GatewayState(cache: cache, limiter: limiter, settings: settings)
  }

  public func respond(to request: Request, context: GatewayContext) async throws -> Response {
    await respond(to: request, network: context.network)
  }

  /// The same way without a socket.
  public func respond(to request: Request, network: String) async -> Response {
    if let response = await probe(request) { return response }
    return await respond(to: request, network: network, deadline: nil).response
  }

  /// For the city's own relying parties, whose calls to the issuer are tried three times, ten seconds each (R54).
  ///
  /// Reads are run again when a connection fails. What changes something is run again only when nothing can have reached
  /// the database: a code must not be redeemed twice because the answer to the first time was lost.
  public func respond(
    to head: HTTPRequest, body: ByteBuffer, network: String, tries: Int = 3, each deadline: Duration = .seconds(10)
  ) async -> Response {
    for left in (0..<max(1, tries)).reversed() {
      let (response, error) = await respond(
        to: Request(head: head, body: RequestBody(buffer: body)), network: network, deadline: deadline)
      let isSafe = head.method == .get || head.method == .head
      guard left > 0, !Task.isCancelled, Gateway.isWorthAnother(error, isSafe: isSafe) else { return response }
      shared.counters.retries.wrappingAdd(1, ordering: .relaxed)
      try? await Task.sleep(for: .milliseconds(.random(in: 50...200)))
    }
    preconditionFailure("the last try returns")
  }

  /// Goes on measuring how long work waits for its turn on these loops and on the executor of all tasks, until the task is
  /// cancelled. Without it only the number of requests under way says that there are too many.
  public func watchLoad(of loops: any EventLoopGroup) async {
    let probe = LoadProbe { [shared] wait in shared.shedding.withLock { $0.observe(wait: wait, now: .now) } }
    probe.watch(loops)
    await probe.run()
  }

  /// Goes on looking whether databases that were given up answer again, until the task is cancelled, so that nobody is refused
  /// for the rest of a pause when the reason has gone. One that keeps a look waiting holds up no look at another.
  ///
  /// - Parameter answers: asks the database of this name for something small.
  public func watchDatabases(
    every interval: Duration = .seconds(1), answers: @escaping @Sendable (String) async -> Bool
  ) async {
    await withDiscardingTaskGroup { group in
      while (try? await Task.sleep(for: interval)) != nil {
        let open = shared.breaker.open
        guard !open.databases.isEmpty || !open.sites.isEmpty else { continue }
        let directory = directory()
        for database in directory.sites.keys {
          let sites = directory.sites(of: database)
          guard open.databases.contains(database) || sites.contains(where: open.sites.contains),
            shared.looks.withLock({ $0.insert(database).inserted })
          else { continue }
          group.addTask {
            if await answers(database) { shared.breaker.recover(database, sites: sites, now: clock.now()) }
            _ = shared.looks.withLock { $0.remove(database) }
          }
        }
      }
      group.cancelAll()
    }
  }

  public var metrics: GatewayMetrics {
    let (level, inFlight) = shared.shedding.withLock { ($0.level, $0.inFlight) }
    let open = shared.breaker.open
    return GatewayMetrics(
      cache: shared.cache.figures, limits: shared.limiter?.figures ?? [:], countsAlone: shared.limiter?.isAlone ?? false,
      inFlight: inFlight, sheddingLevel: level, shed: shared.counters.shed.withLock { $0 },
      deadlines: shared.counters.deadlines.load(ordering: .relaxed),
      retries: shared.counters.retries.load(ordering: .relaxed),
      refused: shared.counters.refused.load(ordering: .relaxed), openDatabases: open.databases, openSites: open.sites)
  }

  private func respond(
    to request: Request, network: String, deadline: Duration?
  ) async -> (response: Response, error: (any Error)?) {
    let start = ContinuousClock.now
    let directory = directory()
    // Of a request, only the host's name is taken from the client, and only to look it up.
    let authority = request.head.authority ?? ""
    let found = directory.destination(authority)
    let destination = found ?? directory.fallback
    let now = clock.now()
    let id = shared.ids.make(at: now)
    let isHead = request.method == .head
    var inner = request
    if isHead {
      var head = request.head
      head.method = .get
      inner = Request(head: head, body: request.body)
    }
    let arrival = Arrival(
      request: inner, site: destination.site, cities: directory.cities, now: now, requestID: id, logger: logger)
    var outcome: Outcome
    if found != nil {
      let work = Work(arrival: arrival, destination: destination, directory: directory, deadline: deadline)
      outcome = await attend(work, network: network)
    } else if let origin = directory.moved(authority) {
      outcome = destination.router.moved(to: origin, arrival: arrival)
    } else {
      outcome = destination.router.refuse(Problem(.unknownHost, ["found": String(authority.prefix(100))]), arrival: arrival)
    }
    var response = outcome.response
    if isHead {
      let length = response.body.contentLength
      response.body = ResponseBody()
      if let length { response.headers[.contentLength] = "\(length)" }
    }
    report(
      RequestReport(
        site: destination.site.id, route: outcome.route, method: request.method.rawValue, status: Int(response.status.code),
        duration: ContinuousClock.now - start, requestID: id, isKept: outcome.isKept))
    return (response, outcome.error)
  }

  /// Whether a failure is of the connection, so that another try may do.
  static func isWorthAnother(_ error: (any Error)?, isSafe: Bool) -> Bool {
    switch (error as? DatabaseError)?.kind {
    case .connectionFailed: true
    case .connectionLost: isSafe
    default: false
    }
  }
}

/// What all copies of a gateway share.
final class GatewayState: Sendable {
  let cache: ResponseCache
  let limiter: SharedRateLimiter?
  let breaker: CircuitBreaker
  /// Databases that are being looked at.
  let looks = Mutex<Set<String>>([])
  let watch: DeadlineWatch
  let ids = RequestIDs()
  let counters = GatewayCounters()
  let shedding: Mutex<LoadShedding>

  init(cache: ResponseCache, limiter: SharedRateLimiter?, settings: Gateway.Settings) {
    self.cache = cache
    self.limiter = limiter
    breaker = CircuitBreaker(
      .init(
        circuit: .init(errors: settings.breakerErrors, pause: settings.breakerPause), ejectedMost: settings.breakerEjectedMost))
    watch = DeadlineWatch(tick: max(.milliseconds(5), min(.milliseconds(250), settings.deadline / 4)))
    shedding = Mutex(LoadShedding(settings.shedding))
  }
}
