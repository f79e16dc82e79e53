import Documents
import Foundation
import HTTPTypes
import Kit
import Web

/// A payer's invoices: the list, each one as a page, and as a PDF of the same lines.
extension BillingService {
  private static let pageLength = 20

  static let invoiceEndpoints: [Endpoint<BillingService>] = [
    .get(
      "/invoices",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "listInvoices", "The invoices of the account the person pays with, newest first",
          query: [Operation.Parameter("before", "The last invoice of the page before", .uuid)],
          output: .object([("invoices", .array(InvoiceView.shape)), ("next?", .uuid)]), problems: [.invalidInput]))
    ) { billing, visit in try await billing.invoiceList(visit) },
    .get(
      "/invoices/{id}",
      EndpointRules(
        access: .signedIn,
        operation: Operation("invoice", "One invoice with its lines", output: InvoiceView.shape, problems: [.notFound]))
    ) { billing, visit in
      let sheet = try await billing.sheet(visit)
      return .page(
        Page("billing.invoice", title: sheet.title(visit), sheet.model(visit)), json: InvoiceView(sheet.invoice, sheet.lines))
    },
    .get("/invoices/{id}/pdf", EndpointRules(access: .signedIn)) { billing, visit in
      let sheet = try await billing.sheet(visit)
      let pdf = try sheet.document(visit).pdf(created: sheet.invoice.issued?.date ?? sheet.invoice.created.date)
      return .bytes(pdf, contentType: "application/pdf")
        .header(.contentDisposition, "inline; filename=\"\(sheet.invoice.number ?? "invoice").pdf\"")
    },
    .post("/invoices/{id}/pay", EndpointRules(access: .signedIn, limit: "post")) { billing, visit in
      let person = try visit.requireSession().person
      let id = try visit.id()
      return try await billing.refusing(visit) {
        let sheet = try await billing.sheet(visit)
        let payment = try await billing.subscriptions.pay(
          id, by: person, description: sheet.title(visit),
          returnURL: { visit.cities.city.origin.url("/payments/\($0.text)/return") }, language: visit.language)
        if visit.wantsJSON { return .json(PaymentDue(payment), status: .created) }
        return .redirect(payment.checkoutURL ?? "/payments/\(payment.id.text)/return")
      }
    },
  ]

  private func invoiceList(_ visit: Visit) async throws -> Answer {
    let person = try visit.requireSession().person
    var before: UUID?
    if let text = visit.query("before") {
      before = UUID(uuidString: text)
      if before == nil { throw Problem(.invalidInput, fields: [Problem.Field("before", "type", ["expected": "uuid"])]) }
    }
    var found: [Invoice] = []
    if let account = try await subscriptions.account(of: person) {
      found = try await subscriptions.invoices.invoices(
        of: account.id, before: before, limit: BillingService.pageLength + 1, in: database)
    }
    let shown = Array(found.prefix(BillingService.pageLength))
    let next = found.count > shown.count ? shown.last?.id : nil
    let rows = shown.map { invoice -> [String: any Sendable] in
      [
        "url": "/invoices/\(invoice.id.text)", "number": invoice.number ?? "", "amount": visit.format.money(invoice.total),
        "day": invoice.issuedOn.map(visit.format.date) ?? "",
        "state": visit.text("billing.invoice.state.\(invoice.status.rawValue)"),
        "isOpen": invoice.status == .open, "isPaid": invoice.status == .paid,
      ]
    }
    var model: [String: any Sendable] = ["rows": rows, "isEmpty": rows.isEmpty]
    if let next { model["nextURL"] = "/invoices?before=\(next.text)" }
    let page = Page("billing.invoices", title: visit.text("billing.invoice.listTitle"), model)
    return .page(page, json: InvoicesView(invoices: shown.map { InvoiceView($0, []) }, next: next?.text))
  }

  /// The invoice a request is for, if it is hers to see.
  private func sheet(_ visit: Visit) async throws -> InvoiceSheet {
    let person = try visit.requireSession().person
    let id = try visit.id()
    guard let account = try await subscriptions.account(of: person),
      let invoice = try await subscriptions.invoices.invoice(id, in: database), invoice.account == account.id,
      invoice.number != nil
    else { throw Problem(.notFound) }
    var original: Invoice?
    if let corrects = invoice.corrects { original = try await subscriptions.invoices.invoice(corrects, in: database) }
    return InvoiceSheet(
      invoice: invoice, lines: try await subscriptions.invoices.lines(of: invoice, in: database), original: original,
      seller: seller(invoice.entity), buyer: try visit.requireSession().displayName, country: account.country,
      plans: Dictionary(catalogue.plans.map { ($0.id, $0.name) }) { first, _ in first })
  }
}

/// A legal entity as it stands on invoices.
public struct Seller: Hashable, Sendable {
  public let id: String
  public let name: String
  /// ISO 3166-1 alpha-2.
  public let country: String

  public init(id: String, name: String, country: String) {
    self.id = id
    self.name = name
    self.country = country
  }
}

/// All that stands on one invoice; the page and the PDF are drawn from it.
struct InvoiceSheet {
  let invoice: Invoice
  let lines: [InvoiceLine]
  let original: Invoice?
  let seller: Seller?
  let buyer: String
  let country: String
  let plans: [PlanID: LocalizedText]

  func title(_ visit: Visit) -> String {
    visit.text("billing.invoice.\(invoice.kind == .creditNote ? "creditNote" : "title")", ["number": invoice.number ?? ""])
  }

  private func rows(_ visit: Visit) -> [(String, String, String)] {
    lines.map { line in
      let name = plans[line.plan]?(visit.language) ?? line.plan.text
      return (
        visit.text("billing.invoice.line.\(line.kind == .credit ? "credit" : "plan")", ["plan": name]),
        "\(visit.format.date(line.period.start)) – \(visit.format.date(line.period.lastDay))", visit.format.money(line.amount)
      )
    }
  }

  private func totals(_ visit: Visit) -> [(label: String, value: String, strong: Bool)] {
    var totals: [(label: String, value: String, strong: Bool)] = []
    if invoice.split.tax.minorUnits != 0 {
      totals.append((visit.text("billing.invoice.supply"), visit.format.money(invoice.split.supply), false))
      totals.append((visit.text("billing.invoice.tax"), visit.format.money(invoice.split.tax), false))
    }
    totals.append((visit.text("billing.invoice.total"), visit.format.money(invoice.total), true))
    if invoice.credit.minorUnits > 0 {
      totals.append((visit.text("billing.invoice.creditApplied"), visit.format.money(-invoice.credit), false))
    }
    if invoice.kind == .invoice, invoice.total.minorUnits > 0 {
      let key = invoice.status == .paid ? "paidAmount" : "due"
      totals.append((visit.text("billing.invoice.\(key)"), visit.format.money(invoice.payable), true))
    }
    return totals
  }

  private func facts(_ visit: Visit) -> [(String, String)] {
    var facts = [(visit.text("billing.invoice.number"), invoice.number ?? "")]
    if let day = invoice.issuedOn { facts.append((visit.text("billing.invoice.issued"), visit.format.date(day))) }
    if let paid = invoice.paid, invoice.kind == .invoice {
      facts.append((visit.text("billing.invoice.paidOn"), visit.format.date(paid)))
    }
    if let number = original?.number { facts.append((visit.text("billing.invoice.refunds"), number)) }
    facts.append((visit.text("billing.invoice.account"), String(invoice.account.text.suffix(12))))
    return facts
  }

  func model(_ visit: Visit) -> [String: any Sendable] {
    [
      "state": visit.text("billing.invoice.state.\(invoice.status.rawValue)"), "isOpen": invoice.status == .open,
      "isPaid": invoice.status == .paid, "id": invoice.id.text,
      "seller": seller?.name ?? invoice.entity,
      "sellerCountry": seller.map { Countries.name($0.country, visit.language) } ?? "",
      "buyer": buyer, "buyerCountry": Countries.name(country, visit.language),
      "facts": facts(visit).map { ["name": $0.0, "value": $0.1] },
      "lines": rows(visit).map { ["title": $0.0, "period": $0.1, "amount": $0.2] },
      "totals": totals(visit).map { ["label": $0.label, "value": $0.value, "strong": $0.strong] as [String: any Sendable] },
    ]
  }

  func document(_ visit: Visit) -> InvoiceDocument {
    InvoiceDocument(
      // The number stands among the facts and at each foot; the heading needs no second one.
      title: visit.text("billing.invoice.kind.\(invoice.kind == .creditNote ? "creditNote" : "invoice")"),
      seller: [seller?.name ?? invoice.entity, seller.map { Countries.name($0.country, visit.language) } ?? ""],
      buyer: [buyer, Countries.name(country, visit.language)], sellerHeading: visit.text("billing.invoice.seller"),
      buyerHeading: visit.text("billing.invoice.buyer"), facts: facts(visit),
      columns: (
        visit.text("billing.invoice.what"), visit.text("billing.invoice.period"), visit.text("billing.invoice.amount")
      ), lines: rows(visit), totals: totals(visit), notes: [visit.text("billing.invoice.note")], language: visit.language.rawValue
    )
  }
}

private struct InvoicesView: Encodable, Sendable {
  let invoices: [InvoiceView]
  let next: String?
}

/// What programs get of an invoice. Amounts are decimals as they are written.
struct InvoiceView: Encodable, Sendable {
  struct Line: Encodable, Sendable {
    let kind: String
    let plan: String
    let version: Int
    let periodStart: CivilDate
    let periodEnd: CivilDate
    let amount: String
    let supply: String
    let tax: String
  }

  let id: String
  let number: String?
  let kind: String
  let reason: String
  let status: String
  let currency: String
  let total: String
  let supply: String
  let tax: String
  let credit: String
  let payable: String
  let issuedOn: CivilDate?
  let paid: Instant?
  let corrects: String?
  let lines: [Line]

  init(_ invoice: Invoice, _ lines: [InvoiceLine]) {
    id = invoice.id.text
    number = invoice.number
    kind = invoice.kind.rawValue
    reason = invoice.reason.rawValue
    status = invoice.status.rawValue
    currency = invoice.total.currency.rawValue
    total = invoice.total.decimal
    supply = invoice.split.supply.decimal
    tax = invoice.split.tax.decimal
    credit = invoice.credit.decimal
    payable = invoice.payable.decimal
    issuedOn = invoice.issuedOn
    paid = invoice.paid
    corrects = invoice.corrects?.text
    self.lines = lines.map {
      Line(
        kind: $0.kind.rawValue, plan: $0.plan.text, version: $0.version, periodStart: $0.period.start, periodEnd: $0.period.end,
        amount: $0.amount.decimal, supply: $0.split.supply.decimal, tax: $0.split.tax.decimal)
    }
  }

  static let shape = Shape.object([
    ("id", .uuid), ("number?", .string), ("kind", .choice(["invoice", "credit_note"])),
    ("reason", .choice(["start", "renewal", "change", "correction"])), ("status", .choice(["open", "paid", "void"])),
    ("currency", .choice(["KRW", "USD"])), ("total", .string), ("supply", .string), ("tax", .string), ("credit", .string),
    ("payable", .string), ("issuedOn?", .string), ("paid?", .instant), ("corrects?", .uuid),
    (
      "lines",
      .array(
        .object([
          ("kind", .choice(["plan", "credit"])), ("plan", .string), ("version", .integer), ("periodStart", .string),
          ("periodEnd", .string), ("amount", .string), ("supply", .string), ("tax", .string),
        ]))
    ),
  ])
}
