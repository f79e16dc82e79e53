public import Kit

/// Where a person is sent, and all that led there: enough to answer “why am I here”.
public struct RoutingDecision: Hashable, Sendable {
  public let tenant: TenantID
  /// The rule that held.
  public let rule: RoutingRules.Rule
  /// What she came for; it is inferred where she did not say.
  public let goal: Goal
  public let isGoalInferred: Bool
  /// How, of several tenants that the rule names, this one was taken.
  public let seat: Seat
  /// The rules before it, and what kept them from holding.
  public let passed: [Passed]
  /// The town that the point belongs to, wherever she is sent; `nil` without a point, or with no town within reach.
  public let town: FoundTown?

  public enum Seat: Hashable, Sendable {
    /// It is the first that the rule names.
    case first
    /// She is a member here already: who is at home somewhere stays.
    case member
    /// Those before it are full.
    case overflow(full: [TenantID])
    /// All are full; the first takes her nevertheless.
    case allFull
  }

  /// A rule that did not hold.
  public struct Passed: Hashable, Sendable {
    public let rule: RoutingRules.Rule
    public let obstacles: [Obstacle]
  }

  public enum Obstacle: Hashable, Sendable {
    case fails(RoutingCondition)
    /// She did not tell what the condition asks.
    case unknown(RoutingCondition)
    case closed(TenantID)
    /// No point was given.
    case noPlace
    case noTown
    case tooFar(TenantID, kilometres: Double, most: Double)
  }
}
