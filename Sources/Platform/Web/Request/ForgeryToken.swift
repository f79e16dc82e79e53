import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Synchronization

/// Proof that a form came from our own page: a token bound to the browser, the site and the session (OWASP, signed
/// double-submit cookie), beside the browser's own word on where a request comes from.
enum ForgeryToken {
  static let cookie = "visitor"

  /// The token for the forms of a page; gives the browser its cookie if it has none.
  static func issue(_ visit: Visit) -> String {
    let visitor = visit.extras.visitor.withLock { known -> String in
      if let known { return known }
      let fresh = Secret.random(bytes: 16)
      known = fresh
      visit.setCookie(cookie, fresh, maxAge: 86_400 * 30)
      return fresh
    }
    return token(visit, visitor: visitor)
  }

  private static func token(_ visit: Visit, visitor: String) -> String {
    visit.forgery.text("\(visit.site.id)\n\(visitor)\n\(visit.who?.id.text ?? "")")
  }

  /// - Throws: ``Kit/Problem`` `forged-request` when a request that changes something may come from elsewhere.
  static func check(_ visit: Visit) async throws {
    if visit.who?.proof == .bearer { return }  // Nothing a browser sends by itself.
    let headers = visit.arrived.headers
    if let site = HTTPField.Name("Sec-Fetch-Site").flatMap({ headers[$0] }), site == "cross-site" {
      throw Problem(.forgedRequest)
    }
    if let origin = headers[.origin], origin != "\(visit.site.origin)" { throw Problem(.forgedRequest) }
    // A page of another origin can't send JSON here: it would have to ask first (CORS), and is refused.
    if visit.isJSON { return }
    let header = HTTPField.Name("X-CSRF-Token").flatMap { headers[$0] }
    var given = header
    if given == nil { given = try await visit.input().values["_csrf"]?.string }
    guard let given, let visitor = visit.cookie(cookie), Secret.equal(given, token(visit, visitor: visitor)) else {
      throw Problem(.forgedRequest)
    }
  }
}
