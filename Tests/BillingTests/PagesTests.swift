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

  @Test func everyoneSeesThePlansAndThatPayingOpensLater() async throws {
    try await withBilling { bench in
      let page = try await get("/plans?feature=prep.item&tenant=univprep", bench)
      #expect(page.status == 200)
      for words in ["49,900원", "19,900원", "$14.99", "다음 업데이트에서 열려요", "계정 만들고 시작하기", "문제 제한 없이", "지금 필요한 요금제"] {
        #expect(page.body.contains(words), "\(words)")
      }
      // The cheapest that lifts the limit stands out, alone; and nothing looks as if it could be bought.
      #expect(page.body.components(separatedBy: "지금 필요한 요금제").count == 2)
      #expect(!page.body.contains("/subscribe"))
      #expect(!page.body.contains("billing."), "a text is missing")
      let english = try await get("/plans", bench, as: .anyone, language: "en")
      for words in ["$39.99", "This is what you have", "1 of UnivPrepAI · majorprep: item without limit"] {
        #expect(english.body.contains(words), "\(words)")
      }
      #expect(!english.body.contains("What you need now"))
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
