import Database
import Foundation
import Kit
import Support
import Testing

@testable import Billing

/// A tenant's operator makes a plan, sells it, changes its price and sees what comes of it.
@Suite struct OperatorConsoleTests {
  private let plans = "/tenants/univprep/plans"
  private let sat = "/tenants/univprep/plans/univprep-sat"

  private func document(_ won: String = "9900", id: String? = "univprep-sat") -> JSONValue {
    var members: [String: JSONValue] = [
      "name": ["ko": "SAT 집중", "en": "SAT Intensive"], "prices": [["amount": .string(won), "currency": "KRW"]],
      "grants": [["feature": "prep.item", "unlimited": true]],
    ]
    if let id { members["id"] = .string(id) }
    return .object(members)
  }

  private func with(_ changes: [String: JSONValue]) -> JSONValue {
    guard case .object(let members) = document() else { return .null }
    return .object(members.merging(changes) { $1 })
  }

  @Test func aPriceChangeIsANewVersionAndHoldersKeepTheirs() async throws {
    try await withShop(at: "2026-11-21T01:00:00Z") { shop in
      let site = try ConsoleSite(shop)
      let made = try await site.post("\(plans)/new", document())
      #expect(made.status == 201)
      #expect(try made.json["state"] == "draft")
      // Nobody buys a draft, and the second click finds the first one's.
      #expect(shop.billing.catalogue.plan(PlanID("univprep-sat")!) == nil)
      #expect(try await site.post("\(plans)/new", document()).status == 201)
      #expect(try await site.post("\(plans)/new", document("8800")).errors == ["id"])

      for isNew in [true, false] {
        let published = try await site.post("\(sat)/publish")
        #expect(try published.json["version"] == 1)
        #expect(try published.json["isNew"] == .bool(isNew))
      }
      try await shop.subscribe(Shop.order("univprep-sat"))

      #expect(try await site.post(sat, document("12900", id: nil)).status == 200)
      #expect(try await site.post("\(sat)/publish").json["version"] == 2)
      let newcomer = PersonID.anyone
      try await shop.subscribe(Shop.order("univprep-sat"), by: newcomer)
      shop.bench.clock.set("2026-12-21T01:00:00Z")
      try await shop.billing.tick()
      #expect(try await shop.invoices().map(\.total.minorUnits) == [9_900, 9_900])
      #expect(try await shop.invoices(newcomer).map(\.total.minorUnits) == [12_900, 12_900])

      let detail = try await site.read(sat).json
      guard case .array(let versions)? = detail["versions"] else { return #expect(Bool(false), "\(detail)") }
      #expect(versions.map { $0["version"] } == [2, 1] && versions.map { $0["subscribers"] } == [1, 1])
      #expect(versions.map { $0["plan"]?["prices"] }.first == [["amount": "12900", "currency": "KRW"]])
      let overview = try await site.read("/tenants/univprep").json
      #expect(overview["subscribers"] == 2 && overview["startedThisMonth"] == 0 && overview["endedThisMonth"] == 0)

      // The audit knows who: both versions, then the withdrawal, once.
      for _ in 0..<2 { #expect(try await site.post("\(sat)/withdraw").status == 204) }
      #expect(shop.billing.catalogue.onSale.allSatisfy { $0.id.text != "univprep-sat" })
      let lines = try await shop.database.query(
        "SELECT action FROM \(Bench.schema).audit WHERE actor = \(ConsoleSite.operatorID.description) ORDER BY number"
      ).map { try $0.get("action", as: String.self) }
      #expect(lines == ["plan.publish", "plan.publish", "plan.withdraw"])
      #expect(try await shop.current()?.terms.version == 1)
    }
  }

  @Test func holdersMoveOnTheDayThatWasNamed() async throws {
    try await withShop(at: "2026-11-21T01:00:00Z") { shop in
      let site = try ConsoleSite(shop)
      _ = try await site.post("\(plans)/new", document())
      _ = try await site.post("\(sat)/publish")
      try await shop.subscribe(Shop.order("univprep-sat"))
      _ = try await site.post(sat, document("12900", id: nil))
      for day in ["2026-11-21", "2020-01-01", "soon"] {
        let refused = try await site.post("\(sat)/publish", ["holders_from": .string(day)])
        #expect(refused.status == 422 && refused.errors == ["holders_from"], "\(day)")
      }
      #expect(try await site.post("\(sat)/publish", ["holders_from": "2026-11-22"]).json["version"] == 2)
      shop.bench.clock.set("2026-12-21T01:00:00Z")
      try await shop.billing.tick()
      #expect(try await shop.invoices().map(\.total.minorUnits) == [9_900, 12_900])
    }
  }

  @Test func whatCanNotBeSoldIsRefusedFieldByField() async throws {
    try await withShop { shop in
      let site = try ConsoleSite(shop)
      let wrong: [(JSONValue, [String])] = [
        (document("0"), ["prices[0].amount"]), (document("-1"), ["prices[0].amount"]),
        (document("9.5"), ["prices[0].amount"]), (with(["prices": []]), ["prices"]),
        (with(["prices": [["amount": "5", "currency": "EUR"]]]), ["prices[0].currency"]),
        (with(["prices": [["amount": "5", "currency": "PTS"]]]), ["prices[0].currency"]),
        (with(["grants": [["feature": "town.ask", "unlimited": true]]]), ["grants[0].feature"]),
        (with(["grants": [["feature": "prep.item", "unlimited": true, "tenants": ["dreamseed"]]]]), ["grants[0].tenants"]),
        (with(["grants": [["feature": "prep.item", "limit": 0]]]), ["grants[0].limit"]), (with(["grants": []]), ["grants"]),
        (with(["grants": [["feature": "prep.item"]]]), ["grants[0]"]), (with(["id": "dreamseed-sat"]), ["id"]),
        (with(["id": "Univprep SAT"]), ["id"]), (with(["name": ["ko": " "]]), ["name.ko"]),
        (with(["yearly": [["amount": "9", "currency": "USD"]]]), ["yearly"]),
      ]
      for (body, fields) in wrong {
        let answer = try await site.post("\(plans)/new", body)
        #expect(answer.status == 422 && answer.errors == fields, "\(body) \(answer.body)")
      }
      #expect(try await shop.bench.count("plan_draft") == 0)
    }
  }

  @Test func aFormKeepsWhatWasTyped() async throws {
    try await withShop { shop in
      let site = try ConsoleSite(shop)
      let typed = [
        "suffix": "sat", "name_ko": "SAT 집중", "price_krw": "0", "price_usd": "", "grant.prep.item": "limited",
        "limit.prep.item": "50",
      ]
      let refused = try await site.submit("\(plans)/new", from: "\(plans)/new", typed)
      #expect(refused.status == 422 && refused.body.contains(#"id="price_krw-error""#))
      for kept in [
        #"value="sat""#, #"value="SAT 집중""#, #"name="price_krw" inputmode="numeric" autocomplete="off" maxlength="15" value="0""#,
        #"value="50""#,
      ] {
        #expect(refused.body.contains(kept), "\(kept)")
      }
      let saved = try await site.submit("\(plans)/new", from: "\(plans)/new", typed.merging(["price_krw": "9,900"]) { $1 })
      #expect(saved.status == 303 && saved.location == "\(sat)?done=saved")
      let page = try await site.get(sat)
      for words in ["SAT 집중", "9,900원", "한 달 50", "팔기 시작하기", "초안"] { #expect(page.body.contains(words), "\(words)") }
      #expect(!page.body.contains("billing.operator"), "a text is missing")
      let sold = try await site.submit("\(sat)/publish", from: sat, [:])
      #expect(sold.status == 303 && sold.location == "\(sat)?done=published")

      let edit = try await site.get("\(sat)/edit", language: "en")
      #expect(edit.body.contains(#"value="9900""#) && edit.body.contains("Subscribers keep theirs"))
      let yearly = try await site.submit(
        sat, from: "\(sat)/edit", typed.merging(["price_krw": "9900", "yearly_usd": "99.90"]) { $1 })
      #expect(yearly.status == 422 && yearly.body.contains("yearly_krw-error") && yearly.body.contains("price_usd-error"))
      let changed = try await site.submit(sat, from: "\(sat)/edit", typed.merging(["price_krw": "12900"]) { $1 })
      #expect(changed.location == "\(sat)?done=saved")
      let late = try await site.submit("\(sat)/publish", from: sat, ["holders_from": "2026-11-21"])
      #expect(late.status == 422 && late.body.contains("holders_from-error"))
      // What another device has changed since is not sold unseen.
      #expect(try await site.post("\(sat)/publish", ["seen": "0000"]).status == 409)
      for _ in 0..<2 {
        #expect(try await site.submit("\(sat)/discard", from: "\(plans)/new", [:]).status == 303)
      }
      #expect(try await shop.bench.count("plan_draft") == 0)
    }
  }

  @Test func othersAreOutOfReach() async throws {
    try await withShop { shop in
      let site = try ConsoleSite(shop)
      for path in ["/tenants/univprep", plans, "\(plans)/new", "\(plans)/premium", "\(plans)/univprep-nothing"] {
        let expected = path.hasSuffix("nothing") ? 404 : 200
        #expect(try await site.read(path).status == expected, "\(path)")
        #expect(try await site.get(path).status == expected, "\(path)")
      }
      for path in ["/tenants/dreamseed", "/tenants/dreamseed/plans", "/tenants/atlantis/plans/new", "/tenants/x"] {
        #expect(try await site.read(path).status == 404, "\(path)")
        #expect(try await site.get(path).status == 404, "\(path)")
      }
      #expect(try await site.post("/tenants/dreamseed/plans/new", with(["id": "dreamseed-sat"])).status == 404)
      for act in ["", "/publish", "/withdraw", "/discard"] {
        #expect(try await site.post("\(plans)/premium\(act)", document()).status == 403, "\(act)")
        #expect(try await site.post("\(plans)/dreamseed-sat\(act)", document()).status == 404, "\(act)")
      }
      #expect(try await site.submit("\(plans)/premium/withdraw", from: "\(plans)/new", [:]).status == 403)
      #expect(try await site.get("\(plans)/premium/edit").status == 403)

      // The post of another place, of the city, of none; a visitor.
      for posts: Set<String> in [["operator@dreamseed"], ["operator@city", "finance@city"], []] {
        let other = try ConsoleSite(shop, posts: posts)
        #expect(try await other.get("/tenants/univprep").status == 404)
        #expect(try await other.post("\(plans)/new", document()).status == 404)
      }
      let visitor = try ConsoleSite(shop, posts: nil)
      #expect(try await visitor.get(plans).location == "/signin?return_to=/tenants/univprep/plans")
      #expect(try await visitor.read(plans).status == 401)
      #expect(try await shop.bench.count("plan_draft") == 0)
    }
  }

  @Test func theOverviewCountsWhatReachesTheTenant() async throws {
    struct Fixed: TenantFigures {
      func figures(at tenant: TenantID, days: Int) async throws -> [(day: CivilDate, people: Int, activities: Int)] {
        (0..<days).map { (CivilDate("2026-10-23")!.adding(days: $0), $0, $0 * 10) }
      }
    }
    try await withShop(at: "2026-11-21T01:00:00Z") { shop in
      try await shop.subscribe(Shop.order("premium"))
      try await shop.subscribe(Shop.order("student", chosen: [.univprep]), by: .anyone)
      try await shop.subscribe(Shop.order("student", chosen: [.majorprep]), by: .anyone)
      _ = try await shop.billing.entitlements.consume(.anyone, "prep.item", at: .univprep, key: UUID())
      for (month, tenant, amount) in [
        ("2026-09-01", "univprep", 1_500), ("2026-10-01", "univprep", 2_500), ("2026-10-01", "jeju", 7),
      ] {
        try await shop.database.execute(
          """
          INSERT INTO \(Bench.schema).revenue_share
          VALUES (\(CivilDate(month)!), \(UUID()), 1, \(tenant), \(UUID()), 'premium', 'KR', 'dreamseed-kr', 'dreamseed-kr',
            'KRW', \(Int64(amount)), 'equal', 0)
          """)
      }
      for month in ["2026-09-01", "2026-10-01"] {
        try await shop.database.execute(
          "INSERT INTO \(Bench.schema).revenue_split VALUES (\(CivilDate(month)!), now(), now())")
      }
      let site = try ConsoleSite(shop, figures: Fixed())
      let view = try await site.read("/tenants/univprep").json
      #expect(view["subscribers"] == 2 && view["startedThisMonth"] == 2 && view["endedThisMonth"] == 0)
      guard case .array(let revenue)? = view["revenue"], case .array(let days)? = view["days"] else {
        return #expect(Bool(false), "\(view)")
      }
      #expect(revenue.map { $0["month"] } == ["2026-09", "2026-10"])
      #expect(revenue.last?["amounts"] == [["amount": "2500", "currency": "KRW"]])
      #expect(revenue.last?["closed"] == false)
      #expect(days.count == 30 && days.last?["people"] == 29)
      #expect(view["usage"] == [["feature": "prep.item", "units": 1, "people": 1]])
      for language in ["ko", "en"] {
        let page = try await site.get("/tenants/univprep", language: language)
        #expect(page.status == 200 && !page.body.contains("billing.operator") && page.body.contains("role=\"img\""))
      }
      // Without the record store the rest is there.
      let alone = try ConsoleSite(shop)
      #expect(try await alone.read("/tenants/univprep").json["days"] == nil)
      #expect(try await alone.get("/tenants/univprep").body.contains("활동 기록을 지금 읽을 수 없어요"))
    }
  }

  @Test func amountsAreReadExactly() {
    let read: [(String, Currency, Int64?)] = [
      ("9900", .krw, 9_900), ("9,900", .krw, 9_900), ("14.99", .usd, 1_499), ("14.9", .usd, 1_490), ("15", .usd, 1_500),
      ("-1", .krw, -1), ("0", .usd, 0), ("9900.5", .krw, nil), ("14.999", .usd, nil), ("1e3", .krw, nil), ("", .krw, nil),
      (".", .usd, nil), ("14.", .usd, nil), ("٣", .krw, nil), ("9999999999999", .krw, nil), ("--1", .krw, nil),
    ]
    for (text, currency, expected) in read {
      #expect(PlanReading.money(text, currency)?.minorUnits == expected, "\(text)")
    }
  }
}
