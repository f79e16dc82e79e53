import Database
import Foundation
import Kit

/// Children: accounts in the owner's care, with a seat or without.
extension FamilyService {
  /// A child's account to be.
  struct ChildDraft: Sendable {
    let name: String
    let signInName: String
    let password: String
  }

  /// For so long the same form sent again is a double click.
  private static let again: Duration = .minutes(10)

  /// Makes a child's account and gives it a seat.
  ///
  /// The account is another service's, so it is made first and seated then. Sent twice, or again after a failure between the
  /// two, it is one child. If another has taken the last seat meanwhile, the child is there without a seat.
  /// - Throws: ``FamilyRefusal``; ``Kit/Problem`` `invalid-input` with the fields `displayName`, `signInName`, `password`.
  func addChild(_ draft: ChildDraft, by owner: PersonID) async throws -> PersonID {
    do {
      try await own(of: owner) { account, _, transaction in try await checkRoom(at: account.id, in: transaction) }
      let child = try await people.createChild(
        of: owner, displayName: draft.name, signInName: draft.signInName, password: draft.password)
      do { try await seat(child, by: owner) } catch FamilyRefusal.full { throw FamilyRefusal.childWithoutSeat }
      return child
    } catch {
      guard FamilyService.mayBeRepeated(error), let child = try await child(like: draft, of: owner) else { throw error }
      if try await accounts.familySeat(of: child, in: database) == nil {
        try await own(of: owner) { account, _, transaction in
          // The first click may seat her just now.
          guard try await accounts.familySeat(of: child, in: transaction) == nil else { return }
          try await checkRoom(at: account.id, in: transaction)
        }
        try await people.setPassword(draft.password, of: child, by: owner)
        try await seat(child, by: owner)
      }
      return child
    }
  }

  /// Whether the same form may have been here before: its name is taken, or its child sits on the last seat.
  private static func mayBeRepeated(_ error: any Error) -> Bool {
    switch error {
    case let refusal as FamilyRefusal: refusal == .full
    case let problem as Problem: problem.fields.contains { $0.name == "signInName" && $0.code == "taken" }
    default: false
    }
  }

  /// The child of that name whom the form has made: without a seat yet, or with one since a moment.
  private func child(like draft: ChildDraft, of owner: PersonID) async throws -> PersonID? {
    let name = draft.signInName.trimmingCharacters(in: .whitespaces).lowercased()
    let found = try await people.children(of: owner).first { $0.signInName == name && $0.displayName == draft.name }
    guard let found else { return nil }
    guard let seat = try await accounts.familySeat(of: found.person, in: database) else { return found.person }
    return clock.now() - seat.joined < FamilyService.again ? found.person : nil
  }

  /// Gives a child a seat, for the first time or again; one that has it keeps it.
  /// - Throws: ``FamilyRefusal``; ``Kit/Problem`` `not-found` for who is not in the owner's care.
  func giveSeat(to child: PersonID, by owner: PersonID) async throws {
    _ = try await inCare(child, of: owner)
    try await seat(child, by: owner)
  }

  /// The child, if she is in a person's care.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func inCare(_ child: PersonID, of guardian: PersonID) async throws -> FamilyChild {
    let found = try await people.children(of: guardian).first { $0.person == child }
    guard let found else { throw Problem(.notFound) }
    return found
  }

  private func seat(_ child: PersonID, by owner: PersonID) async throws {
    try await own(of: owner) { account, now, transaction in
      if let seat = try await accounts.familySeat(of: child, in: transaction) {
        guard seat.account == account.id else { throw FamilyRefusal.childElsewhere }
        return
      }
      try await checkRoom(at: account.id, in: transaction)
      try await accounts.seat(child, at: account.id, as: .child, now: now, in: transaction)
      try await tell(child, at: account.id, in: transaction)
      try await append("family.child", by: owner, of: child.description, account.id, at: now, in: transaction)
    }
  }
}
