import CArgon2
import Foundation
import Kit

/// Argon2id (RFC 9106) with the costs OWASP recommends: 19 MiB, two passes, one lane.
struct PasswordHasher: Sendable {
  private static let memoryKiB: UInt32 = 19_456
  private static let passes: UInt32 = 2
  private static let lanes: UInt32 = 1
  private static let saltLength = 16
  private static let hashLength = 32
  /// How every hash of the present costs begins.
  private static let current = "$argon2id$v=19$m=\(memoryKiB),t=\(passes),p=\(lanes)$"

  /// A hash that no password has, of the same costs: checked where there is no account, so that both take the same time.
  static let decoy = current + "bWV0cm9wb2xpcy1kZWNveQ$qsVytjduFO5tK2HuC2kte672bjrx62f424q3/8Thul8"

  let threads: WorkerThreads

  /// The encoded hash, with a salt of its own.
  /// - Throws: ``Kit/Problem`` `unavailable` when too many wait.
  func hash(_ password: String) async throws -> String {
    let result = try await threads.run { PasswordHasher.encode(password, salt: PasswordHasher.salt()) }
    // Fails for want of memory only; the costs are fixed here.
    guard let result else { throw Problem(.unavailable, retryAfter: 2) }
    return result
  }

  /// - Throws: ``Kit/Problem`` `unavailable` when too many wait.
  func verify(_ password: String, against encoded: String) async throws -> Bool {
    try await threads.run { PasswordHasher.matches(password, encoded) }
  }

  /// Whether a hash was made with costs that are no longer ours.
  static func isOutdated(_ encoded: String) -> Bool { !encoded.hasPrefix(current) }

  private static func salt() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<saltLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }

  static func encode(_ password: String, salt: [UInt8]) -> String? {
    let bytes = Array(password.precomposedStringWithCanonicalMapping.utf8)
    let length = argon2_encodedlen(passes, memoryKiB, lanes, UInt32(salt.count), UInt32(hashLength), Argon2_id)
    var encoded = [CChar](repeating: 0, count: length)
    let status = argon2id_hash_encoded(
      passes, memoryKiB, lanes, bytes, bytes.count, salt, salt.count, hashLength, &encoded, encoded.count)
    guard status == ARGON2_OK.rawValue else { return nil }
    return String(decoding: encoded.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  static func matches(_ password: String, _ encoded: String) -> Bool {
    let bytes = Array(password.precomposedStringWithCanonicalMapping.utf8)
    return argon2id_verify(encoded, bytes, bytes.count) == ARGON2_OK.rawValue
  }
}
