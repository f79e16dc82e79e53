import Kit
import Synchronization

/// What persons hold, kept for a moment so that a check needs no query: their grants, and what these come to where they asked.
///
/// What was read before a person's subscription changed here is not kept. When another node changed one, all are forgotten
/// (``BillingService/run(failed:)``); should that word be lost, the moment is over soon.
final class Holdings: Sendable {
  private struct Place: Hashable {
    let feature: String
    let tenant: TenantID
  }

  private struct Known {
    let grants: GrantSet
    /// The catalogue it was resolved against: another one, and all is resolved anew.
    let snapshot: LiveCatalogue.Snapshot
    var resolved: [Place: GrantSet.Entitlement]
    let until: ContinuousClock.Instant
  }

  private struct State {
    var known: [PersonID: Known] = [:]
    /// Counted up by each change; what was read before the last one is not kept.
    var changes: [PersonID: UInt64] = [:]
    var lastChange: UInt64 = 0
    var forgotten: UInt64 = 0
  }

  private let state = Mutex(State())
  private let lifetime: Duration
  private let capacity: Int

  init(lifetime: Duration = .seconds(5), capacity: Int = 50_000) {
    self.lifetime = lifetime
    self.capacity = capacity
  }

  /// What holds for a feature at a tenant, if the person's grants are known.
  func entitlement(
    _ person: PersonID, _ feature: String, at tenant: TenantID, in snapshot: LiveCatalogue.Snapshot,
    now: ContinuousClock.Instant = .now
  ) -> GrantSet.Entitlement? {
    state.withLock { state in
      guard let known = state.known[person], known.until > now, known.snapshot === snapshot else { return nil }
      let place = Place(feature: feature, tenant: tenant)
      if let resolved = known.resolved[place] { return resolved }
      let entitlement = known.grants.entitlement(to: feature, at: tenant, in: snapshot.catalogue)
      state.known[person]?.resolved[place] = entitlement
      return entitlement
    }
  }

  /// To be asked for before the query whose answer is to be kept.
  func lastChange(of person: PersonID) -> UInt64 { state.withLock { $0.changes[person] ?? $0.forgotten } }

  func keep(_ grants: GrantSet, of person: PersonID, in snapshot: LiveCatalogue.Snapshot, readAfter change: UInt64) {
    state.withLock { state in
      guard (state.changes[person] ?? state.forgotten) == change else { return }
      if state.known.count >= capacity { state.known = [:] }
      state.known[person] = Known(grants: grants, snapshot: snapshot, resolved: [:], until: .now + lifetime)
    }
  }

  /// Somebody's is another now, on another node.
  func forget() {
    state.withLock { state in
      state.known = [:]
      state.changes = [:]
      state.lastChange += 1
      state.forgotten = state.lastChange
    }
  }

  /// Their subscription, or their seat, is another now.
  func changed(_ persons: [PersonID]) {
    state.withLock { state in
      if state.changes.count >= capacity {
        state.changes = [:]
        state.lastChange += 1
        state.forgotten = state.lastChange
      }
      state.lastChange += 1
      for person in persons {
        state.known[person] = nil
        state.changes[person] = state.lastChange
      }
    }
  }
}
