/// The rules of 표준발음법 (표준어 규정 제2부) in the order in which they feed each other. Each article is one function.
struct Pronunciation {
  enum Purpose: Hashable, Sendable {
    /// All rules.
    case speech
    /// For 로마자 표기법 제3장 제1항: tense sounds that come about aren't written, ㅢ stays ui, in nouns ㅎ stays.
    case letters(keepsH: Bool)
  }

  private var sounds: [Sound]
  private let wordClass: KoreanReading.WordClass?
  private let purpose: Purpose
  private let stemEnd: Int?

  init(sounds: [Sound], wordClass: KoreanReading.WordClass?, purpose: Purpose, stemEnd: Int?) {
    self.sounds = sounds
    self.wordClass = wordClass
    self.purpose = purpose
    self.stemEnd = stemEnd
  }

  mutating func spoken() -> [Sound] {
    simplifyUi()
    crossJoints()
    palatalise()
    meetHieut()
    tenseAfterStem()
    spareStemClusters()
    tenseAfterObstruents()
    link()
    reduceFinals()
    nasaliseRieul()
    liquefy()
    nasalise()
    simplifyVowels()
    return sounds
  }

  // MARK: - Vowels

  /// 제5항 다만 3: ㅢ after a written consonant is [ㅣ] (희망 → 히망).
  private mutating func simplifyUi() {
    guard purpose == .speech else { return }
    for place in sounds.indices where sounds[place].medial == "ㅢ" && sounds[place].initial != "ㅇ" {
      sounds[place].medial = "ㅣ"
    }
  }

  /// 제5항 다만 1: 져, 쪄, 쳐 are [저, 쩌, 처]; also those that 구개음화 made (붙여 → 부처).
  private mutating func simplifyVowels() {
    for place in sounds.indices where "ㅈㅉㅊ".contains(sounds[place].initial) && sounds[place].medial == "ㅕ" {
      sounds[place].medial = "ㅓ"
    }
  }

  // MARK: - Parts of a word

  private mutating func crossJoints() {
    sounds = eachPair { first, second, _ in
      switch first.joint {
      case .addedNieun:
        // 제29항: ㄴ comes in before 이, 야, 여, 요, 유 (꽃잎 → 꼰닙); after ㄹ it is [ㄹ] by 제20항.
        if second.initial == "ㅇ", "ㅣㅑㅒㅕㅖㅛㅠ".contains(second.medial) { second.initial = "ㄴ" }
      case .wordBorder:
        // 제15항: the final is spoken as at a word's end, and that sound is linked (맛없다 → 마덥따).
        if "ㅇㅎ".contains(second.initial) { first.final = first.final.map(Self.representative) }
      case .tense:
        tense(&second)
      case .siot:
        // 제30항 1: the tense sound alone is the first choice (냇가 → 내까); letters show the ㅅ as t (샛별 → saetbyeol).
        if purpose == .speech {
          first.final = nil
          tense(&second)
        }
      case .nasalRieul:
        // 제20항 다만: 의견란 → 의견난.
        if second.initial == "ㄹ" { second.initial = "ㄴ" }
      case .unit, nil:
        break
      }
    }
  }

  // MARK: - Consonants that meet

  /// 제17항 구개음화: ㄷ, ㅌ(ㄾ) before the 이 of a particle or suffix is [ㅈ, ㅊ], ㄷ before 히 [ㅊ]; 여, 혀 are contracted from them.
  private mutating func palatalise() {
    sounds = eachPair { first, second, _ in
      guard first.joint == nil || first.joint == .unit, Self.beginsWithSuffixI(second) else { return }
      switch (first.final, second.initial) {
      case ("ㄷ", "ㅇ"): (first.final, second.initial) = (nil, "ㅈ")
      case ("ㅌ", "ㅇ"), ("ㄷ", "ㅎ"): (first.final, second.initial) = (nil, "ㅊ")
      case ("ㄾ", "ㅇ"): (first.final, second.initial) = ("ㄹ", "ㅊ")
      default: break
      }
    }
  }

  /// 이, 이어 → 여, 히, 히어 → 혀 and their forms (닫혔다); not the 형 of 맏형.
  private static func beginsWithSuffixI(_ sound: Sound) -> Bool {
    sound.medial == "ㅣ" || (sound.medial == "ㅕ" && (sound.final == nil || sound.final == "ㅆ"))
  }

  /// 제12항: the final ㅎ, and ㅎ after other finals.
  private mutating func meetHieut() {
    sounds = eachPair { first, second, _ in
      if let final = first.final, let rest = Self.withoutHieut[final] {
        leaveHieut(final, rest, &first, &second)
      } else if second.initial == "ㅎ", purpose != .letters(keepsH: true) {
        joinHieut(&first, &second)
      }
    }
  }

  private static let withoutHieut: [Character: Character?] = ["ㅎ": nil, "ㄶ": "ㄴ", "ㅀ": "ㄹ"]

  private func leaveHieut(_ final: Character, _ rest: Character?, _ first: inout Sound, _ second: inout Sound) {
    switch second.initial {
    case "ㄱ", "ㄷ", "ㅈ":
      // 제12항 1: 좋고 → 조코.
      (first.final, second.initial) = (rest, Self.aspirates[second.initial] ?? second.initial)
    case "ㅅ":
      // 제12항 2: 싫소 → 실쏘.
      first.final = rest
      tense(&second)
    case "ㄴ":
      // 제12항 3: 놓는 → 논는; after ㄶ, ㅀ silent (뚫는 → 뚤른 by 제20항).
      first.final = rest ?? "ㄴ"
    case "ㅇ":
      // 제12항 4: silent before a vowel (좋아 → 조아, 많아 → 마나).
      first.final = rest
    default:
      break
    }
  }

  private static let aspirates: [Character: Character] = ["ㄱ": "ㅋ", "ㄷ": "ㅌ", "ㅂ": "ㅍ", "ㅈ": "ㅊ"]

  /// 제12항 1 붙임 1, 2: ㄱ(ㄺ), ㄷ, ㅂ(ㄼ), ㅈ(ㄵ) and what is spoken like them make one sound with ㅎ (축하 → 추카, 못하다 → 모타다).
  private func joinHieut(_ first: inout Sound, _ second: inout Sound) {
    guard let final = first.final else { return }
    switch final {
    case "ㅈ", "ㅊ":
      // The suffix 히 joins the stem's own sound (꽂히다 → 꼬치다); before other words it is that of the word's end (꽃향기 → 꼬턍기).
      (first.final, second.initial) = (nil, Self.beginsWithSuffixI(second) ? "ㅊ" : "ㅌ")
    case "ㄵ":
      (first.final, second.initial) = ("ㄴ", "ㅊ")
    case "ㄺ" where !isNoun(first), "ㄼ", "ㄿ":
      (first.final, second.initial) = ("ㄹ", final == "ㄺ" ? "ㅋ" : "ㅍ")
    default:
      let spoken = Self.representative(final)
      guard let aspirate = Self.aspirates[spoken] else { return }
      (first.final, second.initial) = (nil, aspirate)
    }
  }

  /// 제24항, 제25항, 제27항 붙임: initials of endings grow tense after certain stems.
  private mutating func tenseAfterStem() {
    sounds = eachPair { first, second, place in
      guard "ㄱㄷㅂㅅㅈ".contains(second.initial) else { return }
      switch first.final {
      case "ㄵ", "ㄾ":
        tense(&second)
      case "ㄼ" where first.written != "덟":
        // 여덟 is the one noun in ㄼ.
        tense(&second)
      case "ㄻ" where place == stemEnd || !(isNoun(first) || Self.isCausative(second)):
        tense(&second)
      case "ㄴ", "ㅁ", "ㄹ":
        if place == stemEnd { tense(&second) }
      default:
        break
      }
    }
  }

  /// 제24항 다만: the suffix 기 (굶기다, 옮겨) stays plain.
  private static func isCausative(_ sound: Sound) -> Bool { sound.initial == "ㄱ" && "ㅣㅕ".contains(sound.medial) }

  /// The few nouns in ㄺ and ㄻ; all others are stems, if nothing else is told.
  private func isNoun(_ sound: Sound) -> Bool {
    switch wordClass {
    case .noun, .name: true
    case .verb: false
    case .other, nil: "닭흙칡슭삵탉삶앎".contains(sound.written)
    }
  }

  /// 제10항 다만, 제11항 다만: 밟- is [밥] before consonants, 넓- [넙] in 넓적, 넓죽, 넓둥글; a stem's ㄺ is [ㄹ] before ㄱ (맑게 → 말께).
  private mutating func spareStemClusters() {
    sounds = eachPair { first, second, _ in
      switch (first.final, second.initial) {
      case ("ㄼ", let initial) where initial != "ㅇ":
        if first.written == "밟" || (first.written == "넓" && "적죽둥".contains(second.written)) { first.final = "ㅂ" }
      case ("ㄺ", "ㄱ") where !isNoun(first):
        first.final = "ㄹ"
        tense(&second)
      default:
        break
      }
    }
  }

  /// 제23항: ㄱ, ㄷ, ㅂ, ㅅ, ㅈ are tense after the finals spoken [ㄱ, ㄷ, ㅂ] (국밥 → 국빱).
  private mutating func tenseAfterObstruents() {
    sounds = eachPair { first, second, _ in
      if let final = first.final, "ㄱㄲㅋㄳㄺㄷㅅㅆㅈㅊㅌㅂㅍㄿㅄ".contains(final) { tense(&second) }
    }
  }

  /// 제13항, 제14항 연음: a final is linked to a vowel, of a cluster the second half; a ㅅ so linked is tense (값을 → 갑쓸).
  private mutating func link() {
    sounds = eachPair { first, second, _ in
      guard second.initial == "ㅇ", let final = first.final, final != "ㅇ" else { return }
      guard let halves = JamoPair.halves[final] else {
        (first.final, second.initial) = (nil, final)
        return
      }
      (first.final, second.initial) = (halves.first, halves.second)
      if halves.second == "ㅅ" { tense(&second) }
    }
  }

  /// 제8항…제11항: seven finals are spoken.
  private mutating func reduceFinals() {
    for place in sounds.indices { sounds[place].final = sounds[place].final.map(Self.representative) }
  }

  private static func representative(_ final: Character) -> Character { representatives[final] ?? final }

  private static let representatives: [Character: Character] = [
    "ㄲ": "ㄱ", "ㅋ": "ㄱ", "ㄳ": "ㄱ", "ㄺ": "ㄱ", "ㄵ": "ㄴ", "ㄶ": "ㄴ", "ㅅ": "ㄷ", "ㅆ": "ㄷ", "ㅈ": "ㄷ", "ㅊ": "ㄷ", "ㅌ": "ㄷ",
    "ㅎ": "ㄷ", "ㄼ": "ㄹ", "ㄽ": "ㄹ", "ㄾ": "ㄹ", "ㅀ": "ㄹ", "ㄻ": "ㅁ", "ㅍ": "ㅂ", "ㅄ": "ㅂ", "ㄿ": "ㅂ",
  ]

  /// 제19항: ㄹ after ㅁ, ㅇ, and after ㄱ, ㅂ (and what is spoken ㄷ), is [ㄴ] (종로 → 종노, 십리 → 심니).
  private mutating func nasaliseRieul() {
    sounds = eachPair { first, second, _ in
      if second.initial == "ㄹ", let final = first.final, "ㅁㅇㄱㄷㅂ".contains(final) { second.initial = "ㄴ" }
    }
  }

  /// 제20항 유음화: ㄴ beside ㄹ is [ㄹ] (신라 → 실라, 칼날 → 칼랄).
  private mutating func liquefy() {
    sounds = eachPair { first, second, _ in
      switch (first.final, second.initial) {
      case ("ㄴ", "ㄹ"): first.final = "ㄹ"
      case ("ㄹ", "ㄴ"): second.initial = "ㄹ"
      default: break
      }
    }
  }

  /// 제18항: [ㄱ, ㄷ, ㅂ] before ㄴ, ㅁ are [ㅇ, ㄴ, ㅁ] (국물 → 궁물).
  private mutating func nasalise() {
    let nasals: [Character: Character] = ["ㄱ": "ㅇ", "ㄷ": "ㄴ", "ㅂ": "ㅁ"]
    sounds = eachPair { first, second, _ in
      if "ㄴㅁ".contains(second.initial), let final = first.final { first.final = nasals[final] ?? final }
    }
  }

  // MARK: -

  /// Letters don't show a tense sound that only comes about (로마자 표기법 제3장 제1항 붙임).
  private func tense(_ sound: inout Sound) {
    if purpose == .speech { sound.tense() }
  }

  /// The sounds after a rule has seen each neighbouring pair, from left to right.
  private func eachPair(_ rule: (inout Sound, inout Sound, Int) -> Void) -> [Sound] {
    var result = sounds
    for place in result.indices.dropLast() {
      var (first, second) = (result[place], result[place + 1])
      rule(&first, &second, place)
      (result[place], result[place + 1]) = (first, second)
    }
    return result
  }
}
