import Database
public import Foundation
import Jobs
public import Kit
import Synchronization
public import TenantKit

/// Counts as the entitlements of the city do: a key takes one unit however often it comes, a released one takes anew.
public final class CountedEntitlements: Entitlements {
  private let taken = Mutex<[PersonID: Set<UUID>]>([:])
  private let limit: Int
  private let renews: Instant
  private let plans: JSONValue

  public init(limit: Int, zone: TimeZone, plans: JSONValue) {
    self.limit = limit
    self.plans = plans
    renews = CivilDate("2026-12-01")!.start(in: zone)
  }

  public func used(_ person: PersonID) -> Int { taken.withLock { $0[person]?.count ?? 0 } }

  public func check(_ person: PersonID, _ feature: String, at tenant: TenantID) async throws -> Allowance {
    .limited(limit: limit, used: used(person), renews: renews)
  }

  public func consume(_ person: PersonID, _ feature: String, at tenant: TenantID, key: UUID) async throws -> Allowance {
    let used = taken.withLock { taken -> Int? in
      if taken[person]?.contains(key) != true, (taken[person]?.count ?? 0) >= limit { return nil }
      taken[person, default: []].insert(key)
      return taken[person]?.count
    }
    guard let used else {
      throw Problem(
        .quotaExceeded, ["feature": feature, "limit": "\(limit)", "renews": "2026-12-01"],
        members: [
          "feature": .string(feature), "limit": .integer(Int64(limit)), "used": .integer(Int64(limit)), "renews": "2026-12-01",
          "plans": plans,
        ])
    }
    return .limited(limit: limit, used: used, renews: renews)
  }

  public func release(_ person: PersonID, key: UUID) async throws {
    _ = taken.withLock { $0[person]?.remove(key) }
  }
}

/// Writes activities as events, in the transaction.
struct TableOutbox: Outbox {
  let table: OutboxTable

  func emit(_ event: DomainEvent, in transaction: Transaction) throws {
    try table.write(
      Event(id: event.id, type: event.type, tenant: nil, occurred: event.occurred, payload: event.payload), in: transaction)
  }

  func record(_ activity: Activity, in transaction: Transaction) throws {
    let payload: JSONValue = [
      "id": .string(activity.id.text), "person": .string("\(activity.person)"), "verb": .string(activity.verb),
      "objectType": .string(activity.objectType), "objectPath": .string(activity.objectPath),
      "objectName": .string(activity.objectName.ko), "success": activity.success.map { .bool($0) } ?? .null,
      "score": activity.score.map { .number($0) } ?? .null, "extensions": .object(activity.extensions),
    ]
    try table.write(
      Event(id: activity.id, type: "activity.recorded", tenant: nil, occurred: activity.occurred, payload: payload),
      in: transaction)
  }
}

struct Nobody: PeopleDirectory {
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String] { [:] }
}

struct NoPoints: PointsBalances {
  func balance(_ person: PersonID) async throws -> Money { Money(0, .points) }
}
