import Kit

extension EntitlementService {
  /// The refusal of a unit. A program finds figures and plans in its members; a tenant's page makes its own words of them.
  ///
  /// Members: `feature`, `title` by language, `limit`, `used`, `renews` (the civil date), and `plans` that lift it, each
  /// with id, name, prices, interval and `unlimited` or `limit`.
  func quotaExceeded(_ feature: String, at tenant: TenantID, limit: Int, used: Int, in month: UsageMonth) -> Problem {
    let title = catalogue.features[feature] ?? LocalizedText(ko: feature)
    let renews = "\(month.next)"
    return Problem(
      .quotaExceeded,
      // The text of a problem is filled in any language, so it names the feature, which has none.
      ["feature": feature, "limit": "\(limit)", "renews": renews],
      members: [
        "feature": .string(feature), "title": title.json, "limit": .integer(Int64(limit)), "used": .integer(Int64(used)),
        "renews": .string(renews), "plans": .array(plans(lifting: feature, at: tenant).map(\.json)),
      ])
  }
}

extension PlanOffer {
  var json: JSONValue {
    var members: [String: JSONValue] = [
      "id": .string(plan.id.text), "name": plan.name.json, "every": .string(plan.every.rawValue),
      "prices": .array(
        plan.prices.map { ["amount": .string($0.decimal), "currency": .string($0.currency.rawValue)] }),
      "choice": .bool(isChoice),
    ]
    if let limit { members["limit"] = .integer(Int64(limit)) } else { members["unlimited"] = true }
    return .object(members)
  }
}

extension LocalizedText {
  var json: JSONValue { ["ko": .string(ko), "en": .string(self(.en))] }
}
