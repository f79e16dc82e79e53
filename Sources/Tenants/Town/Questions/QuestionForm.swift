import Foundation
import Kit
import Web

/// The form a question is asked and edited with.
struct QuestionForm {
  let visit: Visit
  let town: Town
  var input: Input?
  var problem: Problem?
  /// What is edited; `nil` for a new question.
  var question: Question?
  /// Someone edited the question after the form was opened: what stands there now, shown beside what was typed.
  var stale = false

  var page: Page {
    let initial: [String: String] =
      question.map { question in
        [
          "title": question.title, "body": question.body, "category": question.category.rawValue,
          "hashtags": question.hashtags.map { "#\($0)" }.joined(separator: " "), "placeName": question.place?.name ?? "",
          "latitude": question.place?.coordinates.map { Coordinates.decimal($0.latitude) } ?? "",
          "longitude": question.place?.coordinates.map { Coordinates.decimal($0.longitude) } ?? "",
          "urgency": question.urgency.rawValue,
        ]
      } ?? ["urgency": Urgency.normal.rawValue]
    let form = FormState(QuestionDraft.fields, input: input, problem: problem, initial: initial, visit: visit)
    let category = input?.typed("category") ?? initial["category"] ?? ""
    let urgency = input?.typed("urgency") ?? initial["urgency"] ?? ""
    var model: [String: any Sendable] = [
      "field": form.fields,
      "categories": Category.allCases.map { each -> [String: any Sendable] in
        ["value": each.rawValue, "name": each.title(visit.language), "chosen": each.rawValue == category]
      },
      "isUrgent": urgency == Urgency.urgent.rawValue,
      "urgentHint": visit.text("town.form.urgentHint", ["minutes": "\(town.answerTargetMinutes)"]),
      "titleMost": "\(QuestionDraft.titleLength.upperBound)",
      "bodyMost": "\(QuestionDraft.bodyLength.upperBound)",
      "summary": visit.site.summary(visit.language),
      "refused": refusals,
      "isRefused": problem != nil,
    ]
    let title: String
    if let question {
      title = visit.text("town.edit.title")
      model["action"] = "/questions/\(question.id.text)"
      model["back"] = "/questions/\(question.id.text)"
      // After a conflict too: what is sent now is meant to replace what is shown.
      model["version"] = "\(question.version)"
      model["draft"] = "edit"
      if stale {
        model["current"] = [
          "heading": question.title, "text": question.body,
          "tagLine": question.hashtags.map { "#\($0)" }.joined(separator: " "),
        ]
      }
    } else {
      title = visit.text("town.ask.title")
      model["action"] = "/questions"
      model["back"] = "/questions"
      model["draft"] = "ask"
    }
    model["heading"] = title
    model["isNew"] = question == nil
    return Page("town.question-form", title: title, model)
  }

  private var refusals: [[String: any Sendable]] {
    (problem?.fields ?? []).map { field in
      [
        "id": field.name, "name": visit.text("town.form.\(field.name)"),
        "message": visit.text("web.field.\(field.code)", field.arguments),
      ]
    }
  }
}
