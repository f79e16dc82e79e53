import Foundation

/// Addresses a client may be answered at. They are compared byte by byte (RFC 9700 §2.1): no prefix, no pattern, no case.
enum RedirectURI {
  static func isRegistered(_ uri: String, in registered: [String]) -> Bool {
    // `==` of strings takes canonically equivalent texts for equal; an attacker's may be.
    registered.contains { $0.utf8.elementsEqual(uri.utf8) }
  }

  /// Why an address can't be registered; `nil` when it can.
  ///
  /// https anywhere, http on this machine only, or a private-use scheme with a dot in it (RFC 8252 §7.1).
  static func refusal(of uri: String) -> String? {
    guard uri.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\\") }), uri.utf8.count <= 2000 else {
      return "it has characters that no URI has, or is longer than 2000 bytes"
    }
    guard let parts = URLComponents(string: uri), let scheme = parts.scheme?.lowercased() else { return "it is no absolute URI" }
    if uri.contains("#") { return "it has a fragment" }
    if parts.user != nil || parts.password != nil { return "it has user information" }
    if uri.contains("*") { return "it has a wild card" }
    switch scheme {
    case "https": return (parts.host ?? "").isEmpty ? "it has no host" : nil
    case "http":
      let host = (parts.host ?? "").lowercased()
      let isLocal = host == "localhost" || host.hasSuffix(".localhost") || host == "127.0.0.1" || host == "[::1]" || host == "::1"
      return isLocal ? nil : "http is for this machine only; found host “\(host)”"
    default: return scheme.contains(".") ? nil : "the scheme “\(scheme)” is not https"
    }
  }

  /// What a content security policy names it by: `https://host:port`, or `scheme:`.
  static func origin(of uri: String) -> String? {
    guard let parts = URLComponents(string: uri), let scheme = parts.scheme else { return nil }
    guard scheme == "http" || scheme == "https", let host = parts.host else { return "\(scheme):" }
    return "\(scheme)://\(host)" + (parts.port.map { ":\($0)" } ?? "")
  }

  /// The address with parameters added to its query (RFC 6749 §4.1.2).
  static func adding(_ parameters: [(String, String)], to uri: String) -> String {
    uri + (uri.contains("?") ? "&" : "?") + Parameters.encode(parameters)
  }
}
