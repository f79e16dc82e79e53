import Foundation
import Kit
import TenantKit
import Web

/// What programs see of a prep's first page.
struct HomeView: Encodable, Sendable {
  struct Topic: Encodable, Sendable {
    let subject: String
    let topic: String
    let title: String
    let items: Int
    /// Her own figures; absent for visitors.
    let answered: Int?
    let correct: Int?
    /// Per cent; absent until there are answers enough to tell.
    let mastery: Int?
  }

  let dailyGoal: Int
  let answeredToday: Int?
  /// Days in a row.
  let streak: Int?
  /// The attempt she left open.
  let open: String?
  let allowance: AllowanceView?
  let topics: [Topic]

  static let shape = Shape.object([
    ("dailyGoal", .integer), ("answeredToday?", .integer), ("streak?", .integer), ("open?", .uuid),
    ("allowance?", AllowanceView.shape),
    (
      "topics",
      .array(
        .object([
          ("subject", .string), ("topic", .string), ("title", .string), ("items", .integer), ("answered?", .integer),
          ("correct?", .integer), ("mastery?", .integer),
        ]))
    ),
  ])
}

extension Prep {
  /// `GET /`: today's practice, topics, and what is left of the month.
  static var home: Endpoint<Prep> {
    .get(
      "/",
      EndpointRules(
        // What she may still have changes in other places, too: no longer than her plans are remembered.
        cache: Caching(for: .seconds(5), shared: .person, tags: ["practice:{person}"]),
        operation: Operation("getPrep", "Topics, and for a signed-in person today's practice", output: HomeView.shape))
    ) { prep, visit in
      let topics = try await prep.practice.topics()
      var standing: Practice.Standing?
      if let person = visit.session?.person { standing = try await prep.practice.standing(person) }
      return .page(
        prep.homePage(topics, standing, visit: visit), json: prep.homeView(topics, standing, visit: visit))
    }
  }

  private func homeView(_ topics: [ItemChoice.Topic], _ standing: Practice.Standing?, visit: Visit) -> HomeView {
    let words = Wording(visit: visit)
    return HomeView(
      dailyGoal: settings.dailyGoal, answeredToday: standing?.answeredToday, streak: standing?.streak,
      open: standing?.open?.id.text, allowance: (standing?.allowance).map(AllowanceView.init),
      topics: topics.map { topic in
        let skill = standing?.skills[topic.topic]
        let isKnown = (skill?.answered ?? 0) >= Skill.answersToKnow
        return HomeView.Topic(
          subject: topic.subject, topic: topic.topic, title: words.topic(topic.topic), items: topic.count,
          answered: standing.map { _ in skill?.answered ?? 0 }, correct: standing.map { _ in skill?.correct ?? 0 },
          mastery: isKnown ? skill.map { Skill.percent($0.ability) } : nil)
      })
  }

  private func homePage(_ topics: [ItemChoice.Topic], _ standing: Practice.Standing?, visit: Visit) -> Page {
    let words = Wording(visit: visit)
    let count = topics.reduce(0) { $0 + $1.count }
    var model: [String: any Sendable] = [
      "summary": tenant.site.summary(visit.language),
      "isEmpty": topics.isEmpty,
      "library": visit.text(
        "prep.home.library",
        ["items": words.count("count.items", count), "topics": words.count("count.topics", topics.count)]),
      "subjects": subjects(topics, standing, words: words),
    ]
    guard let standing else {
      return Page("prep.home", title: visit.text("prep.home.title"), model)
    }
    let (done, goal) = (standing.answeredToday, settings.dailyGoal)
    model["isMember"] = true
    model["date"] = visit.format.date(visit.now)
    if standing.streak > 1 { model["streak"] = words.count("home.streak", standing.streak) }
    model["goal"] = goal
    model["done"] = min(done, goal)
    let heading: String
    switch done {
    case goal...: heading = words.count("home.reached", goal)
    case 0: heading = words.count("home.begin", goal)
    default: heading = words.count("home.left", goal - done)
    }
    model["heading"] = heading
    model["progressWords"] = visit.text("prep.home.progress", ["done": "\(done)", "goal": "\(goal)"])
    model["start"] = visit.text(
      standing.open != nil ? "prep.home.resume" : done == 0 ? "prep.home.start" : "prep.home.goOn")
    if let open = standing.open { model["open"] = open.id.text }
    model["quota"] = Quota.meter(standing.allowance, namespace: "prep", visit: visit)
    return Page("prep.home", title: visit.text("prep.home.title"), model)
  }

  /// Topics by subject, in their order.
  private func subjects(
    _ topics: [ItemChoice.Topic], _ standing: Practice.Standing?, words: Wording
  ) -> [[String: any Sendable]] {
    var order: [String] = []
    for topic in topics where !order.contains(topic.subject) { order.append(topic.subject) }
    return order.map { subject in
      [
        "slug": subject,
        "subjectName": words.subject(subject),
        "topics": topics.filter { $0.subject == subject }.map { topic in
          row(topic, skill: standing?.skills[topic.topic], words: words)
        },
      ]
    }
  }

  private func row(_ topic: ItemChoice.Topic, skill: Skill?, words: Wording) -> [String: any Sendable] {
    let visit = words.visit
    let skill = skill ?? Skill(topic: topic.topic, ability: 0, answered: 0, correct: 0, updated: visit.now)
    var row: [String: any Sendable] = [
      "slug": topic.topic, "name": words.topic(topic.topic), "count": words.count("count.items", topic.count),
      "stage": visit.text("prep.stage.\(skill.stage.rawValue)"), "isLearned": skill.stage == .learned,
    ]
    switch skill.stage {
    case .new:
      row["percent"] = 0
      row["standing"] = words.count("home.toKnow", Skill.answersToKnow)
    case .gauging:
      row["percent"] = 0
      row["standing"] = words.count("home.toKnowMore", Skill.answersToKnow - skill.answered)
    case .learning, .learned:
      let percent = Skill.percent(skill.ability)
      row["percent"] = percent
      row["standing"] = visit.text(
        "prep.home.mastery",
        [
          "percent": "\(percent)", "answered": words.count("count.answered", skill.answered),
          "ago": visit.format.ago(skill.updated, now: visit.now),
        ])
    }
    return row
  }
}
