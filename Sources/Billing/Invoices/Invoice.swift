import Database
public import Foundation
public import Kit

/// What an account was billed. A draft is a quote that waits for its payment; issued, it has a number and never changes.
public struct Invoice: Hashable, Sendable, Identifiable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case invoice
    case creditNote = "credit_note"
  }
  public enum Reason: String, Sendable, Codable, CaseIterable { case start, renewal, change, correction }
  public enum Status: String, Sendable, Codable, CaseIterable { case draft, open, paid, void }

  public let id: UUID
  public let account: UUID
  public let subscription: UUID
  /// The legal entity that sells.
  public let entity: String
  public let kind: Kind
  public let reason: Reason
  /// `DREAMSEED-KR-2026-000001`, without gaps by entity and year.
  public let number: String?
  public let country: String
  public let status: Status
  /// With tax; below zero on a credit note, and where a change leaves a credit.
  public let total: Money
  public let split: TaxSplit
  /// Taken from the account's credit.
  public let credit: Money
  /// What it brings once it is paid.
  let effect: InvoiceEffect?
  public let corrects: UUID?
  public let created: Instant
  public let issued: Instant?
  public let issuedOn: CivilDate?
  public let paid: Instant?

  /// What is to be paid.
  public var payable: Money { total.minorUnits > 0 ? total - credit : Money(0, total.currency) }

  init(row: Row) throws {
    guard let kind = Kind(rawValue: try row.get("kind", as: String.self)),
      let reason = Reason(rawValue: try row.get("reason", as: String.self)),
      let status = Status(rawValue: try row.get("status", as: String.self)),
      let currency = Currency(rawValue: try row.get("currency", as: String.self))
    else { throw Problem(.internalError) }
    id = try row.get("id")
    account = try row.get("account")
    subscription = try row.get("subscription")
    entity = try row.get("entity")
    (self.kind, self.reason, self.status) = (kind, reason, status)
    number = try row.getIfPresent("number")
    country = try row.get("country")
    total = Money(try row.get("total"), currency)
    split = TaxSplit(supply: Money(try row.get("supply"), currency), tax: Money(try row.get("tax"), currency))
    credit = Money(try row.get("credit"), currency)
    let effect = try row.get("effect", as: JSONText.self).text
    self.effect = effect == "{}" ? nil : try JSONDecoder().decode(InvoiceEffect.self, from: Data(effect.utf8))
    corrects = try row.getIfPresent("corrects")
    created = try row.get("created_at")
    issued = try row.getIfPresent("issued_at")
    issuedOn = try row.getIfPresent("issued_on")
    paid = try row.getIfPresent("paid_at")
  }
}

/// One line of an invoice: days of a plan, or what was not used of them.
public struct InvoiceLine: Hashable, Sendable, Codable {
  public enum Kind: String, Sendable, Codable, CaseIterable { case plan, credit }

  public let kind: Kind
  public let plan: PlanID
  public let version: Int
  public let period: BillingPeriod
  /// `supply` is recognised evenly over the period.
  public let split: TaxSplit
  /// The tenants the plan reached when it was sold.
  public let tenants: [TenantID]

  public init(kind: Kind, plan: PlanID, version: Int, period: BillingPeriod, split: TaxSplit, tenants: [TenantID]) {
    self.kind = kind
    self.plan = plan
    self.version = version
    self.period = period
    self.split = split
    self.tenants = tenants
  }

  public var amount: Money { split.total }

  /// The same for less than nothing: a credit note's.
  var reversed: InvoiceLine {
    InvoiceLine(
      kind: .credit, plan: plan, version: version, period: period,
      split: TaxSplit(supply: -split.supply, tax: -split.tax), tenants: tenants)
  }

  /// The same for another period of as much money.
  func moved(to period: BillingPeriod) -> InvoiceLine {
    InvoiceLine(kind: kind, plan: plan, version: version, period: period, split: split, tenants: tenants)
  }
}

/// What a subscription becomes when an invoice is paid, and the lines the invoice is issued with.
struct InvoiceEffect: Hashable, Sendable, Codable {
  let terms: Terms
  /// The period in force afterwards; a first one is counted from the day of its payment.
  let period: BillingPeriod?
  /// Whether the subscription is anchored anew on the first day of ``period``.
  let resets: Bool
  /// The subscription's revision it was quoted for.
  let revision: Int64
  let lines: [InvoiceLine]
}
