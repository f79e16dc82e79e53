/// The server's side of a conversation (RFC 5321), for a mailbox that takes mails for anyone. No I/O: lines in, replies out.
struct SMTPReceiver {
  /// Bytes a mail may have.
  static let sizeLimit = 256 * 1024
  static let recipientsMost = 100
  /// Bytes a command line may have; the standard asks for 512, and more for extensions (§4.5.3.1.4).
  static let lineLimit = 2_000

  struct Envelope: Equatable, Sendable {
    /// Empty for a bounce.
    let sender: String
    let recipients: [String]
  }

  enum Action: Equatable {
    case reply(String)
    /// Reply, then read lines up to the one with a single dot.
    case read(String)
    case close(String)
  }

  private let name: String
  private var hasGreeted = false
  private var sender: String?
  private var recipients: [String] = []

  init(name: String) { self.name = name }

  var greeting: String { "220 \(name) ESMTP development mailbox" }

  /// Who the mail is from and for, once the text is to be read.
  var envelope: Envelope { Envelope(sender: sender ?? "", recipients: recipients) }

  mutating func command(_ bytes: [UInt8]) -> Action {
    guard bytes.count <= SMTPReceiver.lineLimit else { return .reply("500 Line too long") }
    guard bytes.allSatisfy({ (32..<127).contains($0) }) else { return .reply("500 Command not in printable ASCII") }
    let line = String(decoding: bytes, as: UTF8.self)
    let verb = line.prefix { $0 != " " }.uppercased()
    let argument = line.dropFirst(verb.count).drop { $0 == " " }
    switch verb {
    case "EHLO":
      guard !argument.isEmpty else { return .reply("501 Expected a domain") }
      greet()
      return .reply("250-\(name)\r\n250-SIZE \(SMTPReceiver.sizeLimit)\r\n250-8BITMIME\r\n250 PIPELINING")
    case "HELO":
      guard !argument.isEmpty else { return .reply("501 Expected a domain") }
      greet()
      return .reply("250 \(name)")
    case "MAIL": return mail(String(argument))
    case "RCPT": return recipient(String(argument))
    case "DATA":
      guard sender != nil else { return .reply("503 MAIL comes first") }
      guard !recipients.isEmpty else { return .reply("503 RCPT comes first") }
      return .read("354 End with a line that holds a single dot")
    case "RSET":
      reset()
      return .reply("250 OK")
    case "NOOP": return .reply("250 OK")
    case "VRFY": return .reply("252 Every address is taken here")
    case "QUIT": return .close("221 Bye")
    default: return .reply("502 Command not known here")
    }
  }

  /// To be called when the text has been read: the next mail begins anew.
  mutating func reset() {
    sender = nil
    recipients = []
  }

  private mutating func greet() {
    hasGreeted = true
    reset()
  }

  private mutating func mail(_ argument: String) -> Action {
    guard hasGreeted else { return .reply("503 EHLO comes first") }
    guard sender == nil else { return .reply("503 There is a sender already") }
    guard let (path, parameters) = SMTPReceiver.path(argument, after: "FROM:") else {
      return .reply("501 Expected MAIL FROM:<address>")
    }
    guard path.isEmpty || MailAddress.isValid(path) else { return .reply("553 The sender's address has a wrong form") }
    for parameter in parameters {
      let pair = parameter.split(separator: "=", maxSplits: 1)
      switch pair[0].uppercased() {
      case "SIZE":
        guard pair.count == 2, let size = Int(pair[1]), size >= 0 else { return .reply("501 Expected SIZE=bytes") }
        if size > SMTPReceiver.sizeLimit { return .reply("552 More than \(SMTPReceiver.sizeLimit) bytes") }
      case "BODY": break
      default: return .reply("555 Parameter not known here")
      }
    }
    sender = path
    return .reply("250 OK")
  }

  private mutating func recipient(_ argument: String) -> Action {
    guard sender != nil else { return .reply("503 MAIL comes first") }
    guard let (path, parameters) = SMTPReceiver.path(argument, after: "TO:") else {
      return .reply("501 Expected RCPT TO:<address>")
    }
    guard parameters.isEmpty else { return .reply("555 Parameter not known here") }
    guard MailAddress.isValid(path) else { return .reply("553 The address has a wrong form") }
    guard recipients.count < SMTPReceiver.recipientsMost else { return .reply("452 Too many recipients") }
    recipients.append(path)
    return .reply("250 OK")
  }

  /// Reads `FROM:<path> PARAMETER=value …`.
  private static func path(_ argument: String, after keyword: String) -> (String, [Substring])? {
    guard argument.uppercased().hasPrefix(keyword) else { return nil }
    let rest = argument.dropFirst(keyword.count).drop { $0 == " " }
    guard rest.first == "<", let end = rest.firstIndex(of: ">") else { return nil }
    let parameters = rest[rest.index(after: end)...]
    guard parameters.isEmpty || parameters.first == " " else { return nil }
    return (String(rest[rest.index(after: rest.startIndex)..<end]), parameters.split(separator: " "))
  }
}
