import Foundation

/// The cards that mean something here. Any other number is refused, so that nobody leaves a real one.
enum TestCard: String, Codable, Sendable, CaseIterable {
  case succeeds = "4242424242424242"
  case declined = "4000000000000002"
  case insufficientFunds = "4000000000009995"
  case declinedLater = "4000000000000341"
  case pending = "4000000000003220"

  var last4: String { String(rawValue.suffix(4)) }
  var brand: String { "visa" }
  /// The number as it stands on a card.
  var grouped: String {
    stride(from: 0, to: 16, by: 4).map { rawValue.dropFirst($0).prefix(4) }.joined(separator: " ")
  }
  /// The text that says what it does: `cards.<key>`.
  var textKey: String {
    switch self {
    case .succeeds: "succeeds"
    case .declined: "declined"
    case .insufficientFunds: "funds"
    case .declinedLater: "later"
    case .pending: "pending"
    }
  }

  /// The journal must not hold a card's number, not even a well-known one: it is written by its name.
  init(from decoder: any Decoder) throws {
    let name = try decoder.singleValueContainer().decode(String.self)
    guard let card = TestCard.allCases.first(where: { $0.textKey == name }) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no such test card: \(name)"))
    }
    self = card
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(textKey)
  }

  enum Outcome: Equatable {
    case succeeded, pending
    case failed(String)
  }

  func outcome(offSession: Bool) -> Outcome {
    switch self {
    case .succeeds: .succeeded
    case .declined: .failed("card_declined")
    case .insufficientFunds: .failed("insufficient_funds")
    case .declinedLater: offSession ? .failed("card_declined") : .succeeded
    case .pending: .pending
    }
  }
}

/// What was typed into the card form.
struct CardInput {
  var number: String
  var expiry: String
  var cvc: String

  struct Card: Equatable {
    let behaviour: TestCard
    let month: Int
    let year: Int
  }

  /// Field by field the code of its error: `errors.<code>`.
  struct Faults: Error, Equatable {
    var number: String?
    var expiry: String?
    var cvc: String?
  }

  /// - Parameter month: the present one, counted from year 0 (`year * 12 + month - 1`).
  func read(in month: Int) throws(Faults) -> Card {
    var faults = Faults()
    let digits = number.filter { !" -\u{a0}".contains($0) }
    var behaviour: TestCard?
    if digits.isEmpty {
      faults.number = "number_missing"
    } else if !CardInput.isCardNumber(digits) {
      faults.number = "number_wrong"
    } else {
      behaviour = TestCard(rawValue: digits)
      if behaviour == nil { faults.number = "number_real" }
    }
    let date = CardInput.month(expiry)
    if let date {
      // A card is good to the end of its month; twenty years ahead is a slip of the finger.
      if date < month { faults.expiry = "expiry_past" }
      if date > month + 240 { faults.expiry = "expiry_wrong" }
    } else {
      faults.expiry = expiry.isEmpty ? "expiry_missing" : "expiry_wrong"
    }
    if !(3...4).contains(cvc.utf8.count) || !cvc.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      faults.cvc = cvc.isEmpty ? "cvc_missing" : "cvc_wrong"
    }
    guard let behaviour, let date, faults == Faults() else { throw faults }
    return Card(behaviour: behaviour, month: date % 12 + 1, year: date / 12)
  }

  /// 12 to 19 digits whose check digit is right (ISO/IEC 7812-1, Annex B: Luhn).
  static func isCardNumber(_ digits: String) -> Bool {
    let values = digits.utf8.map { Int($0) - 48 }
    guard (12...19).contains(values.count), values.allSatisfy({ (0...9).contains($0) }) else { return false }
    let sum = values.reversed().enumerated().reduce(0) { sum, digit in
      guard digit.offset % 2 == 1 else { return sum + digit.element }
      return sum + (digit.element > 4 ? digit.element * 2 - 9 : digit.element * 2)
    }
    return sum % 10 == 0
  }

  /// `MM/YY`, `MM / YY`, `MMYY` or `MM/YYYY`, as months from year 0.
  static func month(_ text: String) -> Int? {
    let digits = text.filter { !" /-".contains($0) }
    guard [4, 6].contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let month = Int(digits.prefix(2)), let year = Int(digits.dropFirst(2)), (1...12).contains(month)
    else { return nil }
    return (year < 100 ? 2000 + year : year) * 12 + month - 1
  }
}
