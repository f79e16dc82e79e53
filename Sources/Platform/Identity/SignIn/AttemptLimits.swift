import Database
import Foundation
import Keys
public import Kit

/// How often a secret may be wrong before nobody may try for a while.
public struct AttemptLimits: Sendable {
  /// Failures in one window.
  public var perAccount: Int
  public var perNetwork: Int
  /// Mails that registering may send to one address in one window.
  public var mailsPerAddress: Int
  public var window: Duration

  public init(
    perAccount: Int = 10, perNetwork: Int = 50, mailsPerAddress: Int = 5, window: Duration = .minutes(15)
  ) {
    self.perAccount = perAccount
    self.perNetwork = perNetwork
    self.mailsPerAddress = mailsPerAddress
    self.window = window
  }

  /// - Throws: ``Kit/Problem`` `too-many-requests` with the seconds until the window ends.
  func check(account: Int, network: Int, now: Instant) throws(Problem) {
    guard account > perAccount || network > perNetwork else { return }
    let left = start(of: now) + window - now
    let seconds = Int(left.components.seconds) + 1
    throw Problem(.tooManyRequests, ["seconds": "\(seconds)"], retryAfter: seconds)
  }

  /// The fixed window an instant falls into.
  func start(of now: Instant) -> Instant {
    Instant(microseconds: now.microseconds - now.microseconds % window.microseconds)
  }
}

extension IdentityService {
  enum AttemptKind: String {
    case account, network, mail
  }

  private func subject(_ kind: AttemptKind, _ whom: String) -> [UInt8] {
    attemptFingerprint.bytes("\(kind.rawValue)\n\(whom)")
  }

  /// Counts an attempt before it is known how it ends, so that many at once don't slip through together.
  /// - Returns: how many there were in this window, this one included.
  func countAttempt(_ kind: AttemptKind, _ whom: String, now: Instant) async throws -> Int {
    let row = try await database.one(
      """
      INSERT INTO \(schema).attempt AS a (subject, window_start, count)
      VALUES (\(subject(kind, whom)), \(attempts.start(of: now)), 1)
      ON CONFLICT (subject, window_start) DO UPDATE SET count = a.count + 1
      RETURNING count
      """)
    return try row?.get("count") ?? 1
  }

  /// Counts an attempt on an account and from a network.
  /// - Throws: ``Kit/Problem`` `too-many-requests` when either has had too many.
  func admitAttempt(account: String, network: String?, now: Instant) async throws {
    guard let network else {
      let count = try await countAttempt(.account, account, now: now)
      return try attempts.check(account: count, network: 0, now: now)
    }
    let (whose, from, start) = (subject(.account, account), subject(.network, network), attempts.start(of: now))
    // Always the account's row first, here and below, so that two attempts never wait for each other.
    let rows = try await database.query(
      """
      INSERT INTO \(schema).attempt AS a (subject, window_start, count) VALUES (\(whose), \(start), 1), (\(from), \(start), 1)
      ON CONFLICT (subject, window_start) DO UPDATE SET count = a.count + 1
      RETURNING subject = \(whose) AS of_account, count
      """)
    var counts = (account: 0, network: 0)
    for row in rows {
      if try row.get("of_account") { counts.account = try row.get("count") } else { counts.network = try row.get("count") }
    }
    try attempts.check(account: counts.account, network: counts.network, now: now)
  }

  /// The attempt was right: it doesn't count.
  func forgiveAttempt(account: String, network: String?, now: Instant) async throws {
    let whose = subject(.account, account)
    guard let network else {
      try await database.execute("DELETE FROM \(schema).attempt WHERE subject = \(whose)")
      return
    }
    try await database.execute(
      """
      WITH forgiven AS (DELETE FROM \(schema).attempt WHERE subject = \(whose) RETURNING 1),
        done AS (SELECT count(*) FROM forgiven)
      UPDATE \(schema).attempt SET count = attempt.count - 1 FROM done
      WHERE subject = \(subject(.network, network)) AND window_start = \(attempts.start(of: now)) AND attempt.count > 0
      """)
  }
}
