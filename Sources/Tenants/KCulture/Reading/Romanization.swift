/// The letters of 국어의 로마자 표기법 (2000, 제2장) for sounds that the rules of pronunciation have made.
enum Romanization {
  static func letters(_ sounds: [Sound]) -> String {
    var text = ""
    var final: Character?
    for sound in sounds {
      // 제2장 제2항 붙임 2: ㄹ is r before a vowel, l at the end; ㄹㄹ is ll.
      text += sound.initial == "ㄹ" && final == "ㄹ" ? "l" : initials[sound.initial] ?? ""
      text += medials[sound.medial] ?? ""
      text += sound.final.flatMap { finals[$0] } ?? ""
      final = sound.final
    }
    return text
  }

  private static let initials: [Character: String] = [
    "ㄱ": "g", "ㄲ": "kk", "ㄴ": "n", "ㄷ": "d", "ㄸ": "tt", "ㄹ": "r", "ㅁ": "m", "ㅂ": "b", "ㅃ": "pp", "ㅅ": "s", "ㅆ": "ss",
    "ㅇ": "", "ㅈ": "j", "ㅉ": "jj", "ㅊ": "ch", "ㅋ": "k", "ㅌ": "t", "ㅍ": "p", "ㅎ": "h",
  ]

  private static let medials: [Character: String] = [
    "ㅏ": "a", "ㅐ": "ae", "ㅑ": "ya", "ㅒ": "yae", "ㅓ": "eo", "ㅔ": "e", "ㅕ": "yeo", "ㅖ": "ye", "ㅗ": "o", "ㅘ": "wa",
    "ㅙ": "wae", "ㅚ": "oe", "ㅛ": "yo", "ㅜ": "u", "ㅝ": "wo", "ㅞ": "we", "ㅟ": "wi", "ㅠ": "yu", "ㅡ": "eu", "ㅢ": "ui", "ㅣ": "i",
  ]

  /// The seven finals that are spoken.
  private static let finals: [Character: String] = [
    "ㄱ": "k", "ㄴ": "n", "ㄷ": "t", "ㄹ": "l", "ㅁ": "m", "ㅂ": "p", "ㅇ": "ng",
  ]
}
