import Database
import Foundation
import Kit
import TenantKit
import Web

extension Town {
  static let listEndpoints: [Endpoint<Town>] = [
    .get("/", .init(limit: "list", cache: kept(for: .minutes(5)))) { try await $0.list($1) },
    .get(
      "/questions",
      .init(
        limit: "list", cache: kept(for: .minutes(5)), operation: listOperation("listQuestions", "Questions, 20 a page"))
    ) { try await $0.list($1) },
    // The same list under the limit of searches, which cost more: the search form leads here.
    .get(
      "/search",
      .init(
        limit: "search", cache: kept(for: .minutes(10)),
        operation: listOperation("searchQuestions", "Questions that hold all of some words"))
    ) { try await $0.list($1) },
    .get(
      "/me/questions",
      .init(
        access: .signedIn,
        operation: Web.Operation(
          "listMyQuestions", "One's own questions, newest first", query: [.init("after", "`next` of the page before")],
          output: .object([("questions", .array(.questionInList)), ("next?", .string)]), problems: [.invalidInput]))
    ) { try await $0.listOwn($1) },
  ]

  /// As long as R54 says, while no question changes.
  private static func kept(for lifetime: Duration) -> Caching { Caching(for: lifetime, shared: .everyone, tags: ["questions"]) }

  private static func listOperation(_ id: String, _ summary: String) -> Web.Operation {
    Web.Operation(
      id, summary,
      query: [
        .init("order", "newest when left out", .choice(QuestionOrder.allCases.map(\.rawValue))),
        .init("category", "only of this category", .choice(Category.allCases.map(\.rawValue))),
        .init("tag", "only with this hashtag"),
        .init("q", "words that must all occur in title, body or hashtags"),
        .init("after", "`next` of the page before"),
      ],
      output: .questionList, problems: [.invalidInput])
  }

  /// A page of questions, and whether there are more.
  func questions(_ filter: QuestionFilter) async throws -> (page: [Question], next: QuestionCursor?) {
    let rows = try await database.query(filter.statement(in: schema))
    let page = try rows.prefix(QuestionFilter.page).map(Question.init)
    return (page, rows.count > QuestionFilter.page ? page.last.map { QuestionCursor($0, in: filter.order) } : nil)
  }

  func list(_ visit: Visit) async throws -> Answer {
    let filter = try QuestionFilter(visit.query)
    async let found = questions(filter)
    async let counting = currentCounts()
    async let tags = trendingTags()
    async let points = pointsBalance(visit)
    let (questions, next) = try await found
    let bylines = await bylines(of: questions.map(\.author), visit)
    let (counts, trending) = (try await counting, try await tags)
    let json = QuestionListView(
      questions: questions.map { QuestionView($0, by: bylines.author($0.author), for: visit) }, next: next?.text,
      total: counts.total,
      categories: Dictionary(uniqueKeysWithValues: Category.allCases.map { ($0.rawValue, counts.categories[$0] ?? 0) }),
      trendingHashtags: trending)
    let balance = await points
    return .page(json: json) {
      var model = listModel(filter, counts: counts, visit)
      model["questions"] = questions.map { rowModel($0, visit) }
      if questions.isEmpty { model["nothing"] = nothingModel(filter, visit) }
      if let next { model["nextURL"] = filter.with { $0.after = next }.url }
      model["hasTrending"] = !trending.isEmpty
      model["trending"] = trending.map { tagModel($0) }
      if let balance { model["points"] = visit.format.money(balance) }
      let title = visit.text(filter.search.isEmpty ? "town.list.title" : "town.list.found", ["words": filter.search.text])
      return Page("town.list", title: title, model)
    }
  }

  func listOwn(_ visit: Visit) async throws -> Answer {
    var filter = try QuestionFilter { $0 == "after" ? visit.query($0) : nil }
    filter.author = try visit.requireSession().person
    let (questions, next) = try await questions(filter)
    let bylines = await bylines(of: [filter.author], visit)
    let json = OwnQuestionsView(
      questions: questions.map { QuestionView($0, by: bylines.author($0.author), for: visit) }, next: next?.text)
    let shown = filter
    return .page(json: json) {
      var model: [String: any Sendable] = ["questions": questions.map { rowModel($0, visit) }]
      if questions.isEmpty { model["nothing"] = true }
      if let next { model["nextURL"] = shown.with { $0.after = next }.url }
      if shown.after != nil { model["firstURL"] = shown.with { _ in }.url }
      return Page("town.mine", title: visit.text("town.mine.title"), model)
    }
  }

  /// The reader's points; `nil` for visitors, and when the ledger is away: a list of questions doesn't need it.
  private func pointsBalance(_ visit: Visit) async -> Money? {
    guard let person = visit.session?.person, !visit.wantsJSON else { return nil }
    return try? await services.points.balance(person)
  }

  // MARK: The page

  private func listModel(_ filter: QuestionFilter, counts: TownCounts, _ visit: Visit) -> [String: any Sendable] {
    let all: [String: any Sendable] = [
      "name": visit.text("town.list.all"), "count": visit.format.number(Int64(counts.total)),
      "url": filter.with { $0.category = nil }.url, "here": filter.category == nil,
    ]
    let categories = Category.allCases.map { category -> [String: any Sendable] in
      [
        "name": category.title(visit.language), "count": visit.format.number(Int64(counts.categories[category] ?? 0)),
        "url": filter.with { $0.category = category }.url, "here": filter.category == category,
      ]
    }
    var model: [String: any Sendable] = [
      "summary": visit.site.summary(visit.language),
      "q": filter.search.text,
      "kept": [("category", filter.category?.rawValue), ("tag", filter.tag)].compactMap { name, value in
        value.map { ["name": name, "value": $0] }
      },
      "categories": [all] + categories,
      "orders": QuestionOrder.allCases.map { order -> [String: any Sendable] in
        [
          "name": visit.text("town.order.\(order.rawValue)"), "url": filter.with { $0.order = order }.url,
          "here": filter.order == order,
        ]
      },
      "isSignedIn": visit.session != nil,
      "reward": visit.text("town.reward.text", ["points": "\(settings.acceptedPoints)"]),
    ]
    // Counted are categories; how many hold a word or a hashtag nobody knows without looking at all of them.
    if filter.tag == nil, filter.search.isEmpty {
      let count = filter.category.map { counts.categories[$0] ?? 0 } ?? counts.total
      model["total"] = visit.text("town.list.total", ["count": visit.format.number(Int64(count))])
    }
    var chosen: [[String: any Sendable]] = []
    if let tag = filter.tag { chosen.append(["name": "#\(tag)", "url": filter.with { $0.tag = nil }.url]) }
    if !filter.search.isEmpty {
      chosen.append(["name": filter.search.text, "url": filter.with { $0.search = SearchWords("") }.url])
    }
    if !chosen.isEmpty { model["chosen"] = chosen }
    if filter.after != nil { model["firstURL"] = filter.with { _ in }.url }
    // Of fewer than five a share says nothing.
    if counts.urgentAsked >= 5 {
      model["promise"] = visit.text(
        "town.list.promise",
        [
          "minutes": "\(answerTargetMinutes)",
          "share": "\(counts.urgentInTime * 100 / counts.urgentAsked)",
        ])
    }
    return model
  }

  private func rowModel(_ question: Question, _ visit: Visit) -> [String: any Sendable] {
    var model = cardModel(question, visit)
    model["url"] = "/questions/\(question.id.text)"
    model["excerpt"] = question.body.oneLine
    return model
  }

  /// What a row of the list and the head of the question's own page have in common.
  func cardModel(_ question: Question, _ visit: Visit) -> [String: any Sendable] {
    var model: [String: any Sendable] = [
      "heading": question.title,
      "categoryName": question.category.title(visit.language),
      "categoryURL": QuestionFilter().with { $0.category = question.category }.url,
      "tags": question.hashtags.map { tagModel($0) },
      "hasTags": !question.hashtags.isEmpty,
      "answersText": visit.text("town.question.answers", ["count": visit.format.number(Int64(question.answerCount))]),
      "likesText": visit.text("town.question.likes", ["count": visit.format.number(Int64(question.likeCount))]),
      "created": question.created.rfc3339,
      "ago": visit.format.ago(question.created, now: visit.now),
      "isPressing": question.isPressing,
      "isWaiting": question.state == .open && !question.isPressing && question.answerCount == 0,
      "isResolved": question.state == .resolved,
    ]
    if let name = question.place?.name { model["placeName"] = name }
    return model
  }

  private func nothingModel(_ filter: QuestionFilter, _ visit: Visit) -> [String: any Sendable] {
    if filter.after != nil { return ["text": visit.text("town.nothing.end"), "endURL": filter.with { _ in }.url] }
    if filter == filter.plain { return ["text": visit.text("town.nothing.first"), "asks": true] }
    return ["text": visit.text("town.nothing.found"), "asks": true, "allURL": "/questions"]
  }

  private func tagModel(_ tag: String) -> [String: any Sendable] {
    ["name": tag, "url": QuestionFilter().with { $0.tag = tag }.url]
  }

  var answerTargetMinutes: Int { Int(settings.answerTarget.components.seconds / 60) }
}

extension QuestionFilter {
  /// The same order without any condition.
  fileprivate var plain: QuestionFilter {
    var plain = QuestionFilter()
    plain.order = order
    return plain
  }
}
