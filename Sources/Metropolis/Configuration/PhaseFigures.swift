import Kit

extension CityConfiguration {
  enum Environment: String, Sendable, CaseIterable { case development, staging, production }

  /// How large the city is: a phase names its figures, and no line of code (R8).
  enum Phase: String, Sendable, CaseIterable { case pilot, growth, scale, metro }
}

/// Every figure by which the city is sized: the tables R54 to R58 and R62 as data, each overridable in `city.figures`.
///
/// Rates of route classes stand in `limits:` (R54), a server's connections in `databases:`.
struct PhaseFigures: Sendable, Hashable {
  /// What the phase needs and costs (R62).
  var phase: Need
  var pool = Pool()
  var queues = Queues()
  var cache = Cache()
  var gateway = Gateway()
  var scaling = Scaling()

  /// R62. Metro's 1,000 connections are the primary's; its three replicas have their own.
  struct Need: Sendable, Hashable {
    var users: Int
    /// Connections of all nodes to the main server.
    var connections: Int
    var replicas: Int
    var cacheNodes: Int
    var servers: Int
    /// US dollars a month, all in all.
    var usd: Int
    /// US dollars a month of the town service at this many users; not planned for a million.
    var townsUSD: Int?
  }

  /// R56: of one node. Connections are shared by all roles of the node (a `ConnectionBudget`).
  struct Pool: Sendable, Hashable {
    /// To a primary, at most.
    var primary = 20
    /// To a primary, kept within: less is too few to serve with.
    static let primaryRange = 5...20
    /// To each replica, at most.
    var replica = 10
    static let replicaRange = 3...30
    var primaryStatement: Duration = .seconds(30)
    var replicaStatement: Duration = .seconds(15)
    var connect: Duration = .seconds(2)
    /// After this a connection without work is closed.
    var idle: Duration = .seconds(30)
    /// After this the server ends a transaction that says nothing.
    var idleInTransaction: Duration = .seconds(60)
  }

  /// R57.
  struct Queues: Sendable, Hashable {
    struct Queue: Sendable, Hashable {
      /// Jobs at a time on one node.
      var concurrency: Int
      var tries: Int
      /// Jobs a minute over all nodes; `nil`: as fast as they go.
      var perMinute: Int?
    }
    var notifications = Queue(concurrency: 10, tries: 3, perMinute: 1_000)
    var mail = Queue(concurrency: 5, tries: 5, perMinute: 100)
    var analytics = Queue(concurrency: 3, tries: 2, perMinute: nil)
    var images = Queue(concurrency: 2, tries: 3, perMinute: nil)
    /// The last jobs of a queue that are kept to look at.
    var keptDone = 100
    var keptFailed = 50
  }

  /// R55: how long an answer may be served from memory.
  struct Cache: Sendable, Hashable {
    /// Cache-aside.
    var question: Duration = .seconds(1_800)
    /// Cache-aside.
    var search: Duration = .seconds(600)
    /// Write-through.
    var profile: Duration = .seconds(3_600)
    /// Refreshed ahead.
    var trending: Duration = .seconds(900)
    /// No process keeps anything longer without asking.
    var process: Duration = .seconds(60)
  }

  /// R54, but for the rates.
  struct Gateway: Sendable, Hashable {
    var deadline: Duration = .seconds(30)
    var notificationsDeadline: Duration = .seconds(10)
    /// How long lists and searches may be answered from the response cache.
    var listCache: Duration = .seconds(300)
    var searchCache: Duration = .seconds(600)
    /// Sign-in is tried so often, each time so long.
    var authTries = 3
    var authTry: Duration = .seconds(10)
    /// Errors in a row that open a breaker, and for how long.
    var breakerErrors = 5
    var breakerOpen: Duration = .seconds(30)
    /// Of all backends at most, in percent.
    var ejected = 50
  }

  /// R58.
  struct Scaling: Sendable, Hashable {
    struct Rule: Sendable, Hashable {
      var least: Int
      var most: Int
      /// Percent of a node's CPU and memory, and requests a minute per node: past any of them another node is added.
      var cpu: Int?
      var memory: Int?
      var requestsPerMinute: Int?
      /// Jobs that wait: past it another node is added.
      var depth: Int?
      var upAfter: Duration?
      var downAfter: Duration?
    }
    var questions: Rule
    var notifications: Rule
    var identity: Rule

    /// - Parameter range: the environment's nodes, within which the rules stay: a development city has no fifty.
    init(within range: ClosedRange<Int> = 3...50) {
      func least(_ nodes: Int) -> Int { min(nodes, range.lowerBound) }
      func most(_ nodes: Int) -> Int { min(nodes, range.upperBound) }
      questions = Rule(
        least: least(3), most: most(50), cpu: 70, memory: 80, requestsPerMinute: 1_000, upAfter: .seconds(300),
        downAfter: .seconds(600))
      notifications = Rule(least: least(2), most: most(30), depth: 100, upAfter: .seconds(120))
      identity = Rule(least: least(3), most: most(20))
    }
  }

  /// Nodes that may serve at a time: the phase's servers, as far as the environment goes.
  var nodes: Int { min(phase.servers, scaling.questions.most) }

  init(_ phase: CityConfiguration.Phase, in environment: CityConfiguration.Environment) {
    self.phase = PhaseFigures.need(phase)
    pool.primary = PhaseFigures.connections(environment)
    scaling = Scaling(within: PhaseFigures.nodes(environment))
  }

  /// R62.
  static func need(_ phase: CityConfiguration.Phase) -> Need {
    switch phase {
    case .pilot:
      Need(users: 1_000, connections: 20, replicas: 0, cacheNodes: 1, servers: 1, usd: 65, townsUSD: 200)
    case .growth:
      Need(users: 10_000, connections: 100, replicas: 0, cacheNodes: 2, servers: 3, usd: 162, townsUSD: 800)
    case .scale:
      Need(users: 100_000, connections: 500, replicas: 0, cacheNodes: 5, servers: 10, usd: 973, townsUSD: 3_000)
    case .metro:
      Need(users: 1_000_000, connections: 1_000, replicas: 3, cacheNodes: 10, servers: 50, usd: 6_730, townsUSD: nil)
    }
  }

  /// Connections of one node to a primary, by R56.
  static func connections(_ environment: CityConfiguration.Environment) -> Int {
    switch environment {
    case .development: 5
    case .staging: 10
    case .production: 20
    }
  }

  /// Nodes an environment may have, by R58.
  static func nodes(_ environment: CityConfiguration.Environment) -> ClosedRange<Int> {
    switch environment {
    case .development: 1...3
    case .staging: 2...10
    case .production: 3...50
    }
  }
}
