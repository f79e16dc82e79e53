import Foundation
import Kit
import TenantKit
import Web

/// What programs see of the path.
struct PathView: Encodable, Sendable {
  enum State: String, Encodable, CaseIterable { case new, open, completed }

  struct Entry: Encodable, Sendable {
    let id: String
    let order: Int
    let unit: String
    let unitTitle: String
    let title: String
    let goal: String
    let state: State
    /// Per cent of the best lesson.
    let best: Int?
    /// The lesson left open.
    let lesson: String?
  }

  let steps: [Entry]
  let completed: Int
  /// The step to go on with; absent at the end of the path.
  let next: String?
  let dueCards: Int?
  let nextDue: Instant?
  let allowance: AllowanceView?

  static let shape = Shape.object([
    (
      "steps",
      .array(
        .object([
          ("id", .string), ("order", .integer), ("unit", .string), ("unitTitle", .string), ("title", .string),
          ("goal", .string), ("state", .choice(State.allCases.map(\.rawValue))), ("best?", .integer), ("lesson?", .uuid),
        ]))
    ),
    ("completed", .integer), ("next?", .string), ("dueCards?", .integer), ("nextDue?", .instant),
    ("allowance?", AllowanceView.shape),
  ])
}

/// Where a person stands on the path.
struct Standing: Sendable {
  let progress: [String: StepProgress]
  let counts: CardCounts
  let allowance: Allowance

  func state(of step: Step) -> PathView.State {
    guard let progress = progress[step.id] else { return .new }
    return progress.best == nil ? .open : .completed
  }

  /// The step to go on with: the first that is not completed.
  func next(of course: Course) -> Step? { course.steps.first { state(of: $0) != .completed } }
}

extension KCulture {
  /// `GET /`: the path, and where she is on it.
  static var home: Endpoint<KCulture> {
    .get(
      "/",
      EndpointRules(
        operation: Operation(
          "getPath", "The steps of the path; for a signed-in person with how far she is and which cards are due",
          output: PathView.shape))
    ) { kculture, visit in
      let course = try await kculture.courses.course()
      var standing: Standing?
      if let person = visit.session?.person { standing = try await kculture.standing(person) }
      return .page(
        kculture.homePage(course, standing, visit: visit), json: kculture.pathView(course, standing, visit: visit))
    }
  }

  private func standing(_ person: PersonID) async throws -> Standing {
    Standing(
      progress: try await lessons.store.progress(of: person, services.database),
      counts: try await cards.counts(of: person),
      allowance: try await services.entitlements.check(person, Lessons.feature, at: tenant.id))
  }

  private func pathView(_ course: Course, _ standing: Standing?, visit: Visit) -> PathView {
    let words = Wording(visit: visit)
    return PathView(
      steps: course.steps.map { step in
        let progress = standing?.progress[step.id]
        return PathView.Entry(
          id: step.id, order: step.order, unit: step.unit, unitTitle: words.unit(step.unit), title: step.title(visit.language),
          goal: step.goal(visit.language), state: standing?.state(of: step) ?? .new, best: progress?.best,
          lesson: progress?.open?.text)
      },
      completed: course.steps.count { standing?.state(of: $0) == .completed },
      next: (standing.map { $0.next(of: course) } ?? course.steps.first)?.id, dueCards: standing?.counts.due,
      nextDue: standing?.counts.next, allowance: (standing?.allowance).map(AllowanceView.init))
  }

  private func homePage(_ course: Course, _ standing: Standing?, visit: Visit) -> Page {
    let words = Wording(visit: visit)
    let done = course.steps.count { standing?.state(of: $0) == .completed }
    let next = standing.map { $0.next(of: course) } ?? course.steps.first
    var model: [String: any Sendable] = [
      "summary": tenant.site.summary(visit.language), "isEmpty": course.steps.isEmpty, "total": course.steps.count,
      "done": done, "units": units(course, standing, next: next, words: words),
    ]
    if let first = course.steps.first { model["first"] = first.id }
    guard let standing else { return Page("kculture.home", title: visit.text("kculture.home.title"), model) }
    model["isMember"] = true
    model["progressWords"] = words.count("home.progress", course.steps.count, ["done": "\(done)"])
    if let next {
      let progress = standing.progress[next.id]
      model["next"] =
        [
          "id": next.id, "name": next.title(visit.language), "goal": next.goal(visit.language), "sign": next.sign,
          "unitName": words.unit(next.unit), "place": visit.text("kculture.step.place", ["order": "\(next.order)"]),
          "isNew": progress == nil, "isStart": done == 0 && progress == nil,
        ] as [String: any Sendable]
    }
    if standing.counts.due > 0 {
      model["due"] = words.count("home.due", standing.counts.due)
    } else if let next = standing.counts.next {
      model["rest"] = words.count(
        "home.rest", standing.counts.nextCount, ["date": visit.format.date(next)])
    }
    model["quota"] = Quota.meter(standing.allowance, namespace: "kculture", visit: visit)
    return Page("kculture.home", title: visit.text("kculture.home.title"), model)
  }

  /// The steps by unit, in their order.
  private func units(
    _ course: Course, _ standing: Standing?, next: Step?, words: Wording
  ) -> [[String: any Sendable]] {
    var order: [String] = []
    for step in course.steps where !order.contains(step.unit) { order.append(step.unit) }
    return order.map { unit in
      let steps = course.steps.filter { $0.unit == unit }
      let done = steps.count { standing?.state(of: $0) == .completed }
      return [
        "slug": unit, "unitName": words.unit(unit), "isMember": standing != nil, "isDone": done == steps.count,
        "tally": words.visit.text("kculture.home.tally", ["done": "\(done)", "total": "\(steps.count)"]),
        "steps": steps.map { step -> [String: any Sendable] in
          let state = standing?.state(of: step) ?? .new
          var row: [String: any Sendable] = [
            "id": step.id, "order": step.order, "name": step.title(words.visit.language),
            "goal": step.goal(words.visit.language), "sign": step.sign, "isDone": state == .completed,
            "isNext": step.id == next?.id, "isOpen": state == .open,
          ]
          if let best = standing?.progress[step.id]?.best {
            row["best"] = words.visit.text("kculture.score", ["percent": "\(best)"])
          }
          return row
        },
      ]
    }
  }
}
