import Kit
import Web

/// How units, counts, letters and words read in the reader's language.
struct Wording: Sendable {
  let visit: Visit

  /// A unit's name from the catalogue; one that a package brought along and the catalogue lacks reads as its key.
  func unit(_ unit: String) -> String {
    let path = "kculture.unit.\(unit)"
    if visit.catalogue.has(path) { return visit.text(path) }
    let words = unit.replacing("-", with: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// A text with a count in it, in the form that the count asks for.
  func count(_ key: String, _ count: Int, _ arguments: [String: String] = [:]) -> String {
    visit.text("kculture.\(key)", count: count, arguments)
  }

  /// An interval of days as one says it: days, months, years.
  func days(_ days: Int) -> String {
    switch days {
    case ..<61: count("interval.days", days)
    case ..<730: count("interval.months", Int((Double(days) / 30.4).rounded()))
    default: count("interval.years", Int((Double(days) / 365.25).rounded()))
    }
  }

  /// Paragraphs are parted by an empty line.
  func paragraphs(_ text: LocalizedText) -> [String] {
    text(visit.language).replacing("\r\n", with: "\n").split(separator: "\n\n").map(\.trimmed).filter { !$0.isEmpty }
  }

  // MARK: Models of templates

  /// A block and where its letters stand: `kculture.block`.
  func block(_ syllable: Syllable) -> [String: any Sendable] {
    var model: [String: any Sendable] = [
      "block": String(syllable.character), "initial": String(syllable.initialJamo), "medial": String(syllable.medialJamo),
      "shape": BlockShape(syllable.medialJamo).rawValue,
      "sum": syllable.jamo.map { String($0) }.joined(separator: " + "),
    ]
    if let final = syllable.finalJamo { model["final"] = String(final) }
    return model
  }

  func blocks(_ text: String) -> [[String: any Sendable]] { text.compactMap { Syllable($0) }.map(block) }

  func letter(_ letter: Letter) -> [String: any Sendable] {
    [
      "letter": String(letter.letter), "name": letter.name, "sound": letter.sound(visit.language),
      "strokes": letter.strokes(visit.language), "example": letter.example, "exampleRomanization": letter.exampleRomanization,
      "romanization": letter.romanization, "isSilent": letter.romanization.isEmpty, "isVowel": letter.isVowel,
    ]
  }

  func word(_ text: String, of course: Course) -> [String: any Sendable] {
    let reading = course.reading(of: text)
    var model: [String: any Sendable] = [
      "word": text, "pronunciation": reading.pronunciation, "romanization": reading.romanization,
    ]
    if let word = course.word(text) { model["meaning"] = word.meaning(visit.language) }
    return model
  }

  // MARK: Names in the learning record

  func name(of exercise: Exercise, in step: Step) -> LocalizedText {
    localized("kculture.record.exercise") { language in
      ["step": step.title(language), "answer": exercise.subject]
    }
  }

  func name(of card: Card) -> LocalizedText {
    localized("kculture.record.card") { _ in ["face": card.face] }
  }

  private func localized(_ key: String, _ arguments: (Language) -> [String: String]) -> LocalizedText {
    LocalizedText(
      ko: visit.catalogue.text(key, arguments(.ko), in: .ko), en: visit.catalogue.text(key, arguments(.en), in: .en))
  }
}

/// Where the vowel of a block stands: right of its first letter, below it, or around it.
enum BlockShape: String, Sendable {
  case beside, below, around

  init(_ medial: Character) {
    switch medial {
    case "ㅗ", "ㅛ", "ㅜ", "ㅠ", "ㅡ": self = .below
    case "ㅘ", "ㅙ", "ㅚ", "ㅝ", "ㅞ", "ㅟ", "ㅢ": self = .around
    default: self = .beside
    }
  }
}
