import Foundation
import Kit
import Web

extension BillingService {
  private static let pageLength = 20

  /// GET /points: what a person has earned, and for what.
  static let pointsPage = Endpoint<BillingService>.get(
    "/points",
    EndpointRules(
      access: .signedIn,
      operation: Operation(
        "listPoints", "The balance of the person's points, and the entries it comes from, newest first",
        query: [Operation.Parameter("before", "The last entry of the page before", .uuid)], output: PointsView.shape,
        problems: [.invalidInput]))
  ) { billing, visit in
    let person = try visit.requireSession().person
    var before: UUID?
    if let text = visit.query("before") {
      before = UUID(uuidString: text)
      if before == nil { throw Problem(.invalidInput, fields: [Problem.Field("before", "type", ["expected": "uuid"])]) }
    }
    // One more than is shown tells whether there is a next page.
    async let balance = billing.points.balance(person)
    let found = try await billing.points.statement(person, before: before, limit: pageLength + 1)
    let lines = Array(found.prefix(pageLength))
    let view = PointsView(
      balance: try await balance.minorUnits, lines: lines, next: found.count > lines.count ? lines.last?.entry : nil)
    return .page(page(view, lines, visit), json: view)
  }

  private static func page(_ view: PointsView, _ lines: [Ledger.Line], _ visit: Visit) -> Page {
    let sites = Dictionary(visit.cities.tenants.map { ($0.id, $0) }) { first, _ in first }
    let rows = lines.map { line -> [String: any Sendable] in
      let key = "billing.points.entry.\(line.description)"
      let isMore = line.amount.minorUnits > 0
      var row: [String: any Sendable] = [
        "title": visit.text(visit.catalogue.has(key) ? key : "billing.points.entry.other"),
        "amount": (isMore ? "+" : "") + visit.format.money(line.amount), "isMore": isMore,
        "time": visit.format.dateTime(line.occurred), "instant": line.occurred.rfc3339,
      ]
      if let site = line.details["tenant"]?.string.flatMap({ sites[$0] }) {
        row["site"] = ["id": site.id, "name": site.name(visit.language)]
        if let question = line.details["question"]?.string { row["url"] = site.origin.url("/questions/\(question)") }
      }
      return row
    }
    var model: [String: any Sendable] = [
      "balance": visit.format.money(Money(view.balance, .points)), "lines": rows, "isEmpty": rows.isEmpty,
    ]
    if let next = view.next { model["nextURL"] = "/points?before=\(next)" }
    if let town = visit.cities.tenants.first(where: { $0.kind == "town" }) {
      model["town"] = ["name": town.name(visit.language), "url": town.origin.url()]
    }
    return Page("billing.points", title: visit.text("billing.points.title"), model)
  }
}

/// What programs get of a person's points.
struct PointsView: Encodable, Sendable {
  struct Line: Encodable, Sendable {
    let id: String
    let description: String
    /// Negative where points were taken back.
    let amount: Int64
    let occurred: Instant
    let tenant: String?
    let question: String?
    let answer: String?
  }

  let balance: Int64
  let currency = Currency.points.rawValue
  let entries: [Line]
  /// The `before` of the next page.
  let next: String?

  init(balance: Int64, lines: [Ledger.Line], next: UUID?) {
    self.balance = balance
    self.next = next?.text
    entries = lines.map { line in
      Line(
        id: line.entry.text, description: line.description, amount: line.amount.minorUnits, occurred: line.occurred,
        tenant: line.details["tenant"]?.string, question: line.details["question"]?.string,
        answer: line.details["answer"]?.string)
    }
  }

  static let shape = Shape.object([
    ("balance", .integer), ("currency", .choice(["PTS"])), ("next?", .uuid),
    (
      "entries",
      .array(
        .object([
          ("id", .uuid), ("description", .string), ("amount", .integer), ("occurred", .instant), ("tenant?", .string),
          ("question?", .uuid), ("answer?", .uuid),
        ]))
    ),
  ])
}
