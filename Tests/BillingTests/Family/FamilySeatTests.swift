import Foundation
import Kit
import Testing

@testable import Billing

/// Who sits where, and what a seat grants.
@Suite struct FamilySeatTests {
  @Test func whoJoinsHasWhatTheOwnerPaysForUntilSheLeaves() async throws {
    try await withFamily { house in
      let guest = PersonID.anyone
      #expect(try await !house.isUnlimited(guest))
      let link = try await house.invite()
      try await house.family.join(link, by: guest)
      #expect(try await house.isUnlimited(guest))
      #expect(try await house.seated() == [house.owner, guest])
      // A double click changes nothing.
      try await house.family.join(link, by: guest)
      #expect(try await house.seated().count == 2)

      try await house.family.leave(guest)
      #expect(try await !house.isUnlimited(guest))
      #expect(try await house.seated() == [house.owner])
      try await house.family.leave(guest)
      // A link is taken once, by the same person too.
      #expect(try await house.refusal { try await house.family.join(link, by: guest) } == .taken)
      try await house.joined(guest)
      #expect(try await house.isUnlimited(guest))

      try await house.family.remove(guest, by: house.owner)
      #expect(try await !house.isUnlimited(guest))
      try await house.family.remove(guest, by: house.owner)
      #expect(
        try await house.audited() == [
          "family.invite", "family.join", "family.leave", "family.invite", "family.join", "family.remove",
        ])
    }
  }

  @Test func onlyTheOwnerRemovesAndNeverHerself() async throws {
    try await withFamily { house in
      let guest = try await house.joined()
      await #expect(throws: Problem(.notFound)) { try await house.family.remove(house.owner, by: house.owner) }
      await #expect(throws: Problem(.notFound)) { try await house.family.remove(.anyone, by: house.owner) }
      await #expect(throws: Problem(.notFound)) { try await house.family.remove(house.owner, by: guest) }
      #expect(try await house.seated() == [house.owner, guest])
      try await house.family.leave(house.owner)
      #expect(try await house.seated() == [house.owner, guest])
    }
  }

  @Test func oneOfManyTakersAtOnceGetsTheSeat() async throws {
    try await withFamily { house in
      let link = try await house.invite()
      let refusals = try await withThrowingTaskGroup(of: FamilyRefusal?.self) { group in
        for _ in 0..<8 {
          let family = try await house.node()
          group.addTask { try await house.refusal { try await family.join(link, by: .anyone) } }
        }
        return try await group.reduce(into: [FamilyRefusal?]()) { $0.append($1) }
      }
      #expect(refusals.count { $0 == nil } == 1)
      #expect(refusals.count { $0 == .taken } == 7)
      #expect(try await house.seated().count == 2)
    }
  }

  @Test func theLastSeatIsTakenOnce() async throws {
    try await withFamily { house in
      try await house.joined()
      var links: [String] = []
      for _ in 0..<4 { links.append(try await house.invite()) }
      let refusals = try await withThrowingTaskGroup(of: FamilyRefusal?.self) { group in
        for link in links {
          let family = try await house.node()
          group.addTask { try await house.refusal { try await family.join(link, by: .anyone) } }
        }
        return try await group.reduce(into: [FamilyRefusal?]()) { $0.append($1) }
      }
      #expect(refusals.count { $0 == nil } == 1)
      #expect(refusals.count { $0 == .noSeatLeft } == 3)
      #expect(try await house.seated().count == 3)
      // The others' links are not lost: when a seat is free, they hold.
      try await house.family.remove(try await house.seated()[2], by: house.owner)
      let states = try await house.family.household(of: house.owner).own?.invitations.map {
        $0.state(at: house.shop.bench.clock.domain.now())
      }
      #expect(states?.count { $0 == .open } == 3)
    }
  }

  @Test func onePersonSitsWithOneFamily() async throws {
    try await withFamily { house in
      let other = PersonID.anyone
      try await house.shop.subscribe(Shop.order("family"), by: other)
      let links = [try await house.invite(), try await house.invite(by: other)]
      let guest = PersonID.anyone
      let refusals = try await withThrowingTaskGroup(of: FamilyRefusal?.self) { group in
        for link in links {
          let family = try await house.node()
          group.addTask { try await house.refusal { try await family.join(link, by: guest) } }
        }
        return try await group.reduce(into: [FamilyRefusal?]()) { $0.append($1) }
      }
      #expect(Set(refusals) == [nil, .alreadyInFamily])
      #expect(try await house.seated().count + house.seated(other).count == 3)
    }
  }

  @Test func aFamilyOfSeven() async throws {
    try await withFamily(seats: 7) { house in
      let extra = try await house.invite()
      for _ in 1...4 { try await house.joined() }
      let child = try await house.family.addChild(house.draft(), by: house.owner)
      let last = try await house.joined()
      #expect(try await house.seated().count == 7)
      for person in [child, last] { #expect(try await house.isUnlimited(person)) }
      #expect(try await house.refusal { _ = try await house.invite() } == .full)
      #expect(try await house.refusal { try await house.family.join(extra, by: .anyone) } == .noSeatLeft)
      #expect(
        try await house.refusal { _ = try await house.family.addChild(house.draft("byeol", "별"), by: house.owner) } == .full)
      #expect(house.people.count(of: house.owner) == 1)
      try await house.family.leave(last)
      try await house.family.join(extra, by: .anyone)
      #expect(try await house.seated().count == 7)
    }
  }

  @Test func aSmallerPlanWaitsUntilTheSeatsAreFree() async throws {
    try await withFamily { house in
      let guest = try await house.joined()
      let open = try await house.invite()
      await #expect(throws: SubscriptionRefusal.tooManySeats) { _ = try await house.shop.change(to: "premium") }
      try await house.family.remove(guest, by: house.owner)
      guard case .scheduled = try await house.shop.change(to: "premium") else {
        Issue.record("less comes with the next period")
        return
      }
      // Nobody is seated who would lose the seat again.
      #expect(try await house.refusal { _ = try await house.invite() } == .plannedChange)
      #expect(try await house.refusal { try await house.family.join(open, by: guest) } == .noSeatLeft)
      _ = try await house.shop.subscriptions.undo(by: house.owner, revision: nil)
      try await house.family.join(open, by: guest)
      #expect(try await house.isUnlimited(guest))
    }
  }

  @Test func whenThePlanEndsTheSeatsGrantNothingAndStay() async throws {
    try await withFamily { house in
      let guest = try await house.joined()
      let open = try await house.invite()
      _ = try await house.shop.subscriptions.cancel(by: house.owner, revision: nil)
      #expect(try await house.isUnlimited(guest))
      house.shop.bench.clock.set("2026-12-21T01:00:00Z")
      try await house.shop.billing.tick()
      #expect(try await !house.isUnlimited(guest))
      #expect(try await house.refusal { _ = try await house.invite() } == .noFamilyPlan)
      #expect(try await house.refusal { try await house.family.join(open, by: .anyone) } != nil)
      let household = try await house.family.household(of: house.owner)
      #expect(household.own?.room == nil && household.own?.members.count == 2)
      #expect(try await house.family.household(of: guest).elsewhere?.plan == nil)
      try await house.shop.subscribe(Shop.order("family"))
      #expect(try await house.isUnlimited(guest))
    }
  }

  @Test func anOwnSubscriptionGoesOnBesideTheSeat() async throws {
    try await withFamily { house in
      let guest = PersonID.anyone
      try await house.shop.subscribe(Shop.order("premium"), by: guest)
      try await house.joined(guest)
      #expect(try await house.shop.current(guest)?.status == .active)
      try await house.family.leave(guest)
      #expect(try await house.isUnlimited(guest))
    }
  }
}
