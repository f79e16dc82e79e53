import Foundation
import Kit
import TenantKit

/// One step of the path, as it is taught: what is explained, and what is then asked.
struct Step: Sendable, Identifiable {
  let id: String
  /// Its place on the path, from 1.
  let order: Int
  let unit: String
  let title: LocalizedText
  /// What one can do afterwards.
  let goal: LocalizedText
  let parts: [Part]
  let exercises: [Exercise]

  enum Part: Sendable {
    case text(LocalizedText)
    case letters([Letter])
    case blocks([Syllable], LocalizedText?)
    case words([Word])
    case dialogue([Line])
  }

  /// A line of a dialogue.
  struct Line: Sendable {
    let speaker: String
    let text: String
    let meaning: LocalizedText
    let pronunciation: String
    let romanization: String
  }

  var letters: [Letter] {
    parts.flatMap { part -> [Letter] in
      if case .letters(let letters) = part { letters } else { [] }
    }
  }

  var words: [Word] {
    parts.flatMap { part -> [Word] in
      if case .words(let words) = part { words } else { [] }
    }
  }

  /// The one sign that stands for the step on the path: its first letter, block or word's first block.
  var sign: String {
    for part in parts {
      switch part {
      case .letters(let letters): return letters.first.map { String($0.letter) } ?? ""
      case .blocks(let blocks, _): return blocks.first.map { String($0.character) } ?? ""
      case .words(let words): return words.first.map { String($0.text.prefix(1)) } ?? ""
      case .text, .dialogue: continue
      }
    }
    return "\(order)"
  }
}

/// A letter of Hangul. What it sounds like is said by the reading of a block that shows it.
struct Letter: Sendable {
  let letter: Character
  /// Its Korean name: 기역, 아.
  let name: String
  let sound: LocalizedText
  /// How it is written, in words.
  let strokes: LocalizedText
  /// A block with it: ㄱ in 가, ㅏ in 아.
  let example: String
  /// The example's, by the Revised Romanization.
  let exampleRomanization: String
  /// Of the letter alone: `g`, `a`.
  let romanization: String
  let isVowel: Bool

  init?(_ letter: Character, name: String, sound: LocalizedText, strokes: LocalizedText, reading: KoreanReading) {
    isVowel = Hangul.medials.contains(letter)
    guard
      let block = isVowel
        ? Syllable(initial: "ㅇ", medial: letter, final: nil) : Syllable(initial: letter, medial: "ㅏ", final: nil)
    else { return nil }
    self.letter = letter
    self.name = name
    self.sound = sound
    self.strokes = strokes
    example = String(block.character)
    exampleRomanization = reading.romanization(of: example)
    // A consonant's own part is what stands before the vowel; ㅇ has none at the head of a block.
    romanization = isVowel ? exampleRomanization : String(exampleRomanization.dropLast())
  }
}

/// A word that a step teaches.
struct Word: Sendable {
  let text: String
  let wordClass: KoreanReading.WordClass?
  let meaning: LocalizedText
  /// Standard pronunciation, without the brackets.
  let pronunciation: String
  let romanization: String

  init(_ text: String, class wordClass: KoreanReading.WordClass?, meaning: LocalizedText, reading: KoreanReading) {
    self.text = text
    self.wordClass = wordClass
    self.meaning = meaning
    pronunciation = reading.pronunciation(of: text, as: wordClass)
    romanization = reading.romanization(of: text, as: wordClass)
  }
}

/// A step as its package writes it (content/README.md).
private struct StepDocument: Decodable {
  struct Part: Decodable {
    let kind: String
    let text: LocalizedText?
    let jamo: [Jamo]?
    let blocks: [String]?
    let words: [Word]?
    let lines: [Line]?
  }
  struct Jamo: Decodable {
    let letter: String
    let name: String
    let sound: LocalizedText
    let strokes: LocalizedText
  }
  struct Word: Decodable {
    let word: String
    let `class`: String?
    let meaning: LocalizedText
  }
  struct Line: Decodable {
    let speaker: String
    let text: String
    let meaning: LocalizedText
  }
  let goal: LocalizedText
  let parts: [Part]
  let exercises: [ExerciseDocument]
}

extension Step {
  /// - Throws: `DecodingError` for a body that is none of a step; the library has checked those it gives.
  init(_ lesson: ContentLesson, reading: KoreanReading) throws {
    let document = try JSONDecoder().decode(StepDocument.self, from: try JSONEncoder().encode(lesson.body))
    id = lesson.id
    order = lesson.order
    unit = lesson.unit
    title = lesson.title
    goal = document.goal
    parts = document.parts.compactMap { Step.part($0, reading: reading) }
    exercises = try document.exercises.enumerated().map { index, exercise in
      try Exercise(exercise, number: index + 1, reading: reading)
    }
  }

  private static func part(_ part: StepDocument.Part, reading: KoreanReading) -> Part? {
    if let jamo = part.jamo {
      return .letters(
        jamo.compactMap { jamo in
          jamo.letter.first.flatMap {
            Letter($0, name: jamo.name, sound: jamo.sound, strokes: jamo.strokes, reading: reading)
          }
        })
    }
    if let blocks = part.blocks { return .blocks(blocks.compactMap { $0.first.flatMap { Syllable($0) } }, part.text) }
    if let words = part.words {
      return .words(
        words.map {
          Word($0.word, class: $0.class.flatMap(KoreanReading.WordClass.init), meaning: $0.meaning, reading: reading)
        })
    }
    if let lines = part.lines {
      return .dialogue(
        lines.map {
          Line(
            speaker: $0.speaker, text: $0.text, meaning: $0.meaning, pronunciation: reading.pronunciation(of: $0.text),
            romanization: reading.romanization(of: $0.text))
        })
    }
    return part.text.map { .text($0) }
  }
}
