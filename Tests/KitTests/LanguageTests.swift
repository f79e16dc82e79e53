import Kit
import Testing

@Suite("Languages") struct LanguageTests {
  @Test(
    "the reader's best language is the one of the highest quality that is offered (RFC 9110 §12.5.4)",
    arguments: [
      ("ko", Language.ko), ("en-US,en;q=0.9", .en), ("fr, en;q=0.5, ko;q=0.7", .ko), ("ko;q=0, en;q=0.1", .en),
      ("KO-kr", .ko), (" en ; q=0.4 , ko ; q=0.5 ", .ko), ("en,ko", .en), ("zh-Hant-TW;q=1, ko-KR;q=0.2", .ko),
    ])
  func best(header: String, expected: Language) {
    #expect(Language.best(acceptLanguage: header, of: [.ko, .en]) == expected)
  }

  @Test("a header that names none of ours decides nothing", arguments: ["", "fr", "*", ",,;;", "ko;q=0", "ko;q=abc", "kor"])
  func none(header: String) {
    #expect(Language.best(acceptLanguage: header, of: [.ko, .en]) == nil)
  }

  @Test("a language that a site doesn't offer is passed over")
  func offered() {
    #expect(Language.best(acceptLanguage: "en, ko;q=0.1", of: [.ko]) == .ko)
    #expect(Language.best(acceptLanguage: "en", of: [.ko]) == nil)
  }

  @Test("Korean stands in for a translation that is missing")
  func fallback() {
    #expect(LocalizedText(ko: "제주")(.en) == "제주")
    #expect(LocalizedText(ko: "제주", en: "Jeju")(.en) == "Jeju")
    #expect(LocalizedText(ko: "제주", en: "Jeju")(.ko) == "제주")
  }

  @Test("white space is trimmed at both ends only, whatever kind it is")
  func trimming() {
    #expect("\u{3000} 제주 도 \n\t".trimmed == "제주 도")
    #expect(" ".trimmed == "")
  }
}
