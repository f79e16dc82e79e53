import Foundation
import Kit

/// A mail as it travels: an Internet message (RFC 5322) with a text in UTF-8 (MIME, RFC 2045), all of it ASCII in lines of
/// at most 78 characters, but where an address is longer.
struct MIMEMessage {
  /// With CRLF after every line.
  let text: String

  /// - Parameters:
  ///   - domain: the right half of the Message-ID.
  /// - Throws: ``MailError`` `invalid` for what would break out of its header or its line.
  init(_ mail: Mail, from: MailAddress, date: Instant, domain: String) throws(MailError) {
    guard MailAddress.isValid(mail.to) else { throw MailError(.invalid(part: "recipient")) }
    guard MailAddress.isOneLine(mail.subject) else { throw MailError(.invalid(part: "subject")) }
    guard !mail.text.contains("\0") else { throw MailError(.invalid(part: "text")) }
    let body = TransferEncoding.of(mail.text)
    text = [
      "Date: \(MIMEMessage.date(date))",
      "From: \(MIMEMessage.mailbox(from))",
      "To: \(mail.to)",
      "Message-ID: <\(mail.id.text)@\(domain)>",
      "Subject: \(EncodedWord.header(mail.subject))",
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: \(body.rawValue)",
      // RFC 3834: nobody's out-of-office answer should come back to this.
      "Auto-Submitted: auto-generated",
      "",
      body.encode(mail.text),
    ].joined(separator: "\r\n")
  }

  /// `name <address>` (RFC 5322 §3.4).
  private static func mailbox(_ mailbox: MailAddress) -> String {
    guard let name = mailbox.name else { return mailbox.address }
    let isPlain = name.utf8.allSatisfy { $0 < 0x7f } && name.count <= 60 && !name.contains("=?")
    let phrase =
      isPlain
      ? "\"" + name.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
      : EncodedWord.encode(name)
    return "\(phrase)\r\n <\(mailbox.address)>"
  }

  /// `Sat, 21 Nov 2026 05:02:30 +0000` (RFC 5322 §3.3).
  static func date(_ instant: Instant) -> String {
    let day = CivilDate(instant, in: TimeZone(secondsFromGMT: 0)!)  // offset 0 always exists
    let second = instant.seconds - Int64(day.daysSinceEpoch) * 86_400
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    // 1970-01-01 was a Thursday.
    let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][((day.daysSinceEpoch + 3) % 7 + 7) % 7]
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][day.month - 1]
    let time = "\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))"
    return "\(weekday), \(two(Int64(day.day))) \(month) \(day.year) \(time) +0000"
  }
}

/// How a text becomes lines of ASCII (RFC 2045 §6).
enum TransferEncoding: String {
  case quotedPrintable = "quoted-printable"
  case base64

  /// Quoted-printable while most of it can be read as it is; base64 is shorter for Korean.
  static func of(_ text: String) -> TransferEncoding {
    let beyond = text.utf8.count { $0 >= 0x80 }
    return beyond * 6 > text.utf8.count ? .base64 : .quotedPrintable
  }

  /// Lines with CRLF after each. The text ends with one line break, whatever it ended with.
  func encode(_ text: String) -> String {
    let lines = TransferEncoding.lines(of: text)
    switch self {
    case .base64:
      let bytes = Data(lines.map { $0 + "\r\n" }.joined().utf8)
      return bytes.base64EncodedString(options: [.lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed])
        + "\r\n"
    case .quotedPrintable: return lines.map { TransferEncoding.quote($0) + "\r\n" }.joined()
    }
  }

  private static func lines(of text: String) -> [String] {
    let unified = text.replacingOccurrences(of: "\r\n", with: "\n").replacingOccurrences(of: "\r", with: "\n")
    var lines = unified.components(separatedBy: "\n")
    while lines.count > 1, lines.last == "" { lines.removeLast() }
    return lines
  }

  private static func quote(_ line: String) -> String {
    var result = ""
    var width = 0
    let bytes = Array(line.utf8)
    for (index, byte) in bytes.enumerated() {
      let isLast = index == bytes.count - 1
      let isPlain =
        (33...126).contains(byte) && byte != UInt8(ascii: "=") || (byte == 32 || byte == 9) && !isLast
      let piece = isPlain ? String(UnicodeScalar(byte)) : "=" + Hex.text(byte)
      // A line has 76 characters at most, the "=" of a soft break among them.
      if width + piece.utf8.count > 75 {
        result += "=\r\n"
        width = 0
      }
      result += piece
      width += piece.utf8.count
    }
    return result
  }

  /// Reads a body; what is not of the encoding's form is left out, as RFC 2045 advises.
  static func decode(_ bytes: some Collection<UInt8>, encoding: String) -> [UInt8] {
    switch encoding.lowercased() {
    case "base64":
      return Array(Data(base64Encoded: Data(bytes), options: .ignoreUnknownCharacters) ?? Data())
    case "quoted-printable": return unquote(Array(bytes))
    default: return Array(bytes)
    }
  }

  private static func unquote(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      guard bytes[index] == UInt8(ascii: "=") else {
        result.append(bytes[index])
        index += 1
        continue
      }
      if index + 2 < bytes.count, let byte = Hex.byte(bytes[index + 1], bytes[index + 2]) {
        result.append(byte)
        index += 3
        continue
      }
      // A soft line break: "=", perhaps white space, and the line's end.
      var end = index + 1
      while end < bytes.count, bytes[end] == 32 || bytes[end] == 9 || bytes[end] == 13 { end += 1 }
      if end < bytes.count, bytes[end] == 10 {
        index = end + 1
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }
}

enum Hex {
  static func text(_ byte: UInt8) -> String {
    let digits = Array("0123456789ABCDEF")
    return "\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
  }

  static func byte(_ high: UInt8, _ low: UInt8) -> UInt8? {
    guard let high = Character(UnicodeScalar(high)).hexDigitValue, let low = Character(UnicodeScalar(low)).hexDigitValue else {
      return nil
    }
    return UInt8(high * 16 + low)
  }
}
