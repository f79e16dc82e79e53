/// The letters of Hangul, and text taken apart to letters and put together again.
enum Hangul {
  /// The 19 initials, 21 medials and 27 finals as compatibility jamo in the order of Unicode. `finals[0]` is ㄱ: the place of a
  /// final in a `Syllable` is one more, since 0 is "none" there.
  static let initials: [Character] = Array("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")
  static let medials: [Character] = Array("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ")
  static let finals: [Character] = Array("ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")

  static let initialPlaces = places(initials, from: 0)
  static let medialPlaces = places(medials, from: 0)
  static let finalPlaces = places(finals, from: 1)

  /// Every syllable taken apart to compatibility jamo, all else unchanged: "한 글" → ㅎ ㅏ ㄴ " " ㄱ ㅡ ㄹ.
  static func decompose(_ text: String) -> [Character] {
    text.flatMap { character in Syllable(character)?.jamo ?? [character] }
  }

  /// What a 두벌식 keyboard (KS X 5002) makes of the jamo: ㅗ+ㅏ is ㅘ, ㄹ+ㄱ after a vowel is ㄺ, a final (of a cluster the second
  /// half) moves on to a vowel that follows. What belongs to no syllable stands by itself.
  static func compose(_ jamo: [Character]) -> String {
    var keyboard = Keyboard()
    for character in jamo { keyboard.press(character) }
    return keyboard.text
  }

  private static func places(_ jamo: [Character], from first: Int) -> [Character: Int] {
    Dictionary(uniqueKeysWithValues: zip(jamo, first...))
  }
}

/// Two jamo that a keyboard joins to one.
struct JamoPair: Hashable, Sendable {
  let first: Character
  let second: Character

  /// ㅘ, ㅙ …: vowels of two strokes.
  static let vowels = pairs("ㅗㅏㅘ ㅗㅐㅙ ㅗㅣㅚ ㅜㅓㅝ ㅜㅔㅞ ㅜㅣㅟ ㅡㅣㅢ")
  /// ㄳ, ㄵ …: clusters of two different finals (겹받침). ㄲ and ㅆ are one stroke with shift.
  static let clusters = pairs("ㄱㅅㄳ ㄴㅈㄵ ㄴㅎㄶ ㄹㄱㄺ ㄹㅁㄻ ㄹㅂㄼ ㄹㅅㄽ ㄹㅌㄾ ㄹㅍㄿ ㄹㅎㅀ ㅂㅅㅄ")
  /// The same the other way round: ㄺ → ㄹ, ㄱ.
  static let halves = Dictionary(uniqueKeysWithValues: clusters.map { ($0.value, $0.key) })

  private static func pairs(_ table: String) -> [JamoPair: Character] {
    let entries = table.split(separator: " ").map { Array($0) }
    return Dictionary(uniqueKeysWithValues: entries.map { (JamoPair(first: $0[0], second: $0[1]), $0[2]) })
  }
}

/// The automaton of a 두벌식 keyboard: text that is settled, and the block that may still change.
private struct Keyboard {
  private enum Block {
    case empty
    case initial(Character)
    case vowel(Character)
    case open(initial: Character, medial: Character)
    case closed(initial: Character, medial: Character, final: Character)
  }

  private var settled = ""
  private var block = Block.empty

  var text: String { settled + written(block) }

  mutating func press(_ key: Character) {
    if Hangul.medialPlaces[key] != nil {
      vowel(key)
    } else if Hangul.initialPlaces[key] != nil || Hangul.finalPlaces[key] != nil {
      consonant(key)
    } else {
      begin(.empty)
      settled.append(key)
    }
  }

  private mutating func vowel(_ key: Character) {
    switch block {
    case .empty:
      block = .vowel(key)
    case .initial(let initial):
      block = .open(initial: initial, medial: key)
    case .vowel(let first):
      if let joined = JamoPair.vowels[JamoPair(first: first, second: key)] {
        block = .vowel(joined)
      } else {
        begin(.vowel(key))
      }
    case .open(let initial, let medial):
      if let joined = JamoPair.vowels[JamoPair(first: medial, second: key)] {
        block = .open(initial: initial, medial: joined)
      } else {
        begin(.vowel(key))
      }
    case .closed(let initial, let medial, let final):
      if let halves = JamoPair.halves[final] {
        block = .closed(initial: initial, medial: medial, final: halves.first)
        begin(.open(initial: halves.second, medial: key))
      } else {
        block = .open(initial: initial, medial: medial)
        begin(.open(initial: final, medial: key))
      }
    }
  }

  private mutating func consonant(_ key: Character) {
    switch block {
    case .open(let initial, let medial) where Hangul.finalPlaces[key] != nil:
      block = .closed(initial: initial, medial: medial, final: key)
    case .closed(let initial, let medial, let final):
      if let joined = JamoPair.clusters[JamoPair(first: final, second: key)] {
        block = .closed(initial: initial, medial: medial, final: joined)
      } else {
        beginConsonant(key)
      }
    case .empty, .initial, .vowel, .open:
      beginConsonant(key)
    }
  }

  /// A cluster typed as one key begins no syllable: it stands by itself.
  private mutating func beginConsonant(_ key: Character) {
    if Hangul.initialPlaces[key] != nil {
      begin(.initial(key))
    } else {
      begin(.empty)
      settled.append(key)
    }
  }

  private mutating func begin(_ next: Block) {
    settled += written(block)
    block = next
  }

  private func written(_ block: Block) -> String {
    switch block {
    case .empty: ""
    case .initial(let jamo), .vowel(let jamo): String(jamo)
    case .open(let initial, let medial): syllable(initial, medial, nil)
    case .closed(let initial, let medial, let final): syllable(initial, medial, final)
    }
  }

  private func syllable(_ initial: Character, _ medial: Character, _ final: Character?) -> String {
    // Only jamo that may stand in their places get here; should one not, the jamo themselves are the honest text.
    Syllable(initial: initial, medial: medial, final: final).map { String($0.character) }
      ?? String([initial, medial] + (final.map { [$0] } ?? []))
  }
}
