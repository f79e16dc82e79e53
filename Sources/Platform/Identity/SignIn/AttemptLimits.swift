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
    var counts = [(try await countAttempt(.account, account, now: now), attempts.perAccount)]
    if let network { counts.append((try await countAttempt(.network, network, now: now), attempts.perNetwork)) }
    guard counts.contains(where: { $0.0 > $0.1 }) else { return }
    let left = attempts.start(of: now) + attempts.window - now
    let seconds = Int(left.components.seconds) + 1
    throw Problem(.tooManyRequests, ["seconds": "\(seconds)"], retryAfter: seconds)
  }

  /// The attempt was right: it doesn't count.
  func forgiveAttempt(account: String, network: String?, now: Instant) async throws {
    try await database.execute("DELETE FROM \(schema).attempt WHERE subject = \(subject(.account, account))")
    guard let network else { return }
    try await database.execute(
      """
      UPDATE \(schema).attempt SET count = count - 1
      WHERE subject = \(subject(.network, network)) AND window_start = \(attempts.start(of: now)) AND count > 0
      """)
  }
}
