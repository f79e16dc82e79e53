import Foundation
import Kit
import Logging
import Web

/// How a tenant does: subscribers, revenue, people, use.
extension OperatorConsole {
  static let overviewEndpoints: [Endpoint<OperatorConsole>] = [
    .get(
      "/tenants/{id}",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "tenantOverview", "The numbers of a tenant, for its operator. What can't be read now is absent.",
          output: OverviewView.shape, problems: [.notFound]))
    ) { console, visit in try await console.overview(try console.desk(visit)) }
  ]

  static let daysShown = 30

  private func overview(_ desk: Desk) async throws -> Answer {
    async let counted = numbers(at: desk.tenant)
    let days = await days(desk)
    let numbers = try await counted
    let catalogue = billing.catalogue
    return .page(json: OverviewView(numbers, days: days, tenant: desk.tenant)) {
      Page(
        "billing.operator-overview", title: desk.text("overview.title", ["tenant": desk.name]),
        OverviewModel(numbers: numbers, days: days, catalogue: catalogue, desk: desk).values)
    }
  }

  typealias Day = (day: CivilDate, people: Int, activities: Int)

  /// `nil` when it can't be read: the rest of the page is worth seeing without it.
  private func days(_ desk: Desk) async -> [Day]? {
    guard let figures else { return nil }
    do {
      return try await figures.figures(at: desk.tenant, days: OperatorConsole.daysShown)
    } catch {
      desk.visit.logger.warning("figures of a tenant not read", metadata: ["tenant": "\(desk.tenant)"])
      return nil
    }
  }
}

/// The overview as programs get it.
struct OverviewView: Encodable, Sendable {
  struct Holders: Encodable, Sendable {
    let plan: String
    let version: Int
    let owner: String
    let name: LocalizedText
    let subscribers: Int
  }
  struct Share: Encodable, Sendable {
    /// `YYYY-MM`.
    let month: String
    let amounts: [PlanView.Price]
    let closed: Bool
  }
  struct Day: Encodable, Sendable {
    let day: String
    let people: Int
    let activities: Int
  }
  struct Use: Encodable, Sendable {
    let feature: String
    let units: Int
    let people: Int
  }

  let tenant: String
  let subscribers: Int
  let startedThisMonth: Int
  let endedThisMonth: Int
  let plans: [Holders]
  let revenue: [Share]
  let days: [Day]?
  let usage: [Use]

  init(_ numbers: TenantNumbers, days: [OperatorConsole.Day]?, tenant: TenantID) {
    self.tenant = tenant.text
    subscribers = numbers.subscribers
    startedThisMonth = numbers.started
    endedThisMonth = numbers.ended
    plans = numbers.holders.filter { $0.count > 0 }.map {
      Holders(
        plan: $0.plan.id.text, version: $0.version, owner: $0.plan.owner.text, name: $0.plan.name, subscribers: $0.count)
    }
    revenue = numbers.earned.map { earned in
      Share(
        month: OverviewModel.code(earned.month),
        amounts: earned.amounts.map { PlanView.Price(amount: $0.decimal, currency: $0.currency.rawValue) },
        closed: earned.isClosed)
    }
    self.days = days?.map { Day(day: $0.day.description, people: $0.people, activities: $0.activities) }
    usage = numbers.uses.map { Use(feature: $0.feature, units: $0.units, people: $0.people) }
  }

  static let shape = Shape.object([
    ("tenant", .string), ("subscribers", .integer), ("startedThisMonth", .integer), ("endedThisMonth", .integer),
    (
      "plans",
      .array(
        .object([
          ("plan", .string), ("version", .integer), ("owner", .string), ("name", StoredPlanView.localized),
          ("subscribers", .integer),
        ]))
    ),
    (
      "revenue",
      .array(.object([("month", .string), ("amounts", .array(StoredPlanView.price)), ("closed", .boolean)]))
    ),
    ("days?", .array(.object([("day", .string), ("people", .integer), ("activities", .integer)]))),
    ("usage", .array(.object([("feature", .string), ("units", .integer), ("people", .integer)]))),
  ])
}

/// The overview as people see it.
struct OverviewModel {
  let numbers: TenantNumbers
  let days: [OperatorConsole.Day]?
  let catalogue: PlanCatalogue
  let desk: Desk

  /// `YYYY-MM`.
  static func code(_ month: CivilDate) -> String { String(month.description.prefix(7)) }

  var values: [String: any Sendable] {
    let live = numbers.holders.filter { $0.count > 0 }
    let isSplit = !numbers.earned.isEmpty
    return desk.frame("overview").merging([
      "stats": stats, "holders": live.map(holder), "hasHolders": !live.isEmpty, "charts": activity, "hasCharts": days != nil,
      "revenue": isSplit ? revenue : [], "hasRevenue": isSplit,
      "uses": numbers.uses.map { use -> [String: any Sendable] in
        [
          "feature": catalogue.features[use.feature]?(desk.visit.language) ?? use.feature, "code": use.feature,
          "units": desk.number(use.units), "people": desk.number(use.people),
        ]
      },
      "hasUses": !numbers.uses.isEmpty,
    ]) { $1 }
  }

  private var stats: [[String: any Sendable]] {
    func stat(_ key: String, _ value: String, _ hint: String) -> [String: any Sendable] {
      ["title": desk.text("overview.stat.\(key)"), "value": value, "hint": hint]
    }
    let today = days?.last?.people
    let yesterday = days?.dropLast().last?.people
    return [
      stat("subscribers", desk.number(numbers.subscribers), desk.text("overview.stat.subscribersHint")),
      stat("started", desk.number(numbers.started), desk.text("overview.stat.startedHint")),
      stat("ended", desk.number(numbers.ended), desk.text("overview.stat.endedHint")),
      stat(
        "people", today.map(desk.number) ?? "–",
        yesterday.map { desk.text("overview.stat.peopleHint", ["count": desk.number($0)]) } ?? desk.text("overview.unread")),
    ]
  }

  private func holder(_ holders: TenantNumbers.Holders) -> [String: any Sendable] {
    [
      "name": holders.plan.name(desk.visit.language), "url": desk.path(of: holders.plan.id),
      "version": desk.text("plans.version", ["version": "\(holders.version)"]),
      "owner": desk.text(holders.isOwn ? "plans.ownBadge" : "plans.cityBadge"), "isOwn": holders.isOwn,
      "price": desk.prices(holders.plan.prices), "count": desk.number(holders.count),
    ]
  }

  /// People and activities differ by too much for one axis.
  private var activity: [[String: any Sendable]] {
    guard let days else { return [] }
    let labels = days.map { short($0.day) }
    let format = desk.visit.format
    func chart(_ key: String, _ values: [Int]) -> [String: any Sendable] {
      Chart(
        .bar, title: desk.text("overview.chart.\(key)"), labels: labels,
        series: [Chart.Series(desk.text("overview.chart.\(key)Series"), values.map { Int64($0) })],
        format: { format.number($0) }
      ).model(desk.visit)
    }
    return [["chart": chart("people", days.map(\.people))], ["chart": chart("activities", days.map(\.activities))]]
  }

  /// A chart for each currency: amounts of two don't share an axis.
  private var revenue: [[String: any Sendable]] {
    let format = desk.visit.format
    let order: [Currency] = desk.visit.language == .ko ? [.krw, .usd] : [.usd, .krw]
    let found = Set(numbers.earned.flatMap(\.amounts).map(\.currency))
    let shown = found.isEmpty ? [order[0]] : order.filter(found.contains)
    let labels = numbers.earned.map { earned -> String in
      let month = monthName(earned.month)
      return earned.isClosed ? month : desk.text("overview.open", ["month": month])
    }
    return shown.map { currency in
      let values = numbers.earned.map { earned in
        earned.amounts.first { $0.currency == currency }?.minorUnits ?? 0
      }
      let chart = Chart(
        .bar, title: desk.text("overview.chart.revenue", ["currency": currency.rawValue]), labels: labels,
        series: [Chart.Series(desk.text("overview.chart.revenueSeries"), values)],
        format: { format.money(Money($0, currency)) })
      return ["chart": chart.model(desk.visit)]
    }
  }

  /// `11월 21일`, `21 Nov`: the parts of the whole date without the year.
  private func short(_ day: CivilDate) -> String {
    let parts = desk.visit.format.date(day).split(separator: " ")
    return desk.visit.language == .ko ? parts.dropFirst().joined(separator: " ") : "\(parts[0]) \(parts[1].prefix(3))"
  }

  private func monthName(_ month: CivilDate) -> String {
    let parts = desk.visit.format.date(month).split(separator: " ")
    return desk.visit.language == .ko ? parts.dropLast().joined(separator: " ") : "\(parts[1].prefix(3)) \(parts[2])"
  }
}
