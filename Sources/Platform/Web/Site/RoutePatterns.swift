/// The paths of a router, for requests that met none of its routes.
struct RoutePatterns: Sendable {
  private let patterns: [(path: String, parts: [Substring], method: String)]

  init(_ routes: [(path: String, method: String)]) {
    patterns = routes.map { ($0.path, $0.path.split(separator: "/"), $0.method) }
  }

  /// The route a path has for other methods, and all methods it takes there (RFC 9110 §10.2.1).
  ///
  /// - Returns: `nil` when the path has none. What takes GET takes HEAD.
  func other(than method: String, at path: String) -> (route: String, methods: [String])? {
    let parts = path.split(separator: "/")
    let found = patterns.filter { pattern in
      pattern.parts.count == parts.count && zip(pattern.parts, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }
    var methods = Set(found.map(\.method))
    if methods.contains("GET") { methods.insert("HEAD") }
    guard let route = found.first?.path, methods.remove(method) == nil else { return nil }
    return (route, methods.sorted())
  }
}
