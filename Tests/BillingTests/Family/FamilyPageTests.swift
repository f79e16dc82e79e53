import Foundation
import Kit
import Testing
import Web

@testable import Billing

/// The pages of a family, and the same for programs.
@Suite struct FamilyPageTests {
  /// Everything in a page is a text of the catalogue.
  private func isWhole(_ reply: FamilySite.Reply) -> Bool {
    !reply.body.contains("billing.") && !reply.body.contains("web.field.") && !reply.body.contains("is missing")
  }

  @Test func everyRefusalHasItsText() throws {
    let catalogue = try Catalogue([("billing", files: BillingService.resources)])
    for refusal in FamilyRefusal.allCases { #expect(catalogue.has("billing.family.refusal.\(refusal.rawValue)"), "\(refusal)") }
  }

  @Test func whoHasNoFamilySeesWhatOneIs() async throws {
    try await withShop { shop in
      let house = FamilyHouse(shop: shop)
      let nobody = try FamilySite(house, as: nil)
      #expect(try await nobody.get("/family").location == "/signin?return_to=/family")
      #expect(try await nobody.get("/family/join?token=abc").location == "/signin?return_to=/family/join%3Ftoken%3Dabc")
      let site = try FamilySite(house, as: shop.person)
      let page = try await site.get("/family")
      for words in ["79,900원", "가족 3명까지 함께", #"href="/plans""#] { #expect(page.body.contains(words), "\(words)") }
      #expect(page.status == 200 && isWhole(page))
      #expect(isWhole(try await site.get("/family", language: "en")))
      #expect(try await site.get("/family", json: true).body == "{}")
      #expect(try await site.post("/family/invitations", ["label": "언니"]).json["code"] == "noFamilyPlan")
    }
  }

  @Test func theStoryInABrowser() async throws {
    try await withFamily { house in
      let (owner, guest) = (try FamilySite(house, as: house.owner), PersonID.anyone)
      house.people.name(guest, "지우")
      let made = try await owner.submit("/family/invitations", from: "/family", ["label": "언니"])
      #expect(made.status == 201 && isWhole(made) && made.body.contains("언니"))
      let link = try #require(
        made.body.components(separatedBy: "http://city.localhost:8080/family/join?token=").last?.prefix(43).description)
      let list = try await owner.get("/family")
      #expect(list.body.contains("기다리는 중") && !list.body.contains(link) && isWhole(list))

      let visitor = try FamilySite(house, as: guest)
      let offer = try await visitor.get("/family/join?token=\(link)")
      for words in ["민아님이 가족으로 초대했어요", "내 이름과 자리만 보여요", "가족에 참여하기"] {
        #expect(offer.body.contains(words), "\(words)")
      }
      #expect(offer.status == 200 && isWhole(offer) && !offer.body.contains("구독은 그대로 이어져요"))
      #expect(isWhole(try await visitor.get("/family/join?token=\(link)", language: "en")))
      let joined = try await visitor.submit("/family/join", from: "/family/join?token=\(link)", ["token": link])
      #expect(joined.location == "/family?done=joined")
      #expect(try await visitor.get("/family/join?token=\(link)").location == "/family")
      let mine = try await visitor.get("/family?done=joined")
      #expect(mine.body.contains("민아님의 가족") && mine.body.contains("가족에서 나가기") && isWhole(mine))
      #expect(!mine.body.contains("초대 링크 만들기"))

      let second = try await FamilySite(house, as: .anyone).get("/family/join?token=\(link)")
      #expect(second.status == 409 && second.body.contains("이미 쓴 초대예요") && isWhole(second))
      let members = try await owner.get("/family")
      #expect(members.body.contains("지우") && members.body.contains("3자리 중 2자리") && isWhole(members))
      #expect(try await visitor.submit("/family/leave", from: "/family").location == "/family?done=left")
      #expect(try await house.seated() == [house.owner])
    }
  }

  @Test func aChildOfHersAndNobodyElsesProgressIsSeen() async throws {
    try await withFamily { house in
      let owner = try FamilySite(house, as: house.owner)
      let refused = try await owner.submit(
        "/family/children", from: "/family", ["name": "하늘", "signInName": "haneul", "password": "short"])
      #expect(refused.status == 422 && refused.body.contains(#"value="haneul""#) && refused.body.contains("10자"))
      #expect(!refused.body.contains(#"value="short""#) && refused.body.contains(#"id="password-error""#))
      let made = try await owner.submit(
        "/family/children", from: "/family", ["name": "하늘", "signInName": "haneul", "password": "a long password"])
      #expect(made.location == "/family?done=child")
      let child = try #require(try await house.seated().last)
      let empty = try await owner.get("/family/members/\(child)")
      #expect(empty.status == 200 && empty.body.contains("아직 활동이 없어요") && isWhole(empty))

      house.progress.reports.value = [
        child: FamilyProgressReport(
          tenants: [
            .init(
              tenant: .univprep, activities: 12, answered: 10, correct: 7, lessonsCompleted: 1, activeDays: 2,
              lastActivity: Instant(rfc3339: "2026-11-20T22:00:00Z"))
          ],
          days: [.init(day: CivilDate("2026-11-20")!, activities: 9), .init(day: CivilDate("2026-11-21")!, activities: 3)])
      ]
      let page = try await owner.get("/family/members/\(child)")
      for words in ["유니브프렙AI", "2시간 전", "하늘", "haneul", "11/20", "<svg"] { #expect(page.body.contains(words), "\(words)") }
      #expect(isWhole(page))
      #expect(isWhole(try await owner.get("/family/members/\(child)", language: "en")))
      let json = try await owner.get("/family/members/\(child)", json: true).json
      #expect(json["isSeated"] == true && json["lastActivity"] == "2026-11-20T22:00:00.000Z")

      let guest = try await house.joined()
      #expect(try await owner.get("/family/members/\(guest)").status == 404)
      #expect(try await owner.get("/family/members/\(house.owner)").status == 404)
      #expect(try await FamilySite(house, as: guest).get("/family/members/\(child)").status == 404)
      #expect(try await FamilySite(house, as: child).get("/family/members/\(child)").status == 404)
      let hers = try await FamilySite(house, as: child).get("/family")
      #expect(hers.body.contains("민아님의 가족") && !hers.body.contains("/family/leave") && isWhole(hers))
      let stays = try await FamilySite(house, as: child).post("/family/leave")
      #expect(stays.status == 409 && stays.json["code"] == "childStays")
    }
  }

  @Test func theOwnerSetsAChildsPasswordAndTakesAndGivesTheSeat() async throws {
    try await withFamily { house in
      let owner = try FamilySite(house, as: house.owner)
      let child = try await house.family.addChild(house.draft(), by: house.owner)
      let path = "/family/members/\(child)"
      let short = try await owner.submit("/family/children/\(child)/password", from: path, ["password": "short"])
      #expect(short.status == 422 && short.body.contains(#"id="password-error""#) && isWhole(short))
      let set = try await owner.submit("/family/children/\(child)/password", from: path, ["password": "a new password"])
      #expect(set.location == "\(path)?done=password" && house.people.password(of: child) == "a new password")
      #expect(try await owner.get("\(path)?done=password").body.contains("비밀번호를 바꿨어요"))
      let other = try await FamilySite(house, as: .anyone).post(
        "/family/children/\(child)/password", ["password": "a new password"])
      #expect(other.status == 404)
      #expect(try await owner.submit("\(path)/remove", from: path).location == "/family?done=removed")
      let list = try await owner.get("/family")
      #expect(list.body.contains("자리가 없는 아이") && list.body.contains("자리 주기") && isWhole(list))
      #expect(try await owner.submit("/family/children/\(child)/seat", from: "/family").location == "/family?done=seat")
      #expect(try await house.seated().count == 2)
    }
  }

  @Test func whatIsRefusedIsSaidOnThePage() async throws {
    try await withFamily { house in
      let owner = try FamilySite(house, as: house.owner)
      let empty = try await owner.submit("/family/invitations", from: "/family", ["label": " "])
      #expect(empty.status == 422 && empty.body.contains(#"id="label-error""#) && isWhole(empty))
      let first = try await owner.get("/family")
      let fields = ["label": "언니", "_csrf": first.hidden("_csrf") ?? "", "_key": first.hidden("_key") ?? ""]
      #expect(!fields.values.contains(""))
      try await house.joined()
      try await house.joined()
      let full = try await owner.submit("/family/invitations", from: "/family", ["label": "언니"])
      #expect(full.status == 409 && full.body.contains("가족 자리가 다 찼어요") && isWhole(full))
      let page = try await owner.get("/family", language: "en")
      #expect(page.body.contains("3 of 3 seats taken") && !page.body.contains("/family/children") && isWhole(page))
      let own = try await owner.get("/family", json: true).json["own"]
      #expect(own?["taken"] == 3 && own?["seats"] == 3 && own?["canAdd"] == false && own?["plan"] == "family")
    }
  }

  @Test func aProgramGoesTheSameWay() async throws {
    try await withFamily { house in
      let owner = try FamilySite(house, as: house.owner)
      let made = try await owner.post("/family/invitations", ["label": "언니"])
      let link = try #require(made.json["link"]?.string)
      #expect(made.status == 201 && made.json["state"] == "open")
      let token = try #require(link.components(separatedBy: "token=").last)
      let guest = PersonID.anyone
      try await house.shop.subscribe(Shop.order("premium"), by: guest)
      let visitor = try FamilySite(house, as: guest)
      let offer = try await visitor.get("/family/join?token=\(token)", json: true).json
      #expect(offer["owner"] == "민아" && offer["plan"] == "family" && offer["ownPlan"] == "premium")
      let page = try await visitor.get("/family/join?token=\(token)")
      #expect(page.body.contains("내 프리미엄 구독은 그대로 이어져요") && page.body.contains(#"href="/subscription""#))
      #expect(try await visitor.post("/family/join").status == 422)
      let joined = try await visitor.post("/family/join", ["token": .string(token)])
      #expect(joined.status == 200 && joined.json["elsewhere"]?["role"] == "member")
      let late = try await FamilySite(house, as: .anyone).post("/family/join", ["token": .string(token)])
      #expect(late.status == 409 && late.json["code"] == "taken")
      let child = try await owner.post(
        "/family/children", ["name": "하늘", "signInName": "haneul", "password": "a long password"])
      #expect(child.status == 201 && child.json["person"]?.string != nil)
      let removed = try await owner.post("/family/members/\(guest)/remove")
      #expect(removed.status == 200 && removed.json["own"]?["taken"] == 2)
      #expect(try await owner.post("/family/members/\(PersonID.anyone)/remove").status == 404)
      #expect(try await visitor.get("/family", json: true).json["elsewhere"] == nil)
    }
  }
}
