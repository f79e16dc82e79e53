import Foundation
import Kit
import Web

/// What programs see of a card.
struct CardView: Encodable, Sendable {
  struct Answer: Encodable, Sendable {
    let recall: String
    /// Days until it would come back.
    let days: Int
  }

  let id: String
  let kind: Card.Kind
  let front: String
  let meaning: String?
  let pronunciation: String?
  let romanization: String
  let step: String
  let due: Instant
  let isDue: Bool
  /// How often it was reviewed; send one more as `review` when you grade it.
  let reviews: Int
  let reviewedAt: Instant?
  /// What each answer would do now.
  let answers: [Answer]

  init(_ card: Card, _ course: Course, _ cards: Cards, visit: Visit) {
    id = card.id.text
    kind = card.kind
    front = card.face
    switch card.kind {
    case .letter:
      let letter = course.letter(card.face)
      meaning = letter?.sound(visit.language)
      pronunciation = letter?.name
      romanization = letter?.romanization ?? ""
    case .word:
      let reading = course.reading(of: card.face)
      meaning = course.word(card.face)?.meaning(visit.language)
      (pronunciation, romanization) = (reading.pronunciation, reading.romanization)
    }
    step = card.step
    due = card.due
    isDue = card.due <= visit.now
    reviews = card.reviews
    reviewedAt = card.reviewed
    answers = isDue ? cards.prospects(card, at: visit.now).map { Answer(recall: $0.recall.name, days: $0.days) } : []
  }

  static let shape = Shape.object([
    ("id", .uuid), ("kind", .choice(["letter", "word"])), ("front", .string), ("meaning?", .string),
    ("pronunciation?", .string), ("romanization", .string), ("step", .string), ("due", .instant), ("isDue", .boolean),
    ("reviews", .integer), ("reviewedAt?", .instant),
    ("answers", .array(.object([("recall", .choice(Recall.allCases.map(\.name))), ("days", .integer)]))),
  ])
}

/// What programs see of the cards of a person.
struct ReviewView: Encodable, Sendable {
  let all: Int
  let due: Int
  let reviewedToday: Int
  /// When the next card comes that is not due yet.
  let nextDue: Instant?
  /// The due ones, longest first; 20 at most.
  let cards: [CardView]

  static let shape = Shape.object([
    ("all", .integer), ("due", .integer), ("reviewedToday", .integer), ("nextDue?", .instant),
    ("cards", .array(CardView.shape)),
  ])
}

/// What a person says of a card, by name, as forms and programs send it.
enum RecallName: String, CaseIterable {
  case again, hard, good, easy

  var recall: Recall {
    switch self {
    case .again: .again
    case .hard: .hard
    case .good: .good
    case .easy: .easy
    }
  }
}

extension Recall {
  var name: String {
    switch self {
    case .again: "again"
    case .hard: "hard"
    case .good: "good"
    case .easy: "easy"
    }
  }
}
