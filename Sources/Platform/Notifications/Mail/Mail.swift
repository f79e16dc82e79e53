public import Foundation
public import Kit

/// One mail to one person, in plain text.
public struct Mail: Sendable {
  /// Names the mail in its Message-ID: one that is sent again after a doubt is the same mail.
  public let id: UUID
  /// An address alone: `mina@example.com`.
  public let to: String
  public let subject: String
  public let text: String

  public init(id: UUID = .v7(), to: String, subject: String, text: String) {
    self.id = id
    self.to = to
    self.subject = subject
    self.text = text
  }
}

/// An address with or without a name: `드림시드 <hello@example.com>`.
public struct MailAddress: Hashable, Sendable {
  public let name: String?
  public let address: String

  /// `nil` when the address has a wrong form, or the name a character that could end its line.
  public init?(name: String? = nil, address: String) {
    guard MailAddress.isValid(address), name.map(MailAddress.isOneLine) ?? true else { return nil }
    self.name = name.flatMap { $0.isEmpty ? nil : $0 }
    self.address = address
  }

  /// Reads `address` or `name <address>`.
  public init?(_ text: String) {
    guard text.hasSuffix(">"), let open = text.lastIndex(of: "<") else {
      self.init(address: text)
      return
    }
    var name = text[..<open].trimmed
    if name.count >= 2, name.hasPrefix("\""), name.hasSuffix("\"") { name = String(name.dropFirst().dropLast()) }
    self.init(name: name, address: String(text[text.index(after: open)...].dropLast()))
  }

  /// Whether a text is an address as RFC 5321 §4.1.2 has it, of the kind people have: a dot-string and a domain, at most
  /// 254 characters. Quoted local parts, address literals and letters beyond ASCII are not taken.
  public static func isValid(_ address: String) -> Bool {
    let bytes = Array(address.utf8)
    guard bytes.count <= 254, let at = bytes.lastIndex(of: UInt8(ascii: "@")) else { return false }
    let (local, domain) = (bytes[..<at], bytes[(at + 1)...])
    let special = Set("!#$%&'*+-/=?^_`{|}~".utf8)
    let atoms = local.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return local.count <= 64 && atoms.allSatisfy { !$0.isEmpty && $0.allSatisfy { isAlphanumeric($0) || special.contains($0) } }
      && isDomain(domain)
  }

  /// Whether bytes are a domain name: labels of letters, digits and inner hyphens.
  static func isDomain(_ domain: some BidirectionalCollection<UInt8>) -> Bool {
    let labels = domain.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return labels.allSatisfy { label in
      (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
        && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }
  }

  /// Whether a text can stand in a header: a line break in it would begin another header.
  static func isOneLine(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy {
      !($0.value < 32 || (0x7f...0x9f).contains($0.value) || $0.value == 0x2028 || $0.value == 0x2029)
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }
}

/// Why a mail was not handed over. Names no address and quotes nothing: a server's words may hold both.
public struct MailError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// The mail itself can't be sent; nothing was.
    case invalid(part: String)
    case connectionFailed
    /// The server closed the connection. After the text was sent, the mail may have been taken.
    case connectionLost
    case timedOut
    /// The server's reply code (RFC 5321 §4.2): 4xx for now, 5xx for good.
    case refused(code: Int)
    case malformedReply
    /// There is a password, and the server offers no way to give it that we have.
    case authenticationNotOffered
  }

  public let kind: Kind
  /// The command that was answered so, without its arguments: `RCPT`.
  public let command: String?

  init(_ kind: Kind, command: String? = nil) {
    self.kind = kind
    self.command = command
  }

  /// Whether the same mail may be taken later.
  public var isTransient: Bool {
    switch kind {
    case .refused(let code): (400..<500).contains(code)
    case .connectionFailed, .connectionLost, .timedOut: true
    case .invalid, .malformedReply, .authenticationNotOffered: false
    }
  }

  public var description: String {
    let what =
      switch kind {
      case .invalid(let part): "mail not sent: its \(part) has a wrong form"
      case .connectionFailed: "mail not sent: no connection to the mail server"
      case .connectionLost: "mail not sent: the mail server closed the connection"
      case .timedOut: "mail not sent: the mail server did not answer in time"
      case .refused(let code): "mail not sent: the mail server refused with \(code)"
      case .malformedReply: "mail not sent: the mail server's reply is not SMTP"
      case .authenticationNotOffered: "mail not sent: the mail server does not offer AUTH PLAIN"
      }
    return command.map { "\(what) (\($0))" } ?? what
  }
}
