import Foundation
import Kit
import Web

/// Reads a plan as an operator writes it: the fields of a form, or a program's JSON. Mistakes are noted under the names
/// the writer knows.
struct PlanReading: Sendable {
  let tenant: TenantID
  let catalogue: PlanCatalogue
  /// What is changed; `nil` for a new plan. What can't be written here stays as it is there.
  let base: Plan?
  /// What a suffix may be, in the reader's language.
  let expectedID: String
  var input: Input
  /// The writer's name of a field of ``TenantPlanRules``.
  private var names: [String: String] = [:]

  static let currencies: [Currency] = [.krw, .usd]

  init(_ input: Input, base: Plan?, tenant: TenantID, catalogue: PlanCatalogue, expectedID: String) {
    (self.input, self.base, self.tenant, self.catalogue) = (input, base, tenant, catalogue)
    self.expectedID = expectedID
  }

  /// - Throws: ``Kit/Problem`` `invalid-input` with every mistake, those against the rules too.
  mutating func plan(isProgram: Bool) throws(Problem) -> Plan {
    let id = readID(isProgram ? "id" : "suffix", isProgram: isProgram)
    let terms = isProgram ? readJSON() : readForm()
    let plan = Plan(
      // Any will do in place of one that was refused: the plan is not used then.
      id: id ?? PlanID("\(tenant.text.prefix(29))-x") ?? PlanID("xx")!, owner: .tenant(tenant), name: terms.name,
      summary: terms.summary, prices: terms.prices, every: base?.every ?? .month, yearly: terms.yearly, seats: base?.seats ?? 1,
      proration: base?.proration ?? .day, alignment: base?.alignment ?? .anniversary, grants: terms.grants)
    let refused = input.fields.map(\.name)
    for field in TenantPlanRules.mistakes(in: plan, of: tenant, in: catalogue) {
      let name = names[field.name] ?? field.name
      // One mistake of a field is enough, and what has none of its own fields is the fault of those already named.
      if name == "id" || name == "suffix" ? id == nil : refused.contains(where: { $0 == name || $0.hasPrefix("\(name)[") }) {
        continue
      }
      input.refuse(name, field.code, field.arguments)
    }
    try input.check()
    return plan
  }

  private struct Terms {
    var name = LocalizedText(ko: "")
    var summary: LocalizedText?
    var prices: [Money] = []
    var yearly: [Money] = []
    var grants: [Grant] = []
  }

  private mutating func readID(_ name: String, isProgram: Bool) -> PlanID? {
    names["id"] = name
    if let base { return base.id }
    let text = input.text(name, length: 1...32)
    guard !text.isEmpty else { return nil }
    let id = PlanID(isProgram ? text : "\(tenant)-\(text)")
    if id == nil, !input.fields.contains(where: { $0.name == name }) { input.refuse(name, "type", ["expected": expectedID]) }
    return id
  }

  /// Reads `9900`, `9,900` or `14.99` in minor units: exactly, never by way of a binary fraction.
  static func money(_ text: String, _ currency: Currency) -> Money? {
    var digits = text.trimmed.filter { $0 != "," }[...]
    let isNegative = digits.hasPrefix("-") || digits.hasPrefix("−")
    if isNegative { digits = digits.dropFirst() }
    let halves = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let fraction = halves.count > 1 ? halves[1] : ""
    guard let whole = halves.first, !whole.isEmpty, whole.count <= 12, halves.count == 1 || !fraction.isEmpty,
      fraction.count <= currency.exponent, (whole + fraction).utf8.allSatisfy({ (48...57).contains($0) })
    else { return nil }
    let padded = fraction + String(repeating: "0", count: currency.exponent - fraction.count)
    return Int64(whole + padded).map { Money(isNegative ? -$0 : $0, currency) }
  }

  private static func sample(_ currency: Currency) -> String { currency == .usd ? "14.99" : "9900" }

  // MARK: A form

  private mutating func readForm() -> Terms {
    var terms = Terms()
    terms.name = LocalizedText(ko: input.text("name_ko", length: 0...1_000), en: optional("name_en"))
    if input.has("summary_ko") || input.has("summary_en") {
      terms.summary = LocalizedText(ko: input.text("summary_ko", length: 0...1_000), en: optional("summary_en"))
    }
    for (rule, name) in [
      ("name.ko", "name_ko"), ("name.en", "name_en"), ("summary.ko", "summary_ko"), ("summary.en", "summary_en"),
      ("price", "price_krw"), ("yearly", "yearly_krw"),
    ] { names[rule] = name }
    for currency in PlanReading.currencies {
      let code = currency.rawValue.lowercased()
      names["price.\(currency.rawValue)"] = "price_\(code)"
      names["yearly.\(currency.rawValue)"] = "yearly_\(code)"
      if let price = amount("price_\(code)", currency) { terms.prices.append(price) }
      if let price = amount("yearly_\(code)", currency) { terms.yearly.append(price) }
    }
    // Sold by the year in one currency means in each: the missing one is asked for where it is missing.
    if !terms.yearly.isEmpty {
      for currency in PlanReading.currencies {
        let code = currency.rawValue.lowercased()
        let (monthly, yearly) = (input.has("price_\(code)"), input.has("yearly_\(code)"))
        if monthly != yearly { input.refuse(monthly ? "yearly_\(code)" : "price_\(code)", "required") }
      }
      if input.fields.contains(where: { $0.name.hasPrefix("yearly_") || $0.name.hasPrefix("price_") }) {
        names["yearly"] = input.fields.first { $0.name.hasPrefix("yearly_") || $0.name.hasPrefix("price_") }?.name
      }
    }
    for feature in catalogue.features(of: tenant) {
      let index = terms.grants.count
      for part in ["limit", "feature", "tenants", "choose"] { names["grants[\(index)].\(part)"] = "limit.\(feature)" }
      switch input.typed("grant.\(feature)") {
      case "unlimited": terms.grants.append(.feature(feature, at: .tenants([tenant]), .unlimited))
      case "limited":
        if !input.has("limit.\(feature)") { input.refuse("limit.\(feature)", "required") }
        let limit = input.int("limit.\(feature)", in: Int.min...Int.max) ?? 1
        terms.grants.append(.feature(feature, at: .tenants([tenant]), .limited(limit, pool: pool(of: feature))))
      case "", "none": break
      default: input.refuse("grants", "choice", ["allowed": "unlimited, limited, none"])
      }
    }
    return terms
  }

  private mutating func optional(_ name: String) -> String? {
    let text = input.text(name, length: 0...1_000)
    return text.isEmpty ? nil : text
  }

  private mutating func amount(_ name: String, _ currency: Currency) -> Money? {
    guard input.has(name) else { return nil }
    guard let money = PlanReading.money(input.typed(name), currency) else {
      input.refuse(name, "type", ["expected": PlanReading.sample(currency)])
      return nil
    }
    return money
  }

  /// A change of the limit is none of how it is shared.
  private func pool(of feature: String) -> Grant.Pool {
    for grant in base?.grants ?? [] {
      if case .feature(feature, at: _, .limited(_, let pool)) = grant { return pool }
    }
    return .tenant
  }

  // MARK: A program's JSON

  private mutating func readJSON() -> Terms {
    var terms = Terms()
    terms.name = localized("name") ?? LocalizedText(ko: "")
    terms.summary = localized("summary")
    terms.prices = amounts("prices", rule: "price")
    terms.yearly = amounts("yearly", rule: "yearly")
    terms.grants = grants()
    return terms
  }

  private mutating func localized(_ name: String) -> LocalizedText? {
    guard let value = input.values[name], value != .null else { return nil }
    guard case .object(let members) = value, let ko = members["ko"]?.string else {
      input.refuse("\(name).ko", "type", ["expected": "{\"ko\": …, \"en\": …}"])
      return nil
    }
    func plain(_ text: String) -> String { text.trimmed.precomposedStringWithCanonicalMapping }
    return LocalizedText(ko: plain(ko), en: members["en"]?.string.map(plain))
  }

  private mutating func list(_ name: String) -> [JSONValue] {
    guard let value = input.values[name], value != .null else { return [] }
    guard case .array(let values) = value, values.count <= 20 else {
      input.refuse(name, "type", ["expected": "array"])
      return []
    }
    return values
  }

  private mutating func amounts(_ name: String, rule: String) -> [Money] {
    names[rule] = name
    var amounts: [Money] = []
    for (index, value) in list(name).enumerated() {
      let written = value["amount"]?.string ?? value["amount"]?.integer.map { String($0) } ?? ""
      guard let currency = PlanReading.currencies.first(where: { $0.rawValue == value["currency"]?.string }) else {
        let allowed = PlanReading.currencies.map(\.rawValue).joined(separator: ", ")
        input.refuse("\(name)[\(index)].currency", "choice", ["allowed": allowed])
        continue
      }
      names["\(rule).\(currency.rawValue)"] = "\(name)[\(index)].amount"
      guard let money = PlanReading.money(written, currency) else {
        input.refuse("\(name)[\(index)].amount", "type", ["expected": PlanReading.sample(currency)])
        continue
      }
      amounts.append(money)
    }
    return amounts
  }

  private mutating func grants() -> [Grant] {
    var grants: [Grant] = []
    for (index, value) in list("grants").enumerated() {
      var members: [String: JSONValue] = [:]
      if case .object(let found) = value { members = found }
      // It can only be this tenant's, so nobody has to say so.
      if members["tenants"] == nil { members["tenants"] = .array([.string(tenant.text)]) }
      if members["limit"] != nil, members["pool"] == nil { members["pool"] = .string(Grant.Pool.tenant.rawValue) }
      guard members["limit"] != nil || members["unlimited"] == .bool(true) || members["choose"] != nil,
        let data = try? JSONEncoder().encode(JSONValue.object(members)),
        let grant = try? JSONDecoder().decode(Grant.self, from: data)
      else {
        input.refuse(
          "grants[\(index)]", "type", ["expected": "{\"feature\": …, \"unlimited\": true} / {\"feature\": …, \"limit\": 50}"])
        continue
      }
      for part in ["limit", "feature", "tenants", "choose"] {
        names["grants[\(grants.count)].\(part)"] = "grants[\(index)].\(part)"
      }
      grants.append(grant)
    }
    return grants
  }
}
