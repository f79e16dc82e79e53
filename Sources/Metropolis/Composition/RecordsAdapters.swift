import Billing
import Foundation
import Identity
import Kit
import Records

// What billing asks of the record store and of accounts.

/// What revenue is split by, and the statements behind it.
struct RecordsUsage: UsageSource, StatementSource {
  let records: RecordsService

  func usage(
    from: Instant, to: Instant, happenedBefore: Instant, each: @Sendable (PersonID, TenantID, Int) async throws -> Void
  ) async throws {
    try await records.usage(from: from, to: to, happenedBefore: happenedBefore, each: each)
  }

  func statements(
    of people: [PersonID], at tenant: TenantID, stored: Range<Instant>, happenedBefore: Instant, limit: Int
  ) async throws -> [UsedStatement] {
    try await records.statements(of: people, at: tenant, stored: stored, happenedBefore: happenedBefore, limit: limit).map {
      let entry = $0.entry
      return UsedStatement(
        id: entry.id, verb: entry.verb.split(separator: "/").last.map(String.init) ?? entry.verb, object: entry.objectName,
        happened: entry.timestamp, stored: entry.stored)
    }
  }
}

/// What a guardian sees of what a child does.
struct RecordsProgress: FamilyProgress {
  let records: RecordsService

  func progress(of person: PersonID, days: Int) async throws -> FamilyProgressReport {
    let progress = try await records.progress(of: person, days: days)
    return FamilyProgressReport(
      tenants: progress.tenants.compactMap { part in
        TenantID(part.tenant).map {
          FamilyProgressReport.AtTenant(
            tenant: $0, activities: part.activities, answered: part.answered, correct: part.correct,
            lessonsCompleted: part.lessonsCompleted, activeDays: part.activeDays, lastActivity: part.lastActivity)
        }
      }, days: progress.days.map { FamilyProgressReport.OnDay(day: $0.day, activities: $0.activities) })
  }
}

/// The accounts of a family.
struct FamilyAccounts: FamilyPeople {
  let identity: IdentityService

  func names(_ people: Set<PersonID>) async throws -> [PersonID: String] { try await identity.names(people) }

  func children(of guardian: PersonID) async throws -> [FamilyChild] {
    try await identity.dependants(of: guardian).map {
      FamilyChild(person: $0.person, displayName: $0.displayName, signInName: $0.signInName)
    }
  }

  func createChild(
    of guardian: PersonID, displayName: String, signInName: String, password: String
  ) async throws -> PersonID {
    try await identity.createDependant(of: guardian, displayName: displayName, signInName: signInName, password: password)
  }

  func setPassword(_ password: String, of child: PersonID, by guardian: PersonID) async throws {
    try await identity.setPassword(password, ofDependant: child, by: guardian)
  }
}
