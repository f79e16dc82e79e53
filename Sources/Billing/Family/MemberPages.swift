import Foundation
import HTTPTypes
import Kit
import Web

/// Leaving, removing, and what the owner sees of a child.
extension FamilyService {
  /// So many days of a child's progress are shown.
  private static let daysShown = 30

  static let memberEndpoints: [Endpoint<FamilyService>] = [
    .post(
      "/family/leave",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "leaveFamily", "Gives up your seat. What it granted ends at once; your account and your record stay yours.",
          output: FamilyView.shape, problems: [.conflict]))
    ) { family, visit in
      try await family.acting(visit, done: "left") { person in
        try await family.leave(person)
        return nil
      }
    },
    .post(
      "/family/members/{person}/remove",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "removeFromFamily", "Takes a person's seat. What it granted ends at once; a child stays in your care.",
          output: FamilyView.shape, problems: [.notFound]))
    ) { family, visit in
      try await family.acting(visit, done: "removed") { person in
        try await family.remove(PersonID(try visit.id("person")), by: person)
        return nil
      }
    },
    .get(
      "/family/members/{person}",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "childProgress", "What a child in your care did in the last 30 days. Of adults nothing is shown.",
          output: ChildView.shape, problems: [.notFound]))
    ) { family, visit in try await family.childPage(visit, saved: visit.query("done") == "password") },
  ]

  /// - Parameter refused: a new password that was not taken.
  func childPage(_ visit: Visit, saved: Bool = false, refused: Problem? = nil) async throws -> Answer {
    let owner = try visit.requireSession().person
    let child = try await inCare(PersonID(try visit.id("person")), of: owner)
    let report = try await progress.progress(of: child.person, days: FamilyService.daysShown)
    let own = try await household(of: owner).own
    let isSeated = own?.members.contains { $0.person == child.person } ?? false
    if visit.wantsJSON { return .json(ChildView(child, isSeated: isSeated, report)) }
    var model = progressModel(report, visit)
    model["id"] = child.person.description
    model["name"] = child.displayName
    model["signInName"] = child.signInName
    model["isSeated"] = isSeated
    model["canSeat"] = !isSeated && own?.canAdd == true
    model["saved"] = saved
    model["field"] = FormState(["password"], problem: refused, visit: visit).fields
    let page = Page("billing.family-child", title: child.displayName, model)
    return .page(page, status: refused == nil ? .ok : .unprocessableContent)
  }

  private func progressModel(_ report: FamilyProgressReport, _ visit: Visit) -> [String: any Sendable] {
    let format = visit.format
    func number(_ count: Int) -> String { format.number(Int64(count)) }
    let chart = Chart(
      .bar, title: visit.text("billing.family.progress.chart", ["days": "\(report.days.count)"]),
      labels: report.days.map { "\($0.day.month)/\($0.day.day)" },
      series: [
        Chart.Series(visit.text("billing.family.progress.activities"), report.days.map { Int64($0.activities) })
      ], format: { format.number($0) })
    var model: [String: any Sendable] = [
      "isEmpty": report.tenants.isEmpty, "chart": chart.model(visit),
      "activities": number(report.activities),
      "activeDays": visit.text("billing.family.progress.days", ["count": number(report.activeDays)]),
      "tenants": report.tenants.map { part -> [String: any Sendable] in
        let site = visit.cities.all.first { $0.id == part.tenant.text }
        return [
          "name": site?.name(visit.language) ?? part.tenant.text, "activities": number(part.activities),
          "answered": number(part.answered), "correct": number(part.correct), "lessons": number(part.lessonsCompleted),
          "days": number(part.activeDays), "last": part.lastActivity.map { format.ago($0, now: visit.now) } ?? "–",
        ]
      },
    ]
    if let last = report.lastActivity { model["last"] = format.ago(last, now: visit.now) }
    return model
  }
}

/// What programs get of a child in the asker's care.
struct ChildView: Encodable, Sendable {
  struct AtTenant: Encodable, Sendable {
    let tenant: String
    let activities: Int
    let answered: Int
    let correct: Int
    let lessonsCompleted: Int
    let activeDays: Int
    let lastActivity: String?
  }
  struct OnDay: Encodable, Sendable {
    let day: CivilDate
    let activities: Int
  }

  let person: String
  let name: String
  let signInName: String
  let isSeated: Bool
  let lastActivity: String?
  let tenants: [AtTenant]
  let days: [OnDay]

  init(_ child: FamilyChild, isSeated: Bool, _ report: FamilyProgressReport) {
    person = child.person.description
    name = child.displayName
    signInName = child.signInName
    self.isSeated = isSeated
    lastActivity = report.lastActivity?.rfc3339
    tenants = report.tenants.map {
      AtTenant(
        tenant: $0.tenant.text, activities: $0.activities, answered: $0.answered, correct: $0.correct,
        lessonsCompleted: $0.lessonsCompleted, activeDays: $0.activeDays, lastActivity: $0.lastActivity?.rfc3339)
    }
    days = report.days.map { OnDay(day: $0.day, activities: $0.activities) }
  }

  static let shape = Shape.object([
    ("person", .uuid), ("name", .string), ("signInName", .string), ("isSeated", .boolean), ("lastActivity?", .instant),
    (
      "tenants",
      .array(
        .object([
          ("tenant", .string), ("activities", .integer), ("answered", .integer), ("correct", .integer),
          ("lessonsCompleted", .integer), ("activeDays", .integer), ("lastActivity?", .instant),
        ]))
    ),
    ("days", .array(.object([("day", .string), ("activities", .integer)]))),
  ])
}
