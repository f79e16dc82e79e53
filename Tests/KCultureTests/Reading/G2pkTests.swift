import Testing

@testable import KCulture

/// Taught words against `g2pk`, a package that reads by rules of its own with a tagger of Korean.
@Suite("Reading, beside g2pk") struct G2pkTests {
  /// Where g2pk is wrong or takes the second pronunciation that the standard allows; word by word by 표준국어대사전.
  private static let differences: [(reason: String, words: String)] = [
    (
      "제26항, 제28항: it knows few 한자어 and compounds whose next initial is tense",
      """
      비빔밥 칠십 팔십 문법 활동 결정 출장 열심히 글자 한자 인기 조건 성격 여권 용돈 눈사람 손가락 술집 물고기 안방 길거리 달빛 줄넘기
      """
    ),
    ("제27항 붙임: -(으)ㄹ게 is [ㄹ께]", "할게요 갈게요 먹을게요"),
    ("제29항: it doesn't add ㄴ in these compounds", "강남역 십육 이십육 한여름 두통약 부엌일 볼일 집안일"),
    (
      "제30항 1: the tense sound alone is the first choice; it gives the second, with [ㄷ]",
      "햇빛 숫자 빗소리 촛불 바닷가 어젯밤 젓가락 윗사람"
    ),
    ("제15항: before a word of its own the final is spoken as at a word's end", "맛없어요 첫인상 겉옷 웃어른 값없이"),
    ("제14항: of a cluster the second half is linked; it says 밟 as [밥] before vowels too", "밟아요"),
    ("제16항 is of the names of jamo only; it applies it to 끝", "끝이"),
    ("제5항 다만 1: 쳐 that 제17항 made is [처]", "붙여요"),
    ("제17항 붙임: ㄷ before 혀, contracted from 히어, is [처]", "닫혀요 묻혔어요"),
  ]

  @Test("taught words are read as g2pk reads them, but for those listed with the reason; each of those does differ")
  func words() throws {
    let oracle = try Oracle.fixture("g2pk.json", as: [String: String].self)
    let reading = try KoreanReading(lexicon: .shipped())
    let listed = Self.differences.flatMap { $0.words.split(whereSeparator: \.isWhitespace).map(String.init) }
    #expect(oracle.count >= 150)
    #expect(Set(listed).count == listed.count)
    let differing = oracle.filter { reading.pronunciation(of: $0.key) != $0.value }
    #expect(differing.keys.sorted() == listed.sorted())
  }
}
