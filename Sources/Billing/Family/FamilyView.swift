import Foundation
import Kit
import Web

/// What programs get of a person's families.
struct FamilyView: Encodable, Sendable {
  struct Member: Encodable, Sendable {
    let person: String
    let name: String?
    /// `owner`, `member`, `child`.
    let role: String
    let joined: String
    let signInName: String?
    let hasSeat: Bool
  }
  struct Child: Encodable, Sendable {
    let person: String
    let name: String
    let signInName: String
  }
  struct Own: Encodable, Sendable {
    let plan: String?
    let seats: Int
    let taken: Int
    /// Whether another can be seated.
    let canAdd: Bool
    let members: [Member]
    let childrenWithoutSeat: [Child]
    let invitations: [InvitationView]
  }
  struct Elsewhere: Encodable, Sendable {
    let owner: String?
    let role: String
    let joined: String
    let plan: String?
    let mayLeave: Bool
  }

  let own: Own?
  let elsewhere: Elsewhere?

  init(_ household: Household, at now: Instant) {
    own = household.own.map { own in
      Own(
        plan: own.room?.plan.id.text, seats: own.seats, taken: own.members.count, canAdd: own.canAdd,
        members: own.members.map {
          Member(
            person: $0.person.description, name: $0.name, role: $0.role.rawValue, joined: $0.joined.rfc3339,
            signInName: $0.signInName, hasSeat: $0.hasSeat)
        },
        childrenWithoutSeat: own.unseated.map {
          Child(person: $0.person.description, name: $0.displayName, signInName: $0.signInName)
        }, invitations: own.invitations.map { InvitationView($0, at: now) })
    }
    elsewhere = household.elsewhere.map {
      Elsewhere(
        owner: $0.ownerName, role: $0.role.rawValue, joined: $0.joined.rfc3339, plan: $0.plan?.id.text, mayLeave: $0.mayLeave)
    }
  }

  private static let role = Shape.choice(Seat.Role.allCases.map(\.rawValue))
  static let shape = Shape.object([
    (
      "own?",
      .object([
        ("plan?", .string), ("seats", .integer), ("taken", .integer), ("canAdd", .boolean),
        (
          "members",
          .array(
            .object([
              ("person", .uuid), ("name?", .string), ("role", role), ("joined", .instant), ("signInName?", .string),
              ("hasSeat", .boolean),
            ]))
        ),
        ("childrenWithoutSeat", .array(.object([("person", .uuid), ("name", .string), ("signInName", .string)]))),
        ("invitations", .array(InvitationView.shape)),
      ])
    ),
    (
      "elsewhere?",
      .object([
        ("owner?", .string), ("role", role), ("joined", .instant), ("plan?", .string), ("mayLeave", .boolean),
      ])
    ),
  ])
}

/// What programs get of an invitation.
struct InvitationView: Encodable, Sendable {
  let id: String
  let label: String
  let state: String
  let created: String
  let expires: String
  /// Told once, when it is made.
  let link: String?

  init(_ invitation: Invitation, at now: Instant, link: String? = nil) {
    id = invitation.id.text
    label = invitation.label
    state = invitation.state(at: now).rawValue
    created = invitation.created.rfc3339
    expires = invitation.expires.rfc3339
    self.link = link
  }

  static let shape = Shape.object([
    ("id", .uuid), ("label", .string), ("state", .choice(Invitation.State.allCases.map(\.rawValue))), ("created", .instant),
    ("expires", .instant), ("link?", .string),
  ])
}
