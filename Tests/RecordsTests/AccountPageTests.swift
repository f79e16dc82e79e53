import Database
import Foundation
import HTTPTypes
import Hummingbird
import Jobs
import Keys
import Kit
import Logging
import NIOCore
import Support
import Testing
import Web

@testable import Records

/// The account page as a browser and a program get it.
@Suite struct AccountPageTests {
  private static let schema = Schema("records")!
  private let person = PersonID(UUID.v7())

  private struct Fixed: SessionReader, RateLimiter {
    let person: PersonID?
    func session(of request: Request, on site: Site) async throws -> Session? {
      person.map { Session(id: UUID.v7(), person: $0, displayName: "하늘", proof: .cookie, roles: []) }
    }
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  private struct Panels: AccountAllowances, AccountPoints, AccountMemberships {
    struct Broken: Error {}
    func allowances(_ person: PersonID) async throws -> [AccountAllowance] {
      [
        AccountAllowance(
          title: LocalizedText(ko: "문제", en: "Items"), used: 84, limit: 100, renews: Instant(rfc3339: "2026-11-30T15:00:00Z")),
        AccountAllowance(title: LocalizedText(ko: "수업", en: "Lessons"), used: 1_234, limit: nil, renews: nil),
      ]
    }
    func points(_ person: PersonID) async throws -> Money { throw Broken() }
    func memberships(_ person: PersonID) async throws -> [AccountMembership] {
      [
        AccountMembership(tenant: TenantID("jeju")!, roles: ["member"]),
        AccountMembership(tenant: TenantID("gone")!, roles: ["member"]),
      ]
    }
  }

  /// One subscription for everyone, or a service that is down or slow.
  private struct Subscriptions: AccountSubscriptions {
    enum Way { case known(AccountSubscription), broken, hanging }
    let way: Way
    func subscription(_ person: PersonID, _ visit: Visit?) async throws -> AccountSubscription {
      switch way {
      case .known(let subscription): return subscription
      case .broken: throw Panels.Broken()
      case .hanging:
        try await Task.sleep(for: .seconds(60))
        throw Panels.Broken()
      }
    }
  }

  private final class Written: ResponseBodyWriter {
    private(set) var text = ""
    func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
  }

  private struct Reply {
    let status: Int
    let headers: HTTPFields
    let text: String
    var json: JSONValue { get throws { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) } }
  }

  private func ask(
    _ path: String, _ service: RecordsService, as person: PersonID?, accept: String = "text/html", language: String = "ko"
  ) async throws -> Reply {
    let fixed = Fixed(person: person)
    let router = SiteRouter(
      routes: service.routes, renderer: try Renderer([("records", RecordsService.resources)]), sessions: fixed, limiter: fixed,
      key: MasterKey(bytes: Array(repeating: 1, count: 32)))
    var fields = HTTPFields()
    fields[.accept] = accept
    fields[.acceptLanguage] = language
    let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost:8080", path: path, headerFields: fields)
    let outcome = await router.respond(
      to: Arrival(
        request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), site: TestCity.map.city, cities: TestCity.map,
        now: .morning + .minutes(5), requestID: "r", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      owner: service)
    let written = Written()
    try await outcome.response.body.write(written)
    return Reply(status: outcome.response.status.code, headers: outcome.response.headers, text: written.text)
  }

  private func withService(
    acts: Int = 3, subscription: Subscriptions.Way? = nil, _ body: (RecordsService) async throws -> Void
  ) async throws {
    try await withDatabase { test in
      let database = try await test.makeSchema(AccountPageTests.schema, migrations: try RecordsService.migrations)
      let panels = Panels()
      let service = RecordsService(
        database: database, schema: AccountPageTests.schema, city: { TestCity.map },
        panels: AccountPanels(
          allowances: panels, points: panels, memberships: panels, subscriptions: subscription.map { Subscriptions(way: $0) }),
        clock: DomainClock { .morning },
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      let events = (0..<acts).map { index -> Event in
        let asks = index % 2 == 0
        let payload =
          asks
          ? TestCity.activity(person, "asked", path: "/questions/\(index)")
          : TestCity.activity(person, "answered", path: "/items/\(index)", score: 0.8, success: true)
        return Event(
          id: UUID.v7(), type: "activity.recorded", tenant: TenantID(asks ? "jeju" : "univprep"),
          occurred: .morning + .seconds(index), payload: payload)
      }
      try await service.apply(events)
      try await body(service)
      await database.close()
    }
  }

  @Test func thePageShowsTheTimelineAndThePanelsThatWork() async throws {
    try await withService { service in
      let reply = try await ask("/account", service, as: person)
      #expect(reply.status == 200)
      #expect(reply.headers[.cacheControl] == "no-store")
      for part in [
        "안녕하세요, 하늘님", "동네물어봐 제주에서 질문했어요: ", "유니브프렙AI에서 문제를 풀어 맞혔어요: ",
        "href=\"http://univprep.localhost:8080/items/1\"", "주차 어디서 해요?", "5분 전", "80점",
        "<meter min=\"0\" max=\"100\" low=\"80\" high=\"99\"", "2026년 12월 1일에 다시 채워져요", "거의 다 썼어요",
        "제한 없이 쓸 수 있어요.", "회원",
      ] { #expect(reply.text.contains(part), "\(part)") }
      #expect(!reply.text.contains("포인트"), "a panel that failed is left out")
      #expect(!reply.text.contains("gone"), "a tenant that left the city is left out")
      #expect(!reply.text.contains("records.") && !reply.text.contains("rel=\"next\""))

      let english = try await ask("/account", service, as: person, language: "en")
      #expect(english.text.contains("Hello, 하늘") && english.text.contains("Asked in Ask Jeju: "))
    }
  }

  @Test func theJSONHasTheSame() async throws {
    try await withService { service in
      let view = try await ask("/account", service, as: person, accept: "application/json", language: "en").json
      guard case .array(let entries)? = view["timeline"]?["entries"] else { return #expect(Bool(false)) }
      #expect(entries.map { $0["tenant"]?.string } == ["jeju", "univprep", "jeju"])
      #expect(entries[1]["sentence"]?.string == "Answered right in Univprep: Where to park?")
      #expect(entries[1]["success"] == true)
      #expect(entries[1]["object"]?["id"]?.string == "http://univprep.localhost:8080/items/1")
      #expect(view["points"] == nil)
      #expect(view["memberships"] != nil)
    }
  }

  private static let student = AccountSubscription(
    planName: LocalizedText(ko: "학생", en: "Student"), state: .active, price: Money(19_900, .krw), every: "month",
    until: Instant(rfc3339: "2026-12-20T15:00:00Z"), grants: [LocalizedText(ko: "문제 <무제한>", en: "Items without limit")])

  @Test func theSubscriptionStandsFirstInTheSideColumn() async throws {
    try await withService(subscription: .known(AccountPageTests.student)) { service in
      let page = try await ask("/account", service, as: person).text
      for part in [
        "이용 중", "학생", "한 달 19,900원", "2026년 12월 21일에 다시 결제돼요.", "문제 &lt;무제한&gt;", "href=\"/subscription\"",
        "href=\"/invoices\"", "href=\"/family\"",
      ] { #expect(page.contains(part), "\(part)") }
      let (card, quota) = (page.firstRange(of: "id=\"subscription\""), page.firstRange(of: "class=\"card quota\""))
      #expect(try #require(card).lowerBound < #require(quota).lowerBound)
      let english = try await ask("/account", service, as: person, language: "en").text
      #expect(english.contains("Renews on 21 December 2026.") && english.contains("₩19,900 a month"))
      let view = try await ask("/account", service, as: person, accept: "application/json", language: "en").json["subscription"]
      #expect(view?["plan"] == "Student" && view?["state"] == "active" && view?["every"] == "month" && view?["owner"] == true)
      #expect(view?["price"] == ["amount": 19_900, "currency": "KRW"] && view?["payer"] == nil)
      #expect(view?["until"] == "2026-12-20T15:00:00.000Z" && view?["grants"] == ["Items without limit"])
    }
  }

  @Test(arguments: [
    (
      AccountSubscription(
        planName: LocalizedText(ko: "학생"), state: .ending, price: Money(19_900, .krw), every: "month",
        until: Instant(rfc3339: "2026-12-20T15:00:00Z")),
      ["해지 예정", "2026년 12월 21일까지 쓸 수 있어요", "구독 관리하기"], ["다시 결제돼요"]
    ),
    (
      AccountSubscription(
        planName: LocalizedText(ko: "학생"), state: .pastDue, price: Money(19_900, .krw), every: "decade",
        until: Instant(rfc3339: "2026-12-20T15:00:00Z")),
      ["결제 필요", "12월 21일까지 결제하면", "결제 다시 하기", "19,900원"], ["records."]
    ),
    (
      AccountSubscription(planName: LocalizedText(ko: "가족"), state: .active, isOwner: false, payerName: "미나"),
      ["미나님의 가족으로 함께 쓰고 있어요.", "href=\"/family\""], ["/subscription\"", "/invoices\"", "다시 결제돼요"]
    ),
    (
      AccountSubscription(planName: LocalizedText(ko: "무료"), state: .none),
      ["구독 전", "무료", "요금제 살펴보기"], ["/subscription\"", "/invoices\"", "/family\""]
    ),
  ])
  func eachStateSaysWhatHoldsAndWhatCanBeDone(subscription: AccountSubscription, has: [String], hasNot: [String]) async throws {
    try await withService(acts: 0, subscription: .known(subscription)) { service in
      let page = try await ask("/account", service, as: person).text
      for part in has { #expect(page.contains(part), "\(part)") }
      for part in hasNot { #expect(!page.contains(part), "\(part)") }
    }
  }

  @Test func aSubscriptionThatCantBeHadCostsTheCardOnly() async throws {
    for way in [Subscriptions.Way.broken, .hanging] {
      try await withService(subscription: way) { service in
        var page: Reply?
        let time = try await ContinuousClock().measure { page = try await ask("/account", service, as: person) }
        #expect(page?.status == 200 && page?.text.contains("id=\"subscription\"") == false)
        #expect(page?.text.contains("거의 다 썼어요") == true)
        #expect(time < .seconds(10), "cut off, not waited for")
        let view = try await ask("/account", service, as: person, accept: "application/json").json
        #expect(view["subscription"] == nil && view["allowances"] != nil)
      }
    }
  }

  @Test func olderEntriesAreBehindALink() async throws {
    try await withService(acts: 45) { service in
      var (path, pages, ids): (String?, Int, Set<String>) = ("/account/timeline", 0, [])
      while let current = path {
        let page = try await ask(current, service, as: person, accept: "application/json").json
        guard case .array(let entries)? = page["entries"] else { return #expect(Bool(false)) }
        ids.formUnion(entries.compactMap { $0["id"]?.string })
        pages += 1
        path = page["next"]?.string.map { "/account/timeline?before=\($0)" }
      }
      #expect(pages == 3)
      #expect(ids.count == 45)

      let first = try await ask("/account", service, as: person).text
      let link = try #require(first.firstMatch(of: /rel="next" href="([^"]+)"/)).1
      let second = try await ask(String(link), service, as: person).text
      #expect(second.contains("최근 기록으로 가기"))
    }
  }

  @Test func whatCannotBeReadIsSaidSo() async throws {
    try await withService(acts: 0) { service in
      for query in ["before=x", "limit=0", "limit=101", "limit=x"] {
        let reply = try await ask("/account/timeline?\(query)", service, as: person, accept: "application/json")
        #expect(reply.status == 422, "\(query)")
      }
      #expect(try await ask("/account", service, as: nil).headers[.location] == "/signin?return_to=/account")
      #expect(try await ask("/account/timeline", service, as: nil, accept: "application/json").status == 401)
      #expect(try await ask("/account", service, as: person).text.contains("여기에 기록이 쌓여요"))
    }
  }
}
