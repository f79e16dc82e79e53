import Foundation
import Gateway
import Kit
import Synchronization

/// How many people tenants have now, remembered for some seconds: whoever asks for a place must not cost a count.
final class TenantCounts: Sendable {
  typealias Counts = [RoutingRules.Capacity.Measure: [TenantID: Int]]
  /// Counts the tenants that are asked for; who has none may be missing.
  typealias Source = @Sendable (Set<TenantID>) async throws -> [TenantID: Int]

  private struct Known {
    var counts: [TenantID: Int]
    var until: ContinuousClock.Instant
  }

  private let sources: [RoutingRules.Capacity.Measure: Source]
  private let memory: Duration
  private let known = Mutex<[RoutingRules.Capacity.Measure: Known]>([:])

  init(_ sources: [RoutingRules.Capacity.Measure: Source], memory: Duration = .seconds(15)) {
    self.sources = sources
    self.memory = memory
  }

  /// What can't be counted is missing: then nobody is turned away.
  func now(_ measures: [RoutingRules.Capacity.Measure: Set<TenantID>]) async -> Counts {
    var counts: Counts = [:]
    for (measure, tenants) in measures {
      if let fresh = known.withLock({ $0[measure] }), fresh.until > .now, tenants.isSubset(of: fresh.counts.keys) {
        counts[measure] = fresh.counts
      } else if let source = sources[measure], let found = try? await source(tenants) {
        let all = Dictionary(uniqueKeysWithValues: tenants.map { ($0, found[$0] ?? 0) })
        known.withLock { $0[measure] = Known(counts: all, until: .now + memory) }
        counts[measure] = all
      }
    }
    return counts
  }
}
