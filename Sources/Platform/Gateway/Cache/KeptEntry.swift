import HTTPTypes
import Kit
import NIOCore
import Web

/// Under what an answer is kept.
struct CacheKey: Hashable, Sendable {
  enum Owner: Hashable, Sendable {
    case everyone
    /// Those without a session.
    case visitors
    case person(PersonID)

    init(_ session: Session?) { self = session.map { .person($0.person) } ?? .visitors }
  }

  /// The directory it was made under: with a new configuration, everything is made anew.
  let generation: UInt64
  let site: String
  /// Path and query, normalised.
  let path: String
  let language: Language
  let owner: Owner
}

/// An answer that is kept, and all that is asked of a request before it gets it.
final class KeptEntry: Sendable {
  let key: CacheKey
  let answer: KeptAnswer
  /// The route's pattern.
  let route: String
  let access: EndpointRules.Access
  let limit: String?
  /// Whom it was made for. Her name and roles may stand in it.
  let session: Session?
  /// The schema its tags are of.
  let scope: String
  let tags: [String]
  let made: ContinuousClock.Instant
  let lifetime: Duration
  /// What it takes in memory, about.
  let bytes: Int

  init(
    key: CacheKey, answer: KeptAnswer, route: String, rules: EndpointRules, session: Session?, scope: String, tags: [String],
    made: ContinuousClock.Instant, lifetime: Duration
  ) {
    self.key = key
    self.answer = answer
    self.route = route
    access = rules.access
    limit = rules.limit
    self.session = session
    self.scope = scope
    self.tags = tags
    self.made = made
    self.lifetime = lifetime
    let fields = answer.headers.reduce(0) { $0 + $1.name.rawName.utf8.count + $1.value.utf8.count + 64 }
    bytes = 512 + answer.body.readableBytes + key.path.utf8.count + fields + tags.reduce(0) { $0 + $1.utf8.count + 96 }
  }

  /// Whether it says what she would be told now. Two sessions of one person are told the same.
  func isFor(_ other: Session?) -> Bool {
    if case .everyone = key.owner { return true }
    guard let session else { return other == nil }
    guard let other else { return false }
    return session.person == other.person && session.proof == other.proof && session.displayName == other.displayName
      && session.roles == other.roles
  }
}
