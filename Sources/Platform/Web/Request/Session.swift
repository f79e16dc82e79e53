public import Foundation
public import HTTPTypes
public import Hummingbird
public import Kit

/// Who is asking, once proven.
public struct Session: Hashable, Sendable {
  /// How it was proven: by a browser's cookie, or by an access token in `Authorization` (RFC 6750).
  public enum Proof: Sendable { case cookie, bearer }

  public let id: UUID
  public let person: PersonID
  public let displayName: String
  public let proof: Proof
  /// What she may do on this site: the roles of her membership of the tenant, or of the city. On the console, her posts
  /// anywhere: `operator@jeju`, `finance@city`.
  public let roles: Set<String>

  public init(id: UUID, person: PersonID, displayName: String, proof: Proof, roles: Set<String>) {
    self.id = id
    self.person = person
    self.displayName = displayName
    self.proof = proof
    self.roles = roles
  }

  /// Whether she has a post, on the console: `holds("operator", at: "jeju")`, `holds("finance", at: "city")`.
  public func holds(_ role: String, at place: String) -> Bool { roles.contains("\(role)@\(place)") }
}

/// Reads the session of a request. The issuer has its own; every other site is a relying party.
public protocol SessionReader: Sendable {
  /// - Returns: `nil` for a visitor, and for a cookie or token that is expired, revoked or forged.
  func session(of request: Request, on site: Site) async throws -> Session?

  /// The same, if it can be told from memory: an answer that is kept waits for nothing.
  ///
  /// - Returns: `nil` when it can't be told at once; the inner `nil` for a visitor.
  func remembered(_ head: HTTPRequest, on site: Site) -> Session??
}

extension SessionReader {
  public func remembered(_ head: HTTPRequest, on site: Site) -> Session?? { nil }
}

/// What a request's class may ask for in a time. Figures come from the configuration.
public protocol RateLimiter: Sendable {
  /// - Throws: ``Kit/Problem`` `too-many-requests` with `Retry-After`.
  func admit(_ rule: String, visit: Visit) async throws

  /// Admits a request if that can be decided from memory.
  ///
  /// - Returns: `false` when it is refused or can't be told at once; nothing has been counted then, and ``admit(_:visit:)``
  ///   says which.
  func admitsAtOnce(_ rule: String, _ asking: Asking) -> Bool
}

extension RateLimiter {
  public func admitsAtOnce(_ rule: String, _ asking: Asking) -> Bool { false }
}

/// Who asks, where and when, as far as limits care.
public struct Asking: Sendable {
  public let person: PersonID?
  public let network: String
  /// The site's id.
  public let site: String
  public let now: Instant

  public init(person: PersonID?, network: String, site: String, now: Instant) {
    self.person = person
    self.network = network
    self.site = site
    self.now = now
  }
}
