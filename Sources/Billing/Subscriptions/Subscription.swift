import Database
public import Foundation
public import Kit

/// What an account has bought, in the version it was bought in.
public struct Subscription: Hashable, Sendable, Identifiable {
  public enum Status: String, Sendable, Codable, CaseIterable {
    /// The first payment is awaited; nothing is granted.
    case incomplete
    case active
    /// A renewal is unpaid; the grants stay until ``Subscription/graceUntil``.
    case pastDue = "past_due"
    case ended
  }

  /// Why one ended.
  public enum End: String, Sendable { case canceled, unpaid, abandoned, replaced }

  public let id: UUID
  public let account: UUID
  public let status: Status
  public let terms: Terms
  public let currency: Currency
  /// First day of the period the choice was last changed in.
  public let chosenIn: CivilDate?
  /// The day it began; its periods are counted from it.
  public let anchor: CivilDate
  /// What is paid for; none while incomplete.
  public let period: BillingPeriod?
  /// It ends with the period.
  public let cancels: Bool
  /// What it renews as instead.
  public let next: Terms?
  public let retries: Int
  public let retryOn: CivilDate?
  public let graceUntil: CivilDate?
  public let revision: Int64
  public let started: Instant?

  public var isLive: Bool { status == .active || status == .pastDue }

  init(row: Row) throws {
    id = try row.get("id")
    account = try row.get("account")
    guard let status = Status(rawValue: try row.get("status", as: String.self)),
      let currency = Currency(rawValue: try row.get("currency", as: String.self)),
      let terms = try Terms(row: row, prefix: ""), let version = terms.version as Int?, version > 0
    else { throw Problem(.internalError) }
    self.status = status
    self.currency = currency
    self.terms = terms
    chosenIn = try row.getIfPresent("chosen_in")
    anchor = try row.get("anchor")
    let start: CivilDate? = try row.getIfPresent("period_start")
    let end: CivilDate? = try row.getIfPresent("period_end")
    period = if let start, let end { BillingPeriod(start: start, end: end) } else { nil }
    cancels = try row.get("cancels")
    next = try Terms(row: row, prefix: "next_")
    retries = try row.get("retries")
    retryOn = try row.getIfPresent("retry_on")
    graceUntil = try row.getIfPresent("grace_until")
    revision = try row.get("revision")
    started = try row.getIfPresent("started_at")
  }
}

/// A plan in a version, how often it is paid, and what was chosen of it.
public struct Terms: Hashable, Sendable, Codable {
  public let plan: PlanID
  public let version: Int
  public let every: BillingInterval
  /// Where the plan asks for a choice of tenants.
  public let chosen: [TenantID]

  public init(plan: PlanID, version: Int, every: BillingInterval, chosen: [TenantID] = []) {
    self.plan = plan
    self.version = version
    self.every = every
    self.chosen = chosen
  }

  /// From columns `plan`, `plan_version`, `every`, `chosen`, or their `next_` siblings; `nil` when those are empty.
  init?(row: Row, prefix: String) throws {
    let versionColumn = prefix.isEmpty ? "plan_version" : "\(prefix)version"
    guard let text: String = try row.getIfPresent("\(prefix)plan"), let plan = PlanID(text),
      let interval: String = try row.getIfPresent("\(prefix)every"), let every = BillingInterval(rawValue: interval),
      let version: Int = try row.getIfPresent(versionColumn)
    else { return nil }
    let chosen: [String]? = try row.getIfPresent("\(prefix)chosen")
    self.init(plan: plan, version: version, every: every, chosen: (chosen ?? []).compactMap { TenantID($0) })
  }
}
