import Foundation
import Kit
import Testing

@testable import Billing

/// Children in the owner's care.
@Suite struct FamilyChildTests {
  @Test func aChildGetsASeatAndCanLoseItAndGetItAgain() async throws {
    try await withFamily { house in
      let child = try await house.family.addChild(house.draft(), by: house.owner)
      #expect(try await house.isUnlimited(child))
      #expect(try await house.family.household(of: house.owner).own?.members.last?.signInName == "haneul")
      #expect(try await house.refusal { try await house.family.leave(child) } == .childStays)

      try await house.family.remove(child, by: house.owner)
      #expect(try await !house.isUnlimited(child))
      #expect(try await house.family.household(of: house.owner).own?.unseated.map(\.person) == [child])
      try await house.family.giveSeat(to: child, by: house.owner)
      try await house.family.giveSeat(to: child, by: house.owner)
      #expect(try await house.isUnlimited(child))
      #expect(try await house.seated() == [house.owner, child])
      await #expect(throws: Problem(.notFound)) { try await house.family.giveSeat(to: .anyone, by: house.owner) }
      #expect(try await house.audited() == ["family.child", "family.remove", "family.child"])

      // Of age, she goes when she likes.
      house.people.release(child)
      try await house.family.leave(child)
      #expect(try await house.seated() == [house.owner])
    }
  }

  @Test func aDoubleClickIsOneChild() async throws {
    try await withFamily { house in
      try await house.joined()
      // The last seat, so that the second click finds it taken by the first.
      let children = try await withThrowingTaskGroup(of: PersonID.self) { group in
        for _ in 0..<4 {
          let family = try await house.node()
          group.addTask { try await family.addChild(house.draft(), by: house.owner) }
        }
        return try await group.reduce(into: Set<PersonID>()) { $0.insert($1) }
      }
      #expect(children.count == 1 && house.people.count(of: house.owner) == 1)
      #expect(try await house.family.addChild(house.draft(), by: house.owner) == children.first)
      #expect(try await house.seated().count == 3)
      // Much later it is another wish, and the name is taken; or here, the house full.
      house.shop.bench.clock.set("2026-11-21T01:00:00Z")
      #expect(try await house.refusal { _ = try await house.family.addChild(house.draft(), by: house.owner) } == .full)
    }
  }

  @Test func aNameThatSomeoneHasIsRefused() async throws {
    try await withFamily { house in
      _ = try await house.family.addChild(house.draft(), by: house.owner)
      let taken = Problem(.invalidInput, fields: [.init("signInName", "taken")])
      await #expect(throws: taken) { _ = try await house.family.addChild(house.draft("Haneul", "별"), by: house.owner) }
      let other = PersonID.anyone
      try await house.shop.subscribe(Shop.order("family"), by: other)
      await #expect(throws: taken) { _ = try await house.family.addChild(house.draft(), by: other) }
      #expect(try await house.seated().count == 2)
      #expect(try await house.seated(other).count == 1)
    }
  }

  @Test func aChildWhoseAnswerWasLostIsFoundAgain() async throws {
    try await withFamily { house in
      house.people.loseNextAnswer()
      await #expect(throws: Problem(.unavailable)) { _ = try await house.family.addChild(house.draft(), by: house.owner) }
      #expect(try await house.seated().count == 1)
      let again = FamilyService.ChildDraft(name: "하늘", signInName: "haneul", password: "another password")
      let child = try await house.family.addChild(again, by: house.owner)
      #expect(house.people.count(of: house.owner) == 1)
      #expect(house.people.password(of: child) == "another password")
      #expect(try await house.seated() == [house.owner, child])
    }
  }

  @Test func theLastSeatGoesToOneOfTwoChildren() async throws {
    try await withFamily { house in
      try await house.joined()
      let refusals = try await withThrowingTaskGroup(of: FamilyRefusal?.self) { group in
        for (name, shown) in [("haneul", "하늘"), ("byeol", "별")] {
          let family = try await house.node()
          group.addTask {
            try await house.refusal { _ = try await family.addChild(house.draft(name, shown), by: house.owner) }
          }
        }
        return try await group.reduce(into: [FamilyRefusal?]()) { $0.append($1) }
      }
      #expect(refusals.count { $0 == nil } == 1)
      #expect(refusals.contains { $0 == .full || $0 == .childWithoutSeat })
      #expect(try await house.seated().count == 3)
      // Whoever was made without a seat is listed.
      let unseated = try await house.family.household(of: house.owner).own?.unseated ?? []
      #expect(unseated.count == house.people.count(of: house.owner) - 1)
    }
  }

  @Test func aChildElsewhereGetsNoSecondSeat() async throws {
    try await withFamily { house in
      let child = try await house.family.addChild(house.draft(), by: house.owner)
      try await house.family.remove(child, by: house.owner)
      let other = PersonID.anyone
      try await house.shop.subscribe(Shop.order("family"), by: other)
      try await house.family.join(try await house.invite(by: other), by: child)
      #expect(try await house.refusal { try await house.family.giveSeat(to: child, by: house.owner) } == .childElsewhere)
      // There she is a member like any other.
      try await house.family.leave(child)
      try await house.family.giveSeat(to: child, by: house.owner)
    }
  }

  @Test func whoHasNoFamilyPlanMakesNoChild() async throws {
    try await withShop { shop in
      let house = FamilyHouse(shop: shop)
      let refusal = try await house.refusal { _ = try await house.family.addChild(house.draft(), by: house.owner) }
      #expect(refusal == .noFamilyPlan)
      #expect(house.people.count(of: house.owner) == 0)
    }
  }
}
