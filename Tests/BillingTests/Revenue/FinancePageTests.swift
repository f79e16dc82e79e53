import Database
import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import Testing
import Web

@testable import Billing

@Suite("Finance's pages") struct FinancePageTests {
  private func withMonth(_ body: (FinanceBench, FinanceSite) async throws -> Void) async throws {
    try await withFinance { books in
      let account = try await books.account("KR")
      try await books.invoice(
        account, [.init(from: "2026-01-01", to: "2026-02-01", amount: 19_900, tenants: [.dreamseed, .majorprep])])
      books.usage.add(account.owner, .dreamseed, 3, at: "2026-01-15T00:00:00Z")
      books.go(to: "2026-02-04")
      try await body(books, try FinanceSite(books))
    }
  }

  @Test("the year, a month, its shares and one account, in both languages")
  func pages() async throws {
    try await withMonth { books, site in
      try await books.finance.tick()
      let account: UUID = try await books.database.one("SELECT id FROM \(books.schema).billing_account")!.get(0)
      for language in ["ko", "en"] {
        for path in [
          "/finance", "/finance/2026-01", "/finance/2026-02", "/finance/2026-01/shares", "/finance/2026-02/shares",
          "/finance/2026-01/shares/\(account.text)",
        ] {
          let page = try await site.get(path, language: language)
          #expect(page.status == 200, "\(path)")
          #expect(!page.body.contains("billing.finance"), "a text is missing on \(path)")
        }
      }
      let month = try await site.get("/finance/2026-01")
      for text in ["18,091", "1,809", "/finance/2026-01/export?format=hledger", "/finance/2026-01/close", "<svg"] {
        #expect(month.body.contains(text), "\(text)")
      }
      let share = try await site.get("/finance/2026-01/shares/\(account.text)", language: "en")
      #expect(share.body.contains("An item") && share.body.contains("3 uses"))
      let owner = try await owner(books).text
      #expect(!share.body.contains("{{") && !share.body.contains(owner))
    }
  }

  private func owner(_ books: FinanceBench) async throws -> UUID {
    try await books.database.one("SELECT owner FROM \(books.schema).billing_account")!.get(0)
  }

  @Test("programs get the same figures, marked provisional while they may change")
  func programs() async throws {
    try await withMonth { books, site in
      try await books.finance.recognise(through: CivilDate("2026-01-10")!)
      let open = try await site.get("/finance/2026-01", accept: "application/json")
      #expect(open.body.contains("\"isProvisional\":true") && open.body.contains("\"through\":\"2026-01-10\""))
      try await books.finance.tick()
      let month = try await site.get("/finance/2026-01", accept: "application/json")
      for text in [
        "\"revenue\":\"18091\"", "\"taxOwed\":\"1809\"", "\"deferred\":\"0\"", "\"receivable\":\"19900\"",
        "\"tenant\":\"dreamseed\"", "\"isProvisional\":false", "\"state\":\"split\"",
      ] {
        #expect(month.body.contains(text), "\(text) in \(month.body)")
      }
      let year = try await site.get("/finance", accept: "application/json")
      #expect(year.body.contains("\"month\":\"2026-01\""))
    }
  }

  @Test("closing is confirmed by what became of it; too early, it says from when")
  func closing() async throws {
    try await withMonth { books, site in
      let early = try await site.post("/finance/2026-02/close")
      #expect(early.status == 409 && early.body.contains("\"code\":\"notOver\"") && early.body.contains("2026-03-04"))
      let unsplit = try await site.post("/finance/2026-01/close")
      #expect(unsplit.status == 409 && unsplit.body.contains("notRecognised"))
      try await books.finance.tick()
      let closed = try await site.post("/finance/2026-01/close")
      #expect(closed.status == 200 && closed.body.contains("\"state\":\"closed\""))
      let again = try await site.post("/finance/2026-01/close")
      #expect(again.status == 409 && again.body.contains("closedBefore"))
      let page = try await site.get("/finance/2026-01", language: "en")
      #expect(page.body.contains("SHA-256") && !page.body.contains("/finance/2026-01/close"))
    }
  }

  @Test("who doesn't keep the city's books gets 403, and what isn't a month of the books 404")
  func others() async throws {
    try await withMonth { books, site in
      let other = try FinanceSite(books, roles: ["operator@city", "finance@univprep"])
      for path in ["/finance", "/finance/2026-01", "/finance/2026-01/shares"] {
        #expect(try await other.get(path).status == 403, "\(path)")
      }
      for path in [
        "/finance/2026-13", "/finance/9999-12", "/finance/2025-12", "/finance/2026-03", "/finance/x",
        "/finance/2026-01/shares/\(UUID().text)",
      ] {
        #expect(try await site.get(path).status == 404, "\(path)")
      }
    }
  }
}

/// The console's site with finance's routes.
struct FinanceSite: Sendable {
  private struct Fixed: SessionReader, RateLimiter {
    let roles: Set<String>
    func session(of request: Request, on site: Site) async throws -> Session? {
      Session(id: UUID(), person: PersonID(UUID()), displayName: "미나", proof: .bearer, roles: roles)
    }
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  struct Reply: Sendable {
    let status: Int
    let body: String
  }

  private let router: SiteRouter
  private let cities: CityMap
  private let clock: TestClock

  init(_ books: FinanceBench, roles: Set<String> = ["finance@city"]) throws {
    func site(_ id: String) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: "\(id).localhost", port: 8080), name: LocalizedText(ko: "드림시드"),
        summary: LocalizedText(ko: "요약"), look: Look(accent: Colour("#3D4A5C")!, mark: "관"), languages: [.ko, .en],
        timeZone: FinanceBench.zone, tenant: nil, kind: id)
    }
    let fixed = Fixed(roles: roles)
    clock = books.bench.clock
    cities = CityMap(city: site("console"), issuer: site("id"), tenants: [], isDevelopment: true)
    router = SiteRouter(
      routes: books.finance.consoleRoutes, renderer: try Renderer([("billing", BillingService.resources)]), sessions: fixed,
      limiter: fixed, key: MasterKey(bytes: Array(repeating: 1, count: 32)))
  }

  func get(_ path: String, accept: String = "text/html", language: String = "ko") async throws -> Reply {
    try await send(.get, path, [.accept: accept, .acceptLanguage: language])
  }

  func post(_ path: String) async throws -> Reply {
    try await send(.post, path, [.accept: "application/json", .contentType: "application/json"], body: "{}")
  }

  private func send(
    _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields, body: String = ""
  ) async throws -> Reply {
    let request = Request(
      head: HTTPRequest(method: method, scheme: "http", authority: "console.localhost:8080", path: path, headerFields: headers),
      body: RequestBody(buffer: ByteBuffer(string: body)))
    let response = await router.respond(
      to: Arrival(
        request: request, site: cities.city, cities: cities, now: clock.domain.now(), requestID: "r",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), owner: 0
    ).response
    let written = CollectedBody()
    try await response.body.write(written)
    return Reply(status: response.status.code, body: await written.bytes.text)
  }
}

private struct CollectedBody: ResponseBodyWriter {
  actor Bytes {
    private var collected: [UInt8] = []
    var text: String { String(decoding: collected, as: UTF8.self) }
    func add(_ more: [UInt8]) { collected += more }
  }
  let bytes = Bytes()
  mutating func write(_ buffer: ByteBuffer) async throws { await bytes.add(Array(buffer.readableBytesView)) }
  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
