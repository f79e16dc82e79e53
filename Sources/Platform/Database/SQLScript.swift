import Foundation

/// The statements of an SQL file, by the lexical rules of PostgreSQL (manual §4.1): so that a failure can be told with the
/// line it is at. The server names a place for faults of syntax only.
struct SQLScript {
  struct Statement: Equatable {
    let text: String
    /// Of its first word, from 1.
    let line: Int
  }

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var statements: [Statement] = []

  /// `nil` when where a statement ends can't be told without knowing its grammar: a body of `BEGIN ATOMIC … END`.
  static func statements(of text: String) -> [Statement]? {
    guard text.range(of: #"\bbegin\s+atomic\b"#, options: [.regularExpression, .caseInsensitive]) == nil else { return nil }
    var script = SQLScript(bytes: Array(text.utf8))
    script.read()
    return script.statements
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func read() {
    var (start, firstLine, depth) = (0, nil as Int?, 0)
    func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
    while position < bytes.count {
      let byte = bytes[position]
      if skipComment() { continue }
      if byte == UInt8(ascii: ";"), depth == 0 {
        end(start, firstLine)
        position += 1
        (start, firstLine) = (position, nil)
        continue
      }
      if !isSpace(byte), firstLine == nil { firstLine = line }
      switch byte {
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth = max(0, depth - 1)
      case UInt8(ascii: "'"):
        skipQuoted(byte, escapes: isEscapeString)
        continue
      case UInt8(ascii: "\""):
        skipQuoted(byte, escapes: false)
        continue
      case UInt8(ascii: "$"):
        if skipDollarQuoted() { continue }
      default: break
      }
      step()
    }
    end(start, firstLine)
  }

  private mutating func end(_ start: Int, _ firstLine: Int?) {
    guard let firstLine else { return }
    // From the line of its first word on, so that lines within it can be counted; comments before it are left out.
    var from = start
    var at = line - bytes[start..<position].count { $0 == 10 }
    while at < firstLine, from < position {
      if bytes[from] == 10 { at += 1 }
      from += 1
    }
    statements.append(Statement(text: String(decoding: bytes[from..<position], as: UTF8.self), line: firstLine))
  }

  private mutating func step() {
    if bytes[position] == 10 { line += 1 }
    position += 1
  }

  private func has(_ text: StaticString, at offset: Int) -> Bool {
    offset + text.utf8CodeUnitCount <= bytes.count
      && (0..<text.utf8CodeUnitCount).allSatisfy { bytes[offset + $0] == text.utf8Start[$0] }
  }

  private mutating func skipComment() -> Bool {
    if has("--", at: position) {
      while position < bytes.count, bytes[position] != 10 { position += 1 }
      return true
    }
    guard has("/*", at: position) else { return false }
    var depth = 0
    repeat {
      if has("/*", at: position) {
        depth += 1
        position += 2
      } else if has("*/", at: position) {
        depth -= 1
        position += 2
      } else {
        step()
      }
    } while depth > 0 && position < bytes.count
    return true
  }

  /// Whether the quote at the position has an E before it that is no part of a longer word.
  private var isEscapeString: Bool {
    guard position > 0, bytes[position - 1] | 0x20 == UInt8(ascii: "e") else { return false }
    return position == 1 || !SQLScript.isWord(bytes[position - 2])
  }

  private mutating func skipQuoted(_ quote: UInt8, escapes: Bool) {
    step()
    while position < bytes.count {
      if escapes, bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count {
        step()
      } else if bytes[position] == quote {
        position += 1
        guard position < bytes.count, bytes[position] == quote else { return }
      }
      step()
    }
  }

  private mutating func skipDollarQuoted() -> Bool {
    if position > 0, SQLScript.isWord(bytes[position - 1]) { return false }
    var tagEnd = position + 1
    while tagEnd < bytes.count, SQLScript.isWord(bytes[tagEnd]), bytes[tagEnd] != UInt8(ascii: "$") { tagEnd += 1 }
    guard tagEnd < bytes.count, bytes[tagEnd] == UInt8(ascii: "$"), !(48...57).contains(bytes[position + 1]) else { return false }
    let tag = bytes[position...tagEnd]
    for _ in tag { step() }
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "$"), bytes[position...].starts(with: tag) {
        position += tag.count
        return true
      }
      step()
    }
    return true
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    (97...122).contains(byte | 0x20) || (48...57).contains(byte) || byte == 95 || byte == 36 || byte >= 128
  }
}
