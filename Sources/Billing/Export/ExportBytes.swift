import Database
import Foundation
import Kit

/// A column's bytes where libpq has them: a million rows are rendered without a string for each value.
///
/// Unchecked: what is pointed at is only read. It lives as long as the `Rows` it came from, so a `Field` stays within the loop
/// over them.
struct Field: SQLDecodable, @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) -> Field { Field(bytes: bytes) }

  /// An integer as PostgreSQL's binary format has it; a shorter field is a programmer's error in the statement.
  func integer<Integer: FixedWidthInteger>(_: Integer.Type = Integer.self) -> Integer {
    precondition(bytes.count == MemoryLayout<Integer>.size, "the column is of another type")
    return Integer(bigEndian: bytes.loadUnaligned(as: Integer.self))
  }

  var uuid: UUID {
    precondition(bytes.count == 16, "the column is no uuid")
    return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }
}

// Formats of a posting, without a string or a formatter in between.
extension [UInt8] {
  mutating func append(text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func append(text: some StringProtocol) { append(contentsOf: text.utf8) }

  mutating func append(decimal value: UInt64) {
    if value < 10 { return append(48 + UInt8(value)) }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var rest = value
      var start = 20
      repeat {
        start -= 1
        digits[start] = 48 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      append(contentsOf: UnsafeBufferPointer(rebasing: digits[start..<20]))
    }
  }

  /// `1234.05` of 123405 minor units when two of them are decimals.
  mutating func append(magnitude: UInt64, places: Int) {
    guard places == 2 else { return append(decimal: magnitude) }
    append(decimal: magnitude / 100)
    let cents = UInt8(magnitude % 100)
    append(46)
    append(48 + cents / 10)
    append(48 + cents % 10)
  }

  mutating func append(amount: Int64, places: Int) {
    if amount < 0 { append(45) }
    append(magnitude: amount.magnitude, places: places)
  }

  /// A UUID's 16 bytes as its text.
  mutating func append(uuid: UnsafeRawBufferPointer) {
    precondition(uuid.count == 16, "the column is no uuid")
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 36) { text in
      var place = 0
      for index in 0..<16 {
        if index == 4 || index == 6 || index == 8 || index == 10 {
          text[place] = 45
          place += 1
        }
        let byte = uuid[index]
        let (high, low) = (byte >> 4, byte & 15)
        text[place] = high < 10 ? 48 + high : 87 + high
        text[place + 1] = low < 10 ? 48 + low : 87 + low
        place += 2
      }
      append(contentsOf: UnsafeBufferPointer(text))
    }
  }
}
