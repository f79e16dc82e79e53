import Foundation
import Kit
import Testing

@Suite struct WordsTests {
  @Test(arguments: [
    ("session=", true), ("a=1; session=x", true), ("__Host-session=", true), ("sessio", false), ("", false),
    ("sessionsession", false),
    ("ssession=", true), ("한국 session=", true), ("session", false),
  ])
  func `A word is found wherever it stands`(text: String, isThere: Bool) {
    #expect(text.utf8.holds("session=") == isThere)
  }

  @Test func `What is taken for composed is what Unicode says`() {
    let wrong = (UInt32(0)...0x10FFFF).filter { value in
      guard let scalar = Unicode.Scalar(value) else { return false }
      let text = String(scalar)
      return !text.inNFC.utf8.elementsEqual(text.precomposedStringWithCanonicalMapping.utf8)
    }
    #expect(wrong.isEmpty)
  }

  @Test(arguments: ["e\u{301}", "\u{1112}\u{1161}\u{11AB}", "가\u{11A8}", "한국 e\u{301}", "\u{212B}", "\u{AC00}\u{302E}"])
  func `What is to be composed is`(text: String) {
    #expect(Array(text.inNFC.unicodeScalars) == Array(text.precomposedStringWithCanonicalMapping.unicodeScalars))
  }
}
