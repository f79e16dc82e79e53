import Foundation

/// What no rule can see in the letters of a word: its parts, its homographs, its class. Data, from `lexicon.json`:
///
/// - `words`: a word as it is put together, for itself and before a particle: `"꽃잎": "꽃+잎"`. Homographs by class:
///   `"신고": {"noun": "신고", "verb": "신'고"}`. Signs between syllables, by articles of 표준발음법:
///   - `+` a compound that adds ㄴ before 이, 야, 여, 요, 유 (제29항)
///   - `|` the next part begins with a vowel and is a word of its own, so the final is spoken as at a word's end (제15항)
///   - `'` the next initial is tense: 한자어 after ㄹ, hidden 사이시옷, stem before ending (제24항, 제26항, 제28항)
///   - `^` the final before it is a 사이시옷: silent, and the next initial is tense (제30항 1)
///   - `-` a unit of administration (로마자 표기법 제3장 제5항: 제주도 → Jeju-do); speech passes over it
///   - `/` ㄹ after ㄴ turns into ㄴ (제20항 다만)
/// - `respelled`: names of jamo, whose finals are spoken as others (제16항: 디귿이 → 디그시), and what else is read as another
///   spelling: `"디귿": "디긋"`.
/// - `stems`: as `words`, for all that begins so: `"맛없": "맛|없"`.
/// - `nasalStems`: verb stems in ㄴ or ㅁ, `endings` that then grow tense (제24항): `always`, and `verb` for those that a noun
///   may have too (감자, 남자, 참고).
/// - `modifierEndings`: what grows tense after -(으)ㄹ within a word (제27항 붙임).
/// - `boundNouns`, which grow tense when the word before is such a form (제27항: 할 수 → 할 쑤), and `nounsInRieul`, which are none.
/// - `particles` after nouns, `names` (capitalised in letters), `predicates`: how verbs and adjectives end.
struct Lexicon: Sendable {
  static let empty = Lexicon(Contents())

  /// A word as its parts make it.
  struct Entry: Sendable {
    let sounds: [Sound]
    /// Place of the last syllable of a verb's stem in ㄴ, ㅁ (제24항) or of a form in -ㄹ (제27항), if endings show one.
    let stemEnd: Int?
    let isName: Bool

    /// The sounds before and after the hyphens of 로마자 표기법 제3장 제5항, across which no sound changes another.
    var units: [[Sound]] {
      sounds.reduce(into: [[]]) { units, sound in
        units[units.count - 1].append(sound)
        if sound.joint == .unit { units.append([]) }
      }
    }
  }

  private let contents: Contents
  private let particles: Set<String>
  private let names: Set<String>
  private let nasalStems: Set<String>
  private let longestStem: Int

  /// - Throws: `DecodingError` when the JSON has another form, `LexiconError` when a word's parts don't spell the word.
  init(json: String) throws {
    let contents = try JSONDecoder().decode(Contents.self, from: Data(json.utf8))
    for (word, spelling) in contents.words {
      for parts in spelling.byClass.values { try Self.check(parts, spells: word) }
    }
    for (word, parts) in contents.respelled where !Self.isWellFormed(parts) { throw LexiconError(word: word, parts: parts) }
    for (stem, parts) in contents.stems { try Self.check(parts, spells: stem) }
    self.init(contents)
  }

  private init(_ contents: Contents) {
    self.contents = contents
    particles = Set(contents.particles)
    names = Set(contents.names)
    nasalStems = Set(contents.nasalStems)
    longestStem = contents.stems.keys.map(\.count).max() ?? 0
  }

  /// The word's parts: as a word listed, as a noun listed with a particle, as a stem listed with any ending, else as written.
  func entry(for text: String, as wordClass: KoreanReading.WordClass?) -> Entry {
    let (listed, noun) = listing(of: text, as: wordClass)
    let sounds = Sound.all(of: listed ?? text)
    // A word that is listed whole has its tense sounds marked: endings are not guessed at.
    let stemEnd = noun == text && listed != nil ? nil : stemEnd(of: Array(text), as: wordClass)
    return Entry(sounds: sounds, stemEnd: stemEnd, isName: names.contains(noun))
  }

  /// Verbs and adjectives end in 다, 요, 까 …; what doesn't is taken for a noun.
  func looksLikePredicate(_ text: String) -> Bool { contents.predicates.contains { text.hasSuffix($0) } }

  /// Whether a verb's form in -(으)ㄹ stands before a bound noun, whose initial it makes tense (제27항): 할 수, 갈 거예요.
  func isModified(_ text: String, by previous: String) -> Bool {
    guard let last = previous.last, Syllable(last)?.finalJamo == "ㄹ" else { return false }
    guard !contents.nounsInRieul.contains(previous), !names.contains(previous) else { return false }
    return (1...max(text.count, 1)).contains { length in
      let rest = String(text.dropFirst(length))
      return contents.boundNouns.contains(String(text.prefix(length))) && (rest.isEmpty || particles.contains(rest))
    }
  }

  /// The spelling with signs, if the word or its beginning is listed, and the noun without its particle.
  private func listing(of text: String, as wordClass: KoreanReading.WordClass?) -> (spelling: String?, noun: String) {
    if let parts = parts(of: text, as: wordClass) { return (parts, text) }
    for length in (1..<max(text.count, 1)).reversed() {
      let noun = String(text.prefix(length))
      let rest = String(text.dropFirst(length))
      if wordClass != .verb, particles.contains(rest) {
        if let parts = parts(of: noun, as: wordClass) { return (parts + rest, noun) }
        if names.contains(noun) { return (stemParts(of: text), noun) }
      }
    }
    return (stemParts(of: text), text)
  }

  private func parts(of word: String, as wordClass: KoreanReading.WordClass?) -> String? {
    contents.words[word]?.parts(as: wordClass) ?? contents.respelled[word]
  }

  private func stemParts(of text: String) -> String? {
    for length in (0...min(longestStem, text.count)).reversed() {
      if let parts = contents.stems[String(text.prefix(length))] { return parts + text.dropFirst(length) }
    }
    return nil
  }

  private func stemEnd(of text: [Character], as wordClass: KoreanReading.WordClass?) -> Int? {
    guard wordClass == nil || wordClass == .verb else { return nil }
    return text.indices.dropLast().first { place in
      let rest = String(text[(place + 1)...])
      switch Syllable(text[place])?.finalJamo {
      case "ㄹ":
        return contents.modifierEndings.contains(rest)
      case "ㄴ", "ㅁ", "ㄻ":
        let isStem = nasalStems.contains(String(text[...place]))
        let isEnding = contents.endings.always.contains(rest) || (wordClass == .verb && contents.endings.verb.contains(rest))
        return isStem && isEnding
      default:
        return false
      }
    }
  }

  private static func check(_ parts: String, spells word: String) throws {
    guard parts.filter({ Joint(rawValue: $0) == nil }) == word, isWellFormed(parts) else {
      throw LexiconError(word: word, parts: parts)
    }
  }

  /// Syllables with at most one sign between two of them.
  private static func isWellFormed(_ parts: String) -> Bool {
    let isSign = parts.map { Joint(rawValue: $0) != nil }
    let onlyKnown = parts.allSatisfy { Joint(rawValue: $0) != nil || Syllable($0) != nil }
    return onlyKnown && isSign.first == false && isSign.last == false && !zip(isSign, isSign.dropFirst()).contains { $0 && $1 }
  }
}

/// A word of the lexicon whose parts don't spell it.
struct LexiconError: Error, CustomStringConvertible {
  let word: String
  let parts: String

  var description: String {
    "lexicon: the parts “\(parts)” of “\(word)” must be its syllables, with at most one sign (\(Joint.signs)) between two"
  }
}

extension Lexicon {
  /// The JSON's form; what is absent is empty.
  private struct Contents: Decodable, Sendable {
    struct Endings: Decodable, Sendable {
      var always: Set<String> = []
      var verb: Set<String> = []
    }
    var words: [String: Spelling] = [:]
    var respelled: [String: String] = [:]
    var stems: [String: String] = [:]
    var nasalStems: [String] = []
    var endings = Endings()
    var modifierEndings: Set<String> = []
    var boundNouns: Set<String> = []
    var nounsInRieul: Set<String> = []
    var particles: [String] = []
    var names: [String] = []
    var predicates: [String] = []

    init() {}

    private enum Key: String, CodingKey {
      case words, respelled, stems, nasalStems, endings, modifierEndings, boundNouns, nounsInRieul, particles, names, predicates
    }

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Key.self)
      words = try values.decodeIfPresent([String: Spelling].self, forKey: .words) ?? [:]
      respelled = try values.decodeIfPresent([String: String].self, forKey: .respelled) ?? [:]
      stems = try values.decodeIfPresent([String: String].self, forKey: .stems) ?? [:]
      nasalStems = try values.decodeIfPresent([String].self, forKey: .nasalStems) ?? []
      endings = try values.decodeIfPresent(Endings.self, forKey: .endings) ?? Endings()
      modifierEndings = try values.decodeIfPresent(Set<String>.self, forKey: .modifierEndings) ?? []
      boundNouns = try values.decodeIfPresent(Set<String>.self, forKey: .boundNouns) ?? []
      nounsInRieul = try values.decodeIfPresent(Set<String>.self, forKey: .nounsInRieul) ?? []
      particles = try values.decodeIfPresent([String].self, forKey: .particles) ?? []
      names = try values.decodeIfPresent([String].self, forKey: .names) ?? []
      predicates = try values.decodeIfPresent([String].self, forKey: .predicates) ?? []
    }
  }

  /// One spelling for all, or one for each class.
  private struct Spelling: Decodable, Sendable {
    let byClass: [String: String]
    private static let every = ""

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let parts = try? value.decode(String.self) {
        byClass = [Self.every: parts]
        return
      }
      byClass = try value.decode([String: String].self)
      for name in byClass.keys where KoreanReading.WordClass(rawValue: name) == nil {
        throw DecodingError.dataCorruptedError(
          in: value, debugDescription: "found class \(name), expected noun, verb, other or name")
      }
    }

    /// A homograph whose class isn't told is the noun.
    func parts(as wordClass: KoreanReading.WordClass?) -> String? {
      byClass[Self.every] ?? byClass[(wordClass ?? .noun).rawValue]
    }
  }
}
