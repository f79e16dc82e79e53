public import Kit
public import Web

/// Which risky changes are on here, and for whom (R14). The configuration says it, and says it anew without a restart:
/// ask where the change begins, once per request, and don't keep the answer.
public protocol FeatureFlags: Sendable {
  /// Whether a flag is on. One that the configuration doesn't name is off.
  ///
  /// - Parameters:
  ///   - session: who asks; `nil` for a visitor.
  ///   - visitor: what tells one visitor from another, for a share of them. Without it a flag with a share is off for
  ///     visitors, but for 100%.
  func isOn(_ name: String, for session: Session?, visitor: String?) -> Bool
}

extension FeatureFlags {
  public func isOn(_ name: String, for session: Session?) -> Bool { isOn(name, for: session, visitor: nil) }
}

/// For a module that stands alone: every change is off.
public struct EverythingOff: FeatureFlags {
  public init() {}
  public func isOn(_ name: String, for session: Session?, visitor: String?) -> Bool { false }
}

/// Flags that stay as they are: for tests, and for what is made anew with each configuration.
public struct FixedFlags: FeatureFlags {
  private let rules: FlagRules
  private let tenant: TenantID?

  /// - Parameter tenant: where they are asked; `nil` for the city's own pages.
  public init(_ rules: FlagRules, at tenant: TenantID?) {
    self.rules = rules
    self.tenant = tenant
  }

  public func isOn(_ name: String, for session: Session?, visitor: String?) -> Bool {
    rules.isOn(name, at: tenant, roles: session?.roles ?? [], subject: session?.person.description ?? visitor) ?? false
  }
}
