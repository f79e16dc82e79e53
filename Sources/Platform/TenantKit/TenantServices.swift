public import Database
public import Foundation
public import Kit

/// Everything the platform hands to a tenant's module. It has nothing else.
public struct TenantServices: Sendable {
  /// The tenant's own client: a role with rights on its own schema and nothing beyond.
  public let database: Database
  /// For reads that may be as old as the server's `max_lag`, two seconds unless the city says otherwise: figures that are kept
  /// for a time, lists nobody waits for. It may be a replica.
  ///
  /// Not for what a person sees of her own writes, not within a decision, and not in the answer of a route with `cache:` tags:
  /// read again from a replica that lags behind the touch, it would be kept as it was before.
  public let reading: any SQLExecutor
  public let outbox: any Outbox
  public let freshness: any Freshness
  public let entitlements: any Entitlements
  public let people: any PeopleDirectory
  public let points: any PointsBalances
  public let content: any ContentLibrary
  public let flags: any FeatureFlags
  public let clock: DomainClock

  /// - Parameter reading: the database itself when `nil`.
  public init(
    database: Database, reading: (any SQLExecutor)? = nil, outbox: any Outbox, freshness: any Freshness = NothingKept(),
    entitlements: any Entitlements,
    people: any PeopleDirectory, points: any PointsBalances, content: any ContentLibrary,
    flags: any FeatureFlags = EverythingOff(), clock: DomainClock
  ) {
    self.database = database
    self.reading = reading ?? database
    self.outbox = outbox
    self.freshness = freshness
    self.entitlements = entitlements
    self.people = people
    self.points = points
    self.content = content
    self.flags = flags
    self.clock = clock
  }
}

// MARK: Events and activities

/// Something that happened here and matters elsewhere. Written in the transaction of its effect, delivered at least once,
/// applied once by its id.
public struct DomainEvent: Sendable {
  public let id: UUID
  /// `answer.accepted`; the version stands beside it.
  public let type: String
  public let version: Int
  public let occurred: Instant
  /// Opaque ids and figures only: an event carries no personal data.
  public let payload: JSONValue

  public init(id: UUID, type: String, version: Int = 1, occurred: Instant, payload: JSONValue) {
    self.id = id
    self.type = type
    self.version = version
    self.occurred = occurred
    self.payload = payload
  }
}

/// What a person did, for her learning record: an xAPI statement without the parts the platform knows (actor, authority).
public struct Activity: Sendable {
  /// The statement's id. The same id is recorded once.
  public let id: UUID
  public let person: PersonID
  /// An IRI of the vocabulary in `records-acceptance.md`.
  public let verb: String
  public let objectType: String
  /// The object's path on the tenant's origin: `/questions/…`. With the origin it is the activity's IRI.
  public let objectPath: String
  public let objectName: LocalizedText
  public let success: Bool?
  /// From 0 to 1.
  public let score: Double?
  public let occurred: Instant
  public let extensions: [String: JSONValue]

  public init(
    id: UUID, person: PersonID, verb: String, objectType: String, objectPath: String, objectName: LocalizedText,
    success: Bool? = nil, score: Double? = nil, occurred: Instant, extensions: [String: JSONValue] = [:]
  ) {
    self.id = id
    self.person = person
    self.verb = verb
    self.objectType = objectType
    self.objectPath = objectPath
    self.objectName = objectName
    self.success = success
    self.score = score
    self.occurred = occurred
    self.extensions = extensions
  }
}

/// The schema's outbox.
public protocol Outbox: Sendable {
  func emit(_ event: DomainEvent, in transaction: Transaction) throws
  func record(_ activity: Activity, in transaction: Transaction) throws
}

/// Answers of a route with `cache:` are kept until one of their tags is touched.
public protocol Freshness: Sendable {
  /// Says, in the transaction of the change, what changes with it: this process never gives an old answer once the
  /// transaction has returned, the others drop theirs some milliseconds later.
  func touch(_ tags: Set<String>, in transaction: Transaction) throws
}

/// For a module that stands alone: nobody keeps its answers.
public struct NothingKept: Freshness {
  public init() {}
  public func touch(_ tags: Set<String>, in transaction: Transaction) throws {}
}

// MARK: Entitlements

/// How much of a feature a person has at a tenant.
public enum Allowance: Sendable, Equatable {
  /// No plan of hers grants it.
  case none
  case unlimited
  case limited(limit: Int, used: Int, renews: Instant)

  public var isOpen: Bool {
    switch self {
    case .none: false
    case .unlimited: true
    case .limited(let limit, let used, _): used < limit
    }
  }
}

public protocol Entitlements: Sendable {
  /// Answers from memory where it can; never counts.
  func check(_ person: PersonID, _ feature: String, at tenant: TenantID) async throws -> Allowance

  /// Takes one unit. Free when repeated with its key.
  /// - Throws: ``Kit/Problem`` `quota-exceeded` with limit, renewal and the plans that lift it.
  func consume(_ person: PersonID, _ feature: String, at tenant: TenantID, key: UUID) async throws -> Allowance

  /// Gives a unit back whose use never came.
  func release(_ person: PersonID, key: UUID) async throws
}

// MARK: People, points, content

public protocol PeopleDirectory: Sendable {
  /// Display names. A person who is gone has none.
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String]
}

public protocol PointsBalances: Sendable {
  /// Points earned and not yet spent.
  func balance(_ person: PersonID) async throws -> Money
}

/// Items of the shared library (R5).
public protocol ContentLibrary: Sendable {
  /// Items of some packages a person of this level may meet, not among `seen`, nearest to `difficulty` first.
  func items(
    packages: [String], topic: String?, near difficulty: Double, excluding seen: Set<String>, limit: Int
  ) async throws
    -> [ContentItem]
  func item(_ id: String) async throws -> ContentItem?
  /// Topics with how many items each has.
  func topics(packages: [String]) async throws -> [(subject: String, topic: String, count: Int)]
  /// The lessons of some packages in the order of their path.
  func lessons(packages: [String]) async throws -> [ContentLesson]
}

extension ContentLibrary {
  /// A library without paths.
  public func lessons(packages: [String]) async throws -> [ContentLesson] { [] }
}

/// One step of a path. The library has checked that its body is whole; the module that teaches it reads it.
public struct ContentLesson: Hashable, Sendable, Codable, Identifiable {
  public let id: String
  /// Its place on the path, from 1.
  public let order: Int
  public let unit: String
  public let title: LocalizedText
  /// Explanations and exercises, as `content/README.md` describes them.
  public let body: JSONValue

  public init(id: String, order: Int, unit: String, title: LocalizedText, body: JSONValue) {
    self.id = id
    self.order = order
    self.unit = unit
    self.title = title
    self.body = body
  }
}

public struct ContentItem: Sendable, Codable, Identifiable {
  public enum Kind: String, Sendable, Codable { case choice, number }
  public let id: String
  public let subject: String
  public let topic: String
  public let level: String
  /// Item response parameters b, a, c.
  public let difficulty: Double
  public let discrimination: Double
  public let guess: Double
  public let kind: Kind
  public let prompt: LocalizedText
  public let choices: [LocalizedText]
  /// The 0-based choice, or the exact number.
  public let answer: String
  public let explanation: LocalizedText

  public init(
    id: String, subject: String, topic: String, level: String, difficulty: Double, discrimination: Double, guess: Double,
    kind: Kind, prompt: LocalizedText, choices: [LocalizedText], answer: String, explanation: LocalizedText
  ) {
    self.id = id
    self.subject = subject
    self.topic = topic
    self.level = level
    self.difficulty = difficulty
    self.discrimination = discrimination
    self.guess = guess
    self.kind = kind
    self.prompt = prompt
    self.choices = choices
    self.answer = answer
    self.explanation = explanation
  }
}
