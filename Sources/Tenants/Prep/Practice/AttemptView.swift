import Foundation
import Kit
import TenantKit
import Web

/// What programs see of an attempt. Answer and explanation come with the result, never before.
struct AttemptView: Encodable, Sendable {
  struct Item: Encodable, Sendable {
    let id: String
    let subject: String
    let topic: String
    let topicTitle: String
    let level: String
    let kind: ContentItem.Kind
    let prompt: String
    let choices: [String]
  }

  struct Result: Encodable, Sendable {
    let answeredAt: Instant
    let given: String?
    let correct: Bool
    let answer: String
    let explanation: String
    /// Mastery of the topic in per cent.
    let masteryBefore: Int
    let masteryAfter: Int
  }

  let id: String
  let item: Item
  let servedAt: Instant
  let result: Result?
  let allowance: AllowanceView?

  init(_ attempt: Attempt, _ item: ContentItem, allowance: Allowance? = nil, visit: Visit) {
    id = attempt.id.text
    self.item = Item(
      id: item.id, subject: item.subject, topic: item.topic, topicTitle: Wording(visit: visit).topic(item.topic),
      level: item.level, kind: item.kind, prompt: item.prompt(visit.language),
      choices: item.choices.map { $0(visit.language) })
    servedAt = attempt.served
    result = attempt.result.map {
      Result(
        answeredAt: $0.answered, given: $0.given, correct: $0.isCorrect, answer: item.answer,
        explanation: item.explanation(visit.language), masteryBefore: Skill.percent($0.abilityBefore),
        masteryAfter: Skill.percent($0.abilityAfter))
    }
    self.allowance = allowance.map(AllowanceView.init)
  }

  static let shape = Shape.object([
    ("id", .uuid),
    (
      "item",
      .object([
        ("id", .string), ("subject", .string), ("topic", .string), ("topicTitle", .string), ("level", .string),
        ("kind", .choice(["choice", "number"])), ("prompt", .string), ("choices", .array(.string)),
      ])
    ),
    ("servedAt", .instant),
    (
      "result?",
      .object([
        ("answeredAt", .instant), ("given?", .string), ("correct", .boolean), ("answer", .string), ("explanation", .string),
        ("masteryBefore", .integer), ("masteryAfter", .integer),
      ])
    ),
    ("allowance?", AllowanceView.shape),
  ])
}
