import Database
import Foundation
import Kit

/// Coming to a family and leaving it. The record and the account of a person stay hers.
extension FamilyService {
  /// What an invitation means to the one who has its link.
  enum Verdict: Sendable {
    case welcome(Plan)
    /// She has taken it, and sits there.
    case seated
    case refused(FamilyRefusal)
  }

  func verdict(
    on invitation: Invitation, of account: BillingAccount, for person: PersonID, at now: Instant, in executor: any SQLExecutor
  ) async throws -> Verdict {
    if account.owner == person { return .refused(.ownLink) }
    let seat = try await accounts.familySeat(of: person, in: executor)
    switch invitation.state(at: now) {
    case .taken:
      return invitation.takenBy == person && seat?.account == account.id ? .seated : .refused(.taken)
    case .withdrawn: return .refused(.withdrawn)
    case .expired: return .refused(.expired)
    case .open: break
    }
    guard let room = try await room(at: account.id, in: executor) else { return .refused(.familyEnded) }
    guard seat == nil else { return .refused(.alreadyInFamily) }
    let taken = try await accounts.seats(at: account.id, in: executor).count
    guard taken < min(room.plan.seats, room.lasting) else { return .refused(.noSeatLeft) }
    return .welcome(room.plan)
  }

  /// Takes an invitation, once; again by the one who has taken it, nothing changes.
  /// - Throws: ``FamilyRefusal``.
  func join(_ secret: String, by person: PersonID) async throws {
    guard let found = try await invitation(secret: secret, in: database) else { throw FamilyRefusal.unknownLink }
    try await locked(found.account) { account, now, transaction in
      guard let invitation = try await invitation(secret: secret, in: transaction) else { throw FamilyRefusal.unknownLink }
      switch try await verdict(on: invitation, of: account, for: person, at: now, in: transaction) {
      case .refused(let refusal): throw refusal
      case .seated: return
      case .welcome: break
      }
      try await transaction.execute(
        "UPDATE \(schema).invitation SET taken_by = \(person), taken_at = \(now) WHERE id = \(invitation.id)")
      try await accounts.seat(person, at: account.id, as: .member, now: now, in: transaction)
      try await tell(person, at: account.id, in: transaction)
      try await append("family.join", by: person, of: invitation.id.text, account.id, at: now, in: transaction)
    }
  }

  /// Gives up the seat at somebody else's account; who has none stays without.
  /// - Throws: ``FamilyRefusal/childStays``.
  func leave(_ person: PersonID) async throws {
    guard let seat = try await accounts.familySeat(of: person, in: database) else { return }
    if seat.role == .child, let account = try await accounts.account(seat.account, in: database),
      try await people.children(of: account.owner).contains(where: { $0.person == person })
    {
      throw FamilyRefusal.childStays
    }
    try await locked(seat.account) { account, now, transaction in
      guard try await accounts.unseat(person, from: account.id, now: now, in: transaction) else { return }
      try await tell(person, at: account.id, in: transaction)
      try await append("family.leave", by: person, of: person.description, account.id, at: now, in: transaction)
    }
  }

  /// Takes a person's seat away; hers who was removed before stays so. A child stays in the owner's care.
  /// - Throws: ``Kit/Problem`` `not-found` for who never sat there, and for the owner herself.
  func remove(_ person: PersonID, by owner: PersonID) async throws {
    guard let account = try await accounts.account(ownedBy: owner, in: database) else { throw Problem(.notFound) }
    try await locked(account.id) { account, now, transaction in
      guard try await accounts.unseat(person, from: account.id, now: now, in: transaction) else {
        let earlier = try await transaction.one(
          """
          SELECT 1 AS found FROM \(schema).billing_member
          WHERE account = \(account.id) AND person = \(person) AND left_at IS NOT NULL LIMIT 1
          """)
        guard earlier != nil else { throw Problem(.notFound) }
        return
      }
      try await tell(person, at: account.id, in: transaction)
      try await append("family.remove", by: owner, of: person.description, account.id, at: now, in: transaction)
    }
  }
}
