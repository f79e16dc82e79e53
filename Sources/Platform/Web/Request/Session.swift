public import Foundation
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
}

/// What a request's class may ask for in a time. Figures come from the configuration.
public protocol RateLimiter: Sendable {
  /// - Throws: ``Kit/Problem`` `too-many-requests` with `Retry-After`.
  func admit(_ rule: String, visit: Visit) async throws
}
