import Kit
import TenantKit
import Web

/// The end of an allowance, as the entitlements tell it in the members of their problem.
struct Quota: Sendable {
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

  init(_ problem: Problem) {
    self.problem = problem
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
  func answer(to visit: Visit) throws(Problem) -> Answer {
    guard !visit.wantsJSON else { throw problem }
    return .page(page(visit), status: httpStatus(402))
  }

  private func page(_ visit: Visit) -> Page {
    let words = Wording(visit: visit)
    var model: [String: any Sendable] = ["hasPlans": !plans.isEmpty, "plans": plans.enumerated().map { card($1, $0, words) }]
    let title: String
    if let limit, limit > 0 {
      title = words.count("quota.title", limit)
      model["lead"] =
        renews.map { words.count("quota.lead", limit, ["renews": visit.format.date($0)]) }
        ?? visit.text("prep.quota.leadWithoutDate")
      model["meter"] = Quota.meter(limit: limit, used: limit, renews: renews, visit: visit)
    } else {
      title = visit.text("prep.quota.titleWithout")
      model["lead"] = visit.text("prep.quota.leadWithout")
    }
    return Page("prep.quota", title: title, model)
  }

  private func card(_ plan: Plan, _ index: Int, _ words: Wording) -> [String: any Sendable] {
    let visit = words.visit
    var lifts = visit.text(plan.isChoice ? "prep.quota.liftsChosen" : "prep.quota.lifts")
    if let limit = plan.limit { lifts = words.count("quota.liftsTo", limit) }
    return [
      "planName": plan.name(visit.language),
      "price": plan.price(for: visit.language).map(visit.format.money) ?? visit.text("prep.quota.priceLater"),
      "period": plan.every.map { visit.text($0 == "year" ? "prep.quota.perYear" : "prep.quota.perMonth") } ?? "",
      "lifts": lifts,
      "isFirst": index == 0,
    ]
  }

  /// What is left of the month, as a meter; `nil` where nothing is counted.
  static func meter(_ allowance: Allowance, visit: Visit) -> [String: any Sendable]? {
    guard case .limited(let limit, let used, let renews) = allowance, limit > 0 else { return nil }
    return meter(limit: limit, used: used, renews: CivilDate(renews, in: visit.site.timeZone), visit: visit)
  }

  private static func meter(limit: Int, used: Int, renews: CivilDate?, visit: Visit) -> [String: any Sendable] {
    let words = Wording(visit: visit)
    return [
      "limit": limit, "used": min(used, limit), "low": limit * 8 / 10, "high": max(limit - 1, limit * 8 / 10),
      "isSpent": used >= limit,
      "sentence": words.count("quota.used", limit, ["used": visit.format.number(Int64(min(used, limit)))]),
      "left": words.count("quota.left", max(0, limit - used)),
      "renewal": renews.map { visit.text("prep.quota.renews", ["date": visit.format.date($0)]) } ?? "",
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
