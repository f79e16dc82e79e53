public import Kit

extension PlanCatalogue {
  /// Reads the section `plans` of `tenants.yaml`. Mistakes are noted on the document.
  ///
  /// - Parameters:
  ///   - yaml: the document's text, from which it is seen whether `tenants:` is a list or a mapping.
  ///   - tenants: every tenant a plan may name, with its module.
  ///   - features: every feature a module declares, with what people call it.
  public init(
    reading document: ConfigDocument, yaml: String, tenants: [(id: TenantID, module: String)],
    features: [String: LocalizedText]
  ) {
    // A section can't be asked what a value is without a mistake being noted; the mistakes of this copy go nowhere.
    let shapes = try? ConfigDocument(yaml: yaml, file: document.file)
    let reader = PlanReader(tenants: tenants, features: features)
    let stanzas = document.root.stanzas("plans", required: false).compactMap { key, section in
      reader.stanza(key, section, shape: shapes?.root.section("plans", required: false)?.section(key, required: false))
    }
    func by<Value>(_ value: (PlanReader.Stanza) -> Value?) -> [PlanID: Value] {
      Dictionary(stanzas.compactMap { stanza in value(stanza).map { (stanza.plan.id, $0) } }) { first, _ in first }
    }
    self.init(
      plans: stanzas.map(\.plan), withdrawn: Set(stanzas.filter(\.isWithdrawn).map(\.plan.id)),
      earlier: by { $0.earlier.isEmpty ? nil : $0.earlier }, holdersFrom: by(\.holdersFrom), tenants: tenants,
      features: features)
  }
}

private struct PlanReader {
  let tenants: [(id: TenantID, module: String)]
  let features: [String: LocalizedText]

  /// What stands under one plan's key.
  struct Stanza {
    let plan: Plan
    let earlier: [Plan]
    let isWithdrawn: Bool
    let holdersFrom: CivilDate?
  }

  private enum State: String, CaseIterable { case sold, withdrawn }

  func stanza(_ key: String, _ section: ConfigSection, shape: ConfigSection?) -> Stanza? {
    let id = PlanID(key)
    if id == nil {
      section.note(
        "owner", found: "the plan id “\(key)”",
        expected: "a plan id of 2 to 32 lower-case letters, digits and single hyphens, a letter first")
    }
    let owner = owner(section)
    let name = section.has("name") ? section.localized("name") : LocalizedText(ko: key)
    let isFree = !section.has("price")
    let state = section.choice("state", State.self, default: .sold)
    let holdersFrom =
      section.has("holders_from")
      ? section.value("holders_from", "a day, like 2027-03-01") { CivilDate($0) } : nil
    if isFree, section.has("holders_from") {
      section.note("holders_from", expected: "nothing: a plan without price is everyone's, in its newest version")
    }
    let terms = terms(section, shape: shape, owner: owner, isFree: isFree)
    let shapes = shape?.list("earlier", required: false) ?? []
    let earlier = section.list("earlier", required: false).enumerated().map { index, version in
      let name = version.has("name") ? version.localized("name") : name
      if !version.has("price") { version.note("price", expected: "the price this version was sold for") }
      let terms = self.terms(
        version, shape: shapes.indices.contains(index) ? shapes[index] : nil, owner: owner, isFree: isFree)
      return (name, terms)
    }
    if isFree, section.has("earlier") {
      section.note("earlier", expected: "nothing: a plan without price is everyone's, in its newest version")
    }
    guard let id, let owner, let name else { return nil }
    return Stanza(
      plan: terms.plan(id, owner, name), earlier: earlier.map { $1.plan(id, owner, $0 ?? name) },
      isWithdrawn: state == .withdrawn, holdersFrom: holdersFrom)
  }

  /// What a version has of its own.
  private struct Terms {
    let summary: LocalizedText?
    let prices: [Money]
    let yearly: [Money]
    let every: BillingInterval
    let seats: Int
    let proration: ProrationUnit
    let alignment: BillingAlignment
    let grants: [Grant]

    func plan(_ id: PlanID, _ owner: PlanOwner, _ name: LocalizedText) -> Plan {
      Plan(
        id: id, owner: owner, name: name, summary: summary, prices: prices, every: every, yearly: yearly, seats: seats,
        proration: proration, alignment: alignment, grants: grants)
    }
  }

  private func terms(_ section: ConfigSection, shape: ConfigSection?, owner: PlanOwner?, isFree: Bool) -> Terms {
    let summary = section.has("summary") ? section.localized("summary") : nil
    let prices = prices(section, "price")
    let every = isFree ? .month : section.choice("every", BillingInterval.self, default: .month) ?? .month
    let yearly = prices.isEmpty || every == .year ? [] : self.prices(section, "yearly")
    if every == .year, section.has("yearly") {
      section.note("yearly", expected: "nothing: its price is for a year already")
    } else if let missing = prices.first(where: { price in
      section.has("yearly") && !yearly.contains { $0.currency == price.currency }
    }) {
      section.note(
        "yearly", found: "no yearly price in \(missing.currency.rawValue)", expected: "the currencies of its price, all of them")
    } else if let odd = yearly.first(where: { price in !prices.contains { $0.currency == price.currency } }) {
      section.note(
        "yearly", found: "a yearly price in \(odd.currency.rawValue)", expected: "the currencies of its price, no others")
    }
    let seats = section.int("seats", in: 1...100, default: 1) ?? 1
    let proration = section.choice("proration", ProrationUnit.self, default: .day) ?? .day
    let alignment = section.choice("alignment", BillingAlignment.self, default: .anniversary) ?? .anniversary
    if isFree {
      for key in ["every", "yearly", "proration", "alignment"] where section.has(key) {
        section.note(key, expected: "nothing: a plan without price is everyone's")
      }
      if seats > 1 { section.note("seats", expected: "no seats: a plan without price is everyone's") }
    }
    let shapes = shape?.list("grants", required: false) ?? []
    let grants = section.list("grants").enumerated().compactMap { index, grant in
      self.grant(grant, shape: shapes.indices.contains(index) ? shapes[index] : nil, owner: owner, isFree: isFree)
    }
    return Terms(
      summary: summary, prices: prices, yearly: yearly, every: every, seats: seats, proration: proration,
      alignment: alignment, grants: grants)
  }

  private func owner(_ section: ConfigSection) -> PlanOwner? {
    let expected = "city, or one of the tenants \(known)"
    guard let text = section.string("owner", expected) else { return nil }
    if text == "city" { return .city }
    guard let id = TenantID(text), tenants.contains(where: { $0.id == id }) else {
      section.note("owner", expected: expected)
      return nil
    }
    return .tenant(id)
  }

  private func prices(_ section: ConfigSection, _ key: String) -> [Money] {
    guard section.has(key), let price = section.section(key) else { return [] }
    let sold = Currency.allCases.filter { $0 != .points }
    if price.keys.isEmpty { section.note(key, expected: "a price in \(list(sold.map(\.rawValue)))") }
    return price.keys.compactMap { key in
      guard let currency = Currency(rawValue: key), sold.contains(currency) else {
        price.note(key, found: "the currency “\(key)”", expected: "one of \(list(sold.map(\.rawValue)))")
        return nil
      }
      let form = currency.exponent == 0 ? "a whole amount above 0, like 19900" : "an amount above 0, like 14.99"
      return price.value(key, form) { text in
        Money(decimal: text, currency).flatMap { $0.minorUnits > 0 ? $0 : nil }
      }
    }
  }

  private func grant(_ section: ConfigSection, shape: ConfigSection?, owner: PlanOwner?, isFree: Bool) -> Grant? {
    if section.has("choose") { return choice(section, owner: owner, isFree: isFree) }
    let feature = section.string("feature", "one of the features \(list(features.keys.sorted()))")
    if let feature { check(feature, section, "feature") }
    let selection = selection(section, isMapping: shape?.section("tenants", required: false) != nil)
    if case .tenant(let id)? = owner, let selection, selection != .tenants([id]) {
      section.note("tenants", found: "other tenants than its owner", expected: "[\(id)]: a tenant's plan grants its own features")
    }
    guard let quantity = quantity(section), let feature, let selection else { return nil }
    return .feature(feature, at: selection, quantity)
  }

  private func quantity(_ section: ConfigSection) -> Grant.Quantity? {
    if section.has("unlimited") {
      let isUnlimited = section.bool("unlimited")
      if section.has("limit") { section.note("limit", expected: "either a limit or unlimited: true") }
      for key in ["per", "pool"] where section.has(key) {
        section.note(key, expected: "nothing: what is unlimited is not counted")
      }
      if isUnlimited == false { section.note("unlimited", expected: "true, or a limit in its place") }
      return isUnlimited == true ? .unlimited : nil
    }
    guard section.has("limit") else {
      section.note("limit", expected: "a limit, or unlimited: true")
      return nil
    }
    let limit = section.int("limit", in: 1...1_000_000_000)
    _ = section.value("per", "month", default: "month") { $0 == "month" ? $0 : nil }
    let pool = section.choice("pool", Grant.Pool.self, default: .tenant)
    guard let limit, let pool else { return nil }
    return .limited(limit, pool: pool)
  }

  private func selection(_ section: ConfigSection, isMapping: Bool) -> TenantSelection? {
    let modules = Set(tenants.map(\.module)).sorted()
    guard isMapping else { return ids(section, "tenants").map { .tenants($0) } }
    guard let module = section.section("tenants")?.string("module", "one of the modules \(list(modules))") else { return nil }
    guard modules.contains(module) else {
      section.section("tenants")?.note("module", expected: "one of the modules \(list(modules))")
      return nil
    }
    return .module(module)
  }

  private func choice(_ section: ConfigSection, owner: PlanOwner?, isFree: Bool) -> Grant? {
    let tenants = ids(section, "of")
    let features = section.strings("features")
    for feature in features ?? [] { check(feature, section, "features") }
    if features?.isEmpty == true { section.note("features", found: "none", expected: "one feature at least") }
    let count = section.int("choose", in: 1...max(1, (tenants?.count ?? 2) - 1))
    if isFree { section.note("choose", expected: "no choice: a plan without price is everyone's, and nobody is asked") }
    if case .tenant(let id)? = owner {
      section.note(
        "of", found: "a choice of tenants", expected: "features of \(id) only: a tenant's plan grants its own features")
    }
    guard let tenants, let features, let count else { return nil }
    return .choice(count: count, of: tenants, features: features)
  }

  /// A list of tenants that exist, each once.
  private func ids(_ section: ConfigSection, _ key: String) -> [TenantID]? {
    guard section.has(key) else {
      section.note(key, expected: "a list of tenants, or {module: …} for all of a kind")
      return nil
    }
    guard let texts = section.strings(key) else { return nil }
    var ids: [TenantID] = []
    for text in texts {
      guard let id = TenantID(text), tenants.contains(where: { $0.id == id }) else {
        section.note(key, found: "the tenant “\(text)”", expected: "one of \(known)")
        continue
      }
      if ids.contains(id) {
        section.note(key, found: "the tenant “\(text)” twice", expected: "each tenant once")
      } else {
        ids.append(id)
      }
    }
    if texts.isEmpty { section.note(key, found: "an empty list", expected: "one tenant at least") }
    return ids.isEmpty ? nil : ids
  }

  private func check(_ feature: String, _ section: ConfigSection, _ key: String) {
    guard features[feature] == nil else { return }
    section.note(key, found: "the feature “\(feature)”", expected: "one of the features \(list(features.keys.sorted()))")
  }

  private var known: String { list(tenants.map(\.id.text)) }
  private func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}

extension Money {
  /// Reads a decimal figure, `14.99` or `19900`, with no more digits after the point than the currency has.
  init?(decimal text: String, _ currency: Currency) {
    let halves = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let digits = halves.map { $0.utf8.allSatisfy { (48...57).contains($0) } && !$0.isEmpty }
    guard digits.allSatisfy(\.self), let whole = Int64(halves[0]), whole <= 1_000_000_000 else { return nil }
    guard halves.count == 2 else {
      self.init(whole * Money.scale(currency), currency)
      return
    }
    guard halves[1].count <= currency.exponent,
      let fraction = Int64(halves[1] + String(repeating: "0", count: currency.exponent - halves[1].count))
    else { return nil }
    self.init(whole * Money.scale(currency) + fraction, currency)
  }

  private static func scale(_ currency: Currency) -> Int64 {
    (0..<currency.exponent).reduce(1) { scale, _ in scale * 10 }
  }
}
