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

  /// - Throws: ``Kit/Problem`` `unavailable` when too many wait, or there is no memory.
  func verify(_ password: String, against encoded: String) async throws -> Bool {
    let matches = try await threads.run { PasswordHasher.matches(password, encoded) }
    guard let matches else { throw Problem(.unavailable, retryAfter: 2) }
    return matches
  }

  /// Whether a hash was made with costs that are no longer ours.
  static func isOutdated(_ encoded: String) -> Bool { !encoded.hasPrefix(current) }

  private static func salt() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<saltLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }

  static func encode(_ password: String, salt: [UInt8]) -> String? {
    raw(bytes(of: password), salt: salt).map { current + base64(salt) + "$" + base64($0) }
  }

  /// - Returns: `nil` for want of memory.
  static func matches(_ password: String, _ encoded: String) -> Bool? {
    let bytes = bytes(of: password)
    let parts = encoded.split(separator: "$")
    guard encoded.hasPrefix(current), parts.count == 5, let salt = decoded(parts[3]), let hash = decoded(parts[4]),
      salt.count == saltLength, hash.count == hashLength
    else {
      // Of other costs: the library reads them from the hash.
      return argon2id_verify(encoded, bytes, bytes.count) == ARGON2_OK.rawValue
    }
    guard let found = raw(bytes, salt: salt) else { return nil }
    return zip(found, hash).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
  }

  /// Argon2id of the present costs.
  private static func raw(_ password: [UInt8], salt: [UInt8]) -> [UInt8]? {
    var (password, salt) = (password, salt)
    var out = [UInt8](repeating: 0, count: hashLength)
    let status = password.withUnsafeMutableBufferPointer { password in
      salt.withUnsafeMutableBufferPointer { salt in
        out.withUnsafeMutableBufferPointer { out in
          var context = argon2_context()
          (context.out, context.outlen) = (out.baseAddress, UInt32(out.count))
          (context.pwd, context.pwdlen) = (password.baseAddress, UInt32(password.count))
          (context.salt, context.saltlen) = (salt.baseAddress, UInt32(salt.count))
          (context.t_cost, context.m_cost, context.lanes, context.threads) = (passes, memoryKiB, lanes, lanes)
          context.version = ARGON2_VERSION_13.rawValue
          context.allocate_cbk = { HashMemory.take($0, $1) }
          context.free_cbk = { HashMemory.giveBack($0, $1) }
          return argon2_ctx(&context, Argon2_id)
        }
      }
    }
    return status == ARGON2_OK.rawValue ? out : nil
  }

  /// As typed, whatever way the keyboard composed it (RFC 8265 §4.2.2).
  private static func bytes(of password: String) -> [UInt8] {
    let bytes = Array(password.utf8)
    return bytes.allSatisfy { $0 < 0x80 } ? bytes : Array(password.precomposedStringWithCanonicalMapping.utf8)
  }

  /// Without padding, as in the string form of hashes.
  private static func base64(_ bytes: [UInt8]) -> String { String(Data(bytes).base64EncodedString().prefix { $0 != "=" }) }

  private static func decoded(_ text: Substring) -> [UInt8]? {
    Data(base64Encoded: text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)).map(Array.init)
  }
}
