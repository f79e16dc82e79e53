import Foundation
import Kit

/// What a gateway knows of one payment, after all its attempts.
enum GatewayWord: Hashable, Sendable {
  /// It never heard of it, or nobody has tried to pay yet.
  case unheard
  /// It certainly won't do it, for this reason.
  case refused(String)
  case pending(GatewayPayment)
  case succeeded(GatewayPayment)
  /// The last attempt failed.
  case failed(GatewayPayment)

  /// - Parameter attempts: newest first. One that succeeded decides; else one the bank has yet to decide on.
  init(_ attempts: [GatewayPayment], about reference: UUID) {
    let own = attempts.filter { $0.reference == reference }
    if let paid = own.first(where: { $0.state == .succeeded }) {
      self = .succeeded(paid)
    } else if let pending = own.first(where: { $0.state == .pending }) {
      self = .pending(pending)
    } else if let failed = own.first {
      self = .failed(failed)
    } else {
      self = .unheard
    }
  }
}

/// When the gateway is asked again about what is not settled.
enum LookSchedule {
  /// After the row was committed: longer than the first call takes at most.
  static let first = Duration.minutes(1)
  /// After an answer was lost.
  static let soon = Duration.seconds(5)
  /// For money that comes after a payment was given up.
  static let late = Duration.hours(1)
  /// How long a charge is tried, and a checkout waits for its payer.
  static let patience = Duration.hours(24)
  /// How long one that was given up is still looked at; it is longer than any gateway's page lives.
  static let memory = Duration.days(3)

  /// A minute, then twice as long each time, an hour at most. Bounded in pace, not in number: while the gateway can't be
  /// asked, nobody knows, and nothing is decided.
  static func pause(after looks: Int) -> Duration { .minutes(min(60, 1 << min(max(looks, 0), 6))) }
}
