import Hummingbird

/// Finds the route of a path: `/questions/new` before `/questions/{id}`, each part of a path looked up once. A pattern that ends
/// with `**` is met by whatever is left of a path that no other pattern meets.
struct RouteTable<Value: Sendable>: Sendable {
  private final class Node: Sendable {
    let literals: [Substring: Node]
    let capture: Node?
    /// By the method's name.
    let routes: [String: (value: Value, captures: [Substring])]
    /// The pattern of one of them.
    let pattern: String

    init(literals: [Substring: Node], capture: Node?, routes: [String: (value: Value, captures: [Substring])], pattern: String) {
      self.literals = literals
      self.capture = capture
      self.routes = routes
      self.pattern = pattern
    }
  }

  enum Found {
    case route(Value, Parameters)
    /// The path is there for other methods: its pattern, and what it takes. What takes GET takes HEAD (RFC 9110 §10.2.1).
    case otherMethods(pattern: String, [String])
    case nothing
  }

  private let root: Node

  /// - Parameter routes: of two with one path and method, the first.
  init(_ routes: [(path: String, method: String, value: Value)]) {
    root = RouteTable.node(
      routes.map { route in
        let parts = route.path.split(separator: "/")
        let captures = parts.filter { $0.hasPrefix("{") }.map { $0.dropFirst().dropLast() }
        return (parts[...], Leaf(method: route.method, pattern: route.path, value: route.value, captures: captures))
      })
  }

  private struct Leaf {
    let method: String
    let pattern: String
    let value: Value
    let captures: [Substring]
  }

  private static func node(_ routes: [(parts: ArraySlice<Substring>, leaf: Leaf)]) -> Node {
    let here = routes.filter(\.parts.isEmpty).map(\.leaf)
    let below = routes.filter { !$0.parts.isEmpty }
    let captured = below.filter { $0.parts.first!.hasPrefix("{") }
    let literal = Dictionary(grouping: below.filter { !$0.parts.first!.hasPrefix("{") }) { $0.parts.first! }
    func next(_ routes: [(parts: ArraySlice<Substring>, leaf: Leaf)]) -> Node {
      node(routes.map { ($0.parts.dropFirst(), $0.leaf) })
    }
    return Node(
      literals: literal.mapValues(next), capture: captured.isEmpty ? nil : next(captured),
      routes: Dictionary(here.map { ($0.method, ($0.value, $0.captures)) }) { first, _ in first },
      pattern: here.first?.pattern ?? "")
  }

  /// - Parameter path: empty parts don't count: `/a//b/` is `/a/b`.
  func find(_ method: String, _ path: String) -> Found {
    let parts = path.split(separator: "/")
    var values: [Substring] = []
    guard let node = descend(root, parts[...], &values) else { return .nothing }
    if let route = node.routes[method] {
      return .route(route.value, Parameters(zip(route.captures, values).map { (key: $0, value: $1) }))
    }
    var methods = Set(node.routes.keys)
    if methods.contains("GET") { methods.insert("HEAD") }
    return .otherMethods(pattern: node.pattern, methods.sorted())
  }

  private func descend(_ node: Node, _ parts: ArraySlice<Substring>, _ values: inout [Substring]) -> Node? {
    guard let part = parts.first else { return node.routes.isEmpty ? node.literals["**"] : node }
    if let next = node.literals[part], let found = descend(next, parts.dropFirst(), &values) { return found }
    guard let next = node.capture else { return node.literals["**"] }
    values.append(part)
    if let found = descend(next, parts.dropFirst(), &values) { return found }
    values.removeLast()
    return node.literals["**"]
  }
}
