import Foundation
import Kit

/// An account as the books outside know it: persons' and billing accounts' own ledgers are one control account each.
struct ControlAccount: Hashable, Sendable {
  /// In parts that hledger, ledger and beancount take: `Assets:Dreamseed-Kr:Cash:Simulator`.
  let name: String
  let kind: LedgerAccount.Kind
  let currency: Currency
  /// The legal entity in whose books it is; none for points.
  let entity: String
  let tenant: String

  /// - Parameters:
  ///   - code: the account's in the ledger, with or without the id of whom it belongs to.
  ///   - seller: the entity that invoices; receivables and credit are its.
  init(code: String, kind: LedgerAccount.Kind, currency: Currency, seller: String) {
    self.kind = kind
    self.currency = currency
    var parts = code.split(separator: ":").map(String.init)
    if parts.last == currency.rawValue { parts.removeLast() }
    parts.removeAll { $0.utf8.count == 36 && UUID(uuidString: $0) != nil }
    var entity = ""
    var tenant = ""
    let path: [String]
    switch (parts.first ?? "", parts.count) {
    case ("receivable", 1), ("credit", 1):
      entity = seller
      path = [seller, parts[0]]
    case ("cash", 3), ("payable", 3):
      entity = parts[1]
      path = [parts[1], parts[0], parts[2]]
    case ("deferred", 2), ("vat", 2):
      entity = parts[1]
      path = [parts[1], parts[0]]
    case ("revenue", 3):
      entity = parts[1]
      if parts[2] != "unallocated" { tenant = parts[2] }
      path = [parts[1], parts[0], parts[2]]
    case ("points", 3) where parts[1] == "issued":
      tenant = parts[2]
      path = [parts[0], parts[2]]
    default:
      path = parts
    }
    self.entity = entity
    self.tenant = tenant
    name = ([ControlAccount.root(kind)] + path.map(ControlAccount.part)).joined(separator: ":")
  }

  private static func root(_ kind: LedgerAccount.Kind) -> String {
    switch kind {
    case .asset: "Assets"
    case .liability: "Liabilities"
    case .equity: "Equity"
    case .income: "Income"
    case .expense: "Expenses"
    }
  }

  /// Letters of ASCII, digits and hyphens, each word with a capital: what beancount allows between two colons.
  static func part(_ text: String) -> String {
    var name = ""
    var startsWord = true
    for scalar in text.unicodeScalars {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9":
        name += startsWord ? String(scalar).uppercased() : String(scalar)
        startsWord = false
      case "-", "_", ".", " ":
        name += "-"
        startsWord = true
      default:
        name += "U" + String(scalar.value, radix: 16, uppercase: true)
        startsWord = false
      }
    }
    return name.first.map { $0 == "-" ? "X\(name)" : name } ?? "X"
  }
}

/// Which control account a code of the ledger belongs to, found by its bytes.
struct AccountIndex: Sendable {
  /// Codes whose own ids don't count, and where those begin.
  private static let subledgers: [[UInt8]] = ["receivable:", "credit:", "points:earned:"].map { Array($0.utf8) }
  private static let idLength = 36

  private var places: [UInt64: [(code: [UInt8], account: Int)]] = [:]

  /// - Parameter code: as the statement of the books gives it: without ids.
  mutating func insert(_ code: String, account: Int) {
    let bytes = Array(code.utf8)
    let hash = bytes.withUnsafeBytes { AccountIndex.hash($0, AccountIndex.start) }
    places[hash, default: []].append((bytes, account))
  }

  /// `nil` for a code that wasn't inserted.
  func account(of code: UnsafeRawBufferPointer) -> Int? {
    let (head, tail) = AccountIndex.withoutID(code)
    guard let found = places[AccountIndex.hash(tail, AccountIndex.hash(head, AccountIndex.start))] else { return nil }
    for candidate in found where candidate.code.count == head.count + tail.count {
      let isEqual = candidate.code.withUnsafeBytes { known in
        known.prefix(head.count).elementsEqual(head) && known.dropFirst(head.count).elementsEqual(tail)
      }
      if isEqual { return candidate.account }
    }
    return nil
  }

  private static func withoutID(
    _ code: UnsafeRawBufferPointer
  ) -> (head: UnsafeRawBufferPointer, tail: UnsafeRawBufferPointer) {
    for prefix in subledgers where code.count >= prefix.count + idLength && code.starts(with: prefix) {
      return (
        UnsafeRawBufferPointer(rebasing: code[..<prefix.count]),
        UnsafeRawBufferPointer(rebasing: code[(prefix.count + idLength)...])
      )
    }
    return (code, UnsafeRawBufferPointer(rebasing: code[code.count...]))
  }

  // FNV-1a, 64 bits.
  private static let start: UInt64 = 0xcbf2_9ce4_8422_2325

  private static func hash(_ bytes: UnsafeRawBufferPointer, _ start: UInt64) -> UInt64 {
    var hash = start
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }
}
