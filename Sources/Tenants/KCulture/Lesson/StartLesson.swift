import Kit
import TenantKit
import Web

extension KCulture {
  /// `POST /steps/{step}/start`: opens a step if it is new, begins its lesson or goes on with it.
  static var startLesson: Endpoint<KCulture> {
    .post(
      "/steps/{step}/start",
      EndpointRules(
        access: .signedIn, limit: "practice",
        operation: Operation(
          "startLesson",
          "Begins a lesson (201), or goes on with the one left open (200). Opening a new step takes a unit of the month's "
            + "allowance; a step once opened stays open",
          input: .object([("go?", .choice(["exercises"]))]), output: LessonView.shape, status: 201,
          problems: [.notFound, .quotaExceeded, .conflict]))
    ) { kculture, visit in
      let person = try visit.requireSession().person
      let input = try await visit.input()
      let course = try await kculture.courses.course()
      let step = try course.named(visit)
      do {
        let started = try await kculture.lessons.start(step, by: person)
        guard visit.wantsJSON else {
          return .redirect(
            input.values["go"] == "exercises" ? "/lessons/\(started.lesson.id.text)" : "/steps/\(step.id)")
        }
        var allowance = started.allowance
        if allowance == nil {
          allowance = try await kculture.services.entitlements.check(person, Lessons.feature, at: kculture.tenant.id)
        }
        return .json(
          LessonView(started.lesson, step, course, allowance: allowance, visit: visit),
          status: httpStatus(started.isNew ? 201 : 200))
      } catch let problem as Problem where problem.kind == .quotaExceeded {
        return try Quota(problem, namespace: "kculture", aside: .init("/review", labelKey: "kculture.quota.review")).answer(
          to: visit)
      }
    }
  }
}
