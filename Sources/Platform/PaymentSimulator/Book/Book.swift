import Foundation
import Kit

/// All that the gateway knows, made from the journal's entries and from nothing else.
struct Book: Sendable {
  /// A copy of an event on its way to the shop.
  struct Delivery: Sendable {
    let id: DeliveryID
    let event: Event
    /// Unix milliseconds; moves with each failed attempt.
    var due: Int64
    var attempts = 0
    var isUnderWay = false
  }

  private(set) var checkouts: [String: Checkout] = [:]
  private(set) var methods: [String: Method] = [:]
  private(set) var payments: [String: Payment] = [:]
  private(set) var refunds: [String: Refund] = [:]
  private(set) var answers: [String: StoredAnswer] = [:]
  /// Ids in the order of their making.
  private(set) var paymentsOfReference: [String: [String]] = [:]
  private(set) var refundsOfReference: [String: [String]] = [:]
  private(set) var pending: Set<String> = []
  private(set) var eventCount = 0
  var deliveries: [DeliveryID: Delivery] = [:]
  /// What the running act has added, not yet in the journal.
  private(set) var recorded: [Entry] = []

  mutating func record(_ entry: Entry) {
    apply(entry)
    recorded.append(entry)
  }

  mutating func takeRecorded() -> [Entry] {
    defer { recorded = [] }
    return recorded
  }

  mutating func apply(_ entry: Entry) {
    switch entry {
    case .checkout(let checkout):
      checkouts[checkout.id] = checkout
    case .method(let method):
      methods[method.id] = method
    case .payment(let payment):
      if payments.updateValue(payment, forKey: payment.id) == nil {
        paymentsOfReference[payment.reference, default: []].append(payment.id)
      }
      if payment.status == .pending { pending.insert(payment.id) } else { pending.remove(payment.id) }
    case .refund(let refund):
      refunds[refund.id] = refund
      refundsOfReference[refund.reference, default: []].append(refund.id)
      payments[refund.payment]?.refunded += refund.amount
    case .event(let event):
      eventCount += 1
      for (copy, due) in event.due.enumerated() {
        let id = DeliveryID(event: event.id, copy: copy)
        deliveries[id] = Delivery(id: id, event: event, due: due)
      }
    case .answer(let answer):
      answers[answer.key] = answer
    case .closed(let id):
      deliveries[id] = nil
    }
  }

  func json(_ payment: Payment) -> JSONValue { payment.json(methods[payment.method]) }
}

/// The moment of an act and the timetable of the simulation.
struct Moment: Sendable {
  /// What the gateway's clock says, in Unix seconds: it dates payments, events and signatures.
  let seconds: Int64
  /// The machine's clock in Unix milliseconds: it moves pending payments and webhooks.
  let milliseconds: Int64
  /// Months from year 0 in UTC.
  let month: Int
  let timetable: PaymentSimulator.Timetable
}

// What can be asked of the gateway. Each act checks first and records after, so that a refusal leaves nothing behind.
extension Book {
  enum Settled {
    /// The checkout is paid, or will be; the person goes back to the shop.
    case done(Checkout)
    case declined(Checkout, code: String)
    /// Canceled or expired before.
    case closed(Checkout)
  }

  mutating func open(_ checkout: Checkout) -> Checkout {
    record(.checkout(checkout))
    return checkout
  }

  /// Pays a checkout with a card, at most once however often it is asked.
  /// - Parameter attempt: the mark of one form; the same form sent twice is one attempt.
  mutating func pay(_ id: String, _ card: CardInput.Card, attempt: String, at now: Moment) -> Settled? {
    guard var checkout = checkouts[id] else { return nil }
    switch checkout.status(at: now.milliseconds) {
    case .complete: return .done(checkout)
    case .canceled, .expired: return .closed(checkout)
    case .open: break
    }
    let key = "checkout \(id) \(attempt)"
    if let earlier = answers[key] { return .declined(checkout, code: earlier.body) }
    let method = Method(
      id: newID("pm"), brand: card.behaviour.brand, last4: card.behaviour.last4, expMonth: card.month, expYear: card.year,
      behaviour: card.behaviour, isSaved: false)
    let outcome = card.behaviour.outcome(offSession: false)
    let isGood = outcome == .succeeded || outcome == .pending
    var kept = method
    kept.isSaved = isGood && checkout.savesMethod
    record(.method(kept))
    let payment = add(
      reference: checkout.reference, checkout: id, amount: checkout.amount, currency: checkout.currency, method: kept, outcome,
      now)
    if let code = payment.failureCode {
      record(.answer(StoredAnswer(key: key, fingerprint: "", status: 402, body: code)))
      return .declined(checkout, code: code)
    }
    checkout.status = .complete
    checkout.payment = payment.id
    record(.checkout(checkout))
    return .done(checkout)
  }

  /// Cancels a checkout that is open; one that is paid stays paid.
  mutating func cancel(_ id: String, at now: Moment) -> Checkout? {
    guard var checkout = checkouts[id] else { return nil }
    guard checkout.status(at: now.milliseconds) == .open else { return checkout }
    checkout.status = .canceled
    record(.checkout(checkout))
    tell("checkout.canceled", of: id, reference: checkout.reference, now)
    return checkout
  }

  /// Charges a saved card without the person. A decline is a payment too, a failed one.
  mutating func charge(
    reference: String, amount: Int64, currency: Currency, method id: String, at now: Moment
  ) throws(Refusal) -> Payment {
    guard let method = methods[id], method.isSaved else {
      throw Refusal(422, "method_unknown", "method: found \(id), expected the id of a saved payment method")
    }
    let expired = method.expYear * 12 + method.expMonth - 1 < now.month
    let outcome = expired ? .failed("expired_card") : method.behaviour.outcome(offSession: true)
    return add(reference: reference, checkout: nil, amount: amount, currency: currency, method: method, outcome, now)
  }

  mutating func refund(payment id: String, amount: Int64, reference: String, at now: Moment) throws(Refusal) -> Refund {
    guard let payment = payments[id] else { throw Refusal(422, "payment_unknown", "payment: there is no payment \(id)") }
    guard payment.status == .succeeded else {
      throw Refusal(
        422, "payment_not_succeeded", "payment: \(id) is \(payment.status.rawValue), only a succeeded one is refunded")
    }
    let left = payment.amount - payment.refunded
    guard amount <= left else {
      throw Refusal(422, "refund_too_large", "amount: found \(amount), expected \(left) at most")
    }
    let refund = Refund(
      id: newID("re"), payment: id, amount: amount, currency: payment.currency, reference: reference, created: now.seconds)
    record(.refund(refund))
    tell("refund.succeeded", of: refund.id, reference: reference, now)
    return refund
  }

  /// Lets pending payments succeed whose time has come.
  mutating func settle(at now: Moment) {
    for id in pending.sorted() {
      guard var payment = payments[id], let settles = payment.settles, settles <= now.milliseconds else { continue }
      payment.status = .succeeded
      payment.settles = nil
      record(.payment(payment))
      tell("payment.succeeded", of: id, reference: payment.reference, now)
    }
  }

  private mutating func add(
    reference: String, checkout: String?, amount: Int64, currency: Currency, method: Method, _ outcome: TestCard.Outcome,
    _ now: Moment
  ) -> Payment {
    let status: Payment.Status
    var code: String?
    switch outcome {
    case .succeeded: status = .succeeded
    case .pending: status = .pending
    case .failed(let reason): (status, code) = (.failed, reason)
    }
    let payment = Payment(
      id: newID("pay"), reference: reference, checkout: checkout, amount: amount, currency: currency, status: status,
      failureCode: code, method: method.id, created: now.seconds,
      settles: status == .pending ? now.milliseconds + now.timetable.pending.milliseconds : nil)
    record(.payment(payment))
    tell("payment.\(status.rawValue)", of: payment.id, reference: reference, now)
    return payment
  }

  /// Every second event goes out twice, every third late: as the networks between two companies do it.
  private mutating func tell(_ type: String, of subject: String, reference: String, _ now: Moment) {
    let number = eventCount + 1
    let first = now.milliseconds + (number.isMultiple(of: 3) ? now.timetable.late.milliseconds : 0)
    let due = number.isMultiple(of: 2) ? [first, first + now.timetable.repetition.milliseconds] : [first]
    record(
      .event(
        Event(
          id: newID("evt"), type: type, created: now.seconds, subject: subject, reference: reference, due: due,
          expires: now.milliseconds + 86_400_000)))
  }
}

/// 122 random bits: the address of a checkout is its only key.
func newID(_ prefix: String) -> String {
  "\(prefix)_" + UUID().uuidString.filter { $0 != "-" }.lowercased()
}

extension Duration {
  var milliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
}

/// A request that can't be done, as the API says it: `{"error": {"code", "message"}}`.
struct Refusal: Error {
  let status: Int
  let code: String
  let message: String
  init(_ status: Int, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }
}
