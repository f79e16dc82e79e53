import Foundation
import Kit
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import Notifications

/// The mailer and the mailbox on real connections.
@Suite struct MailboxTests {
  private let group = MultiThreadedEventLoopGroup.singleton
  private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func mailer(_ port: Int, password: String? = nil, timeout: Duration = .seconds(5)) -> SMTPMailer {
    SMTPMailer(
      host: "127.0.0.1", port: port, username: password.map { _ in "user" }, password: password,
      from: MailAddress("드림시드 <hello@example.com>")!, helo: "localhost", group: group, timeout: timeout, logger: logger)
  }

  private func withFolder(_ body: (URL) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("mailbox-\(UUID())")
    defer { try? FileManager.default.removeItem(at: directory) }
    try await body(directory)
  }

  private func withMailbox(most: Int = 500, _ body: (DevelopmentMailbox, Int) async throws -> Void) async throws {
    try await withFolder { directory in
      // A clock that stands still: order must not come from it.
      let clock = DomainClock { Instant(seconds: 1_795_000_000) }
      let folder = MailFolder(directory: directory, most: most, clock: clock)
      let mailbox = DevelopmentMailbox(folder: folder, group: group, logger: logger)
      let port = try await mailbox.start()
      try await body(mailbox, port)
      await mailbox.stop()
    }
  }

  private func texts(_ mailbox: DevelopmentMailbox, to address: String? = nil) async throws -> [String] {
    var texts: [String] = []
    for entry in mailbox.folder.list(to: address, limit: 1_000) {
      texts.append(try #require(try await mailbox.folder.message(entry.id)).text)
    }
    return texts
  }

  @Test func aKoreanMailArrivesAsItWasSent() async throws {
    try await withMailbox { mailbox, port in
      let text = "하늘님, 반가워요.\n\n아래 주소를 열면 가입이 끝나요.\nhttp://id.localhost:8080/verify?token=a_b-c\n"
      try await mailer(port).send(Mail(to: "haneul@example.com", subject: "이메일을 확인해 주세요", text: text))
      let entry = try #require(mailbox.folder.list(to: "HANEUL@example.com", limit: 10).first)
      #expect(entry.subject == "이메일을 확인해 주세요")
      #expect(entry.recipients == ["haneul@example.com"])
      #expect(entry.from == "드림시드 <hello@example.com>")
      let view = MailView(try #require(try await mailbox.folder.message(entry.id)))
      #expect(view.text == text.trimmed)
      #expect(view.links == ["http://id.localhost:8080/verify?token=a_b-c"])
      #expect(mailbox.folder.list(to: "bada@example.com", limit: 10).isEmpty)
    }
  }

  @Test func linesThatBeginWithADotArriveWhole() async throws {
    try await withMailbox { mailbox, port in
      let text = ".\n..\n.hidden\nQUIT\n."
      try await mailer(port).send(Mail(to: "a@example.com", subject: "dots", text: text))
      try await mailer(port).send(Mail(to: "a@example.com", subject: "after", text: "second"))
      #expect(try await texts(mailbox) == ["second", text])
    }
  }

  @Test func manyAtOnceAreAllKeptAndTheNewestComesFirst() async throws {
    try await withMailbox { mailbox, port in
      try await withThrowingTaskGroup { group in
        for number in 0..<30 {
          group.addTask { try await mailer(port).send(Mail(to: "a\(number)@example.com", subject: "s", text: "\(number)")) }
        }
        try await group.waitForAll()
      }
      #expect(Set(try await texts(mailbox)) == Set((0..<30).map(String.init)))
      for number in 0..<3 { try await mailer(port).send(Mail(to: "b@example.com", subject: "s", text: "\(number)")) }
      #expect(try await texts(mailbox, to: "b@example.com") == ["2", "1", "0"])
    }
  }

  @Test func theOldestGo() async throws {
    try await withMailbox(most: 3) { mailbox, port in
      for number in 0..<5 { try await mailer(port).send(Mail(to: "a@example.com", subject: "s", text: "\(number)")) }
      #expect(try await texts(mailbox) == ["4", "3", "2"])
    }
  }

  @Test func mailsAreThereAfterARestart() async throws {
    try await withFolder { directory in
      for expected in [["1"], ["2", "1"]] {
        let mailbox = DevelopmentMailbox(directory: directory, group: group, clock: .system, logger: logger)
        let port = try await mailbox.start()
        try await mailer(port).send(Mail(to: "a@example.com", subject: "s", text: expected[0]))
        #expect(try await texts(mailbox) == expected)
        await mailbox.stop()
        await #expect(throws: MailError(.connectionFailed)) {
          try await mailer(port).send(Mail(to: "a@example.com", subject: "s", text: "late"))
        }
      }
      let mode = try FileManager.default.attributesOfItem(atPath: directory.path)[.posixPermissions] as? Int
      #expect(mode == 0o700)
    }
  }

  @Test func aMailThatIsTooLargeIsRefusedAndTheServerGoesOn() async throws {
    try await withMailbox { mailbox, port in
      let long = String(repeating: "0123456789\n", count: 30_000)
      await #expect(throws: MailError(.refused(code: 552), command: "text")) {
        try await mailer(port).send(Mail(to: "a@example.com", subject: "s", text: long))
      }
      try await mailer(port).send(Mail(to: "a@example.com", subject: "s", text: "short"))
      #expect(try await texts(mailbox) == ["short"])
    }
  }

  @Test func nothingIsSentOfAMailThatWouldInject() async throws {
    try await withMailbox { mailbox, port in
      await #expect(throws: MailError(.invalid(part: "subject"))) {
        try await mailer(port).send(Mail(to: "a@example.com", subject: "s\r\nBcc: b@example.com", text: "t"))
      }
      await #expect(throws: MailError(.invalid(part: "recipient"))) {
        try await mailer(port).send(Mail(to: "a@example.com>\r\nRCPT TO:<b@example.com", subject: "s", text: "t"))
      }
      #expect(mailbox.folder.list(to: nil, limit: 10).isEmpty)
    }
  }

  @Test func aPasswordIsNotGivenToAServerThatTakesNone() async throws {
    try await withMailbox { _, port in
      await #expect(throws: MailError(.authenticationNotOffered, command: "AUTH")) {
        try await mailer(port, password: "secret").send(Mail(to: "a@example.com", subject: "s", text: "t"))
      }
    }
  }

  // MARK: Servers that refuse

  /// A server that says its lines one by one, each after a line of the client, and notes what it was told.
  private func withServer(_ replies: [String], _ body: (Int) async throws -> Void) async throws -> [String] {
    let server = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0) { channel in
      channel.eventLoop.makeCompletedFuture {
        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
      }
    }
    let port = try #require(server.channel.localAddress?.port)
    let heard = Task {
      try await server.executeThenClose { clients in
        var heard: [String] = []
        for try await client in clients {
          heard = try await client.executeThenClose { inbound, outbound in
            var reader = LineReader(inbound)
            var heard: [String] = []
            for (index, reply) in replies.enumerated() {
              if index > 0 {
                var isText = replies[index - 1].hasPrefix("354")
                repeat {
                  guard let line = try await reader.next(limit: 10_000) else { return heard }
                  let text = String(decoding: line, as: UTF8.self)
                  if !isText { heard.append(text) }
                  if text == "." { isText = false }
                } while isText
              }
              if reply.isEmpty { try await Task.sleep(for: .seconds(30)) }
              try await outbound.write(ByteBuffer(string: reply + "\r\n"))
            }
            while try await reader.next(limit: 10_000) != nil {}
            return heard
          }
          break
        }
        return heard
      }
    }
    do {
      try await body(port)
    } catch {
      heard.cancel()
      throw error
    }
    return try await heard.value
  }

  @Test(arguments: [
    (["554 no"], MailError(.refused(code: 554), command: "connect")),
    (["220 hi", "250 x", "550 no"], MailError(.refused(code: 550), command: "MAIL")),
    (["220 hi", "250 x", "250 ok", "550-no\r\n550 really"], MailError(.refused(code: 550), command: "RCPT")),
    (["220 hi", "250 x", "250 ok", "450 later"], MailError(.refused(code: 450), command: "RCPT")),
    (["220 hi", "250 x", "250 ok", "250 ok", "354 go", "554 spam"], MailError(.refused(code: 554), command: "text")),
    (["220 hi", "500 what", "502 what"], MailError(.refused(code: 502), command: "EHLO")),
    (["HTTP/1.1 400 Bad Request"], MailError(.malformedReply, command: "connect")),
    (["220 hi", "250-a\r\n251 b"], MailError(.malformedReply, command: "EHLO")),
  ])
  func aRefusalNamesCodeAndCommand(replies: [String], expected: MailError) async throws {
    _ = try await withServer(replies) { port in
      await #expect(throws: expected) {
        try await mailer(port).send(Mail(to: "a@example.com", subject: "s", text: "t"))
      }
    }
  }

  @Test func anOldServerIsGreetedWithHELOAndAPasswordIsGivenWhenAskedFor() async throws {
    let old = ["220 hi", "500 what", "250 x", "250 ok", "251 ok", "354 go", "250 ok", "221 bye"]
    var heard = try await withServer(old) { port in
      try await mailer(port).send(Mail(to: "a@example.com", subject: "s", text: "t"))
    }
    #expect(
      heard.prefix(5) == ["EHLO localhost", "HELO localhost", "MAIL FROM:<hello@example.com>", "RCPT TO:<a@example.com>", "DATA"])

    let modern = [
      "220 hi", "250-x\r\n250-SIZE\r\n250 AUTH LOGIN PLAIN", "235 ok", "250 ok", "250 ok", "354 go", "250 ok", "221 bye",
    ]
    heard = try await withServer(modern) { port in
      try await mailer(port, password: "비밀").send(Mail(to: "a@example.com", subject: "s", text: "t"))
    }
    #expect(heard[1] == "AUTH PLAIN " + Data("\0user\0비밀".utf8).base64EncodedString())
  }

  @Test func aServerThatIsSilentIsLeft() async throws {
    // Connections are taken, and nobody ever answers. They end when the client has left.
    let server = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(server.localAddress?.port)
    let start = ContinuousClock.now
    await #expect(throws: MailError(.timedOut, command: "connect")) {
      try await mailer(port, timeout: .milliseconds(200)).send(Mail(to: "a@example.com", subject: "s", text: "t"))
    }
    #expect(ContinuousClock.now - start < .seconds(5))
    try await server.close()
  }
}
