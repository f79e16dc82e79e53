import Database
import Foundation

/// Settles an invoice when its payment is decided.
///
/// Called inside the payment's own transaction, with the payment's row locked: what it throws undoes the payment's
/// settlement too, and the payment is looked at again.
protocol InvoiceSettling: Sendable {
  /// The money is there, and booked against the account's receivable.
  /// - Returns: ``Settlement/unwanted`` when the invoice can't take it any more: all of it is given back.
  func paid(_ invoice: UUID, by payment: Payment, in transaction: Transaction) async throws -> Settlement

  /// A charge of the saved method was declined, or could not be made.
  func failed(_ invoice: UUID, payment: Payment, in transaction: Transaction) async throws

  /// A checkout nobody paid for a day was given up. An unpaid start may be cleared away; nothing has to be done.
  func abandoned(_ invoice: UUID, payment: Payment, in transaction: Transaction) async throws
}

extension InvoiceSettling {
  func abandoned(_ invoice: UUID, payment: Payment, in transaction: Transaction) async throws {}
}

enum Settlement: Sendable { case settled, unwanted }
