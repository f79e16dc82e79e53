/// A place in a primary's write-ahead log (PostgreSQL manual §8.20, `pg_lsn`): what a reader has to see at least.
///
/// Whoever has written takes ``Replicas/position()`` and reads with ``Replicas/reading(after:)`` from then on. As text it may
/// travel with a session; it means nothing on another server.
public struct ReadPosition: Hashable, Comparable, Sendable, LosslessStringConvertible {
  let lsn: UInt64

  init(lsn: UInt64) { self.lsn = lsn }

  /// The place of what was inserted last. Behind a full page the server tells the place behind the next page's header; a
  /// replica that has replayed all is still before it. No record ends within a header, so the page's start says as much.
  init(insertedUpTo lsn: UInt64) {
    let (pageSize, longestHeader): (UInt64, UInt64) = (8_192, 40)
    let offset = lsn % pageSize
    self.lsn = offset <= longestHeader ? lsn - offset : lsn
  }

  /// Reads `16/B374D848`; `nil` when the text is of another form.
  public init?(_ description: String) {
    let parts = description.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let high = UInt32(parts[0], radix: 16), let low = UInt32(parts[1], radix: 16),
      !description.contains("+")
    else { return nil }
    lsn = UInt64(high) << 32 | UInt64(low)
  }

  public var description: String {
    String(lsn >> 32, radix: 16, uppercase: true) + "/" + String(lsn & 0xFFFF_FFFF, radix: 16, uppercase: true)
  }

  public static func < (a: ReadPosition, b: ReadPosition) -> Bool { a.lsn < b.lsn }
}
