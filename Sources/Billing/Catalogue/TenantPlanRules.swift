public import Kit

/// What a plan that a tenant's operator writes may be: values in, mistakes out.
public enum TenantPlanRules {
  /// In minor units: a hundred million won, or a million dollars.
  static let highestPrice: Int64 = 100_000_000
  static let longestName = 60
  static let longestSummary = 200

  /// Every mistake of a plan, by field. A tenant's plan grants that tenant's features, at that tenant, for a price.
  public static func mistakes(in plan: Plan, of tenant: TenantID, in catalogue: PlanCatalogue) -> [Problem.Field] {
    var fields: [Problem.Field] = []
    if plan.owner != .tenant(tenant) { fields.append(Problem.Field("owner", "choice", ["allowed": tenant.text])) }
    // One that the file gave her has the name it has.
    let isKnown = catalogue.plan(plan.id)?.owner == .tenant(tenant)
    if !isKnown, !plan.id.text.hasPrefix("\(tenant)-") || catalogue.tenants.contains(where: { $0.id.text == plan.id.text }) {
      fields.append(Problem.Field("id", "type", ["expected": "\(tenant)-…"]))
    }
    fields += text(plan.name.ko, "name.ko", longest: longestName)
    if let en = plan.name.en { fields += text(en, "name.en", longest: longestName) }
    if let summary = plan.summary {
      fields += text(summary.ko, "summary.ko", longest: longestSummary)
      if let en = summary.en { fields += text(en, "summary.en", longest: longestSummary) }
    }
    if plan.prices.isEmpty { fields.append(Problem.Field("price", "required")) }
    fields += prices(plan.prices, "price")
    fields += prices(plan.yearly, "yearly")
    let sold = Set(plan.prices.map(\.currency))
    if !plan.yearly.isEmpty, plan.every == .year || Set(plan.yearly.map(\.currency)) != sold {
      let allowed = plan.every == .year ? "—" : sold.map(\.rawValue).sorted().joined(separator: ", ")
      fields.append(Problem.Field("yearly", "choice", ["allowed": allowed]))
    }
    if !(1...100).contains(plan.seats) { fields.append(Problem.Field("seats", "outOfRange", ["min": "1", "max": "100"])) }
    if plan.grants.isEmpty { fields.append(Problem.Field("grants", "required")) }
    for (index, grant) in plan.grants.enumerated() {
      fields += mistakes(in: grant, "grants[\(index)]", of: tenant, in: catalogue)
    }
    return fields
  }

  /// - Throws: ``Kit/Problem`` `invalid-input` with every mistake.
  public static func check(_ plan: Plan, of tenant: TenantID, in catalogue: PlanCatalogue) throws(Problem) {
    let fields = mistakes(in: plan, of: tenant, in: catalogue)
    if !fields.isEmpty { throw Problem(.invalidInput, fields: fields) }
  }

  private static func text(_ text: String, _ name: String, longest: Int) -> [Problem.Field] {
    if text.trimmed.isEmpty { return [Problem.Field(name, "required")] }
    if text.count > longest {
      return [Problem.Field(name, "tooLong", ["max": "\(longest)", "found": "\(text.count)"])]
    }
    let isPlain = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    return isPlain ? [] : [Problem.Field(name, "controlCharacters")]
  }

  private static func prices(_ prices: [Money], _ name: String) -> [Problem.Field] {
    var fields: [Problem.Field] = []
    for price in prices {
      let field = "\(name).\(price.currency.rawValue)"
      if price.currency == .points {
        let sold = Currency.allCases.filter { $0 != .points }.map(\.rawValue).joined(separator: ", ")
        fields.append(Problem.Field(field, "choice", ["allowed": sold]))
      } else if !(1...highestPrice).contains(price.minorUnits) {
        let (low, high) = (Money(1, price.currency), Money(highestPrice, price.currency))
        fields.append(Problem.Field(field, "outOfRange", ["min": low.decimal, "max": high.decimal]))
      }
    }
    if Set(prices.map(\.currency)).count < prices.count {
      fields.append(Problem.Field(name, "tooMany", ["max": "1", "found": "2"]))
    }
    return fields
  }

  private static func mistakes(
    in grant: Grant, _ name: String, of tenant: TenantID, in catalogue: PlanCatalogue
  ) -> [Problem.Field] {
    guard case .feature(let feature, at: let selection, let quantity) = grant else {
      return [Problem.Field("\(name).choose", "choice", ["allowed": tenant.text])]
    }
    var fields: [Problem.Field] = []
    let features = catalogue.features(of: tenant)
    if !features.contains(feature) {
      fields.append(Problem.Field("\(name).feature", "choice", ["allowed": features.joined(separator: ", ")]))
    }
    if selection != .tenants([tenant]) {
      fields.append(Problem.Field("\(name).tenants", "choice", ["allowed": tenant.text]))
    }
    if case .limited(let limit, _) = quantity, !(1...1_000_000_000).contains(limit) {
      fields.append(Problem.Field("\(name).limit", "outOfRange", ["min": "1", "max": "1000000000"]))
    }
    return fields
  }
}
