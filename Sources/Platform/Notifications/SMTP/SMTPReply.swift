/// A server's answer (RFC 5321 §4.2): a code and the lines of its text.
struct SMTPReply: Equatable {
  let code: Int
  let lines: [String]

  var isPositive: Bool { (200..<400).contains(code) }

  /// Collects the lines of one reply.
  struct Parser {
    private var code: Int?
    private var lines: [String] = []

    /// - Returns: the reply when this line was its last.
    mutating func add(_ line: [UInt8]) throws(MailError) -> SMTPReply? {
      let text = String(decoding: line, as: UTF8.self)
      let digits = text.prefix(3)
      guard digits.utf8.count == 3, digits.utf8.allSatisfy({ (48...57).contains($0) }), let found = Int(digits),
        (200..<600).contains(found), code == nil || code == found, lines.count < 100
      else { throw MailError(.malformedReply) }
      let rest = text.dropFirst(3)
      guard rest.isEmpty || rest.first == " " || rest.first == "-" else { throw MailError(.malformedReply) }
      code = found
      lines.append(String(rest.dropFirst()))
      return rest.first == "-" ? nil : SMTPReply(code: found, lines: lines)
    }
  }

  /// Whether the answer to EHLO offers an extension with a parameter: `AUTH` with `PLAIN`.
  func offers(_ keyword: String, _ parameter: String) -> Bool {
    lines.dropFirst().contains { line in
      let words = line.uppercased().split { $0 == " " || $0 == "=" }
      return words.first == keyword[...] && words.dropFirst().contains(parameter[...])
    }
  }
}
