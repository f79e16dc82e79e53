import Foundation
import Testing

@testable import KCulture

/// Composition and decomposition; `shared/korean-vectors.md`: 11,172 syllables, no exceptions.
@Suite("Hangul") struct HangulTests {
  private static let syllables = (0xAC00...0xD7A3).compactMap { Unicode.Scalar($0).map(Character.init) }

  private struct Jamo: Decodable {
    let initials: String
    let medials: String
    let finals: String
  }

  @Test("each of the 11,172 syllables has the jamo that the package `jamo` says, and is put together of them again")
  func jamo() throws {
    let oracle = try Oracle.fixture("jamo.json", as: Jamo.self)
    let (initials, medials, finals) = (Array(oracle.initials), Array(oracle.medials), Array(oracle.finals))
    #expect(Self.syllables.count == 11_172)
    try #require([initials.count, medials.count, finals.count].allSatisfy { $0 == Self.syllables.count })
    let wrong = Self.syllables.indices.filter { place in
      let final = finals[place] == "-" ? nil : finals[place]
      guard let syllable = Syllable(Self.syllables[place]) else { return true }
      return syllable.initialJamo != initials[place] || syllable.medialJamo != medials[place] || syllable.finalJamo != final
        || Syllable(initial: initials[place], medial: medials[place], final: final)?.character != Self.syllables[place]
    }
    #expect(wrong == [])
  }

  @Test("a syllable in conjoining jamo (NFD) is the same syllable")
  func decomposed() {
    let wrong = Self.syllables.filter { syllable in
      let apart = Character(String(syllable).decomposedStringWithCanonicalMapping)
      return Syllable(apart) != Syllable(syllable) || Syllable(apart)?.character.unicodeScalars.count != 1
    }
    #expect(wrong == [])
  }

  @Test("what is no syllable is none", arguments: ["ㄱ", "ㅏ", "a", "漢", "가\u{0301}", "\u{ABFF}", "\u{D7A4}"] as [Character])
  func noSyllable(_ character: Character) {
    #expect(Syllable(character) == nil)
  }

  @Test("jamo stand only in their places")
  func places() {
    #expect(Syllable(initial: 18, medial: 20, final: 27)?.character == "힣")
    #expect(Syllable(initial: 19, medial: 0) == nil)
    #expect(Syllable(initial: 0, medial: 21) == nil)
    #expect(Syllable(initial: 0, medial: 0, final: 28) == nil)
    #expect(Syllable(initial: -1, medial: 0) == nil)
    #expect(Syllable(initial: "ㄳ", medial: "ㅏ") == nil)
    #expect(Syllable(initial: "ㄱ", medial: "ㅏ", final: "ㄸ") == nil)
    #expect(Syllable(initial: "ㅎ", medial: "ㅏ", final: "ㄴ")?.character == "한")
    #expect(Syllable("한")?.jamo == ["ㅎ", "ㅏ", "ㄴ"])
    #expect(Syllable("가")?.jamo == ["ㄱ", "ㅏ"])
  }

  @Test("text is taken apart syllable by syllable; the rest stays")
  func decompose() {
    #expect(Hangul.decompose("닭, K팝!") == ["ㄷ", "ㅏ", "ㄺ", ",", " ", "K", "ㅍ", "ㅏ", "ㅂ", "!"])
  }

  @Test(
    "a 두벌식 keyboard puts jamo together",
    arguments: [
      ("ㅎㅏㄴㄱㅡㄹ", "한글"), ("ㄱㅗㅏ", "과"), ("ㄷㅏㄹㄱ", "닭"), ("ㄷㅏㄹㄱㅇㅣ", "닭이"), ("ㄷㅏㄹㄱㅣ", "달기"),
      ("ㅂㅏㄲㅔ", "바께"), ("ㄱㅏㄱㅅㅣ", "각시"), ("ㅇㅓㅂㅅㅇㅓㅇㅛ", "없어요"), ("ㅇㅡㅣㅅㅏ", "의사"), ("ㅇㅜㅔㄴ", "웬"),
      ("ㄷㅏㄺㅏ", "달가"), ("ㄷㅘ", "돠"), ("ㅋㅋㅋ", "ㅋㅋㅋ"), ("ㅗㅏ", "ㅘ"), ("ㅏㅣ", "ㅏㅣ"), ("ㄱㅏㄸㅏ", "가따"), ("ㄳㅏ", "ㄳㅏ"),
      ("ㅇㅏ ㄴ", "아 ㄴ"), ("ㄱㅏㄴㄷㅏ!", "간다!"), ("ㄱㄱㅏ", "ㄱ가"), ("", ""),
    ])
  func compose(_ jamo: String, _ text: String) {
    #expect(Hangul.compose(Array(jamo)) == text)
  }

  @Test("syllables taken apart are put together to the same text, whatever stands beside them")
  func roundTrip() {
    let wrong = Self.syllables.filter { syllable in
      ["\(syllable)아\(syllable)", "\(syllable)까", "가\(syllable) \(syllable)사"].contains {
        Hangul.compose(Hangul.decompose($0)) != $0
      }
    }
    #expect(wrong == [])
  }
}
