import Foundation
import HTTPTypes
import Kit

/// What a request asks for beside its path: which language, and a page or JSON.
enum Negotiation {
  /// The language of an answer: chosen by `?lang=`, else by the cookie, else what the browser likes best.
  ///
  /// - Parameter query: without its question mark.
  static func language(_ headers: HTTPFields, query: String?, site: Site) -> Language {
    let offered = site.languages
    func chosen(_ text: some StringProtocol) -> Language? {
      Language(rawValue: String(text)).flatMap { offered.contains($0) ? $0 : nil }
    }
    if let query, let found = chosenInQuery(query).flatMap({ chosen($0) }) { return found }
    if let cookies = headers[.cookie], let found = cookie(site.cookieName("lang"), in: cookies).flatMap({ chosen($0) }) {
      return found
    }
    return headers[.acceptLanguage].flatMap { Language.best(acceptLanguage: $0, of: offered) } ?? offered.first ?? .ko
  }

  /// The value of `lang` in a query.
  static func chosenInQuery(_ query: String) -> String? {
    guard query.utf8.holds("lang") else { return nil }
    for pair in query.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard halves[0] == "lang" else { continue }
      return halves.count > 1 ? String(halves[1]).removingPercentEncoding : ""
    }
    return nil
  }

  /// A cookie's value in the field `Cookie` (RFC 6265 §4.2.1).
  static func cookie(_ name: String, in header: String) -> Substring? {
    let bytes = header.utf8
    var index = bytes.startIndex
    while index < bytes.endIndex {
      while index < bytes.endIndex, bytes[index] == UInt8(ascii: " ") { index = bytes.index(after: index) }
      let end = bytes[index...].firstIndex(of: UInt8(ascii: ";")) ?? bytes.endIndex
      if let equals = bytes[index..<end].firstIndex(of: UInt8(ascii: "=")), bytes[index..<equals].elementsEqual(name.utf8) {
        return header[bytes.index(after: equals)..<end]
      }
      index = end < bytes.endIndex ? bytes.index(after: end) : end
    }
    return nil
  }

  /// Path and query as answers are kept by them: fields of the query in one order, no empty parts.
  static func normalised(_ path: String) -> String {
    var path = path[...]
    if let fragment = path.utf8.firstIndex(of: UInt8(ascii: "#")) { path = path[..<fragment] }
    guard let mark = path.utf8.firstIndex(of: UInt8(ascii: "?")) else { return tidied(path) }
    let query = path[path.utf8.index(after: mark)...]
    guard !query.isEmpty else { return tidied(path[..<mark]) }
    // The first of two fields with one name counts, so their order is kept.
    guard query.utf8.contains(UInt8(ascii: "&")) else { return tidied(path[..<mark]) + "?" + query }
    let fields = query.split(separator: "&").enumerated().sorted {
      let (a, b) = ($0.element.prefix { $0 != "=" }, $1.element.prefix { $0 != "=" })
      return a == b ? $0.offset < $1.offset : a < b
    }
    return tidied(path[..<mark]) + "?" + fields.map(\.element).joined(separator: "&")
  }

  /// `/a//b/` is `/a/b` to the router, so it is here.
  private static func tidied(_ path: Substring) -> String {
    let bytes = path.utf8
    var last: UInt8 = 0
    for byte in bytes {
      if byte == UInt8(ascii: "/"), last == byte { return rejoined(path) }
      last = byte
    }
    return last == UInt8(ascii: "/") && bytes.count > 1 ? rejoined(path) : String(path)
  }

  private static func rejoined(_ path: Substring) -> String { "/" + path.split(separator: "/").joined(separator: "/") }
}
