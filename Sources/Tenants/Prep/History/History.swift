import Kit
import TenantKit
import Web

/// One answered item in the list of them.
struct HistoryEntry: Encodable, Sendable {
  let id: String
  let itemID: String
  let topic: String
  let topicTitle: String
  let task: String
  let answeredAt: Instant
  let given: String?
  let correct: Bool
}

extension Prep {
  static let historyLength = 50

  /// `GET /history`: what she answered last.
  static var history: Endpoint<Prep> {
    .get(
      "/history",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "getPracticeHistory", "The last 50 answered items of the person who asks, latest first",
          output: .object([
            (
              "attempts",
              .array(
                .object([
                  ("id", .uuid), ("itemID", .string), ("topic", .string), ("topicTitle", .string), ("task", .string),
                  ("answeredAt", .instant), ("given?", .string), ("correct", .boolean),
                ]))
            )
          ])))
    ) { prep, visit in
      let person = try visit.requireSession().person
      let words = Wording(visit: visit)
      var entries: [HistoryEntry] = []
      let attempts = try await prep.practice.store.answered(
        by: person, limit: historyLength, prep.services.database)
      for attempt in attempts {
        guard let result = attempt.result else { continue }
        let item = try await prep.services.content.item(attempt.itemID)
        let task = item.flatMap { Wording.paragraphs($0.prompt(visit.language)).first }
        entries.append(
          HistoryEntry(
            id: attempt.id.text, itemID: attempt.itemID, topic: attempt.topic, topicTitle: words.topic(attempt.topic),
            task: task ?? visit.text("prep.history.gone"), answeredAt: result.answered, given: result.given,
            correct: result.isCorrect))
      }
      return .page(prep.historyPage(entries, words: words), json: ["attempts": entries])
    }
  }

  private func historyPage(_ entries: [HistoryEntry], words: Wording) -> Page {
    let visit = words.visit
    let right = entries.count { $0.correct }
    return Page(
      "prep.history", title: visit.text("prep.history.title"),
      [
        "isEmpty": entries.isEmpty,
        "summary": words.count("history.summary", entries.count, ["right": "\(right)"]),
        "entries": entries.map { entry -> [String: any Sendable] in
          [
            "id": entry.id, "task": entry.task, "topicName": entry.topicTitle, "isRight": entry.correct,
            "answeredAt": entry.answeredAt.rfc3339, "ago": visit.format.ago(entry.answeredAt, now: visit.now),
          ]
        },
      ])
  }
}
