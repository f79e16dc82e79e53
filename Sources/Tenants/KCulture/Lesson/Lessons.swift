import Database
import Foundation
import Kit
import TenantKit

/// Lessons at one tenant: opening steps, going through their exercises.
struct Lessons: Sendable {
  /// One unit is one step opened.
  static let feature = "kculture.lesson"

  let tenant: Tenant
  let services: TenantServices
  let store: LessonStore
  private let cards: CardStore

  init(tenant: Tenant, services: TenantServices, cards: CardStore) {
    self.tenant = tenant
    self.services = services
    self.cards = cards
    store = LessonStore(schema: tenant.schema)
  }

  /// Why a lesson can't go on, for a caller who has words for it.
  enum Refusal: Error, Equatable {
    /// The answer that stands is another one.
    case answeredOtherwise
  }

  struct Started: Sendable {
    let lesson: Lesson
    /// What she may still have, when it was asked for on the way.
    var allowance: Allowance?
    /// The step was opened by this request.
    let isOpened: Bool
    /// The lesson was begun by this request, not left open from before.
    let isNew: Bool
  }

  // MARK: Opening and beginning

  /// Begins a lesson, or goes on with the one left open. A step that is new to her takes a unit of her allowance first.
  ///
  /// - Throws: ``Kit/Problem`` `quota-exceeded`; ``Database/DatabaseError``.
  func start(_ step: Step, by person: PersonID) async throws -> Started {
    let now = services.clock.now()
    let opening = try await store.claim(step.id, by: person, id: UUID.v7(at: now), at: now, services.database)
    var allowance: Allowance?
    if !opening.isOpen {
      // The opening's id is hers before anything is taken: whoever asks twice, or at once on two devices, takes one unit.
      allowance = try await services.entitlements.consume(person, Lessons.feature, at: tenant.id, key: opening.id)
      do {
        try await store.open(opening.id, at: now, services.database)
      } catch {
        // Beside the request: when it was the request's deadline that ended the update, this must still be done.
        let isOpen = await Task { await settle(step, person, opening.id) }.value
        guard isOpen else { throw error }
      }
    }
    let (lesson, isNew) = try await store.start(
      step.id, by: person, id: UUID.v7(at: now), at: now, services.database)
    return Started(lesson: lesson, allowance: allowance, isOpened: !opening.isOpen, isNew: isNew)
  }

  /// Puts right what an opening that failed has left: gives the unit back unless the step is open after all.
  private func settle(_ step: Step, _ person: PersonID, _ key: UUID) async -> Bool {
    do {
      if try await store.isOpen(step.id, to: person, services.database) { return true }
      try await services.entitlements.release(person, key: key)
    } catch {
      // Nobody knows. Her next request finds the step open, or takes the unit again under the same key for nothing.
    }
    return false
  }

  // MARK: Answering

  /// - Throws: ``Kit/Problem`` `not-found`.
  func lesson(_ id: UUID, of person: PersonID) async throws -> Lesson {
    guard let lesson = try await store.find(id, of: person, services.database) else { throw Problem(.notFound) }
    return lesson
  }

  /// Takes the answer to an exercise, once. Given again, the same answer has the same result. The last one completes the lesson:
  /// answer, result, new cards and learning record change in one transaction.
  ///
  /// - Throws: ``Refusal/answeredOtherwise``; ``Kit/Problem`` `not-found`; ``Database/DatabaseError``.
  func answer(
    _ id: UUID, of person: PersonID, step: Step, exercise: Exercise, with answer: GivenAnswer, name: LocalizedText
  ) async throws -> Lesson {
    let (store, cards, services) = (store, cards, services)
    return try await services.database.transaction { transaction in
      guard var lesson = try await store.findForUpdate(id, of: person, transaction) else { throw Problem(.notFound) }
      if let earlier = lesson.answers[exercise.number] {
        guard GivenAnswer(stored: earlier.given) == answer else { throw Refusal.answeredOtherwise }
        return lesson
      }
      let now = services.clock.now()
      let given = Lesson.Given(
        given: answer.stored, isCorrect: answer.stored.map { exercise.isRight($0) } ?? false, answered: now)
      try await store.save(given, to: exercise.number, of: id, transaction)
      lesson.answers[exercise.number] = given
      try services.outbox.record(
        Activity(
          id: UUID.v7(at: now), person: person, verb: "http://adlnet.gov/expapi/verbs/answered",
          objectType: "http://adlnet.gov/expapi/activities/question",
          objectPath: "/lessons/\(id.text)/exercises/\(exercise.number)", objectName: name, success: given.isCorrect,
          score: given.isCorrect ? 1 : 0, occurred: now,
          extensions: [
            "step": .string(step.id), "unit": .string(step.unit), "exercise": .integer(Int64(exercise.number)),
            "kind": .string(exercise.kind.rawValue),
          ]),
        in: transaction)
      guard lesson.result == nil, lesson.next(of: step) == nil else { return lesson }

      let added = try await cards.add(step, to: person, at: now, transaction)
      let asked = step.exercises.compactMap { lesson.answers[$0.number] }
      let result = Lesson.Result(
        completed: now, correct: asked.count(where: \.isCorrect), total: asked.count, added: added)
      try await store.complete(id, result, transaction)
      try services.outbox.record(
        Activity(
          id: id, person: person, verb: "http://adlnet.gov/expapi/verbs/completed",
          objectType: "http://adlnet.gov/expapi/activities/lesson", objectPath: "/steps/\(step.id)", objectName: step.title,
          score: result.score, occurred: now,
          extensions: [
            "step": .string(step.id), "unit": .string(step.unit), "correct": .integer(Int64(result.correct)),
            "total": .integer(Int64(result.total)), "cards": .integer(Int64(added)),
          ]),
        in: transaction)
      lesson.result = result
      return lesson
    }
  }
}
