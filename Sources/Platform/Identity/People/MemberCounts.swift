import Database
public import Kit

extension IdentityService {
  /// How many people have a role at each of these tenants. It counts them: ask seldom, and remember the answer.
  public func memberCounts(_ tenants: Set<TenantID>) async throws -> [TenantID: Int] {
    let ids = tenants.map(\.text)
    let rows = try await database.query(
      """
      SELECT tenant, count(DISTINCT person)::int AS people FROM \(schema).membership WHERE tenant = ANY(\(ids)) GROUP BY tenant
      """)
    return try rows.reduce(into: [:]) { counts, row in
      if let tenant = TenantID(try row.get("tenant", as: String.self)) { counts[tenant] = try row.get("people") }
    }
  }
}
