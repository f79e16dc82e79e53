public import Kit

/// One thing that a rule asks of a traveller.
public enum RoutingCondition: Hashable, Sendable {
  case age(Comparison, Int)
  /// One of these.
  case goal([Goal])
  /// One of these majors; any at all when there is none.
  case major([String])
  case interest([String])
  /// She reads one of these.
  case language([String])
  /// The point is in this tenant's area.
  case place(TenantID)
  /// The point is in this tenant's area or at most so many kilometres from it.
  case near(TenantID, kilometres: Double)

  public enum Comparison: String, Hashable, Sendable, CaseIterable {
    case less = "<"
    case atMost = "<="
    case more = ">"
    case atLeast = ">="
    case exactly = "="

    func holds(_ found: Int, _ bound: Int) -> Bool {
      switch self {
      case .less: found < bound
      case .atMost: found <= bound
      case .more: found > bound
      case .atLeast: found >= bound
      case .exactly: found == bound
      }
    }
  }

  /// Whether it holds; `nil` when the traveller did not tell what it asks.
  func holds(for traveller: Traveller, areas: [TenantID: GeographicArea]) -> Bool? {
    switch self {
    case .age(let comparison, let bound): traveller.age.map { comparison.holds($0, bound) }
    case .goal(let goals): goals.contains(traveller.effectiveGoal)
    case .major(let majors): traveller.major.map { majors.isEmpty || RoutingCondition.names($0, oneOf: majors) }
    case .interest(let interests): traveller.interest.map { RoutingCondition.names($0, oneOf: interests) }
    case .language(let codes): traveller.languages.isEmpty ? nil : !traveller.languages.isDisjoint(with: codes)
    case .place(let tenant): traveller.point.map { areas[tenant]?.contains($0) ?? false }
    case .near(let tenant, let kilometres):
      traveller.point.map { point in areas[tenant].map { $0.distance(to: point) <= kilometres } ?? false }
    }
  }

  private static func names(_ word: String, oneOf words: [String]) -> Bool {
    let word = word.trimmed.lowercased()
    return words.contains { $0.lowercased() == word }
  }
}
