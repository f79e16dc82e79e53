public import Foundation
import Synchronization

extension UUID {
  /// A UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits. Sorts by time of making.
  public static func v7(at instant: Instant = .now) -> UUID {
    let milliseconds = UInt64(max(0, instant.microseconds / 1_000))
    let (high, low) = RandomBits.next()
    func time(_ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: milliseconds >> shift) }
    func random(_ value: UInt64, _ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: value >> shift) }
    return UUID(
      uuid: (
        time(40), time(32), time(24), time(16), time(8), time(0),
        0x70 | (random(high, 0) & 0x0F), random(high, 8),
        0x80 | (random(low, 0) & 0x3F), random(low, 8), random(low, 16), random(low, 24),
        random(low, 32), random(low, 40), random(low, 48), random(low, 56)
      ))
  }

  /// Lower case, as everywhere in this product.
  public var text: String {
    withUnsafeBytes(of: uuid) { bytes in
      String(unsafeUninitializedCapacity: 36) { out in
        var at = 0
        for (index, byte) in bytes.enumerated() {
          if index == 4 || index == 6 || index == 8 || index == 10 {
            out[at] = UInt8(ascii: "-")
            at += 1
          }
          out[at] = UUID.hex(byte >> 4)
          out[at + 1] = UUID.hex(byte & 0x0F)
          at += 2
        }
        return at
      }
    }
  }

  private static func hex(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 87 + digit }
}

/// Random bits of the system, fetched for many ids at once: every request has one.
private enum RandomBits {
  private struct Store {
    var words = [UInt64](repeating: 0, count: 32)
    var used = 32
  }

  private static let store = Mutex(Store())

  static func next() -> (UInt64, UInt64) {
    store.withLock { store in
      if store.used == store.words.count {
        // 256 bytes are what one call gives; it fails for more only (getentropy(3)).
        store.words.withUnsafeMutableBytes { _ = getentropy($0.baseAddress!, $0.count) }
        store.used = 0
      }
      defer { store.used += 2 }
      return (store.words[store.used], store.words[store.used + 1])
    }
  }
}

/// A person's account, everywhere in the city. Opaque: says nothing about who she is.
public struct PersonID: Hashable, Sendable, Codable, CustomStringConvertible {
  public let uuid: UUID
  public init(_ uuid: UUID) { self.uuid = uuid }
  public init?(_ text: String) {
    guard let uuid = UUID(uuidString: text) else { return nil }
    self.uuid = uuid
  }
  public init(from decoder: any Decoder) throws { uuid = try decoder.singleValueContainer().decode(UUID.self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(uuid.text)
  }
  public var description: String { uuid.text }
}

/// The key of a tenant's stanza: lower-case letters, digits and single hyphens, 2 to 32 characters, a letter first.
///
/// It is a host label, and with hyphens as underscores the name of the tenant's schema, so the form is narrow.
public struct TenantID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  public let text: String

  public init?(_ text: String) {
    guard TenantID.isValid(text) else { return nil }
    self.text = text
  }

  static func isValid(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard (2...32).contains(bytes.count), let first = bytes.first, (97...122).contains(first), bytes.last != 45 else {
      return false
    }
    var previous: UInt8 = 0
    for byte in bytes {
      guard (97...122).contains(byte) || (48...57).contains(byte) || (byte == 45 && previous != 45) else { return false }
      previous = byte
    }
    return true
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let id = TenantID(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected a tenant id")
    }
    self = id
  }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
  public static func < (a: TenantID, b: TenantID) -> Bool { a.text < b.text }
  public var description: String { text }
}
