import Foundation

/// Letters beyond ASCII in headers (RFC 2047).
enum EncodedWord {
  /// The value of an unstructured header, such as Subject: as it is where that is allowed and short, else in encoded words.
  static func header(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { (32..<127).contains($0) } && text.utf8.count <= 66 && !text.contains("=?")
    return isPlain && text.trimmingCharacters(in: .whitespaces) == text ? text : encode(text)
  }

  /// Encoded words of at most 64 characters, each on a line of its own; no character is torn between two (§5).
  static func encode(_ text: String) -> String {
    var words: [String] = []
    var part: [UInt8] = []
    for scalar in text.unicodeScalars {
      let bytes = Array(String(scalar).utf8)
      if part.count + bytes.count > 39 {
        words.append(word(part))
        part = []
      }
      part += bytes
    }
    words.append(word(part))
    return words.joined(separator: "\r\n ")
  }

  private static func word(_ bytes: [UInt8]) -> String { "=?utf-8?B?\(Data(bytes).base64EncodedString())?=" }

  /// The text of an unfolded header. Words of unknown charsets or forms are left as they stand.
  static func decode(_ header: String) -> String {
    var result = ""
    var rest = header[...]
    var lastWasWord = false
    while let open = rest.range(of: "=?") {
      let between = rest[..<open.lowerBound]
      guard let (decoded, end) = read(rest[open.lowerBound...]) else {
        result += rest[..<open.upperBound]
        rest = rest[open.upperBound...]
        lastWasWord = false
        continue
      }
      // White space between two encoded words is only there to part them (§6.2).
      if !(lastWasWord && between.allSatisfy(\.isWhitespace)) { result += between }
      result += decoded
      rest = rest[end...]
      lastWasWord = true
    }
    return result + rest
  }

  /// Reads `=?charset?B|Q?text?=` at the beginning.
  private static func read(_ text: Substring) -> (String, Substring.Index)? {
    let parts = text.dropFirst(2).split(separator: "?", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 4, parts[3].hasPrefix("="), !parts[0].contains(where: \.isWhitespace) else { return nil }
    let bytes: [UInt8]
    switch parts[1].uppercased() {
    case "B":
      guard let data = Data(base64Encoded: String(parts[2])) else { return nil }
      bytes = Array(data)
    case "Q":
      bytes = TransferEncoding.decode(parts[2].replacing("_", with: " ").utf8, encoding: "quoted-printable")
    default: return nil
    }
    // "charset*language" (RFC 2231 §5).
    let charset = parts[0].split(separator: "*").first.map(String.init) ?? ""
    return (Charset.text(bytes, charset), text.index(after: parts[3].startIndex))
  }
}

enum Charset {
  /// Text of the charsets that senders of ours use. Unknown ones read as UTF-8, with what does not fit marked.
  static func text(_ bytes: some Collection<UInt8>, _ charset: String) -> String {
    switch charset.lowercased() {
    case "iso-8859-1", "latin1": String(String.UnicodeScalarView(bytes.map { UnicodeScalar($0) }))
    default: String(decoding: bytes, as: UTF8.self)
    }
  }
}
