import Kit
import Logging
import Synchronization
import TenantKit
import Web

/// The flags of the configuration that is followed now. One object for the life of a process: the rules in it are changed.
final class LiveFlags: Sendable {
  private struct State {
    var rules: FlagRules
    /// Names that code asked for and the configuration doesn't have: said once each.
    var unknown: Set<String> = []
  }

  private let state: Mutex<State>
  private let logger: Logger

  init(_ rules: FlagRules, logger: Logger) {
    state = Mutex(State(rules: rules))
    self.logger = logger
  }

  var rules: FlagRules { state.withLock { $0.rules } }

  /// Takes the flags of another configuration: the next question is answered by them.
  func follow(_ rules: FlagRules) {
    state.withLock { state in
      state.rules = rules
      // What is missing still is worth another line in the log.
      state.unknown = []
    }
  }

  /// The flags as a tenant's module asks for them; `nil`: as the city's own pages do.
  func at(_ tenant: TenantID?) -> any FeatureFlags { Place(flags: self, tenant: tenant) }

  func isOn(_ name: String, at tenant: TenantID?, for session: Session?, visitor: String? = nil) -> Bool {
    let (answer, isNews) = state.withLock { state -> (Bool?, Bool) in
      let answer = state.rules.isOn(
        name, at: tenant, roles: session?.roles ?? [], subject: session?.person.description ?? visitor)
      return (answer, answer == nil && state.unknown.insert(name).inserted)
    }
    if isNews { logger.warning("a feature flag is not in the configuration: off", metadata: ["flag": "\(name)"]) }
    return answer ?? false
  }

  private struct Place: FeatureFlags {
    let flags: LiveFlags
    let tenant: TenantID?
    func isOn(_ name: String, for session: Session?, visitor: String?) -> Bool {
      flags.isOn(name, at: tenant, for: session, visitor: visitor)
    }
  }
}
