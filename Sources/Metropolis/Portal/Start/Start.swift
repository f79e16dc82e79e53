import Foundation
import Gateway
import HTTPTypes
import Kit
import Web

/// “Where do I begin?”: a few answers, and the city says which service is hers and why (R6).
///
/// Nothing that a person tells here is kept.
struct Start: Sendable {
  /// What the page asks of the rest of the city. Rules and states change while it runs.
  struct Sources: Sendable {
    let rules: @Sendable () -> RoutingRules
    let isOpen: @Sendable (TenantID) -> Bool
    /// Where a person is a member already.
    let memberships: @Sendable (PersonID) async throws -> Set<TenantID>
    let counts: TenantCounts
  }

  let sources: Sources
  let places: PlaceNames

  init(_ sources: Sources) throws {
    self.sources = sources
    places = try PlaceNames(Embedded.files)
  }

  static let routes = [
    Endpoint<Start>.get("/start") { start, visit in start.form(visit) },
    Endpoint<Start>.post(
      "/route",
      .init(
        limit: "search",
        operation: Operation(
          "route", "Which service of the city is for somebody, and why. Nothing of it is kept.", input: StartForm.shape,
          output: StartView.shape, problems: [.notFound]))
    ) { start, visit in try await start.route(visit) },
    Endpoint<Start>.get(
      "/why/{tenant}",
      .init(
        operation: Operation(
          "explainRouting", "The rules that lead people to a service, in the order they are asked.", output: WhyView.shape,
          problems: [.notFound]))
    ) { start, visit in try start.why(visit) },
  ]

  private func form(_ visit: Visit, _ input: Input? = nil, _ problem: Problem? = nil) -> Answer {
    let fields = FormState(StartForm.fields, input: input, problem: problem, visit: visit).fields
    let chosen = input?.typed("goal") ?? ""
    let goals = Goal.allCases.map { goal -> [String: any Sendable] in
      [
        "value": goal.rawValue, "title": visit.text("city.start.goal.\(goal).title"),
        "text": visit.text("city.start.goal.\(goal).text"), "isChosen": goal.rawValue == chosen,
      ]
    }
    return .page(
      Page(
        "city.start", title: visit.text("city.start.title"),
        ["goals": goals, "field": fields, "places": places.names(visit.language)]),
      status: problem == nil ? .ok : .unprocessableContent)
  }

  private func route(_ visit: Visit) async throws -> Answer {
    var input = try await visit.input()
    var traveller = StartForm.read(&input, places: places, visit: visit)
    do {
      try input.check()
    } catch {
      guard !visit.wantsJSON else { throw error }
      return form(visit, input, error)
    }
    let rules = sources.rules()
    let measures = rules.measures
    if let person = visit.session?.person, !measures.isEmpty {
      // Better a place that may not be hers than none: the identity service may be down.
      traveller.memberships = (try? await sources.memberships(person)) ?? []
    }
    let counts = await sources.counts.now(measures)
    let decision = rules.route(traveller, count: { counts[$1]?[$0] }, isOpen: sources.isOpen)
    let words = StartWords(visit)
    guard let decision, let site = words.site(decision.tenant) else {
      guard !visit.wantsJSON else { throw Problem(.notFound) }
      return .page(Page("city.start-answer", title: visit.text("city.start.nowhere.title"), ["isNowhere": true]))
    }
    let view = StartView(decision, site: site, words: words)
    return .page(
      Page(
        "city.start-answer", title: visit.text("city.start.answer.title", ["name": view.tenant.name]),
        view.model(mark: site.look.mark, summary: site.summary(visit.language), words: words)), json: view)
  }

  private func why(_ visit: Visit) throws -> Answer {
    let words = StartWords(visit)
    guard let tenant = visit.parameter("tenant").flatMap(TenantID.init), let site = words.site(tenant) else {
      throw Problem(.notFound)
    }
    let rules = sources.rules()
    let leading = Set(rules.rules(leadingTo: tenant).map(\.number))
    let view = WhyView(
      tenant: .init(site, visit), rules: rules.rules.map { WhyView.Rule($0, leads: leading.contains($0.number), words: words) })
    return .page(
      Page(
        "city.start-why", title: visit.text("city.start.why.title", ["name": view.tenant.name]),
        view.model(mark: site.look.mark, isOpen: sources.isOpen(tenant))), json: view)
  }
}
