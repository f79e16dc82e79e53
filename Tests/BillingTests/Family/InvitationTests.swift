import Database
import Foundation
import Keys
import Kit
import Testing

@testable import Billing

/// Links: who can take them, and until when.
@Suite struct InvitationTests {
  @Test func eachLinkThatCantBeTakenHasItsReasonAndChangesNothing() async throws {
    try await withFamily { house in
      let (clock, guest) = (house.shop.bench.clock, PersonID.anyone)
      func refusal(_ link: String, _ person: PersonID = guest) async throws -> FamilyRefusal? {
        try await house.refusal { try await house.family.join(link, by: person) }
      }
      let link = try await house.invite()
      #expect(try await refusal("") == .unknownLink)
      #expect(try await refusal(Secret.random(bytes: 32)) == .unknownLink)
      #expect(try await refusal(link, house.owner) == .ownLink)
      let withdrawn = try await house.family.invite("형", by: house.owner, key: nil)
      try await house.family.withdraw(withdrawn.invitation.id, by: house.owner)
      try await house.family.withdraw(withdrawn.invitation.id, by: house.owner)
      #expect(try await refusal(withdrawn.secret!) == .withdrawn)
      // Seven days to the microsecond.
      clock.set("2026-11-28T00:00:00Z")
      #expect(try await refusal(link) == .expired)
      clock.set("2026-11-27T23:59:59.999999Z")
      #expect(try await house.seated().count == 1)
      #expect(try await refusal(link) == nil)
      #expect(try await refusal(link, .anyone) == .taken)
      #expect(try await refusal(try await house.invite()) == .alreadyInFamily)

      let ending = PersonID.anyone
      try await house.shop.subscribe(Shop.order("family"), by: ending)
      let late = try await house.invite(by: ending)
      let subscription = try #require(try await house.shop.current(ending))
      try await house.shop.database.transaction { transaction in
        try await house.shop.subscriptions.end(subscription.id, .canceled, at: clock.domain.now(), in: transaction)
      }
      #expect(try await refusal(late, .anyone) == .familyEnded)
      #expect(try await house.seated(ending) == [ending])
    }
  }

  @Test func onlyAFamilyPlansOwnerInvites() async throws {
    try await withShop { shop in
      let house = FamilyHouse(shop: shop)
      #expect(try await house.refusal { _ = try await house.invite() } == .noFamilyPlan)
      try await shop.start(Shop.order("family"))
      #expect(try await house.refusal { _ = try await house.invite() } == .noFamilyPlan, "not paid yet")
      try await shop.subscribe(Shop.order("premium"))
      #expect(try await house.refusal { _ = try await house.invite() } == .noFamilyPlan)
      #expect(try await shop.bench.count("invitation") == 0)
    }
  }

  @Test func aDoubleClickIsOneInvitationAndTheLinkToldLastHolds() async throws {
    try await withFamily { house in
      let invited = try await withThrowingTaskGroup(of: FamilyService.Invited.self) { group in
        for _ in 0..<4 {
          let family = try await house.node()
          group.addTask { try await family.invite("언니", by: house.owner, key: "k") }
        }
        return try await group.reduce(into: [FamilyService.Invited]()) { $0.append($1) }
      }
      #expect(Set(invited.map(\.invitation.id)).count == 1)
      #expect(try await house.shop.bench.count("invitation") == 1)
      await #expect(throws: Problem(.keyReused)) { _ = try await house.family.invite("오빠", by: house.owner, key: "k") }
      let last = try await house.family.invite("언니", by: house.owner, key: "k")
      // Later it is no double click: a link that was sent to somebody is not broken by it.
      house.shop.bench.clock.set("2026-11-21T00:01:00Z")
      #expect(try await house.family.invite("언니", by: house.owner, key: "k").secret == nil)
      try await house.family.join(last.secret!, by: .anyone)
      #expect(try await house.seated().count == 2)
      #expect(try await house.audited() == ["family.invite", "family.join"])
      // Another's key is another's.
      let other = PersonID.anyone
      try await house.shop.subscribe(Shop.order("family"), by: other)
      #expect(try await house.family.invite("언니", by: other, key: "k").secret != nil)
    }
  }

  @Test func theSecretIsNowhere() async throws {
    try await withFamily { house in
      let link = try await house.invite()
      #expect(link.count == 43)
      let row = try await house.shop.database.one(
        "SELECT token_digest, row_to_json(i)::text AS row FROM \(Bench.schema).invitation AS i")
      #expect(try row!.get("token_digest", as: [UInt8].self) == Secret.digest(link))
      #expect(try !row!.get("row", as: String.self).contains(link))
    }
  }

  @Test func anInvitationIsWithdrawnByItsOwnerBeforeItIsTaken() async throws {
    try await withFamily { house in
      let invited = try await house.family.invite("언니", by: house.owner, key: nil)
      let other = PersonID.anyone
      try await house.shop.subscribe(Shop.order("family"), by: other)
      await #expect(throws: Problem(.notFound)) { try await house.family.withdraw(invited.invitation.id, by: other) }
      try await house.family.join(invited.secret!, by: .anyone)
      await #expect(throws: FamilyRefusal.taken) { try await house.family.withdraw(invited.invitation.id, by: house.owner) }
    }
  }

  @Test func notMoreWaitThanCanBeOverseen() async throws {
    try await withFamily { house in
      for _ in 0..<Invitation.mostOpen { _ = try await house.invite() }
      #expect(try await house.refusal { _ = try await house.invite() } == .tooManyInvitations)
      house.shop.bench.clock.set("2026-11-29T00:00:00Z")
      _ = try await house.invite()
    }
  }
}
