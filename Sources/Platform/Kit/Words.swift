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
