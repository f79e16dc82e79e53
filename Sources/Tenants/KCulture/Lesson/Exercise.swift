import Foundation
import Kit
import Web

/// One question of a step. Its right answer is a text; a choice's text is what stands for it in the content.
struct Exercise: Sendable {
  enum Kind: String, Sendable, Codable, CaseIterable {
    /// Which letter makes this sound?
    case letter
    /// The block that sounds so, from its letters.
    case build
    /// How is this read?
    case read
    /// What does this mean?
    case meaning
    /// How does it really sound, where letters meet?
    case sound
    /// The word of a meaning, typed.
    case type
    /// The words of a sentence, in their order.
    case order
  }

  /// From 1, within its step.
  let number: Int
  let kind: Kind
  /// The right one: letter, block, word, sound or sentence.
  let answer: String
  /// What it is about, when that is not the answer: the word whose sound is asked for.
  let subject: String
  /// What can be chosen; empty where one writes.
  let choices: [String]
  /// Pieces that make an answer without a Korean keyboard.
  let tiles: [String]
  /// Letters for the places of a block.
  let initials: [String]
  let medials: [String]
  let finals: [String]
  /// What a sentence means.
  let meaning: LocalizedText?
  let explanation: LocalizedText?

  /// Whether an answer is right. White space, punctuation and the way Hangul is encoded make no difference.
  func isRight(_ given: String) -> Bool { Exercise.plain(given) == Exercise.plain(answer) }

  /// A text as answers are compared: blocks put together, nothing but letters and figures.
  static func plain(_ text: String) -> String {
    let composed = text.precomposedStringWithCanonicalMapping
    let letters = composed.filter { $0.isLetter || $0.isNumber }
    let hasLooseLetters = letters.contains { Hangul.initials.contains($0) || Hangul.medials.contains($0) }
    guard letters.count > 1, hasLooseLetters else { return letters.lowercased() }
    return Hangul.compose(Hangul.decompose(letters)).lowercased()
  }

  /// How pieces are joined: words by spaces, syllables without.
  func joined(_ pieces: [String]) -> String { pieces.joined(separator: kind == .order ? " " : "") }
}

/// An exercise as a package writes it.
struct ExerciseDocument: Decodable {
  /// One text, or the words of a sentence.
  enum Answer: Decodable {
    case text(String)
    case words([String])
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let text = try? container.decode(String.self) {
        self = .text(text)
      } else {
        self = .words(try container.decode([String].self))
      }
    }
  }

  let kind: Exercise.Kind
  let answer: Answer
  let choices: [String]?
  let wrong: [String]?
  /// Where the right sound stands among the wrong ones, from 0.
  let place: Int?
  let `class`: String?
  let tiles: [String]?
  let initials: [String]?
  let medials: [String]?
  let finals: [String]?
  let meaning: LocalizedText?
  let explanation: LocalizedText?
}

extension Exercise {
  init(_ document: ExerciseDocument, number: Int, reading: KoreanReading) throws {
    self.number = number
    kind = document.kind
    tiles = document.tiles ?? []
    initials = document.initials ?? []
    medials = document.medials ?? []
    finals = document.finals ?? []
    meaning = document.meaning
    explanation = document.explanation
    let text: String
    switch document.answer {
    case .text(let answer): text = answer
    case .words(let words): text = words.joined(separator: " ")
    }
    subject = text
    guard document.kind == .sound else {
      answer = text
      choices = document.choices ?? []
      return
    }
    let right = reading.pronunciation(of: text, as: document.class.flatMap(KoreanReading.WordClass.init))
    var sounds = (document.wrong ?? []).filter { $0 != right }
    sounds.insert(right, at: min(document.place ?? 0, sounds.count))
    answer = right
    choices = sounds
  }
}

/// What a person gave as her answer.
enum GivenAnswer: Sendable, Equatable {
  case text(String)
  /// She did not know.
  case skipped

  /// What is kept of it.
  var stored: String? {
    if case .text(let text) = self { text } else { nil }
  }

  init(stored: String?) { self = stored.map { .text($0) } ?? .skipped }

  /// Reads the fields `answer`, `skip`, and `initial`, `medial`, `final` for a block; what can't be taken is refused on the
  /// input and reads as `nil`.
  static func read(_ input: inout Input, for exercise: Exercise) -> GivenAnswer? {
    switch input.values["skip"] {
    case .bool(true), .string("1"), .string("true"): return .skipped
    default: break
    }
    if exercise.kind == .build, !input.has("answer"), input.has("initial") || input.has("medial") {
      return block(&input, for: exercise)
    }
    guard input.has("answer") else {
      input.refuse("answer", "required")
      return nil
    }
    guard exercise.choices.isEmpty else {
      return input.int("answer", in: 0...(exercise.choices.count - 1)).map { .text(exercise.choices[$0]) }
    }
    let before = input.fields.count
    let text = input.text("answer", length: 1...100)
    guard input.fields.count == before else { return nil }
    return .text(exercise.kind == .build ? Exercise.plain(text) : text)
  }

  private static func block(_ input: inout Input, for exercise: Exercise) -> GivenAnswer? {
    func letter(_ name: String, _ input: inout Input, of allowed: [String], required: Bool) -> Character? {
      let text = input.typed(name)
      guard !text.isEmpty else {
        if required { input.refuse("answer", "required") }
        return nil
      }
      guard allowed.contains(text) else {
        input.refuse("answer", "choice", ["allowed": allowed.joined(separator: ", ")])
        return nil
      }
      return text.first
    }
    let initial = letter("initial", &input, of: exercise.initials, required: true)
    let medial = letter("medial", &input, of: exercise.medials, required: true)
    let final = letter("final", &input, of: exercise.finals, required: false)
    guard input.fields.isEmpty, let initial, let medial else { return nil }
    guard let block = Syllable(initial: initial, medial: medial, final: final) else {
      input.refuse("answer", "choice", ["allowed": exercise.initials.joined(separator: ", ")])
      return nil
    }
    return .text(String(block.character))
  }

  /// The same answer, however it was typed.
  static func == (a: GivenAnswer, b: GivenAnswer) -> Bool {
    switch (a, b) {
    case (.text(let a), .text(let b)): Exercise.plain(a) == Exercise.plain(b)
    case (.skipped, .skipped): true
    default: false
    }
  }
}
