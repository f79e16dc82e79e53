import Database
import Foundation
import Kit

/// Who sits where, as `/family` shows it.
struct Household: Sendable {
  struct Member: Sendable {
    let person: PersonID
    let name: String?
    let role: Seat.Role
    let joined: Instant
    /// What a child in the owner's care signs in by.
    let signInName: String?
    /// Whether the plan has a seat for her: a smaller one leaves the last to come without.
    let hasSeat: Bool

    var isInCare: Bool { signInName != nil }
  }

  /// The family a person pays for.
  struct Own: Sendable {
    /// None while no plan with seats runs: nobody is granted anything, and nobody can come.
    let room: FamilyService.Room?
    /// The owner first.
    let members: [Member]
    /// Children in her care who don't sit with her.
    let unseated: [FamilyChild]
    /// Newest first.
    let invitations: [Invitation]

    var seats: Int { room?.plan.seats ?? 1 }
    var canAdd: Bool { room.map { members.count < min($0.plan.seats, $0.lasting) } ?? false }
  }

  /// The family somebody else pays for.
  struct Elsewhere: Sendable {
    let ownerName: String?
    let role: Seat.Role
    let joined: Instant
    /// `nil` when no plan with seats runs there.
    let plan: Plan?
    /// Not for a child in the owner's care.
    let mayLeave: Bool
  }

  let own: Own?
  let elsewhere: Elsewhere?
}

extension FamilyService {
  func household(of person: PersonID) async throws -> Household {
    Household(own: try await ownFamily(of: person), elsewhere: try await otherFamily(of: person))
  }

  private func ownFamily(of owner: PersonID) async throws -> Household.Own? {
    guard let account = try await accounts.account(ownedBy: owner, in: database) else { return nil }
    let room = try await room(at: account.id, in: database)
    let seats = try await accounts.seats(at: account.id, in: database)
    let children = try await people.children(of: owner)
    guard room != nil || seats.count > 1 || !children.isEmpty else { return nil }
    let names = try await people.names(Set(seats.map(\.person)))
    let signInNames = Dictionary(children.map { ($0.person, $0.signInName) }) { first, _ in first }
    let members = seats.enumerated().map { index, seat in
      Household.Member(
        person: seat.person, name: names[seat.person], role: seat.role, joined: seat.joined,
        signInName: signInNames[seat.person], hasSeat: index < (room?.plan.seats ?? 1))
    }
    let seated = Set(seats.map(\.person))
    return Household.Own(
      room: room, members: members, unseated: children.filter { !seated.contains($0.person) },
      invitations: try await invitations(of: account.id, at: clock.now(), in: database))
  }

  private func otherFamily(of person: PersonID) async throws -> Household.Elsewhere? {
    guard let seat = try await accounts.familySeat(of: person, in: database),
      let account = try await accounts.account(seat.account, in: database)
    else { return nil }
    let isInCare = try await people.children(of: account.owner).contains { $0.person == person }
    return Household.Elsewhere(
      ownerName: try await people.names([account.owner])[account.owner], role: seat.role, joined: seat.joined,
      plan: try await room(at: account.id, in: database)?.plan, mayLeave: seat.role != .child || !isInCare)
  }
}
