import Foundation
public import HTTPTypes
public import Hummingbird
public import Keys
public import Kit
public import Logging
import Synchronization

/// A request that has found its site, before it has found its route.
public final class Arrival: Sendable {
  public let request: Request
  public let site: Site
  public let cities: CityMap
  public let now: Instant
  public let requestID: String
  private let base: Logger

  /// Names the request and its tenant in each line. Few requests write one.
  public var logger: Logger {
    var logger = base
    logger[metadataKey: "request"] = "\(requestID)"
    logger[metadataKey: "tenant"] = "\(site.id)"
    return logger
  }

  public init(request: Request, site: Site, cities: CityMap, now: Instant, requestID: String, logger: Logger) {
    self.request = request
    self.site = site
    self.cities = cities
    self.now = now
    self.requestID = requestID
    base = logger
  }
}

/// What happened to a request, for the log and the metrics.
public struct Outcome: Sendable {
  /// An answer that may be sent again to who asks the same.
  public struct Keepable: Sendable {
    public let answer: KeptAnswer
    /// Whether its making looked at who asks: it is for this person only, whatever its route says.
    public let isPersonal: Bool
  }

  public let response: Response
  /// The route's pattern, never the path: a figure per path would grow without end.
  public let route: String
  public let problem: Problem.Kind?
  /// What the problem was made of.
  public let error: (any Error)?
  /// Of routes with a ``EndpointRules/cache`` only.
  public let keepable: Keepable?
  /// Whether it was made for an earlier request.
  public let isKept: Bool

  /// An answer that was made before.
  public init(kept answer: KeptAnswer, route: String, requestID: String) {
    response = answer.response(requestID: requestID)
    self.route = route
    (problem, error, keepable, isKept) = (nil, nil, nil, true)
  }

  init(
    response: Response, route: String, problem: Problem.Kind? = nil, error: (any Error)? = nil, keepable: Keepable? = nil
  ) {
    self.response = response
    self.route = route
    self.problem = problem
    self.error = error
    self.keepable = keepable
    isKept = false
  }
}

/// A request that has found its route.
public struct RouteMatch: Sendable {
  let route: SiteRouter.Route
  let parameters: Parameters

  public var pattern: String { route.path }
  public var rules: EndpointRules { route.rules }
  /// Whether asking twice is as good as asking once (RFC 9110 §9.2.2).
  public var isSafe: Bool { route.method == .get || route.method == .head }

  /// The tags of the answer, when it is to be kept.
  public func tags(of caching: Caching, person: PersonID?) -> [String] {
    caching.tags(parameter: { parameters[$0].map { UUID(uuidString: String($0))?.text ?? String($0) } }, person: person)
  }
}

/// The routes of one kind of site. Many sites share one router; the owner of a request is handed in with it.
///
/// A request goes ``asset(_:)``, ``match(_:)``, ``enter(_:_:)``, ``answer(_:_:owner:)``; ``respond(to:owner:)`` is all of it.
/// The gateway takes the steps one by one, since what it keeps, repeats and gives up lies between them.
public final class SiteRouter: Sendable {
  public final class Route: Sendable {
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

  /// What came of a route's checks: session, limit, forgery, access.
  public enum Entry: Sendable {
    /// With the session, for what comes before the handler: a look at ``Visit/session`` makes an answer hers alone.
    case entered(Visit, Session?)
    case refused(Outcome)
  }

  public let sessions: any SessionReader
  public let limiter: any RateLimiter
  private let table: RouteTable<Route>
  private let renderer: Renderer
  private let forgery: Fingerprint
  private let operations: [(path: String, method: String, rules: EndpointRules)]

  public init(
    routes: [Route], renderer: Renderer, sessions: any SessionReader, limiter: any RateLimiter, key: MasterKey
  ) {
    self.renderer = renderer
    self.sessions = sessions
    self.limiter = limiter
    self.forgery = Fingerprint(key.key("forgery"))
    self.operations = routes.map { ($0.path, $0.method.rawValue, $0.rules) }
    table = RouteTable(routes.map { ($0.path, $0.method.rawValue, $0) })
  }

  public func respond(to arrival: Arrival, owner: any Sendable) async -> Outcome {
    if let outcome = asset(arrival) { return outcome }
    guard let match = match(arrival) else { return await noRoute(arrival) }
    switch await enter(match, arrival) {
    case .refused(let outcome): return outcome
    case .entered(let visit, _): return await answer(match, visit, owner: owner)
    }
  }

  /// What every site has beside its routes, and needs nobody for.
  public func asset(_ arrival: Arrival) -> Outcome? {
    guard arrival.request.method == .get || arrival.request.method == .head else { return nil }
    let path = arrival.request.uri.path
    if let answer = renderer.assets.answer(path: path, site: arrival.site, cities: arrival.cities) {
      return Outcome(response: answer.assetResponse(), route: "/assets")
    }
    if path == "/openapi.json" {
      let document = OpenAPI.document(title: arrival.site.name(.en), origin: arrival.site.origin, operations: operations)
      return Outcome(response: Answer.json(document).assetResponse(), route: "/openapi.json")
    }
    return nil
  }

  public func match(_ arrival: Arrival) -> RouteMatch? {
    guard case .route(let route, let parameters) = table.find(arrival.request.method.rawValue, arrival.request.uri.path) else {
      return nil
    }
    return RouteMatch(route: route, parameters: parameters)
  }

  /// The answer to what has no route: perhaps the path is there for other methods (RFC 9110 §15.5.6).
  public func noRoute(_ arrival: Arrival) async -> Outcome {
    if case .otherMethods(let pattern, let methods) = table.find(arrival.request.method.rawValue, arrival.request.uri.path) {
      return await failed(Problem(.methodNotAllowed), arrival, route: pattern, allowed: methods)
    }
    return await failed(Problem(.notFound), arrival, route: "unmatched")
  }

  /// Reads the session and checks what holds for the route.
  public func enter(_ match: RouteMatch, _ arrival: Arrival) async -> Entry {
    let route = match.route
    do {
      let session = try await sessions.session(of: arrival.request, on: arrival.site)
      let visit = visit(arrival, parameters: match.parameters, session: session, bodyLimit: route.rules.bodyLimit)
      if visit.query("lang") == visit.language.rawValue {
        visit.setCookie("lang", visit.language.rawValue, maxAge: 86_400 * 365)
      }
      if let limit = route.rules.limit { try await limiter.admit(limit, visit: visit) }
      let changes = !match.isSafe
      if changes, route.rules.checksForgery { try await ForgeryToken.check(visit) }
      if case .anyone = route.rules.access {
      } else {
        guard let session else {
          return .refused(Outcome(response: try SiteRouter.toSignIn(visit, changes: changes), route: route.path))
        }
        guard route.rules.access.admits(session) else { throw Problem(.forbidden) }
      }
      // What the checks looked at is asked again with every answer; from here on it is the handler that looks.
      visit.extras.dependsOnWho.store(false, ordering: .relaxed)
      visit.extras.dependsOnRequest.store(false, ordering: .relaxed)
      return .entered(visit, session)
    } catch {
      return .refused(await failed(error, arrival, route: route.path))
    }
  }

  /// Runs the route's handler.
  public func answer(_ match: RouteMatch, _ visit: Visit, owner: any Sendable) async -> Outcome {
    do {
      let (response, kept) = try await match.route.handler(owner, visit).made(for: visit)
      var keepable: Outcome.Keepable?
      if let kept, match.rules.cache != nil, match.isSafe, !visit.extras.dependsOnRequest.load(ordering: .relaxed) {
        keepable = .init(answer: kept, isPersonal: visit.extras.dependsOnWho.load(ordering: .relaxed))
      }
      return Outcome(response: response, route: match.pattern, keepable: keepable)
    } catch {
      return failed(error, visit, route: match.pattern)
    }
  }

  /// The answer to a request that could not be handed to a route.
  public func refuse(_ problem: Problem, arrival: Arrival) -> Outcome {
    let visit = visit(arrival, parameters: .init(), session: nil, bodyLimit: 0)
    return Outcome(response: visit.answer(problem).response(for: visit), route: "refused", problem: problem.kind)
  }

  /// The answer on a host that a site had before (RFC 9110 §15.4.9).
  public func moved(to origin: Origin, arrival: Arrival) -> Outcome {
    let response = Response(
      status: .permanentRedirect,
      headers: [.location: origin.url(arrival.request.uri.string), .xRequestID: arrival.requestID])
    return Outcome(response: response, route: "moved")
  }

  /// A file of the binary, by its hashed name.
  public func keptAsset(_ path: String) -> KeptAnswer? {
    path.utf8.starts(with: "/assets/".utf8) ? renderer.assets.kept[path] : nil
  }

  /// Whether a request is a person's, who gets a page.
  public func asksForPage(_ head: HTTPRequest) -> Bool { Visit.wantsJSON(head.headerFields) == false }

  /// By what the answer to a request would be kept, beside the person: path with query, and language.
  ///
  /// - Returns: `nil` for what is answered anew each time: other methods, pages, and the choice of a language.
  public func keptAs(_ head: HTTPRequest, session: Session?, on site: Site) -> (path: String, language: Language)? {
    guard head.method == .get || head.method == .head, let path = head.path else { return nil }
    guard Visit.wantsJSON(head.headerFields) ?? (session?.proof == .bearer) else { return nil }
    let query = path.firstIndex(of: "?").map { String(path[path.index(after: $0)...]) }
    if let query, Negotiation.chosenInQuery(query) != nil { return nil }
    return (Negotiation.normalised(path), Negotiation.language(head.headerFields, query: nil, site: site))
  }

  /// A person who only wanted to look is taken to sign in; what she posted is not thrown away silently.
  private static func toSignIn(_ visit: Visit, changes: Bool) throws(Problem) -> Response {
    guard !changes, !visit.wantsJSON else { throw Problem(.notSignedIn) }
    return Answer.redirect("/signin?return_to=\(Renderer.encode(visit.pathAndQuery))").response(for: visit)
  }

  private func failed(_ error: any Error, _ arrival: Arrival, route: String, allowed: [String] = []) async -> Outcome {
    // The session was perhaps what failed, so the page of a problem is shown without it unless it can be had again.
    let isOurs = SiteRouter.problem(of: error).kind.status >= 500
    let session = isOurs ? nil : try? await sessions.session(of: arrival.request, on: arrival.site)
    let visit = visit(arrival, parameters: .init(), session: session, bodyLimit: 0)
    return failed(error, visit, route: route, allowed: allowed)
  }

  private func failed(_ error: any Error, _ visit: Visit, route: String, allowed: [String] = []) -> Outcome {
    let problem = SiteRouter.problem(of: error)
    if problem.kind.status >= 500, problem.kind != .closed {
      visit.logger.error("request failed", metadata: ["error": "\(SiteRouter.loggable(error))"])
    }
    let visit = visit.anew()
    var answer = visit.answer(problem)
    if !allowed.isEmpty { answer = answer.header(.allow, allowed.joined(separator: ", ")) }
    return Outcome(response: answer.response(for: visit), route: route, problem: problem.kind, error: error)
  }

  private func visit(_ arrival: Arrival, parameters: Parameters, session: Session?, bodyLimit: Int) -> Visit {
    let request = arrival.request
    let visitor = request.headers[.cookie].flatMap {
      Negotiation.cookie(arrival.site.cookieName(ForgeryToken.cookie), in: $0).map(String.init)
    }
    return Visit(
      arrival: arrival, who: session,
      language: Negotiation.language(request.headers, query: request.uri.query, site: arrival.site), parameters: parameters,
      renderer: renderer, forgery: forgery, body: RequestBodyBytes(limit: bodyLimit), extras: ResponseExtras(visitor: visitor))
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
