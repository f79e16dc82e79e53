import Kit
import TenantKit
import Web

extension Prep {
  /// `GET /practice/{id}`: an item to answer, or its result.
  static var showPractice: Endpoint<Prep> {
    .get(
      "/practice/{id}",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "getPractice", "An item served to the person who asks; with its result once it is answered",
          output: AttemptView.shape, problems: [.notFound]))
    ) { prep, visit in
      let person = try visit.requireSession().person
      let (attempt, item) = try await prep.practice.attempt(try visit.id(), of: person)
      let view = AttemptView(attempt, item, visit: visit)
      // The page asks for more than programs get.
      guard !visit.wantsJSON else { return .json(view) }
      return .page(try await prep.page(attempt, item, visit: visit), json: view)
    }
  }

  func page(_ attempt: Attempt, _ item: ContentItem, form: FormState? = nil, visit: Visit) async throws -> Page {
    let words = Wording(visit: visit)
    let today = try await practice.answeredToday(attempt.person)
    let position = attempt.result == nil ? today + 1 : today
    let paragraphs = Wording.paragraphs(item.prompt(visit.language))
    let rest = paragraphs.dropFirst().map(words.passage)
    var model: [String: any Sendable] = [
      "id": attempt.id.text,
      "topicName": words.topic(item.topic),
      "position": position,
      "goal": settings.dailyGoal,
      "bar": min(position, settings.dailyGoal),
      "progressWords": visit.text(
        "prep.item.progress", ["position": "\(position)", "goal": "\(settings.dailyGoal)"]),
      "task": words.passage(paragraphs.first ?? ""),
      "hasPassage": !rest.isEmpty,
      "passage": Array(rest),
      "isChoice": item.kind == .choice,
      "field": form?.fields ?? FormState(["answer"], visit: visit).fields,
    ]
    if attempt.isByTopic { model["again"] = attempt.topic }
    guard let result = attempt.result else {
      model["choices"] = item.choices.enumerated().map { index, choice -> [String: any Sendable] in
        words.passage(choice(visit.language)).merging(["index": index, "isFirst": index == 0]) { $1 }
      }
      return Page("prep.item", title: words.topic(item.topic), model)
    }
    let given = GivenAnswer(stored: result.given, for: item)
    let goalReached = today == settings.dailyGoal
    model["isRight"] = result.isCorrect
    model["verdict"] = visit.text(
      result.isCorrect ? "prep.result.right" : given == .skipped ? "prep.result.skipped" : "prep.result.wrong")
    model["choices"] = item.choices.enumerated().map { index, choice -> [String: any Sendable] in
      let (isAnswer, isGiven) = (Int(item.answer) == index, given == .choice(index))
      let marks: [String: any Sendable] = [
        "isAnswer": isAnswer, "isGiven": isGiven, "isWrong": isGiven && !isAnswer, "isOff": !isGiven && !isAnswer,
      ]
      return words.passage(choice(visit.language)).merging(marks) { $1 }
    }
    model["answer"] = item.answer
    if case .number(_, let typed) = given { model["given"] = typed }
    model["explanation"] = Wording.paragraphs(item.explanation(visit.language)).map(words.passage)
    model["mastery"] = visit.text(
      "prep.result.mastery",
      [
        "topic": words.topic(attempt.topic), "before": "\(Skill.percent(result.abilityBefore))",
        "after": "\(Skill.percent(result.abilityAfter))",
      ])
    if goalReached { model["goalReached"] = words.count("result.goal", settings.dailyGoal) }
    return Page("prep.result", title: model["verdict"] as? String ?? "", model)
  }
}
