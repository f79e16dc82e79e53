public import Kit
import Logging

/// What the account page shows of other services. Each is met in the composition root; one that is absent, fails or takes
/// too long is left out of the page.
public struct AccountPanels: Sendable {
  var subscriptions: (any AccountSubscriptions)?
  var allowances: (any AccountAllowances)?
  var points: (any AccountPoints)?
  var memberships: (any AccountMemberships)?

  public init(
    allowances: (any AccountAllowances)? = nil, points: (any AccountPoints)? = nil,
    memberships: (any AccountMemberships)? = nil, subscriptions: (any AccountSubscriptions)? = nil
  ) {
    self.subscriptions = subscriptions
    self.allowances = allowances
    self.points = points
    self.memberships = memberships
  }
}

/// How much of each metered feature a person has used.
public protocol AccountAllowances: Sendable {
  func allowances(_ person: PersonID) async throws -> [AccountAllowance]
}

public struct AccountAllowance: Sendable {
  /// How people call the feature.
  public let title: LocalizedText
  public let used: Int
  /// `nil`: no limit.
  public let limit: Int?
  public let renews: Instant?
  /// Where it holds.
  public let tenants: [TenantID]

  public init(title: LocalizedText, used: Int, limit: Int?, renews: Instant?, tenants: [TenantID] = []) {
    self.title = title
    self.used = used
    self.limit = limit
    self.renews = renews
    self.tenants = tenants
  }
}

/// What a person's points come to.
public protocol AccountPoints: Sendable {
  func points(_ person: PersonID) async throws -> Money
}

/// Where a person belongs.
public protocol AccountMemberships: Sendable {
  func memberships(_ person: PersonID) async throws -> [AccountMembership]
}

public struct AccountMembership: Sendable {
  public let tenant: TenantID
  public let roles: [String]

  public init(tenant: TenantID, roles: [String]) {
    self.tenant = tenant
    self.roles = roles
  }
}

/// Reads one panel. A failing one costs the reader the panel, never the page.
/// - Returns: `nil` when it failed, was cut off, or isn't there.
func panel<Value: Sendable>(
  _ name: String, logger: Logger, deadline: Duration = .seconds(1), _ read: @escaping @Sendable () async throws -> Value?
) async -> Value? {
  await withTaskGroup(of: Value?.self) { group in
    group.addTask {
      do {
        return try await read()
      } catch {
        if !Task.isCancelled {
          logger.warning("account panel left out", metadata: ["panel": "\(name)", "error": "\(type(of: error))"])
        }
        return nil
      }
    }
    group.addTask {
      guard (try? await Task.sleep(for: deadline)) != nil else { return nil }
      logger.warning("account panel left out", metadata: ["panel": "\(name)", "error": "deadline"])
      return nil
    }
    let first = await group.next() ?? nil
    group.cancelAll()
    return first
  }
}
