import CryptoExtras
import Database
import Foundation
import JWTKit
import Keys
import Kit
import Logging
import Synchronization

/// The keys that sign ID tokens, RSA 2048 for RS256. A new one is published before it signs, an old one until the last token
/// that it signed, and every hint made of one, has lost its meaning.
final class SigningKeys: Sendable {
  static let period = Duration.days(60)
  static let publishedAhead = Duration.days(1)
  /// As long as a session may last: its sign-out brings the ID token as a hint.
  static let publishedAfter = Duration.days(31)

  struct Key: Sendable {
    let kid: String
    let activates: Instant
    let key: JWTKit.Insecure.RSA.PrivateKey
  }

  /// A key that the master key at hand can't open.
  struct Unreadable: Error, CustomStringConvertible {
    let kid: String
    var description: String {
      "signing key \(kid) can't be opened: the master key is not the one it was sealed with. Start with that one"
    }
  }

  private struct Ring: Sendable {
    let keys: [Key]
    let collection: JWTKeyCollection
    let until: ContinuousClock.Instant
  }

  private let database: Database
  private let schema: Schema
  private let sealer: Sealer
  private let threads: WorkerThreads
  private let issuer: String
  private let logger: Logger
  private let ring = Mutex<Ring?>(nil)

  init(database: Database, schema: Schema, sealer: Sealer, threads: WorkerThreads, issuer: String, logger: Logger) {
    self.database = database
    self.schema = schema
    self.sealer = sealer
    self.threads = threads
    self.issuer = issuer
    self.logger = logger
  }

  // MARK: Use

  func sign(_ claims: IDTokenClaims, now: Instant) async throws -> String {
    let ring = try await load(now: now)
    guard let key = ring.keys.last(where: { $0.activates <= now }) ?? ring.keys.first else { throw Problem(.unavailable) }
    return try await ring.collection.sign(claims, kid: JWKIdentifier(string: key.kid))
  }

  /// The claims of a token that one of our keys has signed, however old; `nil` for any other.
  func verify(_ token: String, now: Instant) async throws -> IDTokenClaims? {
    let ring = try await load(now: now)
    guard token.utf8.count <= 8192, let header = IDTokenHeader(of: token), header.alg == "RS256", header.crit == nil,
      let kid = header.kid, ring.keys.contains(where: { $0.kid == kid }),
      let claims = try? await ring.collection.verify(token, as: IDTokenClaims.self), claims.iss == issuer
    else { return nil }
    return claims
  }

  /// The public halves (RFC 7517).
  func keySet(now: Instant) async throws -> JSONValue {
    let keys = try await load(now: now).keys.map { key -> JSONValue in
      let numbers = try key.key.publicKey.getKeyPrimitives()
      return [
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": .string(key.kid),
        "n": .string(numbers.modulus.base64URL), "e": .string(numbers.publicExponent.base64URL),
      ]
    }
    return ["keys": .array(keys)]
  }

  private func load(now: Instant) async throws -> Ring {
    if let ring = ring.withLock({ $0 }), ring.until > .now { return ring }
    let rows = try await database.query(
      """
      SELECT kid, private_sealed, activates_at FROM \(schema).signing_key
      WHERE retires_at IS NULL OR retires_at > \(now) ORDER BY activates_at, kid
      """)
    let collection = JWTKeyCollection()
    var keys: [Key] = []
    for row in rows {
      let kid = try row.get("kid", as: String.self)
      guard let pem = sealer.open(try row.get("private_sealed"), context: SigningKeys.context(kid)),
        let key = try? JWTKit.Insecure.RSA.PrivateKey(pem: pem)
      else { throw Unreadable(kid: kid) }
      keys.append(Key(kid: kid, activates: try row.get("activates_at"), key: key))
      await collection.add(rsa: key, digestAlgorithm: .sha256, kid: JWKIdentifier(string: kid))
    }
    let loaded = Ring(keys: keys, collection: collection, until: .now + .seconds(60))
    if !keys.isEmpty { ring.withLock { $0 = loaded } }
    return loaded
  }

  private static func context(_ kid: String) -> String { "signing-key/\(kid)" }

  // MARK: Rotation

  /// Makes the first key, or the next one when its time has come, and drops those that have retired.
  /// - Throws: ``Unreadable`` when the keys there can't be opened.
  func rotate(now: Instant) async throws {
    guard try await needsKey(now: now, in: database) else {
      _ = try await load(now: now)
      return
    }
    let made = try await threads.run { try? _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation }
    guard let pem = made else { throw Problem(.unavailable) }
    let kid = Secret.random(bytes: 12)
    let sealed = sealer.seal(pem, context: SigningKeys.context(kid))
    let isNew = try await database.transaction { [self] transaction in
      // Nodes that start together make one key together.
      try await transaction.execute("LOCK TABLE \(schema).signing_key IN SHARE ROW EXCLUSIVE MODE")
      guard try await needsKey(now: now, in: transaction) else { return false }
      let isFirst = try await transaction.one("SELECT 1 AS found FROM \(schema).signing_key LIMIT 1") == nil
      let activates = isFirst ? now : now + SigningKeys.publishedAhead
      try await transaction.execute(
        "UPDATE \(schema).signing_key SET retires_at = \(activates + SigningKeys.publishedAfter) WHERE retires_at IS NULL")
      try await transaction.execute(
        """
        INSERT INTO \(schema).signing_key (kid, private_sealed, created_at, activates_at)
        VALUES (\(kid), \(sealed), \(now), \(activates))
        """)
      try await transaction.execute("DELETE FROM \(schema).signing_key WHERE retires_at <= \(now)")
      return true
    }
    forget()
    if isNew { logger.info("made a signing key", metadata: ["kid": "\(kid)"]) }
  }

  /// The keys are read anew with their next use.
  func forget() { ring.withLock { $0 = nil } }

  private func needsKey(now: Instant, in executor: some SQLExecutor) async throws -> Bool {
    let row = try await executor.one(
      "SELECT 1 AS found FROM \(schema).signing_key WHERE retires_at IS NULL AND created_at > \(now - SigningKeys.period)")
    return row == nil
  }
}
