import Testing

@testable import Notifications

/// The server's side, line by line.
@Suite struct SMTPReceiverTests {
  private func replies(_ lines: [String]) -> [SMTPReceiver.Action] {
    var receiver = SMTPReceiver(name: "localhost")
    return lines.map { receiver.command(Array($0.utf8)) }
  }

  @Test func aMailIsTakenStepByStep() {
    var receiver = SMTPReceiver(name: "localhost")
    for line in ["ehlo x", "mail from:<> BODY=8BITMIME SIZE=100", "RCPT TO:<a@example.com>", "rcpt to: <b@example.com>"] {
      guard case .reply(let reply) = receiver.command(Array(line.utf8)) else { return #expect(Bool(false), "\(line)") }
      #expect(reply.hasPrefix("250"))
    }
    #expect(receiver.command(Array("DATA".utf8)) == .read("354 End with a line that holds a single dot"))
    #expect(receiver.envelope == .init(sender: "", recipients: ["a@example.com", "b@example.com"]))
    receiver.reset()
    #expect(receiver.command(Array("DATA".utf8)) == .reply("503 MAIL comes first"))
    #expect(receiver.command(Array("QUIT".utf8)) == .close("221 Bye"))
  }

  @Test(arguments: [
    (["DATA"], "503"), (["MAIL FROM:<a@example.com>"], "503"), (["EHLO"], "501"), (["EHLO x", "RCPT TO:<a@example.com>"], "503"),
    (["EHLO x", "MAIL FROM:a@example.com"], "501"), (["EHLO x", "MAIL FROM:<a b>"], "553"),
    (["EHLO x", "MAIL FROM:<a@example.com>SIZE=1"], "501"), (["EHLO x", "MAIL FROM:<a@example.com> SIZE=99999999"], "552"),
    (["EHLO x", "MAIL FROM:<a@example.com> X=1"], "555"), (["EHLO x", "MAIL FROM:<>", "MAIL FROM:<>"], "503"),
    (["EHLO x", "MAIL FROM:<>", "DATA"], "503"), (["EHLO x", "MAIL FROM:<>", "RCPT TO:<미나@example.com>"], "500"),
    (["BREW coffee"], "502"), (["NOOP\nDATA"], "500"), (["VRFY a"], "252"), ([""], "502"),
  ])
  func whatIsOutOfOrderIsRefused(lines: [String], code: String) {
    guard case .reply(let reply)? = replies(lines).last else { return #expect(Bool(false), "no reply") }
    #expect(reply.hasPrefix(code), "\(reply)")
  }
}
