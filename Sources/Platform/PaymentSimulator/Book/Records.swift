import Foundation
import Kit

/// What a shop asks to be paid, and the page where it is.
struct Checkout: Codable, Sendable {
  enum Status: String, Codable, Sendable { case open, complete, canceled, expired }

  let id: String
  let url: String
  let reference: String
  let amount: Int64
  let currency: Currency
  let description: String
  let returnURL: String
  let language: Language
  let savesMethod: Bool
  /// Unix milliseconds.
  let expires: Int64
  var status = Status.open
  /// The payment that completed it: succeeded, or pending and about to.
  var payment: String?

  func status(at now: Int64) -> Status { status == .open && now >= expires ? .expired : status }

  func json(at now: Int64) -> JSONValue {
    [
      "id": .string(id), "url": .string(url), "status": .string(status(at: now).rawValue), "reference": .string(reference),
      "payment": payment.map(JSONValue.string) ?? .null, "amount": .integer(amount), "currency": .string(currency.rawValue),
    ]
  }
}

/// A card that was used. Of its number only the last four digits are known here.
struct Method: Codable, Sendable {
  let id: String
  let brand: String
  let last4: String
  let expMonth: Int
  let expYear: Int
  let behaviour: TestCard
  /// Whether it may be charged again without the person.
  var isSaved: Bool

  var json: JSONValue {
    [
      "id": .string(id), "brand": .string(brand), "last4": .string(last4), "exp_month": .integer(Int64(expMonth)),
      "exp_year": .integer(Int64(expYear)),
    ]
  }
}

struct Payment: Codable, Sendable {
  enum Status: String, Codable, Sendable { case pending, succeeded, failed }

  let id: String
  let reference: String
  let checkout: String?
  let amount: Int64
  let currency: Currency
  var status: Status
  let failureCode: String?
  let method: String
  var refunded: Int64 = 0
  /// Unix seconds.
  let created: Int64
  /// When a pending payment succeeds, in Unix milliseconds.
  var settles: Int64?

  func json(_ method: Method?) -> JSONValue {
    [
      "id": .string(id), "reference": .string(reference), "checkout": checkout.map(JSONValue.string) ?? .null,
      "amount": .integer(amount), "currency": .string(currency.rawValue), "status": .string(status.rawValue),
      "failure_code": failureCode.map(JSONValue.string) ?? .null, "method": method?.json ?? .null,
      "refunded": .integer(refunded), "created": .integer(created),
    ]
  }
}

struct Refund: Codable, Sendable {
  let id: String
  let payment: String
  let amount: Int64
  let currency: Currency
  let reference: String
  let created: Int64

  var json: JSONValue {
    [
      "id": .string(id), "payment": .string(payment), "amount": .integer(amount), "currency": .string(currency.rawValue),
      "reference": .string(reference), "status": "succeeded", "created": .integer(created),
    ]
  }
}

/// Something a shop is told of, with the times at which it is told: one for each copy.
struct Event: Codable, Sendable {
  let id: String
  /// `payment.succeeded`, `payment.failed`, `payment.pending`, `refund.succeeded`, `checkout.canceled`
  let type: String
  /// Unix seconds.
  let created: Int64
  let subject: String
  let reference: String
  /// Unix milliseconds.
  let due: [Int64]
  /// After this (Unix milliseconds) nobody tries any more.
  let expires: Int64

  var json: JSONValue {
    [
      "id": .string(id), "type": .string(type), "created": .integer(created),
      "data": ["id": .string(subject), "reference": .string(reference)],
    ]
  }
}

/// The answer to a request with an `Idempotency-Key`, given again word for word.
struct StoredAnswer: Codable, Sendable {
  let key: String
  /// SHA-256 of what was asked.
  let fingerprint: String
  let status: Int
  let body: String
}

struct DeliveryID: Codable, Hashable, Sendable {
  let event: String
  let copy: Int
}

/// One fact of the journal. A line holds the facts of one act, so that it is there wholly or not at all.
enum Entry: Codable, Sendable {
  case checkout(Checkout)
  case method(Method)
  case payment(Payment)
  case refund(Refund)
  case event(Event)
  case answer(StoredAnswer)
  /// Taken by the shop, or given up.
  case closed(DeliveryID)
}

extension JSONValue {
  /// Without white space, members in order: equal values are equal bytes.
  var canonical: Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)) ?? Data()  // only a number that isn't finite can fail, and none was read from JSON
  }
}
