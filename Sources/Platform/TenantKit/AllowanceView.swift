import Kit
public import Web

/// What a person may still have of a feature, for programs.
public struct AllowanceView: Encodable, Sendable {
  let unlimited: Bool
  let limit: Int?
  let used: Int?
  let left: Int?
  let renews: Instant?

  public init(_ allowance: Allowance) {
    switch allowance {
    case .none: (unlimited, limit, used, left, renews) = (false, 0, 0, 0, nil)
    case .unlimited: (unlimited, limit, used, left, renews) = (true, nil, nil, nil, nil)
    case .limited(let limit, let used, let renews):
      (unlimited, self.limit, self.used, left, self.renews) = (false, limit, used, max(0, limit - used), renews)
    }
  }

  public static let shape = Shape.object([
    ("unlimited", .boolean), ("limit?", .integer), ("used?", .integer), ("left?", .integer), ("renews?", .instant),
  ])
}

extension Quota {
  /// What is left of an allowance, as the model of `web.meter`; `nil` where nothing is counted.
  public static func meter(_ allowance: Allowance, namespace: String, visit: Visit) -> [String: any Sendable]? {
    guard case .limited(let limit, let used, let renews) = allowance, limit > 0 else { return nil }
    let day = CivilDate(renews, in: visit.site.timeZone)
    return meter(limit: limit, used: used, renews: day, namespace: namespace, visit: visit)
  }
}
