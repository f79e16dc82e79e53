import Kit
import TenantKit
import Web

/// What programs see of a step: everything that is explained; exercises come with a lesson.
struct StepView: Encodable, Sendable {
  struct LetterView: Encodable, Sendable {
    let letter: String
    let name: String
    let sound: String
    let strokes: String
    let example: String
    let romanization: String
  }
  struct WordView: Encodable, Sendable {
    let word: String
    let meaning: String
    let pronunciation: String
    let romanization: String
  }
  struct BlockView: Encodable, Sendable {
    let block: String
    let jamo: [String]
    let shape: String
  }
  struct LineView: Encodable, Sendable {
    let speaker: String
    let text: String
    let meaning: String
    let pronunciation: String
    let romanization: String
  }
  struct Part: Encodable, Sendable {
    var kind: String
    var text: String?
    var letters: [LetterView]?
    var blocks: [BlockView]?
    var words: [WordView]?
    var lines: [LineView]?
  }

  let id: String
  let order: Int
  let unit: String
  let title: String
  let goal: String
  let open: Bool
  let exercises: Int
  /// Absent as long as the step is closed to her.
  let parts: [Part]?

  init(_ step: Step, isOpen: Bool, showsParts: Bool, visit: Visit) {
    let language = visit.language
    id = step.id
    order = step.order
    unit = step.unit
    title = step.title(language)
    goal = step.goal(language)
    open = isOpen
    exercises = step.exercises.count
    parts = showsParts ? step.parts.map { StepView.part($0, language) } : nil
  }

  private static func part(_ part: Step.Part, _ language: Language) -> Part {
    switch part {
    case .text(let text): Part(kind: "text", text: text(language))
    case .letters(let letters):
      Part(
        kind: "letters",
        letters: letters.map {
          LetterView(
            letter: String($0.letter), name: $0.name, sound: $0.sound(language), strokes: $0.strokes(language),
            example: $0.example, romanization: $0.romanization)
        })
    case .blocks(let blocks, let text):
      Part(kind: "blocks", text: text?(language), blocks: blocks.map(BlockView.init))
    case .words(let words):
      Part(
        kind: "words",
        words: words.map {
          WordView(word: $0.text, meaning: $0.meaning(language), pronunciation: $0.pronunciation, romanization: $0.romanization)
        })
    case .dialogue(let lines):
      Part(
        kind: "dialogue",
        lines: lines.map {
          LineView(
            speaker: $0.speaker, text: $0.text, meaning: $0.meaning(language), pronunciation: $0.pronunciation,
            romanization: $0.romanization)
        })
    }
  }

  static let blockShape = Shape.object([("block", .string), ("jamo", .array(.string)), ("shape", .string)])

  static let shape = Shape.object([
    ("id", .string), ("order", .integer), ("unit", .string), ("title", .string), ("goal", .string), ("open", .boolean),
    ("exercises", .integer),
    (
      "parts?",
      .array(
        .object([
          ("kind", .choice(["text", "letters", "blocks", "words", "dialogue"])), ("text?", .string), ("letters?", .array(.any)),
          ("blocks?", .array(blockShape)), ("words?", .array(.any)), ("lines?", .array(.any)),
        ]))
    ),
  ])
}

extension StepView.BlockView {
  init(_ syllable: Syllable) {
    self.init(
      block: String(syllable.character), jamo: syllable.jamo.map { String($0) },
      shape: BlockShape(syllable.medialJamo).rawValue)
  }
}

extension KCulture {
  /// `GET /steps/{step}`: what a step explains. The first one anyone may read, others once they are opened.
  static var showStep: Endpoint<KCulture> {
    .get(
      "/steps/{step}",
      EndpointRules(
        operation: Operation(
          "getStep", "A step of the path; what it explains once it is open, and of the first step always",
          output: StepView.shape, problems: [.notFound]))
    ) { kculture, visit in
      let course = try await kculture.courses.course()
      let step = try course.named(visit)
      var isOpen = false
      if let person = visit.session?.person {
        isOpen = try await kculture.lessons.store.isOpen(step.id, to: person, kculture.services.database)
      }
      let showsParts = isOpen || step.id == course.steps.first?.id
      return .page(
        kculture.page(step, course, isOpen: isOpen, showsParts: showsParts, visit: visit),
        json: StepView(step, isOpen: isOpen, showsParts: showsParts, visit: visit))
    }
  }

  private func page(_ step: Step, _ course: Course, isOpen: Bool, showsParts: Bool, visit: Visit) -> Page {
    let words = Wording(visit: visit)
    var model: [String: any Sendable] = [
      "id": step.id, "goal": step.goal(visit.language), "unitName": words.unit(step.unit),
      "place": visit.text("kculture.step.place", ["order": "\(step.order)"]), "isOpen": isOpen,
      "isMember": visit.session != nil, "sign": step.sign,
      "exercises": words.count("count.exercises", step.exercises.count),
    ]
    if showsParts {
      model["parts"] = step.parts.map { part($0, course, words: words) }
    } else {
      let cards = step.letters.count + step.words.count
      model["closed"] = visit.text(
        "kculture.step.closed",
        ["cards": words.count("count.cards", cards), "exercises": words.count("count.exercises", step.exercises.count)])
    }
    return Page("kculture.step", title: step.title(visit.language), model)
  }

  private func part(_ part: Step.Part, _ course: Course, words: Wording) -> [String: any Sendable] {
    let language = words.visit.language
    switch part {
    case .text(let text): return ["paragraphs": words.paragraphs(text)]
    case .letters(let letters): return ["letters": ["items": letters.map(words.letter)]]
    case .blocks(let blocks, let text):
      var model: [String: any Sendable] = ["blocks": ["items": blocks.map(words.block)]]
      if let text { model["paragraphs"] = words.paragraphs(text) }
      return model
    case .words(let taught): return ["words": ["items": taught.map { words.word($0.text, of: course) }]]
    case .dialogue(let lines):
      let items = lines.map { line -> [String: any Sendable] in
        [
          "speaker": line.speaker, "text": line.text, "meaning": line.meaning(language), "romanization": line.romanization,
          "pronunciation": line.pronunciation,
        ]
      }
      return ["dialogue": ["items": items]]
    }
  }
}

extension Course {
  /// The step that a path names.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func named(_ visit: Visit) throws(Problem) -> Step {
    guard let step = visit.parameter("step").flatMap({ step($0) }) else { throw Problem(.notFound) }
    return step
  }
}
