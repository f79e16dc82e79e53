import Kit

/// One line of a `lessons.jsonl`, as `content/README.md` describes it. The library makes sure that every part and exercise is
/// whole and can be solved; what a letter sounds like is the teaching module's matter.
struct LessonRecord {
  private let record: RecordReader
  private let languages: [Language]

  /// Reads the line; `nil` when its head can't be read. Mistakes are noted.
  static func read(_ record: RecordReader, _ line: JSONValue, languages: [Language]) -> LibraryLesson? {
    LessonRecord(record: record, languages: languages).read(line)
  }

  private func read(_ line: JSONValue) -> LibraryLesson? {
    let id = record.slug("id")
    let order = record.integer("order", in: 1...10_000)
    let unit = record.slug("unit")
    let title = record.localized("title", in: languages, length: 1...60)
    if let body = record.section("body") {
      _ = body.localized("goal", in: languages, length: 1...200)
      for (part, _) in elements(of: body, "parts", 1...12) { read(part: part) }
      for (exercise, _) in elements(of: body, "exercises", 1...12) { read(exercise: exercise) }
      body.finish()
    }
    record.finish()
    guard let id, let order, let unit, let title, let body = line["body"] else { return nil }
    return LibraryLesson(id: id, order: order, unit: unit, title: title, body: body)
  }

  private func elements(of section: RecordReader, _ key: String, _ count: ClosedRange<Int>) -> [(RecordReader, Int)] {
    (section.array(key, count: count, of: key) ?? []).enumerated().compactMap { index, element in
      section.section(element, key: "\(key)[\(index)]").map { ($0, index) }
    }
  }

  // MARK: Explanations

  private func read(part: RecordReader) {
    switch part.choice("kind", of: ["text", "jamo", "block", "words", "dialogue"]) {
    case "text":
      _ = part.localized("text", in: languages, length: 1...1_000)
    case "jamo":
      for (jamo, _) in elements(of: part, "jamo", 1...8) {
        jamo.jamo("letter")
        _ = jamo.hangul("name", length: 1...6)
        _ = jamo.localized("sound", in: languages, length: 1...200)
        _ = jamo.localized("strokes", in: languages, length: 1...200)
        jamo.finish()
      }
    case "block":
      for block in part.texts("blocks", count: 1...6, length: 1...1) ?? [] where !block.isSyllable {
        part.note("blocks", found: "“\(block)”", expected: "syllable blocks")
      }
      if part.has("text") { _ = part.localized("text", in: languages, length: 1...1_000) }
    case "words":
      for (word, _) in elements(of: part, "words", 1...12) {
        _ = word.hangul("word", length: 1...40)
        if word.has("class") { _ = word.choice("class", of: ["noun", "verb", "other", "name"]) }
        _ = word.localized("meaning", in: languages, length: 1...100)
        word.finish()
      }
    case "dialogue":
      for (said, _) in elements(of: part, "lines", 2...10) {
        _ = said.text("speaker", length: 1...20)
        _ = said.hangul("text", length: 1...100)
        _ = said.localized("meaning", in: languages, length: 1...200)
        said.finish()
      }
    default: return
    }
    part.finish()
  }

  // MARK: Exercises

  private func read(exercise: RecordReader) {
    switch exercise.choice("kind", of: ["letter", "build", "read", "meaning", "sound", "type", "order"]) {
    case "letter":
      exercise.jamo("answer")
      choices(of: exercise, 2...6)
    case "build":
      let answer = exercise.hangul("answer", length: 1...1)
      if let answer, !answer.isSyllable { exercise.note("answer", expected: "one syllable block") }
      for key in ["initials", "medials"] { _ = exercise.texts(key, count: 1...6, length: 1...1) }
      if exercise.has("finals") { _ = exercise.texts("finals", count: 2...6, length: 1...1) }
    case "read", "meaning":
      _ = exercise.hangul("answer", length: 1...40)
      choices(of: exercise, 2...5)
    case "sound":
      _ = exercise.hangul("answer", length: 1...40)
      if exercise.has("class") { _ = exercise.choice("class", of: ["noun", "verb", "other", "name"]) }
      _ = exercise.texts("wrong", count: 1...4, length: 1...40)
      _ = exercise.integer("place", in: 0...4)
    case "type":
      let answer = exercise.hangul("answer", length: 1...40)
      tiles(of: exercise, make: answer.map { $0.filter { $0 != " " }.map { String($0) } })
    case "order":
      let answer = exercise.texts("answer", count: 2...8, length: 1...20)
      _ = exercise.localized("meaning", in: languages, length: 1...200)
      tiles(of: exercise, make: answer)
    default: return
    }
    if exercise.has("explanation") { _ = exercise.localized("explanation", in: languages, length: 1...500) }
    exercise.finish()
  }

  private func choices(of exercise: RecordReader, _ count: ClosedRange<Int>) {
    guard let choices = exercise.texts("choices", count: count, length: 1...40) else { return }
    if Set(choices).count < choices.count {
      exercise.note("choices", found: "the same one twice", expected: "choices that differ")
    }
    if let answer = exercise.peek("answer"), !choices.contains(answer) {
      exercise.note("choices", found: "none that is the answer", expected: "the answer “\(answer)” among them")
    }
  }

  private func tiles(of exercise: RecordReader, make answer: [String]?) {
    guard var tiles = exercise.texts("tiles", count: 2...12, length: 1...20), let answer else { return }
    for piece in answer {
      guard let index = tiles.firstIndex(of: piece) else {
        exercise.note("tiles", found: "no tile “\(piece)”", expected: "the tiles that make the answer")
        return
      }
      tiles.remove(at: index)
    }
  }
}

extension RecordReader {
  /// A text that holds Hangul; spaces and punctuation may stand in it.
  fileprivate func hangul(_ key: String, length: ClosedRange<Int>) -> String? {
    guard let text = text(key, length: length) else { return nil }
    guard text.contains(where: { String($0).isSyllable || String($0).isJamo }) else {
      note(key, expected: "a text in Hangul")
      return nil
    }
    return text
  }

  fileprivate func jamo(_ key: String) {
    guard let text = text(key, length: 1...1) else { return }
    if !text.isJamo { note(key, expected: "one letter of Hangul, like ㄱ or ㅏ") }
  }
}

extension String {
  /// One of the 11,172 blocks of modern Hangul (Unicode, Hangul Syllables).
  fileprivate var isSyllable: Bool {
    unicodeScalars.count == 1 && unicodeScalars.allSatisfy { (0xAC00...0xD7A3).contains($0.value) }
  }
  /// One of the 51 letters of Hangul Compatibility Jamo.
  fileprivate var isJamo: Bool {
    unicodeScalars.count == 1 && unicodeScalars.allSatisfy { (0x3131...0x3163).contains($0.value) }
  }
}
