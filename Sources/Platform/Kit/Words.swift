import Foundation

extension String {
  /// The text in Normalization Form C (Unicode Standard Annex 15).
  public var inNFC: String { unicodeScalars.allSatisfy(\.isPlainlyComposed) ? self : precomposedStringWithCanonicalMapping }
}

extension Unicode.Scalar {
  /// Whether it stands in NFC wherever it stands: of combining class 0, and nothing it would be composed with. Not all of those:
  /// Latin up to the combining marks, general punctuation, Hangul's syllables and letters for themselves, Han.
  fileprivate var isPlainlyComposed: Bool {
    switch value {
    case 0..<0x300, 0x2010...0x2027, 0x2030...0x205E, 0x3000...0x3029, 0x3131...0x318E, 0x4E00...0x9FFF, 0xAC00...0xD7A3: true
    default: false
    }
  }
}

extension String.UTF8View {
  /// Whether a word stands in it, byte by byte. Where Foundation is at hand, `contains` of a text goes by way of UTF-16.
  public func holds(_ word: StaticString) -> Bool {
    word.withUTF8Buffer { word in
      withContiguousStorageIfAvailable { String.UTF8View.holds($0, word) }
        ?? Array(self).withUnsafeBufferPointer { String.UTF8View.holds($0, word) }
    }
  }

  private static func holds(_ bytes: UnsafeBufferPointer<UInt8>, _ word: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = word.first else { return true }
    guard bytes.count >= word.count else { return false }
    return (0...bytes.count - word.count).contains { start in
      bytes[start] == first && bytes[start..<start + word.count].elementsEqual(word)
    }
  }
}
