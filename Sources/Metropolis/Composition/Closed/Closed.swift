import Foundation
import HTTPTypes
import Hummingbird
import Kit
import Web

/// What stands in the place of a tenant that is not open. Each answers every path, and needs no database.
enum Closed {
  /// Rests for now; its data stay.
  struct Resting: Sendable {
    /// How long a program should wait before it asks again.
    static let pause = 3_600

    static let routes = everyPath { (_: Resting, visit: Visit) in
      if visit.wantsJSON { throw Problem(.closed, retryAfter: pause) }
      return page("closed", visit, .serviceUnavailable).header(.retryAfter, "\(pause)")
    }
  }

  /// Gone for good, as far as its readers are concerned.
  struct Archived: Sendable {
    static let routes = everyPath { (_: Archived, visit: Visit) in
      if visit.wantsJSON { throw Problem(.gone) }
      return page("archived", visit, .gone)
    }
  }

  /// Open, but not fit to be served: its migration failed.
  struct Refused: Sendable {
    static let routes = everyPath { (_: Refused, _: Visit) in throw Problem(.unavailable, retryAfter: 60) }
  }

  private static func page(_ name: String, _ visit: Visit, _ status: HTTPResponse.Status) -> Answer {
    .page(
      Page("city.\(name)", title: visit.text("city.closed.\(name).title", ["name": visit.site.name(visit.language)])),
      status: status)
  }

  private static func everyPath<Owner: Sendable>(
    _ handler: @escaping Endpoint<Owner>.Handler
  ) -> [SiteRouter.Route] {
    let methods: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete]
    return methods.map { method in
      SiteRouter.Route(Endpoint<Owner>(method, "/**", EndpointRules(checksForgery: false), handler: handler))
    }
  }
}

/// Nobody is signed in where nothing is done.
struct NoSessions: SessionReader {
  func session(of request: Request, on site: Site) async throws -> Session? { nil }
}
