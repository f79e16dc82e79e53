import Kit
import TenantKit
import Web

extension KCulture {
  /// `GET /lessons/{id}`: the exercise to answer next, or how the lesson went.
  static var showLesson: Endpoint<KCulture> {
    .get(
      "/lessons/{id}",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "getLesson", "A lesson of the person who asks: its exercises, with results where they are answered",
          output: LessonView.shape, problems: [.notFound]))
    ) { kculture, visit in
      let (lesson, step, course) = try await kculture.lesson(visit)
      let page: Page
      if lesson.result == nil, let exercise = lesson.next(of: step) {
        page = kculture.page(exercise, of: lesson, step, course, visit: visit)
      } else {
        page = kculture.finishPage(lesson, step, course, visit: visit)
      }
      return .page(page, json: LessonView(lesson, step, course, visit: visit))
    }
  }

  /// `GET /lessons/{id}/exercises/{number}`: the result of an exercise.
  static var showExercise: Endpoint<KCulture> {
    .get(
      "/lessons/{id}/exercises/{number}",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "getExercise", "One exercise of a lesson; with its result once it is answered", output: LessonView.exerciseShape,
          problems: [.notFound]))
    ) { kculture, visit in
      let (lesson, step, course) = try await kculture.lesson(visit)
      let exercise = try step.exercise(visit)
      let given = lesson.answers[exercise.number]
      let question = Question(exercise, course, visit: visit)
      let view = LessonView.ExerciseView(exercise, question, given, visit: visit)
      guard let given else {
        return .page(kculture.page(exercise, of: lesson, step, course, visit: visit), json: view)
      }
      return .page(kculture.resultPage(exercise, given, of: lesson, step, course, visit: visit), json: view)
    }
  }

  /// The lesson that a path names, of the person who asks.
  func lesson(_ visit: Visit) async throws -> (Lesson, Step, Course) {
    let person = try visit.requireSession().person
    let lesson = try await lessons.lesson(try visit.id(), of: person)
    let course = try await courses.course()
    // A step that its package lost can be looked at no more.
    guard let step = course.step(lesson.step) else { throw Problem(.notFound) }
    return (lesson, step, course)
  }

  // MARK: Pages

  private func frame(_ lesson: Lesson, _ step: Step, at number: Int, visit: Visit) -> [String: any Sendable] {
    [
      "id": lesson.id.text, "step": step.id, "stepName": step.title(visit.language), "number": number,
      "total": step.exercises.count, "answered": lesson.answers.count,
      "progressWords": visit.text(
        "kculture.exercise.progress", ["number": "\(number)", "total": "\(step.exercises.count)"]),
    ]
  }

  private func show(_ question: Question) -> [String: any Sendable] {
    var model: [String: any Sendable] = [:]
    model["hangul"] = question.hangul
    model["romanization"] = question.romanization
    model["meaning"] = question.meaning
    return model
  }

  func page(
    _ exercise: Exercise, of lesson: Lesson, _ step: Step, _ course: Course, form: FormState? = nil, visit: Visit
  ) -> Page {
    let question = Question(exercise, course, visit: visit)
    var model = frame(lesson, step, at: exercise.number, visit: visit)
    model["task"] = question.task
    model["show"] = show(question)
    model["field"] = form?.fields ?? FormState(["answer"], visit: visit).fields
    switch exercise.kind {
    case .letter, .read, .meaning, .sound:
      let choices = question.choices.enumerated().map { index, choice -> [String: any Sendable] in
        ["index": index, "label": choice, "isFirst": index == 0, "isKorean": question.hasKoreanChoices]
      }
      model["choice"] = ["isLarge": exercise.kind == .letter, "items": choices] as [String: any Sendable]
    case .build:
      func places(_ letters: [String]) -> [[String: any Sendable]] { letters.map { ["letter": $0] } }
      var build: [String: any Sendable] = ["initials": places(exercise.initials), "medials": places(exercise.medials)]
      if !exercise.finals.isEmpty { build["finals"] = ["items": places(exercise.finals)] }
      model["build"] = build
    case .type, .order:
      model["write"] = write(exercise, form: form, lesson: lesson, visit: visit)
    }
    return Page("kculture.exercise", title: question.task, model)
  }

  /// A field to write in, and tiles that write without a keyboard: each is a link to the page with one more piece placed.
  private func write(_ exercise: Exercise, form: FormState?, lesson: Lesson, visit: Visit) -> [String: any Sendable] {
    let placed = exercise.placed(visit.query("placed"))
    let address = "/lessons/\(lesson.id.text)/exercises/\(exercise.number)"
    func link(_ places: [Int]) -> String {
      places.isEmpty ? "\(address)#given" : "\(address)?placed=\(places.map(String.init).joined(separator: "."))#given"
    }
    var model: [String: any Sendable] = [
      "isSentence": exercise.kind == .order,
      "tiles": exercise.tiles.enumerated().map { index, tile -> [String: any Sendable] in
        ["tile": tile, "isUsed": placed.contains(index), "url": link(placed + [index])]
      },
    ]
    if form == nil, !placed.isEmpty {
      model["given"] = exercise.joined(placed.map { exercise.tiles[$0] })
      model["undo"] = link(Array(placed.dropLast()))
    }
    return model
  }

  func resultPage(
    _ exercise: Exercise, _ given: Lesson.Given, of lesson: Lesson, _ step: Step, _ course: Course, visit: Visit
  ) -> Page {
    let question = Question(exercise, course, visit: visit)
    let words = Wording(visit: visit)
    let verdict = visit.text(
      given.isCorrect ? "kculture.result.right" : given.given == nil ? "kculture.result.skipped" : "kculture.result.wrong")
    var model = frame(lesson, step, at: exercise.number, visit: visit)
    model["isRight"] = given.isCorrect
    model["verdict"] = verdict
    model["task"] = question.task
    model["show"] = show(question)
    if exercise.choices.isEmpty {
      var answers: [[String: any Sendable]] = []
      if !given.isCorrect, let typed = given.given {
        answers.append(["label": typed, "isKorean": true, "isGiven": true, "isWrong": true])
      }
      answers.append(["label": exercise.answer, "isKorean": true, "isAnswer": true])
      model["answers"] = answers
    } else {
      model["answers"] = zip(exercise.choices, question.choices).map { choice, label -> [String: any Sendable] in
        let (isAnswer, isGiven) = (choice == exercise.answer, choice == given.given)
        return [
          "label": label, "isKorean": question.hasKoreanChoices, "isAnswer": isAnswer, "isGiven": isGiven,
          "isWrong": isGiven && !isAnswer, "isOff": !isGiven && !isAnswer,
        ]
      }
    }
    if let explanation = exercise.explanation { model["explanation"] = words.paragraphs(explanation) }
    switch exercise.kind {
    case .letter: model["letters"] = course.letter(exercise.answer).map { ["items": [words.letter($0)]] }
    case .order:
      var sentence = words.word(exercise.answer, of: course)
      sentence["meaning"] = exercise.meaning?(visit.language)
      model["sentence"] = sentence
    case .build, .read, .meaning, .sound, .type:
      model["words"] = ["items": [words.word(exercise.subject, of: course)]]
      if exercise.subject.count <= 4 { model["blocks"] = ["items": words.blocks(exercise.subject)] }
    }
    model["isLast"] = lesson.result != nil
    return Page("kculture.result", title: verdict, model)
  }

  private func finishPage(_ lesson: Lesson, _ step: Step, _ course: Course, visit: Visit) -> Page {
    let words = Wording(visit: visit)
    let asked = step.exercises.count { lesson.answers[$0.number] != nil }
    let correct = lesson.result?.correct ?? 0
    let total = lesson.result?.total ?? max(asked, 1)
    var model = frame(lesson, step, at: total, visit: visit)
    model["correct"] = correct
    model["isPerfect"] = correct == total
    model["scoreWords"] = visit.text("kculture.finish.score", ["correct": "\(correct)", "total": "\(total)"])
    model["scoreTotal"] = total
    if let added = lesson.result?.added, added > 0 { model["cards"] = words.count("finish.cards", added) }
    model["exercises"] = step.exercises.compactMap { exercise -> [String: any Sendable]? in
      guard let given = lesson.answers[exercise.number] else { return nil }
      return [
        "url": "/lessons/\(lesson.id.text)/exercises/\(exercise.number)", "subject": exercise.subject,
        "task": visit.text("kculture.task.\(exercise.kind.rawValue)"), "isRight": given.isCorrect,
      ]
    }
    if let next = course.step(after: step) {
      model["next"] =
        ["id": next.id, "name": next.title(visit.language), "goal": next.goal(visit.language), "sign": next.sign]
        as [String: any Sendable]
    }
    return Page(
      "kculture.finish", title: visit.text("kculture.finish.title", ["step": step.title(visit.language)]), model)
  }
}

extension Step {
  /// The exercise that a path names.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func exercise(_ visit: Visit) throws(Problem) -> Exercise {
    let number = visit.parameter("number").flatMap { Int($0) }
    guard let exercise = exercises.first(where: { $0.number == number }) else { throw Problem(.notFound) }
    return exercise
  }
}

extension Exercise {
  /// Reads `placed=2.0.1`: tiles by their places, each once. What makes no sense is left out: it is only a page's state.
  func placed(_ text: String?) -> [Int] {
    var placed: [Int] = []
    for part in (text ?? "").split(separator: ".").prefix(tiles.count) {
      if let index = Int(part), tiles.indices.contains(index), !placed.contains(index) { placed.append(index) }
    }
    return placed
  }
}
