import Kit

/// Why a payment can't be begun or given back.
enum PaymentError: String, Error, Hashable, ProblemConvertible, CustomStringConvertible {
  /// The invoice is paid, or being paid in another way.
  case underWay
  /// The invoice is being paid with another amount.
  case otherAmount
  /// Nothing, less than nothing, too much, or points.
  case amount
  /// The payment did not succeed, or less than the amount is left of it.
  case notRefundable
  /// Nobody was said to settle invoices: the house is wired wrongly.
  case notConnected

  var problem: Problem {
    switch self {
    case .underWay, .otherAmount, .notRefundable, .amount:
      Problem(.conflict, ["reason": description], members: ["code": .string(rawValue)])
    case .notConnected: Problem(.internalError)
    }
  }

  var description: String {
    switch self {
    case .underWay: "the invoice is paid, or being paid in another way"
    case .otherAmount: "the invoice is being paid with another amount"
    case .amount: "the amount can't be paid"
    case .notRefundable: "the payment has less than this to give back"
    case .notConnected: "no one settles invoices"
    }
  }
}

extension GatewayFailure {
  /// Codes of ``notDone(_:)`` that say nothing about the payment itself: the same call may succeed later.
  static let unreachable = "unreachable"
  static let unauthorized = "unauthorized"
  static let busy = "busy"

  var code: String {
    switch self {
    case .notDone(let code), .unknown(let code): code
    }
  }

  /// Whether the same call may have another answer later.
  var mayPass: Bool {
    switch self {
    case .unknown: true
    case .notDone(let code): [GatewayFailure.unreachable, GatewayFailure.unauthorized, GatewayFailure.busy].contains(code)
    }
  }
}
