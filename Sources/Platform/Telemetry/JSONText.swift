/// Bytes of JSON, appended without the detours of strings.
extension [UInt8] {
  mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// A JSON string (RFC 8259 §7).
  mutating func append(quoted text: String) {
    append(UInt8(ascii: "\""))
    append(escaped: text)
    append(UInt8(ascii: "\""))
  }

  /// What stands between the quotes of a JSON string.
  mutating func append(escaped text: String) {
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      for (index, byte) in bytes.enumerated() where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        append(contentsOf: bytes[start..<index])
        start = index + 1
        append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): append(UInt8(ascii: "t"))
        case 0..<0x20:
          append("u00")
          append(hex: byte >> 4)
          append(hex: byte & 0x0F)
        default: append(byte)
        }
      }
      append(contentsOf: bytes[start...])
    }
  }

  private mutating func append(hex digit: UInt8) { append(digit < 10 ? 48 + digit : 87 + digit) }

  /// A number that is not negative, with at least `digits` digits.
  mutating func append(_ number: Int64, digits: Int = 1) {
    var (rest, scale, count) = (number, Int64(1), 1)
    while count < digits || rest / scale >= 10 {
      scale *= 10
      count += 1
    }
    while scale > 0 {
      append(48 + UInt8(rest / scale % 10))
      rest %= scale
      scale /= 10
    }
  }
}
