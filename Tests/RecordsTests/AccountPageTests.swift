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

  private func withService(acts: Int = 3, _ body: (RecordsService) async throws -> Void) async throws {
    try await withDatabase { test in
      let database = try await test.makeSchema(AccountPageTests.schema, migrations: try RecordsService.migrations)
      let panels = Panels()
      let service = RecordsService(
        database: database, schema: AccountPageTests.schema, city: { TestCity.map },
        panels: AccountPanels(allowances: panels, points: panels, memberships: panels), clock: DomainClock { .morning },
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
        "<meter min=\"0\" max=\"100\" low=\"0\" high=\"80\"", "2026년 12월 1일에 다시 채워져요", "거의 다 썼어요",
        "제한 없이 쓸 수 있어요. 이번 달에 1,234회 썼어요.", "회원",
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
