import Foundation
import JWTKit
import Kit
import Synchronization

/// The issuer's public keys, fetched when one is met that is not known yet.
final class KeySetCache: Sendable {
  private struct State {
    var keys: [String: Insecure.RSA.PublicKey] = [:]
    var fetched: ContinuousClock.Instant?
  }

  /// An unknown key asks for a new set so often at most: tokens with made-up keys must not become a flood.
  private static let pause = Duration.seconds(10)
  private static let lifetime = Duration.seconds(600)

  private let transport: any IssuerTransport
  private let state = Mutex(State())

  init(transport: any IssuerTransport) { self.transport = transport }

  func key(_ kid: String) async throws -> Insecure.RSA.PublicKey? {
    let (known, fetched) = state.withLock { ($0.keys[kid], $0.fetched) }
    let age = fetched.map { ContinuousClock.now - $0 }
    if let known, let age, age < KeySetCache.lifetime { return known }
    if let age, age < KeySetCache.pause { return known }
    let answer = try await transport.get(path: "/jwks")
    guard answer.status == 200, let keys = KeySetCache.read(answer.body) else {
      if let known { return known }
      throw Problem(.unavailable, retryAfter: 5)
    }
    state.withLock { state in
      state.keys = keys
      state.fetched = .now
    }
    return keys[kid]
  }

  /// The RSA signature keys of a set (RFC 7517 §5); others are left out.
  static func read(_ data: Data) -> [String: Insecure.RSA.PublicKey]? {
    struct KeySet: Decodable {
      struct Key: Decodable {
        let kty: String
        let use: String?
        let alg: String?
        let kid: String?
        let n: String?
        let e: String?
      }
      let keys: [Key]
    }
    guard let set = try? JSONDecoder().decode(KeySet.self, from: data) else { return nil }
    return set.keys.reduce(into: [:]) { keys, key in
      guard key.kty == "RSA", key.use ?? "sig" == "sig", key.alg ?? "RS256" == "RS256", let kid = key.kid, let n = key.n,
        let e = key.e
      else { return }
      keys[kid] = try? Insecure.RSA.PublicKey(modulus: n, exponent: e)
    }
  }
}
