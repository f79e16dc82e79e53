import Kit
import Synchronization

/// Ids of requests: UUIDs of version 7 (RFC 9562 §5.7), whose random part is drawn once per process and then counted up. They
/// name a request in logs and answers and are no secret.
final class RequestIDs: Sendable {
  private let next: Atomic<UInt64>
  private let node = UInt64.random(in: 0..<(1 << 48))

  init() { next = Atomic(.random(in: 0...(.max >> 40))) }

  func make(at now: Instant) -> String {
    let count = next.wrappingAdd(1, ordering: .relaxed).newValue
    let time = UInt64(max(0, now.microseconds / 1_000))
    // 48 bits of time, version, 12 bits of the count; variant, 14 bits of the count, 48 bits of the node.
    let high = time << 16 | 0x7000 | count & 0xFFF
    let low = 0x8000_0000_0000_0000 | (count >> 12 & 0x3FFF) << 48 | node
    return String(unsafeUninitializedCapacity: 36) { buffer in
      var place = 0
      for (value, isLow) in [(high, false), (low, true)] {
        for nibble in 0..<16 {
          // Hyphens after 8, 12, 16 and 20 digits.
          if isLow ? nibble == 0 || nibble == 4 : nibble == 8 || nibble == 12 {
            buffer[place] = UInt8(ascii: "-")
            place += 1
          }
          let digit = UInt8(truncatingIfNeeded: value >> (60 - 4 * UInt64(nibble)) & 0xF)
          buffer[place] = digit < 10 ? digit + 48 : digit + 87
          place += 1
        }
      }
      return place
    }
  }
}
