public import Kit

/// What is left of an allowance, as a meter; and its end, as the entitlements tell it in the members of their problem.
///
/// What is counted is the module's own word, so its catalogue has the sentences with a count, under `<namespace>.quota`:
/// `heading`, `used`, `left`, `title`, `lead`, `leadWithoutDate`, `titleWithout`, `leadWithout`, `plans`, `lifts`,
/// `liftsChosen`, `liftsTo`.
public struct Quota: Sendable {
  /// Something else to do meanwhile.
  public struct Aside: Sendable {
    let url: String
    let labelKey: String

    /// - Parameter labelKey: a key of the catalogues.
    public init(_ url: String, labelKey: String) {
      self.url = url
      self.labelKey = labelKey
    }
  }

  /// A plan that lifts the limit.
  struct Plan: Sendable, Equatable {
    let name: LocalizedText
    /// What it costs, one amount per currency.
    let prices: [Money]
    /// `month`, `year`.
    let every: String?
    /// How many more; `nil` is without limit.
    let limit: Int?
    /// She has to choose this tenant among others.
    let isChoice: Bool
  }

  let problem: Problem
  let limit: Int?
  let renews: CivilDate?
  let plans: [Plan]
  private let namespace: String
  private let aside: Aside

  /// - Parameters:
  ///   - problem: `quota-exceeded`.
  ///   - namespace: of the module's texts, like `prep`.
  public init(_ problem: Problem, namespace: String, aside: Aside) {
    self.problem = problem
    self.namespace = namespace
    self.aside = aside
    limit = problem.members["limit"]?.integer.flatMap(Int.init(exactly:))
    renews = problem.members["renews"]?.string.flatMap { CivilDate($0) }
    if case .array(let plans)? = problem.members["plans"] {
      self.plans = plans.compactMap(Plan.init)
    } else {
      plans = []
    }
  }

  /// The upgrade page for people.
  /// - Throws: the problem as it came, to programs.
  public func answer(to visit: Visit) throws(Problem) -> Answer {
    guard !visit.wantsJSON else { throw problem }
    return .page(page(visit), status: httpStatus(402))
  }

  private func page(_ visit: Visit) -> Page {
    var model: [String: any Sendable] = [
      "hasPlans": !plans.isEmpty, "plans": plans.enumerated().map { card($1, $0, visit) },
      "plansTitle": visit.text("\(namespace).quota.plans"),
      "aside": ["url": aside.url, "label": visit.text(aside.labelKey)],
    ]
    let title: String
    if let limit, limit > 0 {
      title = visit.text("\(namespace).quota.title", count: limit)
      model["lead"] =
        renews.map { visit.text("\(namespace).quota.lead", count: limit, ["renews": visit.format.date($0)]) }
        ?? visit.text("\(namespace).quota.leadWithoutDate")
      model["meter"] = Quota.meter(limit: limit, used: limit, renews: renews, namespace: namespace, visit: visit)
    } else {
      title = visit.text("\(namespace).quota.titleWithout")
      model["lead"] = visit.text("\(namespace).quota.leadWithout")
    }
    return Page("web.quota", title: title, model)
  }

  private func card(_ plan: Plan, _ index: Int, _ visit: Visit) -> [String: any Sendable] {
    var lifts = visit.text("\(namespace).quota.\(plan.isChoice ? "liftsChosen" : "lifts")")
    if let limit = plan.limit { lifts = visit.text("\(namespace).quota.liftsTo", count: limit) }
    return [
      "planName": plan.name(visit.language),
      "price": plan.price(for: visit.language).map(visit.format.money) ?? visit.text("web.quota.priceLater"),
      "period": plan.every.map { visit.text($0 == "year" ? "web.quota.perYear" : "web.quota.perMonth") } ?? "",
      "lifts": lifts,
      "isFirst": index == 0,
    ]
  }

  /// What is left of the month, as the model of `web.meter`.
  /// - Parameter namespace: of the module's texts, like `prep`.
  public static func meter(
    limit: Int, used: Int, renews: CivilDate?, namespace: String, visit: Visit
  ) -> [String: any Sendable] {
    let shown = min(used, limit)
    return [
      "heading": visit.text("\(namespace).quota.heading"),
      "limit": limit, "used": shown, "low": limit * 8 / 10, "high": max(limit - 1, limit * 8 / 10), "isSpent": used >= limit,
      "sentence": visit.text("\(namespace).quota.used", count: limit, ["used": visit.format.number(Int64(shown))]),
      "left": visit.text("\(namespace).quota.left", count: max(0, limit - used)),
      "renewal": renews.map { visit.text("web.quota.renews", ["date": visit.format.date($0)]) } ?? "",
    ]
  }
}

extension Quota.Plan {
  /// Reads a member of the problem's `plans`: name by language, `prices` as decimal amounts with their currency, the
  /// interval, and `limit` or `unlimited`.
  init?(_ document: JSONValue) {
    guard let ko = document["name"]?["ko"]?.string else { return nil }
    name = LocalizedText(ko: ko, en: document["name"]?["en"]?.string)
    every = document["every"]?.string
    limit = document["limit"]?.integer.flatMap(Int.init(exactly:))
    isChoice = document["choice"] == true
    guard case .array(let amounts)? = document["prices"] else {
      prices = []
      return
    }
    prices = amounts.compactMap { price in
      guard let currency = price["currency"]?.string.flatMap(Currency.init), let amount = price["amount"]?.string else {
        return nil
      }
      return Money(decimal: amount, currency)
    }
  }

  /// The price in the currency of the reader's language, or the one there is.
  func price(for language: Language) -> Money? {
    let wanted: Currency = language == .ko ? .krw : .usd
    return prices.first { $0.currency == wanted } ?? prices.first
  }
}

extension Money {
  /// Reads what ``Kit/Money/decimal`` writes: `14.99`, `19900`.
  fileprivate init?(decimal text: String, _ currency: Currency) {
    let halves = text.split(separator: ".", omittingEmptySubsequences: false)
    let fraction = halves.count == 2 ? halves[1] : ""
    guard halves.count <= 2, fraction.count == currency.exponent, let units = Int64(String(halves[0]) + String(fraction)) else {
      return nil
    }
    self.init(units, currency)
  }
}
