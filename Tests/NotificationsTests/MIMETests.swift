import Foundation
import Kit
import Testing

@testable import Notifications

/// Messages as text: no network.
@Suite struct MIMETests {
  private let sender = MailAddress("드림시드 <hello@example.com>")!

  private func message(_ subject: String, _ text: String, to: String = "mina@example.com") throws -> String {
    try MIMEMessage(
      Mail(id: UUID(uuidString: "019AF000-0000-7000-8000-000000000001")!, to: to, subject: subject, text: text), from: sender,
      date: Instant(rfc3339: "2026-11-21T05:02:30Z")!, domain: "localhost"
    ).text
  }

  static let texts = [
    "Hello", "", "한국어 본문이에요.\n두 번째 줄.", ".\n..\n.leading dot\n", "trailing space \nand tab\t\n=3D = equals", "a\r\nb\rc",
    String(repeating: "긴 줄 하나로 이어져요. ", count: 40), String(repeating: "x", count: 500),
    "링크: http://id.localhost:8080/verify?token=Zk3vN1xQm8YtR5wLbC7hJd2sFgPa9uEo4iKxV6nTyB0&lang=ko",
    "emoji 👩‍👩‍👧‍👦 " + String(repeating: "👍", count: 90),
  ]

  @Test(arguments: texts) func whatIsWrittenIsReadBack(text: String) throws {
    let subject = "이메일을 확인해 주세요: " + text.prefix(60).filter { !$0.isNewline && $0 != "\t" }
    let wire = try message(subject, text)
    let read = ReceivedMessage(Array(wire.utf8))
    #expect(read.header("subject") == subject)
    #expect(read.header("from") == "드림시드 <hello@example.com>")
    var expected = text.replacingOccurrences(of: "\r\n", with: "\n").replacingOccurrences(of: "\r", with: "\n")
    while expected.last?.isWhitespace ?? false { expected.removeLast() }
    #expect(read.text == expected)
    for line in wire.components(separatedBy: "\r\n") {
      #expect(line.utf8.count <= 78)
      #expect(line.utf8.allSatisfy { (32..<127).contains($0) || $0 == 9 })
    }
    #expect(wire.hasSuffix("\r\n"))
  }

  @Test func headersAreThoseOfTheStandard() throws {
    let lines = try message("Plain subject", "Hello").components(separatedBy: "\r\n")
    #expect(
      lines == [
        "Date: Sat, 21 Nov 2026 05:02:30 +0000", "From: =?utf-8?B?65Oc66a87Iuc65Oc?=", " <hello@example.com>",
        "To: mina@example.com", "Message-ID: <019af000-0000-7000-8000-000000000001@localhost>", "Subject: Plain subject",
        "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable",
        "Auto-Submitted: auto-generated", "", "Hello", "",
      ])
  }

  @Test(arguments: ["a\r\nBcc: x@example.com", "a\nb", "a\rb", "a\0b", "a\u{85}b", "a\u{2028}b"])
  func aSubjectCannotBeginAnotherHeader(subject: String) {
    #expect(throws: MailError(.invalid(part: "subject"))) { try message(subject, "text") }
    #expect(MailAddress(name: subject, address: "a@example.com") == nil)
  }

  @Test(arguments: [
    "", "mina", "@example.com", "mina@", "a b@example.com", "mina@exa mple.com", "mina@example.com\r\nDATA", "mina@example..com",
    ".mina@example.com", "mi..na@example.com", "mina@-example.com", "<mina@example.com>", "mina@example.com>", "미나@example.com",
    "\"a b\"@example.com", "a@b@", "mina@[127.0.0.1]", String(repeating: "a", count: 65) + "@example.com",
    "a@" + Array(repeating: String(repeating: "b", count: 60), count: 5).joined(separator: "."),
  ])
  func whatIsNoAddressIsRefused(address: String) {
    #expect(!MailAddress.isValid(address))
    #expect(throws: MailError(.invalid(part: "recipient"))) { try message("subject", "text", to: address) }
  }

  @Test(arguments: ["mina@example.com", "mina+jeju@example.co.kr", "a.b-c_d@x-y.example", "mina@localhost", "O'Neil@example.com"])
  func addressesAreTaken(address: String) { #expect(MailAddress.isValid(address)) }

  @Test func headersOfOthersAreRead() {
    #expect(EncodedWord.decode("=?UTF-8?Q?caf=C3=A9_au_lait?=") == "café au lait")
    #expect(EncodedWord.decode("=?iso-8859-1?q?caf=E9?= =?utf-8?B?7JWI64WV?= you") == "café안녕 you")
    #expect(EncodedWord.decode("1 =? 2 =?utf-8?X?a?= =?") == "1 =? 2 =?utf-8?X?a?= =?")
    let folded = ReceivedMessage(Array("Subject: a\r\n b\r\nX: y\r\n\r\nBody\r\n".utf8))
    #expect(folded.header("subject") == "a b")
    #expect(folded.text == "Body")
    let latin = "Content-Type: text/plain; charset=\"ISO-8859-1\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    #expect(ReceivedMessage(Array(latin.utf8) + [0x63, 0xE9]).text == "cé")
  }

  @Test func linksAreFoundWithoutTheirPunctuation() {
    let text = "열어 주세요: http://id.localhost:8080/verify?token=a-b_c. (또는 https://example.com/x), http:// javascript:x httpx"
    #expect(Links.all(text) == ["http://id.localhost:8080/verify?token=a-b_c", "https://example.com/x"])
    let joined = Links.segments(text).map { segment in
      switch segment {
      case .text(let text), .link(let text): text
      }
    }.joined()
    #expect(joined == text)
  }
}
