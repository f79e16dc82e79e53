public import Kit

/// What billing doesn't know of a tenant and its operator wants to see: who is active there. The record store knows.
public protocol TenantFigures: Sendable {
  /// The last days, today included, the oldest first; a day without activity is there with zeros.
  func figures(at tenant: TenantID, days: Int) async throws -> [(day: CivilDate, people: Int, activities: Int)]
}
