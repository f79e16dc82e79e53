import Foundation
import Keys
import Kit

/// A sign-in that has left for the issuer: what must come back with it. It waits in the browser, sealed.
struct PendingSignIn: Codable, Sendable, Equatable {
  let state: String
  let nonce: String
  /// The secret of PKCE (RFC 7636 §4.1).
  let verifier: String
  let returnTo: String
  let started: Instant

  static let lifetime = Duration.hours(1)
  /// Tabs of one browser that may sign in side by side.
  static let most = 3
  /// Ends the state of a second try, so that a browser without cookies is not sent round and round.
  static let retryMark = ".r"

  init(returnTo: String, isRetry: Bool, now: Instant) {
    state = Secret.random(bytes: 24) + (isRetry ? PendingSignIn.retryMark : "")
    nonce = Secret.random(bytes: 24)
    verifier = Secret.random(bytes: 32)
    self.returnTo = returnTo
    started = now
  }

  var challenge: String { Secret.digest(verifier).base64URL }

  // MARK: The cookie

  /// The sign-ins a cookie holds that are not too old. What can't be opened holds none.
  static func read(_ cookie: String?, sealer: Sealer, site: String, now: Instant) -> [PendingSignIn] {
    guard let cookie, let sealed = [UInt8](base64URL: cookie), let text = sealer.open(sealed, context: site),
      let all = try? JSONDecoder().decode([PendingSignIn].self, from: Data(text.utf8))
    else { return [] }
    return all.filter { $0.started > now - lifetime && $0.started <= now + .minutes(1) }
  }

  static func seal(_ all: [PendingSignIn], sealer: Sealer, site: String) throws -> String {
    let data = try JSONEncoder().encode(Array(all.suffix(most)))
    return sealer.seal(String(decoding: data, as: UTF8.self), context: site).base64URL
  }
}

/// Where a person goes after she has signed in: a path of this site, never another origin.
enum ReturnPath {
  /// The path; the first page for anything a browser might take for an address elsewhere (`//host`, `/\host`, and what
  /// becomes one when white space is cut out).
  static func read(_ text: String?) -> String {
    guard let text, text.utf8.count <= 1024 else { return "/" }
    let bytes = Array(text.utf8)
    guard bytes.first == UInt8(ascii: "/"), bytes.count == 1 || bytes[1] != UInt8(ascii: "/"),
      bytes.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\\") }),
      // Coming back to where one signs in or out would begin again, or end it.
      !["/signin", "/signout"].contains(where: { text == $0 || text.hasPrefix($0 + "?") || text.hasPrefix($0 + "/") })
    else { return "/" }
    return text
  }
}
