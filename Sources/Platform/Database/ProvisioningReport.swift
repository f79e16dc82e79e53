/// What provisioning found open and could not close, each with its remedy. Empty where the admin is a superuser and the server
/// is the city's own.
public struct ProvisioningReport: Sendable, Equatable {
  /// Names objects of the server only; safe to log.
  public internal(set) var warnings: [String] = []

  public init() {}

  mutating func note(_ warning: String) {
    if !warnings.contains(warning) { warnings.append(warning) }
  }

  /// Takes in what another report says that this one doesn't.
  public mutating func add(_ other: ProvisioningReport) {
    for warning in other.warnings { note(warning) }
  }
}

/// Why a schema could not be provisioned.
public enum ProvisioningError: Error, Sendable, CustomStringConvertible {
  case extensionMissing(String)
  case notAllowed(user: String, action: String)
  case powerfulRole(String)
  case foreignSchema(schema: Schema, found: String, expected: String)

  public var description: String {
    switch self {
    case .extensionMissing(let name):
      "the PostgreSQL server does not have the extension \(name); it is part of Debian's postgresql package "
        + "(elsewhere: postgresql-contrib)"
    case .notAllowed(let user, let action):
      "the database user \(user) lacks a right (\(action)); expected a superuser, or a role with CREATEROLE that owns the database"
    case .powerfulRole(let name):
      "the role \(name) exists and has rights to the whole server, expected none; rename it or take them away"
    case .foreignSchema(let schema, let found, let expected):
      "the schema \(schema) exists and belongs to \(found), expected \(expected); use another database or remove it"
    }
  }
}
