import Foundation
import Kit

/// A message as it came, read: headers, and the text of a single part.
struct ReceivedMessage: Sendable {
  /// In order; names in lower case, values unfolded and not decoded.
  let headers: [(name: String, value: String)]
  private let body: [UInt8]

  init(_ bytes: [UInt8]) {
    var headers: [(name: String, value: String)] = []
    var position = 0
    while position < bytes.count {
      let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      var line = bytes[position..<end]
      position = min(end + 1, bytes.count)
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if line.isEmpty { break }
      let text = String(decoding: line, as: UTF8.self)
      if let first = line.first, first == 32 || first == 9 {
        // A folded header goes on (RFC 5322 §2.2.3).
        guard !headers.isEmpty else { continue }
        headers[headers.count - 1].value += " " + text.trimmed
      } else if let colon = text.firstIndex(of: ":") {
        headers.append((text[..<colon].trimmed.lowercased(), text[text.index(after: colon)...].trimmed))
      }
    }
    self.headers = headers
    body = Array(bytes[position...])
  }

  /// The decoded value of the first header of this name.
  func header(_ name: String) -> String? { headers.first { $0.name == name }.map { EncodedWord.decode($0.value) } }

  func all(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }

  /// The body as text, with plain line feeds and without white space at its end.
  var text: String {
    let encoding = header("content-transfer-encoding") ?? "7bit"
    let charset = header("content-type").flatMap(ReceivedMessage.charset) ?? "utf-8"
    var text = Charset.text(TransferEncoding.decode(body, encoding: encoding.trimmed), charset)
      .replacingOccurrences(of: "\r\n", with: "\n")
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return text
  }

  private static func charset(_ type: String) -> String? {
    for parameter in type.split(separator: ";").dropFirst() {
      let pair = parameter.split(separator: "=", maxSplits: 1).map(\.trimmed)
      if pair.count == 2, pair[0].lowercased() == "charset" { return pair[1].trimmingCharacters(in: ["\""]) }
    }
    return nil
  }
}

/// The http links of a text.
enum Links {
  enum Segment: Equatable {
    case text(String)
    case link(String)
  }

  /// The text in pieces. A link ends at white space, quotes and angle brackets, and without the punctuation behind it.
  static func segments(_ text: String) -> [Segment] {
    var segments: [Segment] = []
    var plain = ""
    var rest = text[...]
    while let start = rest.range(of: "http", options: .caseInsensitive) {
      let candidate = rest[start.lowerBound...].prefix { !$0.isWhitespace && !"<>\"“”「」".contains($0) }
      var link = candidate
      while let last = link.last, ".,;:!?)]}'’".contains(last) { link.removeLast() }
      let scheme = link.lowercased()
      guard let body = ["http://", "https://"].first(where: { scheme.hasPrefix($0) }), link.count > body.count else {
        plain += rest[..<start.upperBound]
        rest = rest[start.upperBound...]
        continue
      }
      plain += rest[..<start.lowerBound]
      if !plain.isEmpty { segments.append(.text(plain)) }
      plain = ""
      segments.append(.link(String(link)))
      rest = rest[link.endIndex...]
    }
    plain += rest
    if !plain.isEmpty { segments.append(.text(plain)) }
    return segments
  }

  static func all(_ text: String) -> [String] {
    segments(text).compactMap { segment in
      guard case .link(let link) = segment else { return nil }
      return link
    }
  }
}
