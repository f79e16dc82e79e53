import Foundation

/// How a word is read: its standard pronunciation in Hangul (표준발음법, part 2 of 국립국어원's 표준어 규정) and its Revised
/// Romanization (국어의 로마자 표기법). Where the standard allows two pronunciations, the first that it names is given.
struct KoreanReading: Sendable {
  /// What a word is decides some rules: 신고 is [신꼬] as a verb, [신고] as a noun; 집현전 keeps its h in letters, 좋고 doesn't.
  /// A name is one of a place, people or institution; a person's given name is written without assimilation (로마자 표기법
  /// 제3장 제4항) and isn't covered.
  enum WordClass: String, Sendable {
    case noun, verb, other, name
  }

  private let lexicon: Lexicon

  init(lexicon: Lexicon) { self.lexicon = lexicon }

  /// Standard pronunciation: 꽃잎 → 꼰닙. Each word of a text is read by itself, but for bound nouns after a verb (제27항:
  /// 할 수 있어요 → 할 쑤 이써요); what is no Hangul stays.
  /// - Parameter wordClass: nil lets the lexicon and the word's form decide.
  func pronunciation(of word: String, as wordClass: WordClass? = nil) -> String {
    eachWord(of: word) { text, previous in
      let entry = lexicon.entry(for: text, as: wordClass)
      var sounds = spoken(entry.sounds, of: entry, as: wordClass, purpose: .speech)
      if let previous, lexicon.isModified(text, by: previous) { sounds[0].tense() }
      return String(sounds.map(\.syllable))
    }
  }

  /// Revised Romanization: 꽃잎 → kkonnip; names are capitalised: 신라 → Silla.
  func romanization(of word: String, as wordClass: WordClass? = nil) -> String {
    eachWord(of: word) { text, _ in
      let entry = lexicon.entry(for: text, as: wordClass)
      let isName = wordClass == .name || (wordClass == nil && entry.isName)
      // 로마자 표기법 제3장 제1항: in 체언 an ㅎ after ㄱ, ㄷ, ㅂ is kept; elsewhere the sound that both make is written.
      let keepsH = wordClass.map { $0 == .noun || $0 == .name } ?? (entry.isName || !lexicon.looksLikePredicate(text))
      let letters = entry.units.map { unit in
        Romanization.letters(spoken(unit, of: entry, as: wordClass, purpose: .letters(keepsH: keepsH)))
      }.joined(separator: "-")
      return isName ? letters.prefix(1).uppercased() + letters.dropFirst() : letters
    }
  }

  private func spoken(
    _ sounds: [Sound], of entry: Lexicon.Entry, as wordClass: WordClass?, purpose: Pronunciation.Purpose
  ) -> [Sound] {
    var pronunciation = Pronunciation(sounds: sounds, wordClass: wordClass, purpose: purpose, stemEnd: entry.stemEnd)
    return pronunciation.spoken()
  }

  /// Reads every run of syllables, knowing the one that stands a single space before it, and leaves the rest as it is.
  private func eachWord(of text: String, _ read: (_ word: String, _ previous: String?) -> String) -> String {
    var result = ""
    var word = ""
    var previous: String?
    for character in text.precomposedStringWithCanonicalMapping {
      if Syllable(character) != nil {
        word.append(character)
        continue
      }
      if !word.isEmpty { result += read(word, previous) }
      previous = character == " " && !word.isEmpty ? word : nil
      word = ""
      result.append(character)
    }
    return word.isEmpty ? result : result + read(word, previous)
  }
}
