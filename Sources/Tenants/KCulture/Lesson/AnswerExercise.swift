import Kit
import TenantKit
import Web

extension KCulture {
  /// `POST /lessons/{id}/exercises/{number}`: takes the answer to an exercise, once.
  static var answerExercise: Endpoint<KCulture> {
    .post(
      "/lessons/{id}/exercises/{number}",
      EndpointRules(
        access: .signedIn, limit: "practice",
        operation: Operation(
          "answerExercise",
          "Answers an exercise: the choice from 0, or a text in Hangul, its blocks whole or as letters; skip when she does not "
            + "know. The last answer completes the lesson",
          input: .object([
            ("answer?", .string), ("initial?", .string), ("medial?", .string), ("final?", .string), ("skip?", .boolean),
          ]), output: LessonView.shape, problems: [.notFound, .conflict]))
    ) { kculture, visit in
      var input = try await visit.input()
      let (lesson, step, course) = try await kculture.lesson(visit)
      let exercise = try step.exercise(visit)
      let address = "/lessons/\(lesson.id.text)/exercises/\(exercise.number)"
      let given = GivenAnswer.read(&input, for: exercise)
      do throws(Problem) {
        try input.check()
      } catch {
        guard !visit.wantsJSON, lesson.answers[exercise.number] == nil else { throw error }
        let form = FormState(["answer"], input: input, problem: error, visit: visit)
        return .page(
          kculture.page(exercise, of: lesson, step, course, form: form, visit: visit), status: httpStatus(422))
      }
      // What could not be read was refused above.
      guard let given else { throw Problem(.invalidInput) }
      do {
        let answered = try await kculture.lessons.answer(
          lesson.id, of: lesson.person, step: step, exercise: exercise, with: given,
          name: Wording(visit: visit).name(of: exercise, in: step))
        guard visit.wantsJSON else { return .redirect(address) }
        return .json(LessonView(answered, step, course, visit: visit))
      } catch Lessons.Refusal.answeredOtherwise {
        // Who went back and chose again is shown what stands; a program is told.
        guard visit.wantsJSON else { return .redirect(address) }
        throw Problem(.conflict, ["reason": visit.text("kculture.refusal.answeredOtherwise")])
      }
    }
  }

  /// `POST /lessons/{id}/complete`: the result of a lesson whose exercises are all answered.
  static var completeLesson: Endpoint<KCulture> {
    .post(
      "/lessons/{id}/complete",
      EndpointRules(
        access: .signedIn, limit: "practice",
        operation: Operation(
          "completeLesson", "The completed lesson; the last answer has completed it, so asking again changes nothing",
          input: .object([]), output: LessonView.shape, problems: [.notFound, .conflict]))
    ) { kculture, visit in
      let (lesson, step, course) = try await kculture.lesson(visit)
      guard lesson.result != nil else {
        let left = step.exercises.count { lesson.answers[$0.number] == nil }
        throw Problem(.conflict, ["reason": Wording(visit: visit).count("refusal.unanswered", left)])
      }
      return visit.wantsJSON
        ? .json(LessonView(lesson, step, course, visit: visit)) : .redirect("/lessons/\(lesson.id.text)")
    }
  }
}
