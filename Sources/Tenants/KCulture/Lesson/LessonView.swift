import Foundation
import Kit
import TenantKit
import Web

/// What programs see of a lesson. Right answers and explanations come once an exercise is answered, never before.
struct LessonView: Encodable, Sendable {
  struct ExerciseView: Encodable, Sendable {
    struct Result: Encodable, Sendable {
      let answeredAt: Instant
      let given: String?
      let correct: Bool
      let answer: String
      let explanation: String?
    }

    let number: Int
    let kind: Exercise.Kind
    let task: String
    /// What it is about, in Hangul: absent where that would be the answer.
    let hangul: String?
    /// What it is about, as it sounds.
    let romanization: String?
    let meaning: String?
    let choices: [String]
    let tiles: [String]
    let initials: [String]
    let medials: [String]
    let finals: [String]
    let result: Result?
  }

  let id: String
  let step: String
  let title: String
  let startedAt: Instant
  let completedAt: Instant?
  let correct: Int
  let total: Int
  /// From 0 to 1, once it is completed.
  let score: Double?
  let cardsAdded: Int?
  let exercises: [ExerciseView]
  let allowance: AllowanceView?

  init(_ lesson: Lesson, _ step: Step, _ course: Course, allowance: Allowance? = nil, visit: Visit) {
    id = lesson.id.text
    self.step = step.id
    title = step.title(visit.language)
    startedAt = lesson.started
    completedAt = lesson.result?.completed
    correct = lesson.result?.correct ?? lesson.answers.values.count(where: \.isCorrect)
    total = lesson.result?.total ?? step.exercises.count
    score = lesson.result?.score
    cardsAdded = lesson.result?.added
    exercises = step.exercises.map { exercise in
      ExerciseView(exercise, Question(exercise, course, visit: visit), lesson.answers[exercise.number], visit: visit)
    }
    self.allowance = allowance.map(AllowanceView.init)
  }

  static let exerciseShape = Shape.object([
    ("number", .integer), ("kind", .choice(Exercise.Kind.allCases.map(\.rawValue))), ("task", .string), ("hangul?", .string),
    ("romanization?", .string), ("meaning?", .string), ("choices", .array(.string)), ("tiles", .array(.string)),
    ("initials", .array(.string)), ("medials", .array(.string)), ("finals", .array(.string)),
    (
      "result?",
      .object([
        ("answeredAt", .instant), ("given?", .string), ("correct", .boolean), ("answer", .string), ("explanation?", .string),
      ])
    ),
  ])

  static let shape = Shape.object([
    ("id", .uuid), ("step", .string), ("title", .string), ("startedAt", .instant), ("completedAt?", .instant),
    ("correct", .integer), ("total", .integer), ("score?", .number), ("cardsAdded?", .integer),
    ("exercises", .array(exerciseShape)), ("allowance?", AllowanceView.shape),
  ])
}

extension LessonView.ExerciseView {
  init(_ exercise: Exercise, _ question: Question, _ given: Lesson.Given?, visit: Visit) {
    self.init(
      number: exercise.number, kind: exercise.kind, task: question.task, hangul: question.hangul,
      romanization: question.romanization, meaning: question.meaning, choices: question.choices, tiles: exercise.tiles,
      initials: exercise.initials, medials: exercise.medials, finals: exercise.finals,
      result: given.map {
        Result(
          answeredAt: $0.answered, given: $0.given, correct: $0.isCorrect, answer: exercise.answer,
          explanation: exercise.explanation?(visit.language))
      })
  }
}

/// An exercise in the reader's words: what is shown, and what can be chosen.
struct Question: Sendable {
  let task: String
  var hangul: String?
  var romanization: String?
  /// What the letter sounds like, or what the word or sentence means.
  var meaning: String?
  /// As they are shown: letters, romanizations, meanings, sounds.
  var choices: [String]
  /// Whether choices are in Hangul.
  let hasKoreanChoices: Bool

  init(_ exercise: Exercise, _ course: Course, visit: Visit) {
    task = visit.text("kculture.task.\(exercise.kind.rawValue)")
    choices = exercise.choices
    hasKoreanChoices = exercise.kind == .letter || exercise.kind == .sound
    switch exercise.kind {
    case .letter:
      let letter = course.letter(exercise.answer)
      romanization = letter.map { $0.romanization.isEmpty ? $0.exampleRomanization : $0.romanization }
      meaning = letter?.sound(visit.language)
    case .build: romanization = course.reading(of: exercise.answer).romanization
    case .read:
      hangul = exercise.answer
      choices = exercise.choices.map { course.reading(of: $0).romanization }
    case .meaning:
      hangul = exercise.answer
      romanization = course.reading(of: exercise.answer).romanization
      choices = exercise.choices.map { course.word($0)?.meaning(visit.language) ?? $0 }
    case .sound: hangul = exercise.subject
    case .type:
      meaning = course.word(exercise.answer)?.meaning(visit.language)
      romanization = course.reading(of: exercise.answer).romanization
    case .order: meaning = exercise.meaning?(visit.language)
    }
  }
}
