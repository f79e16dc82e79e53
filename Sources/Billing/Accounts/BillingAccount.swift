import Database
public import Foundation
public import Kit

/// Who pays: an owner, and what she pays in. Persons sit at it; the one who pays is only one of them.
public struct BillingAccount: Hashable, Sendable, Identifiable {
  public let id: UUID
  public let owner: PersonID
  public let currency: Currency
  /// ISO 3166-1 alpha-2. It decides the tax.
  public let country: String
  /// Her periods are counted in its civil days.
  public let timeZone: TimeZone

  init(row: Row) throws {
    id = try row.get("id")
    owner = try row.get("owner")
    guard let currency = Currency(rawValue: try row.get("currency", as: String.self)),
      let zone = TimeZone(identifier: try row.get("time_zone", as: String.self))
    else { throw Problem(.internalError) }
    self.currency = currency
    country = try row.get("country")
    timeZone = zone
  }

  /// What is asked for in a country: won in Korea, dollars elsewhere.
  public static func currency(in country: String) -> Currency { country == "KR" ? .krw : .usd }
}

/// A person's place at an account.
public struct Seat: Hashable, Sendable {
  public enum Role: String, Sendable, Codable, CaseIterable {
    case owner, member
    /// Under the owner's care: she sees what the child does.
    case child
  }

  public let account: UUID
  public let person: PersonID
  public let role: Role
  public let joined: Instant

  init(row: Row) throws {
    account = try row.get("account")
    person = try row.get("person")
    guard let role = Role(rawValue: try row.get("role", as: String.self)) else { throw Problem(.internalError) }
    self.role = role
    joined = try row.get("joined_at")
  }
}

/// Accounts and the persons at them.
struct AccountStore: Sendable {
  let schema: Schema

  func account(_ id: UUID, in executor: any SQLExecutor) async throws -> BillingAccount? {
    try await executor.one("SELECT * FROM \(schema).billing_account WHERE id = \(id)").map { try BillingAccount(row: $0) }
  }

  func account(ownedBy person: PersonID, in executor: any SQLExecutor) async throws -> BillingAccount? {
    try await executor.one("SELECT * FROM \(schema).billing_account WHERE owner = \(person)").map { try BillingAccount(row: $0) }
  }

  /// Everything that changes what an account has bought waits here for its turn; rows that only refer to the account don't.
  func lock(_ id: UUID, in transaction: Transaction) async throws -> BillingAccount {
    let row = try await transaction.one("SELECT * FROM \(schema).billing_account WHERE id = \(id) FOR NO KEY UPDATE")
    guard let row else { throw Problem(.notFound) }
    return try BillingAccount(row: row)
  }

  /// The same of the account that has a subscription; `nil` when there is no such subscription.
  func lock(holding subscription: UUID, in transaction: Transaction) async throws -> BillingAccount? {
    try await transaction.one(
      """
      SELECT * FROM \(schema).billing_account
      WHERE id = (SELECT s.account FROM \(schema).subscription AS s WHERE s.id = \(subscription)) FOR NO KEY UPDATE
      """
    ).map { try BillingAccount(row: $0) }
  }

  /// The account a person pays with, opened when she has none; locked.
  ///
  /// The country, and the currency with it, may change until something was bought.
  func open(
    for person: PersonID, country: String, timeZone: TimeZone, at now: Instant, in transaction: Transaction
  ) async throws -> BillingAccount {
    let currency = BillingAccount.currency(in: country).rawValue
    let id = UUID.v7(at: now)
    let made = try await transaction.execute(
      """
      INSERT INTO \(schema).billing_account (id, owner, currency, country, time_zone, opened_at)
      VALUES (\(id), \(person), \(currency), \(country), \(timeZone.identifier), \(now)) ON CONFLICT (owner) DO NOTHING
      """)
    if made == 1 { try await seat(person, at: id, as: .owner, now: now, in: transaction) }
    try await transaction.execute(
      """
      UPDATE \(schema).billing_account AS a SET currency = \(currency), country = \(country)
      WHERE a.owner = \(person) AND a.country <> \(country)
        AND NOT EXISTS (SELECT FROM \(schema).invoice AS i WHERE i.account = a.id AND i.number IS NOT NULL)
      """)
    let row = try await transaction.one("SELECT * FROM \(schema).billing_account WHERE owner = \(person) FOR NO KEY UPDATE")
    guard let row else { throw Problem(.conflict, ["reason": "account"]) }
    return try BillingAccount(row: row)
  }

  /// Gives a person a seat.
  /// - Throws: ``Database/DatabaseError`` of `billing_member_once` or `billing_member_one_family` when she has one.
  func seat(_ person: PersonID, at account: UUID, as role: Seat.Role, now: Instant, in transaction: Transaction) async throws {
    try await transaction.execute(
      """
      INSERT INTO \(schema).billing_member (id, account, person, role, joined_at)
      VALUES (\(UUID.v7(at: now)), \(account), \(person), \(role.rawValue), \(now))
      """)
  }

  /// - Returns: whether she had a seat there that could be given up; an owner's can't.
  func unseat(_ person: PersonID, from account: UUID, now: Instant, in transaction: Transaction) async throws -> Bool {
    try await transaction.execute(
      """
      UPDATE \(schema).billing_member SET left_at = \(now)
      WHERE account = \(account) AND person = \(person) AND role <> 'owner' AND left_at IS NULL
      """) == 1
  }

  /// Who sits at an account now, in the order of joining: the owner first.
  func seats(at account: UUID, in executor: any SQLExecutor) async throws -> [Seat] {
    try await executor.query(
      """
      SELECT account, person, role, joined_at FROM \(schema).billing_member
      WHERE account = \(account) AND left_at IS NULL ORDER BY role <> 'owner', joined_at, id
      """
    ).map { try Seat(row: $0) }
  }

  /// The seat a person has at somebody else's account.
  func familySeat(of person: PersonID, in executor: any SQLExecutor) async throws -> Seat? {
    try await executor.one(
      """
      SELECT account, person, role, joined_at FROM \(schema).billing_member
      WHERE person = \(person) AND left_at IS NULL AND role <> 'owner'
      """
    ).map { try Seat(row: $0) }
  }
}
