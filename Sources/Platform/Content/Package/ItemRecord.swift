import Kit

/// One line of an `items.jsonl`, as `content/README.md` describes it.
enum ItemRecord {
  /// Reads the line; `nil` when a mistake was noted.
  static func read(_ record: RecordReader, languages: [Language]) -> LibraryItem? {
    let id = record.slug("id")
    let subject = record.slug("subject")
    let topic = record.slug("topic")
    let level = record.choice("level", of: ["middle", "high", "college"])
    let difficulty = record.number("difficulty", in: -2.5...2.5)
    let discrimination = record.number("discrimination", in: 0.1...4)
    let guess = record.number("guess", in: 0...0.5)
    let kind = record.choice("kind", of: LibraryItem.Kind.allCases.map(\.rawValue)).flatMap(LibraryItem.Kind.init)
    let prompt = record.localized("prompt", in: languages, length: 1...4_000)
    let explanation = record.localized("explanation", in: languages, length: 1...4_000)
    var choices: [LocalizedText]? = []
    var answer: String?
    switch kind {
    case .choice:
      choices = readChoices(record, languages: languages)
      answer = record.integer("answer", in: 0...max(1, (choices?.count ?? 6) - 1)).map(String.init)
    case .number:
      if record.has("choices") { record.note("choices", expected: "nothing: a number has no choices") }
      answer = readNumber(record)
      if let guess, guess != 0 { record.note("guess", expected: "0: a number is not guessed") }
    case nil:
      // What the kind asks for is not known; its members are no further mistakes.
      _ = (record.has("choices"), record.has("answer"))
    }
    record.finish()
    guard let id, let subject, let topic, let level, let difficulty, let discrimination, let guess, let kind, let prompt,
      let explanation, let choices, let answer
    else { return nil }
    return LibraryItem(
      id: id, subject: subject, topic: topic, level: level, difficulty: difficulty, discrimination: discrimination,
      guess: guess, kind: kind, prompt: prompt, choices: choices, answer: answer, explanation: explanation)
  }

  private static func readChoices(_ record: RecordReader, languages: [Language]) -> [LocalizedText]? {
    guard let elements = record.array("choices", count: 2...6, of: "choices") else { return nil }
    let choices = elements.enumerated().map { index, element in
      record.section(element, key: "choices[\(index)]")?.localizedText(in: languages, length: 1...500)
    }
    guard !choices.contains(nil) else { return nil }
    let texts = choices.compactMap { $0 }
    for language in languages where Set(texts.map { $0(language).trimmed }).count < texts.count {
      record.note("choices", found: "two that read the same in \(language.rawValue)", expected: "choices that differ")
      return nil
    }
    return texts
  }

  private static func readNumber(_ record: RecordReader) -> String? {
    guard let text = record.text("answer", length: 1...20) else { return nil }
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    let halves = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }) else {
      record.note("answer", expected: "an exact decimal like 12, -3 or 0.25, as a text")
      return nil
    }
    return text
  }
}
