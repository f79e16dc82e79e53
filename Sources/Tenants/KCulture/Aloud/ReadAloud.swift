import Foundation
import Kit
import TenantKit
import Web

/// How a text is read, for programs.
struct ReadingView: Encodable, Sendable {
  struct Word: Encodable, Sendable {
    let word: String
    let pronunciation: String
    let romanization: String
    /// Where the path teaches it.
    let meaning: String?
    let blocks: [StepView.BlockView]
  }

  let text: String
  let pronunciation: String
  let romanization: String
  let words: [Word]

  static let shape = Shape.object([
    ("text", .string), ("pronunciation", .string), ("romanization", .string),
    (
      "words",
      .array(
        .object([
          ("word", .string), ("pronunciation", .string), ("romanization", .string), ("meaning?", .string),
          ("blocks", .array(StepView.blockShape)),
        ]))
    ),
  ])
}

extension KCulture {
  static let longestText = 100

  /// `GET /read?text=`: how any Korean word or sentence is read.
  static var readAloud: Endpoint<KCulture> {
    .get(
      "/read",
      EndpointRules(
        limit: "search", cache: Caching(for: .minutes(10), shared: .everyone, tags: []),
        operation: Operation(
          "readKorean", "How a Korean word or sentence is read: its blocks, standard pronunciation, Revised Romanization",
          query: [.init("text", "Hangul, 100 characters at most", .text(1...longestText))], output: ReadingView.shape,
          problems: [.invalidInput]))
    ) { kculture, visit in
      // An empty field is no mistake of a person: she has just come here.
      let typed = visit.query("text")
      var input = Input(typed.map { ["text": .string($0)] } ?? [:])
      guard visit.wantsJSON || input.has("text") else {
        return .page(kculture.readPage(nil, FormState(["text"], visit: visit), visit: visit))
      }
      let text = input.text("text", length: 1...longestText).split(whereSeparator: \.isWhitespace).joined(separator: " ")
      if input.fields.isEmpty, !text.contains(where: { Syllable($0) != nil }) {
        input.refuse("text", "type", ["expected": visit.text("kculture.read.hangul")])
      }
      do throws(Problem) {
        try input.check()
      } catch {
        guard !visit.wantsJSON else { throw error }
        let form = FormState(["text"], input: input, problem: error, visit: visit)
        return .page(kculture.readPage(nil, form, visit: visit), status: httpStatus(422))
      }
      let course = try await kculture.courses.course()
      let view = kculture.readingView(text, course, visit: visit)
      return .page(kculture.readPage(view, FormState(["text"], input: input, visit: visit), visit: visit), json: view)
    }
  }

  private func readingView(_ text: String, _ course: Course, visit: Visit) -> ReadingView {
    let whole = course.reading(of: text)
    return ReadingView(
      text: text, pronunciation: whole.pronunciation, romanization: whole.romanization,
      words: text.split(separator: " ").map { part in
        let word = part.filter { $0.isLetter || $0.isNumber }
        let reading = course.reading(of: word)
        return ReadingView.Word(
          word: word, pronunciation: reading.pronunciation, romanization: reading.romanization,
          meaning: course.word(word)?.meaning(visit.language),
          blocks: word.compactMap { Syllable($0) }.map(StepView.BlockView.init))
      }.filter { !$0.blocks.isEmpty })
  }

  private func readPage(_ view: ReadingView?, _ form: FormState, visit: Visit) -> Page {
    let words = Wording(visit: visit)
    var model: [String: any Sendable] = [
      "field": form.fields, "longest": KCulture.longestText,
      "examples": ["한국어", "같이 가요", "꽃잎", "서울역에서 만나요"].map { example -> [String: any Sendable] in
        ["text": example, "url": "/read?text=\(Renderer.encode(example))"]
      },
    ]
    if let view {
      model["reading"] =
        [
          "text": view.text, "pronunciation": view.pronunciation, "romanization": view.romanization,
          "words": view.words.map { word -> [String: any Sendable] in
            var row: [String: any Sendable] = [
              "word": word.word, "pronunciation": word.pronunciation, "romanization": word.romanization,
              "blocks": words.blocks(word.word),
            ]
            row["meaning"] = word.meaning
            return row
          },
        ] as [String: any Sendable]
    }
    return Page("kculture.read", title: visit.text("kculture.read.title"), model)
  }
}
