extension SQL {
  /// Why it can't be run on a connection that callers share, judged by its first word. `nil`: it can.
  ///
  /// A BEGIN would take the statements of others into its transaction; COPY changes the protocol under their answers.
  func refusal(inTransaction: Bool) -> String? {
    switch firstWord {
    case "COPY": "COPY is not for query(); use copy(into:from:) or copy(from:)"
    case "BEGIN", "START", "COMMIT", "END", "ABORT":
      "transactions are begun and ended by transaction(_:)"
    case "PREPARE" where text.uppercased().contains("TRANSACTION"):
      "two-phase commit is not supported"
    case "ROLLBACK"
    where !inTransaction || !text.uppercased().split(whereSeparator: \.isWhitespace).contains("TO"):
      "transactions are begun and ended by transaction(_:)"
    case "SAVEPOINT" where !inTransaction, "RELEASE" where !inTransaction:
      "a savepoint is for transactions"
    default: nil
    }
  }

  /// The first word in capitals, if it is one of those that matter; comments and blanks are passed over.
  var firstWord: String? {
    var text = text
    return text.withUTF8 { bytes in
      var position = SQL.startOfStatement(bytes)
      guard position < bytes.count else { return nil }
      switch bytes[position] & 0xDF {
      // B, C, E, S, A, P, R; most statements end here.
      case 0x42, 0x43, 0x45, 0x53, 0x41, 0x50, 0x52: break
      default: return nil
      }
      if position + 1 < bytes.count, bytes[position] & 0xDF == 0x53,
        bytes[position + 1] & 0xDF == 0x45
      {
        return nil
      }
      var word = ""
      while position < bytes.count, word.utf8.count < 12,
        (0x41...0x5A).contains(bytes[position] & 0xDF)
      {
        word.unicodeScalars.append(Unicode.Scalar(bytes[position] & 0xDF))
        position += 1
      }
      return word
    }
  }

  /// Past blanks, `-- …` and `/* … */`, which nest (PostgreSQL manual §4.1.5).
  private static func startOfStatement(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var position = 0
    func starts(_ first: UInt8, _ second: UInt8) -> Bool {
      position + 1 < bytes.count && bytes[position] == first && bytes[position + 1] == second
    }
    while position < bytes.count {
      if bytes[position] == 0x20 || (0x09...0x0D).contains(bytes[position])
        || bytes[position] == 0x3B
      {
        position += 1
      } else if starts(0x2D, 0x2D) {
        while position < bytes.count, bytes[position] != 0x0A, bytes[position] != 0x0D {
          position += 1
        }
      } else if starts(0x2F, 0x2A) {
        var depth = 0
        repeat {
          if starts(0x2F, 0x2A) {
            depth += 1
            position += 2
          } else if starts(0x2A, 0x2F) {
            depth -= 1
            position += 2
          } else {
            position += 1
          }
        } while depth > 0 && position < bytes.count
      } else {
        break
      }
    }
    return position
  }
}
