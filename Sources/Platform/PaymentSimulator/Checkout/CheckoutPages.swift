import Crypto
import Foundation
import HTTPTypes
import Kit
import Mustache

/// The hosted card page: HTML that works without scripts, in the language the shop asked for.
struct CheckoutPages: Sendable {
  private static let policy =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"

  private let secret: String
  private let library: MustacheLibrary
  private let texts: [Language: JSONValue]

  /// - Throws: for a template or a catalogue that can't be read.
  init(secret: String) throws {
    self.secret = secret
    var library = MustacheLibrary()
    try library.register(Embedded.files["Checkout/checkout.mustache"] ?? "", named: "checkout")
    self.library = library
    var texts: [Language: JSONValue] = [:]
    for language in Language.allCases {
      let file = Embedded.files["texts.\(language.rawValue).json"] ?? ""
      texts[language] = try JSONDecoder().decode(JSONValue.self, from: Data(file.utf8))
    }
    self.texts = texts
  }

  func answer(_ ask: Ask, store: Store, clock: @Sendable () -> Moment) async throws -> Answer {
    if ask.path == "/checkout.css", ask.method == .get {
      let css = Embedded.files["Checkout/checkout.css"] ?? ""
      return Answer(status: 200, headers: [.contentType: "text/css; charset=utf-8"], body: Data(css.utf8))
    }
    let parts = ask.parts
    let known = parts.count > 1 ? try await store.act { $0.checkouts[parts[1]] } : nil
    guard let checkout = known else { return message("unknown", nil, status: 404, language(of: ask)) }
    switch (ask.method, parts.count, parts.last) {
    case (.get, 2, _):
      return show(checkout, at: clock(), prefilled: ask.query["card"])
    case (.post, 2, _):
      guard isOurs(ask, checkout) else { return message("forged", URLText.path(checkout), status: 403, checkout.language) }
      return try await pay(checkout, CardForm(ask.body), store: store, now: clock())
    case (.get, 3, "cancel"):
      // A browser that only looks ahead has not been told to cancel.
      guard !isPrefetch(ask) else { return Answer(status: 503, headers: [.cacheControl: "no-store"], body: Data()) }
      let now = clock()
      let after = try await store.act { $0.cancel(checkout.id, at: now) } ?? checkout
      return .redirect(URLText.back(after, canceled: after.status != .complete))
    default:
      return message("unknown", nil, status: 404, checkout.language)
    }
  }

  private func show(_ checkout: Checkout, at now: Moment, prefilled: String?) -> Answer {
    let status = checkout.status(at: now.milliseconds)
    guard status == .open else {
      return message(status.rawValue, URLText.back(checkout, canceled: status != .complete), status: 200, checkout.language)
    }
    var page = Page()
    if let card = TestCard.allCases.first(where: { $0.textKey == prefilled }) {
      page.number = card.grouped
      page.expiry = "12/\((now.month / 12 + 3) % 100)"
      page.cvc = "123"
    }
    return form(checkout, page, status: 200)
  }

  private func pay(_ checkout: Checkout, _ form: CardForm, store: Store, now: Moment) async throws -> Answer {
    // Paid or closed meanwhile: what was typed doesn't matter any more.
    if checkout.status(at: now.milliseconds) == .complete { return .redirect(URLText.back(checkout, canceled: false)) }
    let card: CardInput.Card
    do {
      card = try form.card.read(in: now.month)
    } catch {
      return self.form(checkout, Page(number: form.card.number, expiry: form.card.expiry, faults: error), status: 422)
    }
    switch try await store.act({ $0.pay(checkout.id, card, attempt: form.attempt, at: now) }) {
    case .done(let paid): return .redirect(URLText.back(paid, canceled: false))
    case .declined(let checkout, let code): return self.form(checkout, Page(declined: code), status: 402)
    case .closed(let closed):
      let status = closed.status(at: now.milliseconds).rawValue
      return message(status, URLText.back(closed, canceled: true), status: 409, closed.language)
    case nil: return message("unknown", nil, status: 404, checkout.language)
    }
  }

  // MARK: Who asks

  private func token(of checkout: Checkout) -> String {
    let code = HMAC<SHA256>.authenticationCode(
      for: Data("checkout form \(checkout.id)".utf8), using: SymmetricKey(data: Data(secret.utf8)))
    return code.prefix(16).hex
  }

  /// Browsers say where a form comes from, and must bring its token; programs know the checkout's secret address.
  private func isOurs(_ ask: Ask, _ checkout: Checkout) -> Bool {
    let token = CardForm(ask.body).token
    let isBrowser = ask.headers[.origin] != nil || HTTPField.Name("Sec-Fetch-Site").map { ask.headers[$0] != nil } ?? false
    return token == self.token(of: checkout) || token == nil && !isBrowser
  }

  private func isPrefetch(_ ask: Ask) -> Bool {
    ["Sec-Purpose", "Purpose"].contains { name in
      HTTPField.Name(name).flatMap { ask.headers[$0] }?.contains("prefetch") ?? false
    }
  }

  private func language(of ask: Ask) -> Language {
    ask.headers[.acceptLanguage].flatMap { Language.best(acceptLanguage: $0, of: Language.allCases) } ?? .ko
  }
}

// Rendering.
extension CheckoutPages {
  /// What the form shows besides the order.
  private struct Page {
    var number = ""
    var expiry = ""
    var cvc = ""
    var faults = CardInput.Faults()
    var declined: String?
  }

  private func words(_ key: String, _ language: Language, _ values: [String: String] = [:]) -> String {
    let value = key.split(separator: ".").reduce(texts[language]) { $0?[String($1)] }
    return values.reduce(value?.string ?? key) { $0.replacing("{\($1.key)}", with: $1.value) }
  }

  private func form(_ checkout: Checkout, _ page: Page, status: Int) -> Answer {
    let language = checkout.language
    let amount = Money(checkout.amount, checkout.currency).written(in: language)
    var model: [String: any Sendable] = [
      "form": true, "description": checkout.description, "amount": amount, "saves": checkout.savesMethod,
      "action": URLText.path(checkout), "csrf": token(of: checkout), "key": newID("try"), "number": page.number,
      "expiry": page.expiry, "cvc": page.cvc, "pay": words("page.pay", language, ["amount": amount]),
      "cards": TestCard.allCases.map { card -> [String: any Sendable] in
        [
          "number": card.grouped, "says": words("cards.\(card.textKey)", language),
          "link": "\(URLText.path(checkout))?card=\(card.textKey)",
          "label": words("cards.use", language, ["number": card.grouped]),
        ]
      },
    ]
    if let code = page.declined { model["declined"] = words("declines.\(code)", language) }
    var list: [[String: any Sendable]] = []
    for (field, code) in [("number", page.faults.number), ("expiry", page.faults.expiry), ("cvc", page.faults.cvc)] {
      guard let code else { continue }
      let text = words("errors.\(code)", language)
      model["\(field)Fault"] = text
      list.append(["field": field, "text": text])
    }
    if !list.isEmpty { model["summary"] = ["faults": list] as [String: any Sendable] }
    return html(model, title: words("page.title", language), language, status: status)
  }

  private func message(_ key: String, _ back: String?, status: Int, _ language: Language) -> Answer {
    let heading = words("closed.\(key)", language)
    var model: [String: any Sendable] = ["closed": true, "heading": heading, "detail": words("closed.\(key)More", language)]
    if let back { model["back"] = back }
    return html(model, title: heading, language, status: status)
  }

  private func html(_ model: [String: any Sendable], title: String, _ language: Language, status: Int) -> Answer {
    var model = model
    model["t"] = ["paymentsimulator": texts[language]?.rendered ?? ""] as [String: any Sendable]
    model["language"] = language.rawValue
    model["title"] = "\(title) · \(words("page.gateway", language))"
    let text = library.render(model, withTemplate: "checkout") ?? ""
    let headers: HTTPFields = [
      .contentType: "text/html; charset=utf-8", .cacheControl: "no-store", .contentSecurityPolicy: Self.policy,
      .xContentTypeOptions: "nosniff",
    ]
    return Answer(status: status, headers: headers, body: Data(text.utf8))
  }
}

/// The posted form.
struct CardForm {
  let card: CardInput
  let token: String?
  /// One form is one attempt, however often it is sent.
  let attempt: String

  init(_ body: Data) {
    var fields: [String: String] = [:]
    for pair in String(decoding: body, as: UTF8.self).split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let text = parts.map { $0.replacing("+", with: " ").removingPercentEncoding ?? "" }
      fields[text[0]] = text.count > 1 ? text[1] : ""
    }
    func field(_ name: String) -> String { String((fields[name] ?? "").prefix(40)).trimmed }
    card = CardInput(number: field("number"), expiry: field("expiry"), cvc: field("cvc"))
    token = fields["_csrf"]
    let key = field("_key")
    attempt = key.isEmpty ? newID("try") : key
  }
}

/// The addresses around a checkout.
enum URLText {
  static func path(_ checkout: Checkout) -> String { "/checkout/\(checkout.id)" }

  /// The shop's address with what it must know.
  static func back(_ checkout: Checkout, canceled: Bool) -> String {
    let parts = checkout.returnURL.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    let separator = parts[0].contains("?") ? "&" : "?"
    let fragment = parts.count > 1 ? "#\(parts[1])" : ""
    return "\(parts[0])\(separator)checkout=\(checkout.id)\(canceled ? "&canceled=1" : "")\(fragment)"
  }
}

extension Money {
  /// As people write it: `19,900원`, `₩19,900`, `$1,014.99`.
  func written(in language: Language) -> String {
    let parts = decimal.split(separator: ".")
    let digits = Array(parts[0])
    var whole = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index).isMultiple(of: 3) { whole += "," }
      whole.append(digit)
    }
    let figure = parts.count > 1 ? "\(whole).\(parts[1])" : whole
    if currency == .usd { return "$\(figure)" }
    return language == .ko ? "\(figure)원" : "₩\(figure)"
  }
}

extension JSONValue {
  /// Nested dictionaries and texts, as templates walk through them.
  fileprivate var rendered: any Sendable {
    switch self {
    case .object(let members): members.mapValues(\.rendered)
    case .string(let text): text
    default: ""
    }
  }
}
