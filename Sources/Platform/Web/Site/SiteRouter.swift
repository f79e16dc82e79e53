import Foundation
import HTTPTypes
public import Hummingbird
public import Keys
public import Kit
public import Logging
import NIOCore

/// The context of a request inside the router: which site it is for, and with whom its handlers work.
public struct WebContext: RequestContext {
  public typealias Source = ArrivalSource

  public var coreContext: CoreRequestContextStorage
  var frame: Frame?

  public init(source: ArrivalSource) { coreContext = .init(source: source) }

  struct Frame: Sendable {
    let arrival: Arrival
    let owner: any Sendable
  }
}

/// What the context of a request is made from: no socket, since our own relying parties come without one.
public struct ArrivalSource: RequestContextSource {
  public let logger: Logger
}

/// A request that has found its site, before it has found its route.
public struct Arrival: Sendable {
  public let request: Request
  public let site: Site
  public let cities: CityMap
  public let now: Instant
  public let requestID: String
  public let logger: Logger

  public init(request: Request, site: Site, cities: CityMap, now: Instant, requestID: String, logger: Logger) {
    self.request = request
    self.site = site
    self.cities = cities
    self.now = now
    self.requestID = requestID
    self.logger = logger
  }
}

/// What happened to a request, for the log and the metrics.
public struct Outcome: Sendable {
  public let response: Response
  /// The route's pattern, never the path: a figure per path would grow without end.
  public let route: String
  public let problem: Problem.Kind?
}

/// The routes of one kind of site. Many sites share one router; the owner of a request is handed in with it.
public struct SiteRouter: Sendable {
  public struct Route: Sendable {
    let method: HTTPRequest.Method
    let path: String
    let rules: EndpointRules
    let handler: @Sendable (any Sendable, Visit) async throws -> Answer

    public init<Owner: Sendable>(_ endpoint: Endpoint<Owner>) {
      (method, path, rules) = (endpoint.method, endpoint.path, endpoint.rules)
      handler = { owner, visit in
        guard let owner = owner as? Owner else { preconditionFailure("a route of \(Owner.self) met \(type(of: owner))") }
        return try await endpoint.handler(owner, visit)
      }
    }

    /// A route that works with one service, whatever the site.
    public init<Owner: Sendable>(_ endpoint: Endpoint<Owner>, of service: Owner) {
      (method, path, rules) = (endpoint.method, endpoint.path, endpoint.rules)
      handler = { _, visit in try await endpoint.handler(service, visit) }
    }
  }

  private let router: RouterResponder<WebContext>
  private let renderer: Renderer
  private let sessions: any SessionReader
  private let limiter: any RateLimiter
  private let forgery: Fingerprint
  private let operations: [(path: String, method: String, rules: EndpointRules)]
  private let patterns: RoutePatterns

  public init(
    routes: [Route], renderer: Renderer, sessions: any SessionReader, limiter: any RateLimiter, key: MasterKey
  ) {
    self.renderer = renderer
    self.sessions = sessions
    self.limiter = limiter
    self.forgery = Fingerprint(key.key("forgery"))
    self.operations = routes.map { ($0.path, $0.method.rawValue, $0.rules) }
    self.patterns = RoutePatterns(routes.map { ($0.path, $0.method.rawValue) })
    let router = Router(context: WebContext.self)
    router.add(middleware: ErrorsAsProblems())
    let (forgery, limits) = (self.forgery, limiter)
    for route in routes {
      router.on(RouterPath(route.path), method: route.method) { _, context in
        // The router is entered through `respond` only, which sets the frame.
        try await SiteRouter.run(
          route, context: context, renderer: renderer, sessions: sessions, limiter: limits, forgery: forgery)
      }
    }
    self.router = router.buildResponder()
  }

  public func respond(to arrival: Arrival, owner: any Sendable) async -> Outcome {
    if arrival.request.method == .get || arrival.request.method == .head {
      if let answer = renderer.assets.answer(path: arrival.request.uri.path, site: arrival.site, cities: arrival.cities) {
        return Outcome(response: answer.assetResponse(), route: "/assets", problem: nil)
      }
      if arrival.request.uri.path == "/openapi.json" {
        let document = OpenAPI.document(title: arrival.site.name(.en), origin: arrival.site.origin, operations: operations)
        return Outcome(response: Answer.json(document).assetResponse(), route: "/openapi.json", problem: nil)
      }
    }
    var context = WebContext(source: ArrivalSource(logger: arrival.logger))
    context.frame = .init(arrival: arrival, owner: owner)
    do {
      let response = try await router.respond(to: arrival.request, context: context)
      let route = context.endpointPath ?? "unmatched"
      return Outcome(response: response, route: route, problem: nil)
    } catch {
      var problem = SiteRouter.problem(of: error)
      var route = context.endpointPath ?? "unmatched"
      var allowed: [String] = []
      // No route ran (the router calls that NotFound): perhaps the path is there for other methods (RFC 9110 §15.5.6).
      if problem.kind == .notFound, route == "unmatched" || route == "NotFound",
        let other = patterns.other(than: arrival.request.method.rawValue, at: arrival.request.uri.path)
      {
        problem = Problem(.methodNotAllowed)
        (route, allowed) = other
      }
      if problem.kind.status >= 500 {
        arrival.logger.error("request failed", metadata: ["error": "\(SiteRouter.loggable(error))"])
      }
      // The session was perhaps what failed, so the page of a problem is shown without it unless it can be had again.
      let session = problem.kind.status >= 500 ? nil : try? await sessions.session(of: arrival.request, on: arrival.site)
      let visit = SiteRouter.visit(
        arrival, parameters: .init(), session: session, renderer: renderer, forgery: forgery, bodyLimit: 0)
      var answer = visit.answer(problem)
      if !allowed.isEmpty { answer = answer.header(.allow, allowed.joined(separator: ", ")) }
      return Outcome(response: answer.response(for: visit), route: route, problem: problem.kind)
    }
  }

  /// The answer to a request that could not be handed to a router.
  public func refuse(_ problem: Problem, arrival: Arrival) -> Outcome {
    let visit = SiteRouter.visit(
      arrival, parameters: .init(), session: nil, renderer: renderer, forgery: forgery, bodyLimit: 0)
    return Outcome(response: visit.answer(problem).response(for: visit), route: "refused", problem: problem.kind)
  }

  private static func run(
    _ route: Route, context: WebContext, renderer: Renderer, sessions: any SessionReader, limiter: any RateLimiter,
    forgery: Fingerprint
  ) async throws -> Response {
    guard let frame = context.frame else { throw Problem(.internalError) }
    let session = try await sessions.session(of: frame.arrival.request, on: frame.arrival.site)
    let visit = visit(
      frame.arrival, parameters: context.parameters, session: session, renderer: renderer, forgery: forgery,
      bodyLimit: route.rules.bodyLimit)
    if visit.query("lang") == visit.language.rawValue {
      visit.setCookie("lang", visit.language.rawValue, maxAge: 86_400 * 365)
    }
    if let limit = route.rules.limit { try await limiter.admit(limit, visit: visit) }
    let changes = route.method != .get && route.method != .head
    if changes, route.rules.checksForgery { try await ForgeryToken.check(visit) }
    switch route.rules.access {
    case .anyone: break
    case .signedIn:
      if session == nil { return try SiteRouter.toSignIn(visit, changes: changes) }
    case .role(let role):
      guard let session else { return try SiteRouter.toSignIn(visit, changes: changes) }
      guard session.roles.contains(role) else { throw Problem(.forbidden) }
    }
    return try await route.handler(frame.owner, visit).response(for: visit)
  }

  /// A person who only wanted to look is taken to sign in; what she posted is not thrown away silently.
  private static func toSignIn(_ visit: Visit, changes: Bool) throws(Problem) -> Response {
    guard !changes, !visit.wantsJSON else { throw Problem(.notSignedIn) }
    return Answer.redirect("/signin?return_to=\(Renderer.encode(visit.pathAndQuery))").response(for: visit)
  }

  private static func visit(
    _ arrival: Arrival, parameters: Parameters, session: Session?, renderer: Renderer, forgery: Fingerprint, bodyLimit: Int
  ) -> Visit {
    let request = arrival.request
    let cookies = request.cookies
    let offered = arrival.site.languages
    func chosen(_ text: String) -> Language? { Language(rawValue: text).flatMap { offered.contains($0) ? $0 : nil } }
    let language =
      request.uri.queryParameters["lang"].flatMap { chosen(String($0)) }
      ?? cookies[arrival.site.cookieName("lang")].flatMap { chosen($0.value) }
      ?? request.headers[.acceptLanguage].flatMap { Language.best(acceptLanguage: $0, of: offered) }
      ?? offered.first ?? .ko
    let visitor = cookies[arrival.site.cookieName(ForgeryToken.cookie)]?.value
    return Visit(
      request: request, site: arrival.site, cities: arrival.cities, session: session, language: language,
      parameters: parameters, now: arrival.now, requestID: arrival.requestID, logger: arrival.logger, renderer: renderer,
      forgery: forgery, body: RequestBodyBytes(limit: bodyLimit),
      extras: ResponseExtras(visitor: visitor.flatMap { $0.utf8.count == 22 ? $0 : nil }))
  }

  /// Every error becomes a problem here; what is not meant for a reader becomes `internal-error`.
  static func problem(of error: any Error) -> Problem {
    switch error {
    case let problem as Problem: problem
    case let convertible as any ProblemConvertible: convertible.problem
    case let http as HTTPError:
      switch http.status.code {
      case 404: Problem(.notFound)
      case 413: Problem(.tooLarge, ["found": "?", "max": "?"])
      case 400..<500: Problem(.malformedRequest, ["reason": http.body ?? http.status.reasonPhrase])
      default: Problem(.internalError)
      }
    case is CancellationError: Problem(.deadlineExceeded, retryAfter: 5)
    default: Problem(.internalError)
    }
  }

  /// An error as a log may have it: our own describe themselves without values; of others, only the type.
  static func loggable(_ error: any Error) -> String {
    if let known = error as? any ProblemConvertible { return "\(known)" }
    if let problem = error as? Problem { return problem.kind.slug }
    return "\(type(of: error))"
  }
}

/// Hummingbird's router answers its own errors by itself, with an empty body: as problems they come to ``SiteRouter/respond``.
private struct ErrorsAsProblems: RouterMiddleware {
  func handle(
    _ request: Request, context: WebContext, next: (Request, WebContext) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch let error as HTTPError {
      throw SiteRouter.problem(of: error)
    }
  }
}
