import Foundation
import HTTPTypes
import Hummingbird
import Keys
import Kit
import Logging
import NIOCore
import NIOPosix
import Testing
import Web

@testable import Notifications

/// The mailbox as a browser and a program get it.
@Suite struct MailboxPagesTests {
  private struct Nobody: SessionReader, RateLimiter {
    func session(of request: Request, on site: Site) async throws -> Session? { nil }
    func admit(_ rule: String, visit: Visit) async throws {}
  }

  private final class Written: ResponseBodyWriter {
    private(set) var text = ""
    func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
  }

  private func ask(_ path: String, _ mailbox: DevelopmentMailbox, accept: String = "text/html") async throws -> (Int, String) {
    func site(_ id: String) -> Site {
      Site(
        id: id, origin: Origin(scheme: "http", host: "localhost", port: 8080), name: LocalizedText(ko: "드림시드"),
        summary: LocalizedText(ko: "요약"), look: Look(accent: .ink, mark: "드"), languages: [.ko, .en],
        timeZone: TimeZone(identifier: "Asia/Seoul")!)
    }
    let router = SiteRouter(
      routes: mailbox.routes, renderer: try Renderer([("notifications", DevelopmentMailbox.resources)]), sessions: Nobody(),
      limiter: Nobody(), key: MasterKey(bytes: Array(repeating: 1, count: 32)))
    var fields = HTTPFields()
    fields[.accept] = accept
    let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost:8080", path: path, headerFields: fields)
    let outcome = await router.respond(
      to: Arrival(
        request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), site: site("city"),
        cities: CityMap(city: site("city"), issuer: site("id"), tenants: [], isDevelopment: true), now: .now, requestID: "r",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), owner: mailbox)
    let written = Written()
    try await outcome.response.body.write(written)
    return (outcome.response.status.code, written.text)
  }

  @Test func mailsAreListedAndShown() async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("mailbox-\(UUID())")
    defer { try? FileManager.default.removeItem(at: directory) }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let mailbox = DevelopmentMailbox(
      directory: directory, group: MultiThreadedEventLoopGroup.singleton, clock: .system, logger: logger)
    let port = try await mailbox.start()
    #expect(try await ask("/mailbox", mailbox).1.contains("아직 메일이 없어요"))

    let mailer = SMTPMailer(
      host: "127.0.0.1", port: port, from: MailAddress("드림시드 <hello@example.com>")!, helo: "localhost",
      group: MultiThreadedEventLoopGroup.singleton, logger: logger)
    let link = "http://id.localhost:8080/verify?a=1&b=2"
    try await mailer.send(Mail(to: "mina+1@example.com", subject: "확인 <b>", text: "여세요: \(link).\n<script>"))
    try await mailer.send(Mail(to: "bada@example.com", subject: "두 번째", text: "x"))
    await mailbox.stop()

    let (status, page) = try await ask("/mailbox", mailbox)
    #expect(status == 200)
    #expect(page.contains("확인 &lt;b&gt;") && page.contains("두 번째"))
    #expect(!(try await ask("/mailbox?to=bada@example.com", mailbox)).1.contains("확인"))

    let (_, json) = try await ask("/mailbox?to=mina%2B1@example.com", mailbox, accept: "application/json")
    let view = try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
    guard case .array(let messages)? = view["messages"], let mail = messages.first else { return #expect(Bool(false), "\(json)") }
    #expect(messages.count == 1)
    #expect(mail["to"] == "mina+1@example.com")
    #expect(mail["subject"] == "확인 <b>")
    #expect(mail["text"] == .string("여세요: \(link).\n<script>"))
    #expect(mail["links"] == [.string(link)])

    let (found, text) = try await ask("/mailbox/\(mail["id"]?.string ?? "")", mailbox)
    #expect(found == 200)
    #expect(text.contains("<a href=\"http://id.localhost:8080/verify?a=1&amp;b=2\">"), "\(text)")
    #expect(text.contains("&lt;script&gt;") && !text.contains("<script>"))
    #expect(!text.contains("notifications."))
    #expect(try await ask("/mailbox/\(UUID.v7().text)", mailbox).0 == 404)
    #expect(try await ask("/mailbox/..%2f..%2fetc", mailbox).0 == 404)
  }
}
