/// What stands between two parts of a word and changes how they meet; the signs of `Lexicon`.
enum Joint: Character, Sendable {
  case addedNieun = "+"
  case wordBorder = "|"
  case tense = "'"
  case siot = "^"
  case nasalRieul = "/"
  case unit = "-"

  static let signs = "+|'^/-"
}

/// One syllable as it is spoken: compatibility jamo that rules change.
struct Sound: Hashable, Sendable {
  var initial: Character
  var medial: Character
  var final: Character?
  /// The syllable as it is written, for rules about certain stems.
  let written: Character
  /// What stands after it.
  var joint: Joint?

  init(_ syllable: Syllable) {
    initial = syllable.initialJamo
    medial = syllable.medialJamo
    final = syllable.finalJamo
    written = syllable.character
  }

  /// The syllables of a word in the lexicon's signs.
  static func all(of parts: String) -> [Sound] {
    var sounds: [Sound] = []
    for character in parts {
      if let syllable = Syllable(character) {
        sounds.append(Sound(syllable))
      } else if let joint = Joint(rawValue: character), !sounds.isEmpty {
        sounds[sounds.count - 1].joint = joint
      }
    }
    return sounds
  }

  /// The sounds in one block: rules leave only jamo that may stand in their places.
  var syllable: Character { Syllable(initial: initial, medial: medial, final: final)?.character ?? written }

  /// ㄱ → ㄲ, ㄷ → ㄸ, ㅂ → ㅃ, ㅅ → ㅆ, ㅈ → ㅉ; others have no tense sound.
  mutating func tense() { initial = Self.tenses[initial] ?? initial }

  private static let tenses: [Character: Character] = ["ㄱ": "ㄲ", "ㄷ": "ㄸ", "ㅂ": "ㅃ", "ㅅ": "ㅆ", "ㅈ": "ㅉ"]
}
