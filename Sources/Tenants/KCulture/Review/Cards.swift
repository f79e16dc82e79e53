import Database
import Foundation
import Kit
import TenantKit
import Web

/// Cards at one tenant: what is due, and when a card comes back.
struct Cards: Sendable {
  let tenant: Tenant
  let services: TenantServices
  let store: CardStore

  init(tenant: Tenant, services: TenantServices) {
    self.tenant = tenant
    self.services = services
    store = CardStore(schema: tenant.schema)
  }

  /// Why a card can't be graded, for a caller who has words for it.
  enum Refusal: Error, Equatable {
    /// It is not due, or was graded meanwhile: on another device, or by the first of two clicks.
    case notDue
  }

  /// When a card comes back after each answer that could be given now.
  struct Prospect: Sendable {
    let recall: Recall
    let memory: Memory
    /// Whole days of the calendar.
    let days: Int
  }

  /// What each answer would make of a card.
  func prospects(_ card: Card, at now: Instant) -> [Prospect] { Recall.allCases.map { prospect(card, $0, at: now) } }

  private func prospect(_ card: Card, _ recall: Recall, at now: Instant) -> Prospect {
    let memory = MemoryModel.standard.review(card.memory, recall, elapsedDays: Double(elapsedDays(card, at: now)))
    return Prospect(recall: recall, memory: memory, days: max(1, MemoryModel.standard.interval(memory)))
  }

  /// Days of the tenant's calendar since the last review. By the calendar, not by hours: who learns at nine each evening is
  /// not told at eight that there is nothing to do.
  private func elapsedDays(_ card: Card, at now: Instant) -> Int {
    guard let reviewed = card.reviewed else { return 0 }
    return max(0, day(now).daysSinceEpoch - day(reviewed).daysSinceEpoch)
  }

  private func day(_ instant: Instant) -> CivilDate { CivilDate(instant, in: tenant.site.timeZone) }

  func counts(of person: PersonID) async throws -> CardCounts {
    let now = services.clock.now()
    return try await store.counts(
      of: person, at: now, today: day(now).start(in: tenant.site.timeZone), services.database)
  }

  func due(to person: PersonID, limit: Int) async throws -> [Card] {
    try await store.due(to: person, at: services.clock.now(), limit: limit, services.database)
  }

  /// - Throws: ``Kit/Problem`` `not-found`.
  func card(_ id: UUID, of person: PersonID) async throws -> Card {
    guard let card = try await store.find(id, of: person, services.database) else { throw Problem(.notFound) }
    return card
  }

  /// Takes how well a card was remembered, once for each time it is due. Schedule and learning record change in one transaction.
  ///
  /// - Parameter review: which review of the card this is, from 1: sent again, the same has the same result.
  /// - Throws: ``Refusal/notDue``; ``Kit/Problem`` `not-found`; ``Database/DatabaseError``.
  func grade(
    _ id: UUID, of person: PersonID, _ recall: Recall, review: Int?, name: @escaping @Sendable (Card) -> LocalizedText
  ) async throws -> Card {
    let (store, services) = (store, services)
    return try await services.database.transaction { transaction in
      guard var card = try await store.findForUpdate(id, of: person, transaction) else { throw Problem(.notFound) }
      let now = services.clock.now()
      if let review, review != card.reviews + 1 {
        guard review == card.reviews, try await store.recall(review, of: id, transaction) == recall else {
          throw Refusal.notDue
        }
        return card
      }
      guard card.due <= now else { throw Refusal.notDue }
      let prospect = prospect(card, recall, at: now)
      let elapsed = elapsedDays(card, at: now)
      let zone = tenant.site.timeZone
      card.stability = prospect.memory.stability
      card.difficulty = prospect.memory.difficulty
      card.reviews += 1
      card.reviewed = now
      card.due = CivilDate(daysSinceEpoch: day(now).daysSinceEpoch + prospect.days).start(in: zone)
      try await store.save(card, prospect.memory, transaction)
      try await store.log(
        card, recall, prospect.memory, elapsed: elapsed, interval: prospect.days, at: now, transaction)
      try services.outbox.record(
        Activity(
          id: UUID.v7(at: now), person: person, verb: "http://adlnet.gov/expapi/verbs/answered",
          objectType: "https://w3id.org/xapi/flashcards/activity-types/flashcard", objectPath: "/cards/\(id.text)",
          objectName: name(card), success: recall != .again, occurred: now,
          extensions: [
            "face": .string(card.face), "step": .string(card.step), "recall": .integer(Int64(recall.rawValue)),
            "review": .integer(Int64(card.reviews)), "intervalDays": .integer(Int64(prospect.days)),
            "stability": .number(prospect.memory.stability), "difficulty": .number(prospect.memory.difficulty),
          ]),
        in: transaction)
      return card
    }
  }
}
