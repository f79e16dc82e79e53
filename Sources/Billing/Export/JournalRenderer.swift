import Kit

/// Plain-text accounting: one body that hledger 1.25, ledger 3.3 and beancount 2.3 and 3 read alike, and what each wants around it.
///
/// hledger and ledger take beancount's `open` lines for transactions without postings, and beancount's links for words of the
/// description. Amounts are never left out; there are no options and no metadata.
struct JournalRenderer: LedgerRenderer {
  enum Layout: Sendable {
    /// A file of its own for one of the tools.
    case hledger, beancount
    /// What the wrappers include.
    case body
  }

  static let wantsDetails = false

  let books: MonthBooks
  private let layout: Layout
  /// For each account: what stands before the amount, and behind it.
  private let heads: [[UInt8]]
  private let tails: [[UInt8]]
  private let places: [Int]
  private var day: (number: Int, text: [UInt8]) = (.min, [])

  init(_ books: MonthBooks, _ layout: Layout) {
    self.books = books
    self.layout = layout
    heads = books.lines.map { Array("    \($0.account.name)  ".utf8) }
    tails = books.lines.map { Array(" \($0.account.currency.rawValue)\n".utf8) }
    places = books.lines.map(\.account.currency.exponent)
  }

  mutating func begin(into bytes: inout [UInt8]) {
    bytes.append(text: books.heading)
    if layout == .hledger { bytes.append(text: books.hledgerHead) }
    bytes.append(text: books.journalOpening)
  }

  mutating func add(_ posting: borrowing PostingRow, into bytes: inout [UInt8]) {
    if posting.isFirst {
      if day.number != posting.booked {
        day = (posting.booked, Array(CivilDate(daysSinceEpoch: posting.booked).description.utf8))
      }
      bytes.append(10)
      bytes.append(contentsOf: day.text)
      bytes.append(text: " * \"")
      JournalRenderer.append(description: posting.description.bytes, into: &bytes)
      bytes.append(text: "\" ^")
      bytes.append(uuid: posting.entry.bytes)
      bytes.append(10)
    }
    bytes.append(contentsOf: heads[posting.account])
    bytes.append(amount: posting.amount, places: places[posting.account])
    bytes.append(contentsOf: tails[posting.account])
  }

  func end(into bytes: inout [UInt8]) {
    switch layout {
    case .hledger: bytes.append(text: books.hledgerTail)
    case .beancount: bytes.append(text: books.beancountTail)
    case .body: break
    }
  }

  /// Codes of the catalogues need nothing; whatever else came there ends no string and begins no comment.
  static func append(description: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
    if description.allSatisfy({ (97...122).contains($0) || $0 == 46 || $0 == 45 || $0 == 32 || (48...57).contains($0) }) {
      return bytes.append(contentsOf: description)
    }
    for byte in description {
      switch byte {
      case 0..<32, 127: bytes.append(32)
      case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "'"))
      case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "/"))
      case UInt8(ascii: ";"): bytes.append(UInt8(ascii: ","))
      default: bytes.append(byte)
      }
    }
  }
}

// What stands around the postings.
extension MonthBooks {
  /// What the file is, and how final.
  var heading: String {
    let days = "booked from \(month.first) to \(month.last), \(timeZone)"
    switch state {
    case .provisional:
      return "; Ledger of \(month), \(days).\n; provisional: the month is not over, and there will be more in it.\n"
    case .open: return "; Ledger of \(month), \(days).\n; open: the month is over and not closed.\n"
    case .closed(let closed):
      return "; Ledger of \(month), \(days).\n; closed: \(closed.at.rfc3339), sha-256 \(closed.digest.hex)\n"
    }
  }

  private var accountNames: [(name: String, currencies: [String])] {
    lines.reduce(into: []) { names, line in
      let currency = line.account.currency.rawValue
      if names.last?.name == line.account.name {
        if names[names.count - 1].currencies.last != currency { names[names.count - 1].currencies.append(currency) }
      } else {
        names.append((line.account.name, [currency]))
      }
    }
  }

  /// hledger's strict mode wants accounts declared, and the decimals of a currency: without them it takes parts of a won.
  var hledgerHead: String {
    Currency.allCases.map { currency in
      "commodity 1000.\(String(repeating: "0", count: currency.exponent)) \(currency.rawValue)\n"
    }.joined()
      + accountNames.map { "account \($0.name)\n" }.joined() + "\n"
  }

  /// The accounts, and what stood on them before the month.
  var journalOpening: String {
    var text = ""
    for (name, currencies) in accountNames { text += "\(month.first) open \(name) \(currencies.joined(separator: ","))\n" }
    let opened = lines.filter { $0.opening != 0 }
    if !opened.isEmpty { text += "\n\(month.first) * \"opening balances\"\n" }
    for line in opened {
      let currency = line.account.currency
      text += "    \(line.account.name)  \(Money(line.opening, currency).decimal) \(currency.rawValue)\n"
    }
    return text
  }

  /// Every balance at the end of the month, asserted.
  var hledgerTail: String {
    guard !lines.isEmpty else { return "" }
    var text = "\n\(month.last) * \"closing balances\"\n"
    for line in balances {
      let currency = line.account.currency
      text += "    \(line.account.name)  \(Money(0, currency).decimal) \(currency.rawValue)"
      text += " = \(Money(line.closing, currency).decimal) \(currency.rawValue)\n"
    }
    return text
  }

  /// The same, which beancount holds at the beginning of a day.
  var beancountTail: String {
    var text = "\n"
    for line in balances {
      let currency = line.account.currency
      text += "\(month.next) balance \(line.account.name)  \(Money(line.closing, currency).decimal) \(currency.rawValue)\n"
    }
    return text
  }

  /// One line for each name and currency.
  private var balances: [Line] {
    lines.reduce(into: []) { merged, line in
      if let last = merged.last?.account, last.name == line.account.name, last.currency == line.account.currency {
        merged[merged.count - 1].opening += line.opening
        merged[merged.count - 1].debit += line.debit
        merged[merged.count - 1].credit += line.credit
      } else {
        merged.append(line)
      }
    }
  }
}
