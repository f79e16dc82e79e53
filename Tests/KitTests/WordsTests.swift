import Kit
import Testing

@Suite struct WordsTests {
  @Test(arguments: [
    ("session=", true), ("a=1; session=x", true), ("__Host-session=", true), ("sessio", false), ("", false), ("sessionsession", false),
    ("ssession=", true), ("한국 session=", true), ("session", false),
  ])
  func `A word is found wherever it stands`(text: String, isThere: Bool) {
    #expect(text.utf8.holds("session=") == isThere)
  }
}
