import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Support
import Testing
import Web

@testable import Billing

/// The pages as a browser and a program get them.
@Suite struct PagesTests {
  private struct Fixed: SessionReader, RateLimiter {
    let person: PersonID?
    func session(of request: Request, on site: Site) async throws -> Session? {
      person.map { Session(id: UUID(), person: $0, displayName: "미나", proof: .cookie, roles: []) }
    }
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  private func site(_ id: String, _ name: LocalizedText, tenant: TenantID? = nil, kind: String = "city") -> Site {
    Site(
      id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: name, summary: LocalizedText(ko: "요약"),
      look: Look(accent: Colour("#4263EB")!, mark: "꿈"), languages: [.ko, .en], timeZone: TimeZone(identifier: "Asia/Seoul")!,
      tenant: tenant, kind: kind)
  }

  private func get(
    _ path: String, _ bench: Bench, as person: PersonID? = nil, accept: String = "text/html", language: String = "ko"
  ) async throws -> (status: Int, body: String, location: String?) {
    let city = site("city", LocalizedText(ko: "드림시드", en: "DreamSeed"))
    let cities = CityMap(
      city: city, issuer: site("id", LocalizedText(ko: "계정")),
      tenants: [
        site("univprep", LocalizedText(ko: "유니브프렙AI", en: "UnivPrepAI"), tenant: .univprep, kind: "prep"),
        site("jeju", LocalizedText(ko: "동네물어봐 제주", en: "Ask Jeju"), tenant: .jeju, kind: "town"),
      ], isDevelopment: true)
    let fixed = Fixed(person: person)
    let router = SiteRouter(
      routes: bench.service.routes, renderer: try Renderer([("billing", BillingService.resources)]), sessions: fixed,
      limiter: fixed, key: MasterKey(bytes: Array(repeating: 1, count: 32)))
    var fields = HTTPFields()
    fields[.accept] = accept
    fields[.acceptLanguage] = language
    let request = Request(
      head: HTTPRequest(method: .get, scheme: "http", authority: "city.localhost:8080", path: path, headerFields: fields),
      body: RequestBody(buffer: ByteBuffer()))
    let outcome = await router.respond(
      to: Arrival(
        request: request, site: city, cities: cities, now: bench.clock.domain.now(), requestID: "r",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), owner: bench.service)
    let written = Written()
    try await outcome.response.body.write(written)
    return (outcome.response.status.code, await written.text, outcome.response.headers[.location])
  }

  private func json(_ text: String) throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }

  @Test func everyoneSeesThePlansAndWhereTheyBegin() async throws {
    try await withBilling { bench in
      let page = try await get("/plans?feature=prep.item&tenant=univprep", bench)
      #expect(page.status == 200)
      for words in ["49,900원", "19,900원", "$14.99", "프리미엄 시작하기", "계정 만들고 시작하기", "문제 제한 없이", "지금 필요한 요금제"] {
        #expect(page.body.contains(words), "\(words)")
      }
      // The cheapest that lifts the limit stands out, alone.
      #expect(page.body.components(separatedBy: "지금 필요한 요금제").count == 2)
      #expect(page.body.contains(#"href="/subscribe?plan=student&amp;every=month&amp;tenant=univprep""#))
      #expect(!page.body.contains("plan=free") && !page.body.contains("1년씩 결제"))
      #expect(!page.body.contains("billing."), "a text is missing")
      let english = try await get("/plans", bench, as: .anyone, language: "en")
      for words in ["$39.99", "This is what you have", "UnivPrepAI or majorprep (choose 1): unlimited item"] {
        #expect(english.body.contains(words), "\(words)")
      }
      #expect(!english.body.contains("What you need now"))
    }
  }

  @Test func aYearsPricesAndATenantsPlansHaveTheirPlace() async throws {
    let city = Plan(
      id: PlanID("premium")!, owner: .city, name: LocalizedText(ko: "프리미엄", en: "Premium"),
      prices: [Money(49_900, .krw), Money(3_999, .usd)], yearly: [Money(499_000, .krw), Money(39_990, .usd)],
      grants: [.feature("prep.item", at: .module("prep"), .unlimited)])
    let basic = Plan(
      id: PlanID("basic")!, owner: .city, name: LocalizedText(ko: "베이직"), prices: [Money(12_900, .krw)],
      grants: [.feature("prep.item", at: .tenants([.dreamseed]), .unlimited)])
    let own = Plan(
      id: PlanID("univprep-sat")!, owner: .tenant(.univprep), name: LocalizedText(ko: "SAT 집중"),
      prices: [Money(9_900, .krw)], grants: [.feature("prep.item", at: .tenants([.univprep]), .limited(500, pool: .tenant))])
    let catalogue = PlanCatalogue(
      plans: [city, basic, own], withdrawn: [basic.id], tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
    try await withBilling(catalogue) { bench in
      let page = try await get("/plans?every=year&feature=prep.item&tenant=univprep", bench)
      for words in [
        "499,000원", "$399.90", "99,800원 아껴요", "유니브프렙AI 요금제", "SAT 집중 시작하기", "9,900원",
        #"href="/subscribe?plan=premium&amp;every=year&amp;tenant=univprep""#,
        #"href="/subscribe?plan=univprep-sat&amp;every=month&amp;tenant=univprep""#,
        #"href="/plans?every=month&amp;feature=prep.item&amp;tenant=univprep""#,
      ] {
        #expect(page.body.contains(words), "\(words)")
      }
      #expect(!page.body.contains("베이직") && !page.body.contains("billing."))
      #expect(try await get("/plans?every=fortnight", bench).body.contains("49,900원"))
      let english = try await get("/plans?every=year", bench, language: "en")
      for words in ["Yearly", "$79.98 less a year than paying monthly", "Plans of UnivPrepAI"] {
        #expect(english.body.contains(words), "\(words)")
      }
      guard case .array(let plans)? = try json(try await get("/plans", bench, accept: "application/json").body)["plans"]
      else { return #expect(Bool(false), "no plans") }
      #expect(plans.map { $0["id"] } == ["premium", "univprep-sat"])
      #expect(plans[0]["yearly"] == [["amount": "499000", "currency": "KRW"], ["amount": "399.90", "currency": "USD"]])
      #expect(plans[0]["proration"] == "day" && plans[0]["alignment"] == "anniversary")
    }
  }

  @Test func aProgramGetsThePlansAsJSON() async throws {
    try await withBilling { bench in
      let answer = try await get("/plans?feature=prep.item&tenant=univprep", bench, accept: "application/json")
      guard case .array(let plans)? = try json(answer.body)["plans"] else { return #expect(Bool(false), "\(answer.body)") }
      #expect(plans.map { $0["id"] } == ["free", "premium", "student"])
      #expect(plans.map { $0["lifts"] } == [false, true, true])
      #expect(plans[1]["prices"] == [["amount": "49900", "currency": "KRW"], ["amount": "39.99", "currency": "USD"]])
    }
  }

  @Test func pointsAreForThoseSignedInAndEmptyAtFirst() async throws {
    try await withBilling { bench in
      #expect(try await get("/points", bench).location == "/signin?return_to=/points")
      #expect(try await get("/points", bench, accept: "application/json").status == 401)
      let page = try await get("/points", bench, as: .anyone)
      #expect(page.status == 200 && page.body.contains("아직 받은 포인트가 없어요") && page.body.contains("동네물어봐 제주"))
      #expect(try await get("/points?before=x", bench, as: .anyone, accept: "application/json").status == 422)
    }
  }

  @Test func pointsComeByPages() async throws {
    try await withBilling { bench in
      let person = PersonID.anyone
      for number in 1...25 {
        try await bench.ledger.post(
          try Entry(
            key: "k\(number)", description: "answer.accepted", details: ["tenant": "jeju", "question": .string("q\(number)")],
            occurred: bench.clock.domain.now(), amount: Money(10, .points), debit: .pointsIssued(by: .jeju),
            credit: .pointsEarned(by: person)))
      }
      let page = try await get("/points", bench, as: person)
      for words in ["250 P", "+10 P", "답변이 채택됐어요", "http://jeju.localhost:8080/questions/q25", "지난 내역 더 보기"] {
        #expect(page.body.contains(words), "\(words)")
      }
      #expect(!page.body.contains("billing."), "a text is missing")
      let first = try json(try await get("/points", bench, as: person, accept: "application/json").body)
      let next = try #require(first["next"]?.string)
      let second = try json(try await get("/points?before=\(next)", bench, as: person, accept: "application/json").body)
      guard case .array(let some)? = first["entries"], case .array(let rest)? = second["entries"] else {
        return #expect(Bool(false), "no entries")
      }
      #expect(some.count == 20 && rest.count == 5 && Set((some + rest).map { $0["id"] }).count == 25)
      #expect(first["balance"] == 250 && second["next"] == nil)
    }
  }
}

/// Collects a response's body.
private actor WrittenBytes {
  var bytes: [UInt8] = []
  func add(_ more: [UInt8]) { bytes += more }
}

private struct Written: ResponseBodyWriter {
  let collected = WrittenBytes()
  var text: String { get async { String(decoding: await collected.bytes, as: UTF8.self) } }
  mutating func write(_ buffer: ByteBuffer) async throws { await collected.add(Array(buffer.readableBytesView)) }
  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
