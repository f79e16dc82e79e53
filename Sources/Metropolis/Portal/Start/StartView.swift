import Gateway
import Kit
import Web

/// The answer to “where do I belong”, for programs and for the page.
struct StartView: Encodable, Sendable {
  struct Tenant: Encodable, Sendable {
    let id: String
    let name: String
    let url: String

    init(_ site: Site, _ visit: Visit, path: String = "/") {
      (id, name, url) = (site.id, site.name(visit.language), site.origin.url(path))
    }
  }

  struct Reason: Encodable, Sendable {
    let code: String
    let text: String
  }

  struct Passed: Encodable, Sendable {
    let rule: Int
    let leadsTo: String
    let reasons: [Reason]
  }

  struct Town: Encodable, Sendable {
    let tenant: Tenant
    /// `nil` inside the town's area.
    let kilometres: Double?
    let text: String
  }

  let tenant: Tenant
  let rule: Int
  let goal: String
  let goalIsInferred: Bool
  let reasons: [Reason]
  let passed: [Passed]
  let town: Town?
  let why: String

  static let shape = Shape.object([
    ("tenant", tenantShape), ("rule", .integer), ("goal", .choice(Goal.allCases.map(\.rawValue))),
    ("goalIsInferred", .boolean), ("reasons", reasonsShape),
    ("passed", .array(.object([("rule", .integer), ("leadsTo", .string), ("reasons", reasonsShape)]))),
    ("town?", .object([("tenant", tenantShape), ("kilometres?", .number), ("text", .string)])), ("why", .string),
  ])
  static let tenantShape = Shape.object([("id", .string), ("name", .string), ("url", .string)])
  private static let reasonsShape = Shape.array(.object([("code", .string), ("text", .string)]))

  init(_ decision: RoutingDecision, site: Site, words: StartWords) {
    let visit = words.visit
    tenant = Tenant(site, visit, path: "/?from=route")
    rule = decision.rule.number
    goal = decision.goal.rawValue
    goalIsInferred = decision.isGoalInferred
    reasons = words.reasons(decision)
    passed = decision.passed.map { passed in
      Passed(
        rule: passed.rule.number, leadsTo: words.destination(passed.rule), reasons: passed.obstacles.map(words.obstacle))
    }
    town = decision.town.flatMap { town in
      words.site(town.tenant).map { site in
        var kilometres: Double?
        if case .nearest(let distance) = town.how { kilometres = (distance * 10).rounded() / 10 }
        return Town(
          tenant: Tenant(site, visit, path: "/?from=route"), kilometres: kilometres, text: words.place(town).text)
      }
    }
    why = visit.site.origin.url("/why/\(site.id)")
  }

  func model(mark: String, summary: String, words: StartWords) -> [String: any Sendable] {
    var model: [String: any Sendable] = [
      "id": tenant.id, "mark": mark, "name": tenant.name, "summary": summary, "url": tenant.url,
      "go": words.visit.text("city.start.answer.go", ["name": tenant.name]),
      "headline": words.visit.text("city.start.answer.headline", ["name": tenant.name]),
      "reasons": reasons.map(\.text), "why": "/why/\(tenant.id)",
    ]
    if !passed.isEmpty {
      model["passed"] = [
        "rules": passed.map { rule -> [String: any Sendable] in
          ["name": rule.leadsTo, "reasons": rule.reasons.map(\.text)]
        }
      ]
    }
    if let town, town.tenant.id != tenant.id {
      model["town"] = [
        "id": town.tenant.id, "name": town.tenant.name, "url": town.tenant.url, "text": town.text,
        "mark": TenantID(town.tenant.id).flatMap(words.site)?.look.mark ?? "",
      ]
    }
    return model
  }
}

/// The rules that lead to a tenant, among all in their order.
struct WhyView: Encodable, Sendable {
  struct Rule: Encodable, Sendable {
    struct Condition: Encodable, Sendable {
      let subject: String
      let asks: String
    }

    let rule: Int
    let leads: Bool
    let leadsTo: String
    let conditions: [Condition]
    let overflow: String?

    init(_ rule: RoutingRules.Rule, leads: Bool, words: StartWords) {
      self.rule = rule.number
      self.leads = leads
      leadsTo = words.destination(rule)
      conditions = rule.conditions.map { condition in
        let (subject, asks) = words.condition(condition)
        return Condition(subject: subject, asks: asks)
      }
      overflow = words.overflow(rule)
    }

    /// - Parameter tenant: whose page it stands on; a rule that leads to others too says where to.
    func model(on tenant: String? = nil) -> [String: any Sendable] {
      var model: [String: any Sendable] = [
        "number": "\(rule)", "leads": leads, "name": leadsTo, "isForEveryone": conditions.isEmpty,
        "conditions": conditions.map { ["subject": $0.subject, "asks": $0.asks] },
      ]
      // Absent, never an empty optional: that would be written out.
      let notes = [tenant.flatMap { $0 == leadsTo ? nil : leadsTo }, overflow].compactMap(\.self)
      if !notes.isEmpty { model["notes"] = notes }
      return model
    }
  }

  let tenant: StartView.Tenant
  /// All of the city's, in the order they are asked; those that `leads` say so.
  let rules: [Rule]

  static let shape = Shape.object([
    ("tenant", StartView.tenantShape),
    (
      "rules",
      .array(
        .object([
          ("rule", .integer), ("leads", .boolean), ("leadsTo", .string),
          ("conditions", .array(.object([("subject", .string), ("asks", .string)]))), ("overflow?", .string),
        ]))
    ),
  ])

  func model(mark: String, isOpen: Bool) -> [String: any Sendable] {
    let leading = rules.filter(\.leads)
    return [
      "id": tenant.id, "mark": mark, "name": tenant.name, "url": tenant.url, "isOpen": isOpen,
      "leading": leading.map { $0.model(on: tenant.name) }, "isLedTo": !leading.isEmpty, "all": rules.map { $0.model() },
    ]
  }
}
