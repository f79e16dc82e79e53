import Kit
import Web

/// Why somebody can't be seated, invited or let go. Each has a text under `billing.family.refusal`.
enum FamilyRefusal: String, Error, Hashable, Sendable, CaseIterable, ProblemConvertible {
  /// She pays for no plan with seats.
  case noFamilyPlan
  case full
  /// The plan that is to come has fewer seats.
  case plannedChange
  case tooManyInvitations
  /// No invitation has this link.
  case unknownLink
  case ownLink
  /// Another has taken it; or she has, and left.
  case taken
  case withdrawn
  case expired
  case alreadyInFamily
  /// Who invited has no plan with seats any more.
  case familyEnded
  /// Who invited has no seat left.
  case noSeatLeft
  /// She is in the owner's care, and goes when the owner lets her.
  case childStays
  /// A child who sits with others.
  case childElsewhere
  /// The child's account is made, and another has taken the last seat meanwhile.
  case childWithoutSeat

  var problem: Problem { Problem(.conflict, ["reason": rawValue], members: ["code": .string(rawValue)]) }

  /// The same in the reader's language.
  func problem(_ visit: Visit) -> Problem {
    Problem(.conflict, ["reason": text(visit)], members: ["code": .string(rawValue)])
  }

  func text(_ visit: Visit) -> String { visit.text("billing.family.refusal.\(rawValue)") }
}
