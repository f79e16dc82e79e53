import Kit

/// One line of a `questions.jsonl`, as `content/README.md` describes it. The library only makes sure that it is whole;
/// what a category means is the town's matter.
enum QuestionRecord {
  /// - Returns: the id; `nil` when a mistake was noted.
  static func check(_ record: RecordReader) -> String? {
    let id = record.slug("id")
    _ = record.slug("tenant")
    _ = record.slug("category")
    _ = record.text("title", length: 1...80)
    _ = record.text("body", length: 1...4_000)
    _ = record.texts("hashtags", count: 0...10, length: 1...30)
    if let place = record.section("place") {
      _ = place.text("name", length: 1...100)
      _ = place.number("latitude", in: -90...90)
      _ = place.number("longitude", in: -180...180)
      place.finish()
    }
    _ = record.choice("urgency", of: ["normal", "urgent"])
    let author = record.slug("author")
    _ = record.number("hours_ago", in: 0...100_000)
    _ = record.integer("likes", in: 0...1_000_000)
    var accepted = 0
    for (index, element) in (record.array("answers", count: 0...100, of: "answers") ?? []).enumerated() {
      let key = "answers[\(index)]"
      guard let answer = record.section(element, key: key) else { continue }
      if let by = answer.slug("author"), by == author {
        answer.note("author", expected: "another person than the asker")
      }
      _ = answer.text("body", length: 1...4_000)
      _ = answer.number("hours_ago", in: 0...100_000)
      if answer.bool("accepted") == true { accepted += 1 }
      answer.finish()
    }
    if accepted > 1 { record.note("answers", found: "\(accepted) accepted answers", expected: "one at most") }
    record.finish()
    return id
  }
}
