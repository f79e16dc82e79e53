public import Foundation
public import Kit

/// One entry of the ledger before it is posted: what happened, and postings that balance. A value of this type is sound.
public struct Entry: Sendable, Hashable {
  /// One side: an account and an amount in minor units of its currency. Debit is positive, credit negative.
  public struct Posting: Hashable, Sendable {
    public let account: LedgerAccount
    public let amount: Int64
    public init(_ account: LedgerAccount, _ amount: Int64) {
      self.account = account
      self.amount = amount
    }
  }

  public enum Kind: String, Sendable {
    case posting, reversal, capture
  }

  /// Minor units a posting has at most: sums of a billion of them still fit 64 bits.
  public static let amountMost: Int64 = 1_000_000_000_000

  /// The same key posts once.
  public let key: String
  public let kind: Kind
  /// A code of the catalogues, `answer.accepted`.
  public let description: String
  /// Opaque ids and figures: what a statement shows, and what a report groups by.
  public let details: [String: JSONValue]
  public let occurred: Instant
  /// The accounting day; that of the posting when `nil`. A closed month takes none.
  public let booked: CivilDate?
  public let postings: [Posting]
  /// The entry this one takes back.
  public let reverses: UUID?

  /// - Throws: ``InvalidEntry``.
  public init(
    key: String, description: String, details: [String: JSONValue] = [:], occurred: Instant, booked: CivilDate? = nil,
    postings: [Posting]
  ) throws(InvalidEntry) {
    try self.init(
      key: key, kind: .posting, description: description, details: details, occurred: occurred, booked: booked,
      postings: postings, reverses: nil)
  }

  /// An amount moved from one account to another: credited to the one, debited to the other.
  /// - Throws: ``InvalidEntry``.
  public init(
    key: String, description: String, details: [String: JSONValue] = [:], occurred: Instant, amount: Money,
    debit: LedgerAccount, credit: LedgerAccount
  ) throws(InvalidEntry) {
    guard debit.currency == amount.currency, credit.currency == amount.currency else {
      throw .unbalanced(amount.currency)
    }
    guard amount.minorUnits.magnitude <= UInt64(Entry.amountMost) else { throw .tooLarge }
    try self.init(
      key: key, description: description, details: details, occurred: occurred,
      postings: [Posting(debit, amount.minorUnits), Posting(credit, -amount.minorUnits)])
  }

  init(
    key: String, kind: Kind, description: String, details: [String: JSONValue], occurred: Instant, booked: CivilDate? = nil,
    postings: [Posting], reverses: UUID?
  ) throws(InvalidEntry) {
    guard (1...200).contains(key.count) else { throw .key }
    guard !description.isEmpty else { throw .description }
    guard postings.count >= 2 else { throw .tooFewPostings }
    var sums: [Currency: Int64] = [:]
    for posting in postings {
      guard posting.amount != 0 else { throw .zeroAmount }
      guard posting.amount.magnitude <= UInt64(Entry.amountMost) else { throw .tooLarge }
      sums[posting.account.currency, default: 0] += posting.amount
    }
    guard postings.count <= 1_000 else { throw .tooLarge }
    if let (currency, _) = sums.first(where: { $0.value != 0 }) { throw .unbalanced(currency) }
    guard sums[.points] == nil || sums.count == 1 else { throw .mixesPointsWithMoney }
    self.key = key
    self.kind = kind
    self.description = description
    self.details = details
    self.occurred = occurred
    self.booked = booked
    self.postings = postings
    self.reverses = reverses
  }

  /// What was asked for, as one text: the same key with another content is a mistake. Without times, which a repetition
  /// may have later; the order of postings doesn't matter.
  /// - Throws: `EncodingError` when the details hold a number JSON has no form for.
  func content() throws -> String {
    let lines = postings.map { posting -> String in
      "\(posting.account.code) \(posting.account.kind) \(posting.account.currency.rawValue) \(posting.amount)"
    }
    let parts: JSONValue = [
      .string(kind.rawValue), .string(description), .string(reverses?.text ?? ""), .object(details),
      .array(lines.sorted().map { .string($0) }),
    ]
    return try CanonicalJSON.text(parts)
  }
}

/// Why postings are no entry.
public enum InvalidEntry: Error, Hashable, Sendable {
  /// Empty, or longer than 200 characters.
  case key
  case description
  case tooFewPostings
  case zeroAmount
  case tooLarge
  case unbalanced(Currency)
  /// Points are no money: what buys them is two entries.
  case mixesPointsWithMoney
}

/// JSON with one form for one value, so that a digest of it means something.
enum CanonicalJSON {
  static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
