import Foundation
import Kit
import Web

/// Who earned what of a month, account by account, explained down to the statements.
extension FinanceService {
  static let shareEndpoints: [Endpoint<FinanceService>] = [
    .get(
      "/finance/{month}/shares",
      .init(
        access: keepers,
        operation: Operation(
          "listShares", "The accounts of a month with what each tenant earned of them.",
          query: [Operation.Parameter("after", "The last account of the page before.", .uuid)], output: SharesView.shape,
          problems: [.notFound]))
    ) { finance, visit in try await finance.sharesPage(visit) },
    .get(
      "/finance/{month}/shares/{account}",
      .init(
        access: keepers,
        operation: Operation(
          "explainShares", "An account's month: its lines, the rule, the uses by tenant and the first statements behind them.",
          output: ExplainedView.shape, problems: [.notFound]))
    ) { finance, visit in try await finance.explainedPage(visit) },
  ]

  private func sharesPage(_ visit: Visit) async throws -> Answer {
    let month = try visit.bookMonth()
    let report = try await splitting.split(of: month)
    let after = visit.query("after").flatMap { UUID(uuidString: $0) }
    let (accounts, next) = try await shares(of: month, after: after)
    let words = FinanceWords(visit: visit, plans: planNames())
    return .page(json: SharesView(accounts: accounts.map(SharesView.Account.init), next: next?.text)) {
      var model: [String: any Sendable] = [
        "month": month.description, "monthName": words.month(month), "isSplit": report != nil, "isEmpty": accounts.isEmpty,
        "accounts": accounts.map { words.account($0, month) },
        "settles": visit.text("billing.finance.shares.settles", ["day": visit.format.date(month.settlesOn)]),
      ]
      if let next { model["next"] = "/finance/\(month)/shares?after=\(next.text)" }
      if after != nil { model["isFurther"] = true }
      return Page(
        "billing.finance-shares", title: visit.text("billing.finance.shares.title", ["month": words.month(month)]), model)
    }
  }

  private func explainedPage(_ visit: Visit) async throws -> Answer {
    let month = try visit.bookMonth()
    let explained = try await explain(try visit.id("account"), in: month)
    let words = FinanceWords(visit: visit, plans: planNames())
    return .page(json: ExplainedView(explained)) {
      Page(
        "billing.finance-share", title: visit.text("billing.finance.share.title", ["account": words.short(explained.account)]),
        words.explained(explained, month))
    }
  }
}

extension FinanceWords {
  /// Enough of an account's id to tell it from another: the random end.
  func short(_ account: UUID) -> String { String(account.text.suffix(12)) }

  func account(_ shares: AccountShares, _ month: Month) -> [String: any Sendable] {
    [
      "name": short(shares.account), "url": "/finance/\(month)/shares/\(shares.account.text)",
      "plans": shares.plans.map { plan -> [String: any Sendable] in
        [
          "plan": self.plan(plan.plan), "rule": rule(plan.rule), "total": visit.format.money(plan.total),
          "parts": plan.parts.map(part),
        ]
      },
    ]
  }

  func explained(_ shares: ExplainedShares, _ month: Month) -> [String: any Sendable] {
    [
      "month": month.description, "monthName": self.month(month), "account": shares.account.text, "name": short(shares.account),
      "persons": visit.text("billing.finance.share.persons", ["count": "\(shares.persons)"]),
      "until": visit.text("billing.finance.share.until", ["time": visit.format.dateTime(shares.countedUntil)]),
      "lines": shares.lines.map { line -> [String: any Sendable] in
        [
          "number": line.number, "plan": plan(line.plan), "rule": rule(line.rule),
          "why": visit.text("billing.finance.why.\(line.rule.rawValue)"),
          "period": "\(visit.format.date(line.period.start)) – \(visit.format.date(line.period.lastDay))",
          "supply": visit.format.money(line.supply), "earned": visit.format.money(line.earned), "parts": line.parts.map(part),
        ]
      },
      "uses": shares.uses.map { use -> [String: any Sendable] in
        var model: [String: any Sendable] = [
          "tenant": tenant(use.tenant), "id": use.tenant.text, "hasStatements": !use.statements.isEmpty,
          "isNone": use.uses == 0,
          "count": visit.text("billing.finance.uses", ["count": visit.format.number(use.uses)]),
          "statements": use.statements.map { statement -> [String: any Sendable] in
            [
              "object": statement.object(visit.language), "verb": verb(statement.verb),
              "when": visit.format.dateTime(statement.happened), "at": statement.happened.rfc3339,
            ]
          },
        ]
        if use.uses > Int64(use.statements.count), !use.statements.isEmpty {
          model["more"] = visit.text("billing.finance.share.first", ["count": "\(use.statements.count)"])
        }
        return model
      },
    ]
  }

  private func rule(_ rule: ShareRule.Name) -> String { visit.text("billing.finance.rule.\(rule.rawValue)") }

  /// Verbs of other programs stand as they came.
  private func verb(_ slug: String) -> String {
    let known = ["answered", "completed", "asked", "replied", "voted-up", "experienced"]
    return known.contains(slug) ? visit.text("billing.finance.verb.\(slug)") : slug
  }

  private func part(_ part: AccountShares.Part) -> [String: any Sendable] {
    [
      "tenant": tenant(part.tenant), "amount": visit.format.money(part.amount),
      "uses": visit.text("billing.finance.uses", ["count": visit.format.number(part.uses)]),
    ]
  }
}

/// What programs get of a page of shares.
struct SharesView: Encodable, Sendable {
  struct Part: Encodable, Sendable {
    let tenant, earner, amount: String
    let uses: Int64

    init(_ part: AccountShares.Part) {
      (tenant, earner, amount, uses) = (part.tenant.text, part.earner, part.amount.decimal, part.uses)
    }

    static let shape = Shape.object([("tenant", .string), ("earner", .string), ("amount", .string), ("uses", .integer)])
  }
  struct Plan: Encodable, Sendable {
    let plan, rule, currency, amount: String
    let parts: [Part]
  }
  struct Account: Encodable, Sendable {
    let account: String
    let plans: [Plan]

    init(_ shares: AccountShares) {
      account = shares.account.text
      plans = shares.plans.map {
        Plan(
          plan: $0.plan, rule: $0.rule.rawValue, currency: $0.total.currency.rawValue, amount: $0.total.decimal,
          parts: $0.parts.map(Part.init))
      }
    }
  }

  let accounts: [Account]
  let next: String?

  static let shape = Shape.object([
    (
      "accounts",
      .array(
        .object([
          ("account", .uuid),
          (
            "plans",
            .array(
              .object([
                ("plan", .string), ("rule", .choice(ShareRule.Name.allCases.map(\.rawValue))), ("currency", .string),
                ("amount", .string), ("parts", .array(Part.shape)),
              ]))
          ),
        ]))
    ), ("next?", .uuid),
  ])
}

struct ExplainedView: Encodable, Sendable {
  struct Line: Encodable, Sendable {
    let invoice, number, plan, currency, supply, earned, rule: String
    let periodStart: CivilDate
    let periodEnd: CivilDate
    let parts: [SharesView.Part]
  }
  struct Statement: Encodable, Sendable {
    let id, verb, object: String
    let happened: Instant
    let stored: Instant
  }
  struct Use: Encodable, Sendable {
    let tenant: String
    let uses: Int64
    let statements: [Statement]
  }

  let account: String
  let countedUntil: Instant
  let persons: Int
  let lines: [Line]
  let uses: [Use]

  init(_ shares: ExplainedShares) {
    account = shares.account.text
    countedUntil = shares.countedUntil
    persons = shares.persons
    lines = shares.lines.map {
      Line(
        invoice: $0.invoice.text, number: $0.number, plan: $0.plan, currency: $0.supply.currency.rawValue,
        supply: $0.supply.decimal, earned: $0.earned.decimal, rule: $0.rule.rawValue, periodStart: $0.period.start,
        periodEnd: $0.period.end, parts: $0.parts.map(SharesView.Part.init))
    }
    uses = shares.uses.map { use in
      Use(
        tenant: use.tenant.text, uses: use.uses,
        statements: use.statements.map {
          Statement(id: $0.id.text, verb: $0.verb, object: $0.object.ko, happened: $0.happened, stored: $0.stored)
        })
    }
  }

  static let shape = Shape.object([
    ("account", .uuid), ("countedUntil", .instant), ("persons", .integer),
    (
      "lines",
      .array(
        .object([
          ("invoice", .uuid), ("number", .string), ("plan", .string), ("currency", .string), ("supply", .string),
          ("earned", .string), ("rule", .choice(ShareRule.Name.allCases.map(\.rawValue))), ("periodStart", .string),
          ("periodEnd", .string), ("parts", .array(SharesView.Part.shape)),
        ]))
    ),
    (
      "uses",
      .array(
        .object([
          ("tenant", .string), ("uses", .integer),
          (
            "statements",
            .array(
              .object([
                ("id", .uuid), ("verb", .string), ("object", .string), ("happened", .instant), ("stored", .instant),
              ]))
          ),
        ]))
    ),
  ])
}
