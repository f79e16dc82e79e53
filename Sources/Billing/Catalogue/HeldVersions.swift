import Kit
import Synchronization

/// Versions that were read before. They never change, so they are kept until there are too many.
final class HeldVersions: Sendable {
  private struct Key: Hashable {
    let plan: PlanID
    let version: Int
  }

  private static let capacity = 1_000
  private let plans = Mutex<[Key: Plan]>([:])

  func plan(_ id: PlanID, _ version: Int) -> Plan? { plans.withLock { $0[Key(plan: id, version: version)] } }

  func keep(_ plan: Plan, _ version: Int) {
    plans.withLock { plans in
      // A city has a few dozen versions. More than this is an attack or a mistake, and beginning anew costs little.
      if plans.count >= HeldVersions.capacity { plans.removeAll(keepingCapacity: true) }
      plans[Key(plan: plan.id, version: version)] = plan
    }
  }
}
