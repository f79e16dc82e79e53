public import HTTPTypes
public import Kit

/// One route of a site: what it answers, who may ask, and what the platform checks before its handler runs.
///
/// `Owner` is what the handler works with: a tenant's module, or a core service.
public struct Endpoint<Owner: Sendable>: Sendable {
  public typealias Handler = @Sendable (Owner, Visit) async throws -> Answer

  public let method: HTTPRequest.Method
  /// `/questions/{id}`.
  public let path: String
  public var rules: EndpointRules
  public let handler: Handler

  public init(_ method: HTTPRequest.Method, _ path: String, _ rules: EndpointRules = .init(), handler: @escaping Handler) {
    self.method = method
    self.path = path
    self.rules = rules
    self.handler = handler
  }

  public static func get(_ path: String, _ rules: EndpointRules = .init(), _ handler: @escaping Handler) -> Endpoint {
    Endpoint(.get, path, rules, handler: handler)
  }
  public static func post(_ path: String, _ rules: EndpointRules = .init(), _ handler: @escaping Handler) -> Endpoint {
    Endpoint(.post, path, rules, handler: handler)
  }
  public static func put(_ path: String, _ rules: EndpointRules = .init(), _ handler: @escaping Handler) -> Endpoint {
    Endpoint(.put, path, rules, handler: handler)
  }
  public static func delete(_ path: String, _ rules: EndpointRules = .init(), _ handler: @escaping Handler) -> Endpoint {
    Endpoint(.delete, path, rules, handler: handler)
  }
}

/// What holds for a route before its handler runs.
public struct EndpointRules: Sendable {
  public enum Access: Sendable, Equatable {
    case anyone
    case signedIn
    /// Members with this role only.
    case role(String)

    /// Whether the route is open to who asks.
    public func admits(_ session: Session?) -> Bool {
      switch self {
      case .anyone: true
      case .signedIn: session != nil
      case .role(let role): session?.roles.contains(role) ?? false
      }
    }
  }

  public var access: Access
  /// The rate limit's name in the configuration: `auth`, `post`, `search`, `list`. `nil`: the common limit alone.
  public var limit: String?
  /// Checked unless the route is made for other origins and carries its own proof (a token endpoint).
  public var checksForgery: Bool
  /// Bytes a body may have.
  public var bodyLimit: Int
  /// How long the route's answers are kept, and for whom; `nil`: not at all.
  public var cache: Caching?
  /// When the work on a request is given up, and its queries are cancelled; `nil`: the gateway's own deadline (R54: 30 s).
  public var deadline: Duration?
  /// Who goes first when not all can be served.
  public var priority: Priority
  /// How the route stands in the OpenAPI document; `nil` for what is for people only.
  public var operation: Operation?

  public init(
    access: Access = .anyone, limit: String? = nil, checksForgery: Bool = true, bodyLimit: Int = 64 * 1024,
    cache: Caching? = nil, deadline: Duration? = nil, priority: Priority = .normal, operation: Operation? = nil
  ) {
    self.access = access
    self.limit = limit
    self.checksForgery = checksForgery
    self.bodyLimit = bodyLimit
    self.cache = cache
    self.deadline = deadline
    self.priority = priority
    self.operation = operation
  }
}

/// How much it matters that a request is answered when not all can be.
public enum Priority: Int, Sendable, Comparable {
  /// Nobody waits for it who is known to us: an anonymous look at a list.
  case low
  case normal
  /// What people have begun and must be able to end: signing in, paying.
  case high

  public static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
}

/// One operation of the JSON API, as OpenAPI 3.1 describes it.
public struct Operation: Sendable {
  public let id: String
  public let summary: String
  public let query: [Parameter]
  public let input: Shape?
  public let output: Shape?
  public let status: Int
  /// The problems the operation can answer with.
  public let problems: [Problem.Kind]

  public init(
    _ id: String, _ summary: String, query: [Parameter] = [], input: Shape? = nil, output: Shape? = nil, status: Int = 200,
    problems: [Problem.Kind] = []
  ) {
    self.id = id
    self.summary = summary
    self.query = query
    self.input = input
    self.output = output
    self.status = status
    self.problems = problems
  }

  public struct Parameter: Sendable {
    public let name: String
    public let summary: String
    public let shape: Shape
    public init(_ name: String, _ summary: String, _ shape: Shape = .string) {
      self.name = name
      self.summary = summary
      self.shape = shape
    }
  }
}

/// The shape of a JSON value, in the vocabulary of JSON Schema 2020-12.
public indirect enum Shape: Sendable {
  case string, integer, number, boolean, uuid, instant, any
  case text(ClosedRange<Int>)
  case choice([String])
  case array(Shape)
  /// Members in order; a name that ends with `?` may be absent or null.
  case object([(String, Shape)])

  var schema: JSONValue {
    switch self {
    case .string: ["type": "string"]
    case .integer: ["type": "integer", "format": "int64"]
    case .number: ["type": "number"]
    case .boolean: ["type": "boolean"]
    case .uuid: ["type": "string", "format": "uuid"]
    case .instant: ["type": "string", "format": "date-time"]
    case .any: .object([:])
    case .text(let length):
      ["type": "string", "minLength": .integer(Int64(length.lowerBound)), "maxLength": .integer(Int64(length.upperBound))]
    case .choice(let values): ["type": "string", "enum": .array(values.map { .string($0) })]
    case .array(let shape): ["type": "array", "items": shape.schema]
    case .object(let members):
      [
        "type": "object",
        "properties": .object(
          Dictionary(
            uniqueKeysWithValues: members.map { name, shape in
              name.hasSuffix("?") ? (String(name.dropLast()), shape.schema) : (name, shape.schema)
            })),
        "required": .array(members.filter { !$0.0.hasSuffix("?") }.map { .string($0.0) }),
      ]
    }
  }
}
