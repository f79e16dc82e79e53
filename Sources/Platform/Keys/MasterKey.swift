public import Crypto
import Foundation

/// The one secret everything else is derived from (HKDF-SHA256, RFC 5869), by purpose, so that keys never mix.
public struct MasterKey: Sendable {
  private let key: SymmetricKey

  /// - Parameter text: 32 bytes or more in base64 or base64url.
  /// - Returns: `nil` when the text is something else or too short.
  public init?(_ text: String) {
    guard let bytes = [UInt8](base64URL: text.trimmingCharacters(in: .whitespacesAndNewlines)), bytes.count >= 32 else {
      return nil
    }
    key = SymmetricKey(data: bytes)
  }

  public init(bytes: [UInt8]) { key = SymmetricKey(data: bytes) }

  /// A fresh master key as text, for a private data directory.
  public static func generate() -> String { Secret.random(bytes: 32) }

  /// The 256-bit key of one purpose: `seal:email`, `csrf`, `role:…`.
  public func key(_ purpose: String) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: Data("metropolis/\(purpose)".utf8), outputByteCount: 32)
  }

  /// A password for machines, the same at every start.
  public func password(_ purpose: String) -> String { key(purpose).withUnsafeBytes { Array($0).base64URL } }
}

/// Random secrets and what is stored of them.
public enum Secret {
  /// Random bytes from the system's generator, as base64url without padding.
  public static func random(bytes count: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }.base64URL
  }

  /// What the database keeps of a bearer secret with full entropy: its SHA-256.
  public static func digest(_ secret: String) -> [UInt8] {
    var (secret, hash) = (secret, SHA256())
    secret.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    return Array(hash.finalize())
  }

  /// Equality without an early exit: the time depends on the lengths only.
  public static func equal(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
  }
}

/// A keyed fingerprint (HMAC-SHA256): finds an e-mail without keeping it, binds a form to a session.
public struct Fingerprint: Sendable {
  private let key: SymmetricKey
  public init(_ key: SymmetricKey) { self.key = key }

  public func bytes(_ text: String) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
  }
  public func text(_ text: String) -> String { bytes(text).base64URL }
}

/// Seals personal data at rest with AES-256-GCM. The context is authenticated: a value moved to another row won't open.
public struct Sealer: Sendable {
  private let key: SymmetricKey
  public init(_ key: SymmetricKey) { self.key = key }

  public func seal(_ text: String, context: String) -> [UInt8] {
    // Sealing fails for a wrong nonce or key size only; both are fixed here.
    let box = try! AES.GCM.seal(Data(text.utf8), using: key, authenticating: Data(context.utf8))
    return Array(box.combined!)
  }

  /// - Returns: `nil` when the value is not what this key sealed in this context.
  public func open(_ sealed: [UInt8], context: String) -> String? {
    guard let box = try? AES.GCM.SealedBox(combined: sealed),
      let data = try? AES.GCM.open(box, using: key, authenticating: Data(context.utf8))
    else { return nil }
    return String(data: data, encoding: .utf8)
  }
}

extension Sequence where Element == UInt8 {
  /// base64url without padding (RFC 4648 §5).
  public var base64URL: String {
    Data(self).base64EncodedString()
      .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
  }
}

extension [UInt8] {
  /// Reads base64 or base64url, with or without padding.
  public init?(base64URL text: String) {
    var plain = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
    while plain.last == "=" { plain.removeLast() }
    plain += String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
    guard let data = Data(base64Encoded: plain) else { return nil }
    self = Array(data)
  }
}
