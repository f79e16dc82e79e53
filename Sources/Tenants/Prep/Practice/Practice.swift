import Database
import Foundation
import Kit
import TenantKit
import Web

/// Practice at one tenant: serving items, taking answers.
struct Practice: Sendable {
  /// One unit is one item served.
  static let feature = "prep.item"
  /// An item is not given again before this.
  static let rest = Duration.days(60)

  let tenant: Tenant
  let settings: Prep.Settings
  let services: TenantServices
  let store: AttemptStore

  init(tenant: Tenant, settings: Prep.Settings, services: TenantServices) {
    self.tenant = tenant
    self.settings = settings
    self.services = services
    store = AttemptStore(schema: tenant.schema)
  }

  /// Why practice can't go on, for a caller who has words for it.
  enum Refusal: Error, Equatable {
    /// The packages of this tenant hold nothing.
    case noItems
    /// The answer that stands is another one.
    case answeredOtherwise
  }

  struct Served: Sendable {
    let attempt: Attempt
    let item: ContentItem
    /// What she may still have, when it was asked for on the way.
    var allowance: Allowance?
    /// Made by this request or by the one it repeats, not left open from before.
    let isNew: Bool
  }

  // MARK: Topics

  /// Topics of this tenant's packages, by subject.
  func topics() async throws -> [ItemChoice.Topic] {
    try await services.content.topics(packages: settings.packages)
      .filter { settings.subjects?.contains($0.subject) ?? true }
      .map { ItemChoice.Topic(subject: $0.subject, topic: $0.topic, count: $0.count) }
  }

  // MARK: Serving

  /// Serves an item: the one left open, or a new one, for which a unit of her allowance is taken first.
  ///
  /// - Parameters:
  ///   - topic: `nil` for what is due.
  ///   - key: makes a repeated request the same request.
  /// - Throws: ``Kit/Problem`` `quota-exceeded`, `invalid-input` for an unknown topic, `idempotency-key-reused`;
  ///   ``Refusal/noItems``; ``Database/DatabaseError``.
  func serve(_ person: PersonID, topic: String?, key: String?) async throws -> Served {
    let topics = try await topics()
    guard !topics.isEmpty else { throw Refusal.noItems }
    if let topic, !topics.contains(where: { $0.topic == topic }) {
      throw Problem(
        .invalidInput, fields: [.init("topic", "choice", ["allowed": topics.map(\.topic).joined(separator: ", ")])])
    }
    // The key is bound to the attempt's id before anything is taken, so that a repeat takes nothing twice.
    let (store, schema, fresh) = (store, tenant.schema, UUID.v7(at: services.clock.now()))
    let (id, repeated, open) = try await services.database.transaction { transaction in
      let open = try await store.open(of: person, transaction)
      let earlier = try await IdempotentRequest.claim(
        key, person: person, content: "practice \(topic ?? "")", makes: open?.id ?? fresh, schema: schema, in: transaction)
      return (earlier ?? fresh, earlier != nil, open)
    }
    if repeated, let attempt = try await store.find(id, of: person, services.database),
      let item = try await services.content.item(attempt.itemID)
    {
      return Served(attempt: attempt, item: item, isNew: true)
    }
    if let open {
      if let item = try await services.content.item(open.itemID) { return Served(attempt: open, item: item, isNew: false) }
      // The library lost the item. Nobody could answer it, and it would stand in the way for ever.
      let (store, freshness) = (store, services.freshness)
      let isGone = try await services.database.transaction { transaction in
        try freshness.touch(["practice:\(person)"], in: transaction)
        return try await store.discard(open.id, transaction)
      }
      if isGone { await giveBack(person, open.id) }
      return try await serveNew(person, id: fresh, topic: topic, of: topics)
    }
    return try await serveNew(person, id: id, topic: topic, of: topics)
  }

  private func serveNew(_ person: PersonID, id: UUID, topic: String?, of topics: [ItemChoice.Topic]) async throws -> Served {
    let item = try await choose(for: person, topic: topic, of: topics, seed: id)
    let allowance = try await services.entitlements.consume(person, Practice.feature, at: tenant.id, key: id)
    let attempt = Attempt(
      id: id, person: person, itemID: item.id, topic: item.topic, isByTopic: topic != nil, difficulty: item.difficulty,
      served: services.clock.now())
    do {
      let (store, freshness) = (store, services.freshness)
      try await services.database.transaction { transaction in
        try await store.insert(attempt, transaction)
        try freshness.touch(["practice:\(person)"], in: transaction)
      }
      return Served(attempt: attempt, item: item, allowance: allowance, isNew: true)
    } catch {
      // Beside the request: when it was the request's deadline that ended the insert, this must still be done.
      let standing = await Task { await settle(attempt, after: error) }.value
      guard let standing, let item = try await services.content.item(standing.itemID) else { throw error }
      return Served(attempt: standing, item: item, isNew: standing.id == id)
    }
  }

  /// Puts right what an insert that failed has left: gives the unit back unless the attempt is there after all.
  /// - Returns: the attempt that stands instead.
  private func settle(_ attempt: Attempt, after error: any Error) async -> Attempt? {
    do {
      // There it is: a repeat of this request was quicker, or the answer got lost on its way. The unit belongs to it.
      if let made = try await store.find(attempt.id, of: attempt.person, services.database) { return made }
      await giveBack(attempt.person, attempt.id)
      return try await store.open(of: attempt.person, services.database)
    } catch {
      // Nobody knows. If the insert was refused, the unit goes back; if it was cut off, the attempt may be there, and her
      // next request finds it, or takes the unit again under the same key for nothing.
      if case .server? = (error as? DatabaseError)?.kind { await giveBack(attempt.person, attempt.id) }
      return nil
    }
  }

  private func giveBack(_ person: PersonID, _ key: UUID) async {
    // What the caller learns is why there is no item; a unit that can't be given back now changes nothing about that.
    try? await services.entitlements.release(person, key: key)
  }

  private func choose(
    for person: PersonID, topic: String?, of topics: [ItemChoice.Topic], seed: UUID
  ) async throws -> ContentItem {
    let skills = try await store.skills(of: person, services.database)
    let met = try await store.met(by: person, since: services.clock.now() - Practice.rest, services.database)
    var generator = SeededGenerator(seed)
    let wanted = topics.filter { topic == nil || $0.topic == topic }
    let due = ItemChoice.order(wanted, answered: skills.mapValues(\.answered), using: &generator)
    for candidate in due {
      let ability = skills[candidate.topic]?.ability ?? 0
      let items = try await items(candidate, near: ability, excluding: Set(met.keys), limit: 20)
      if let item = ItemChoice.mostInformative(items, at: ability, using: &generator) { return item }
    }
    // She has met all of them lately: the one met longest ago.
    guard let first = due.first else { throw Refusal.noItems }
    let items = try await items(first, near: skills[first.topic]?.ability ?? 0, excluding: [], limit: first.count)
    let last = Instant(microseconds: .min)
    guard let item = items.min(by: { (met[$0.id] ?? last, $0.id) < (met[$1.id] ?? last, $1.id) }) else {
      throw Refusal.noItems
    }
    return item
  }

  private func items(
    _ topic: ItemChoice.Topic, near ability: Double, excluding met: Set<String>, limit: Int
  ) async throws -> [ContentItem] {
    try await services.content.items(
      packages: settings.packages, topic: topic.topic, near: ability, excluding: met, limit: limit
    ).filter { $0.subject == topic.subject }
  }

  // MARK: Answering

  /// An attempt of this person and its item.
  /// - Throws: ``Kit/Problem`` `not-found`.
  func attempt(_ id: UUID, of person: PersonID) async throws -> (Attempt, ContentItem) {
    guard let attempt = try await store.find(id, of: person, services.database),
      let item = try await services.content.item(attempt.itemID)
    else { throw Problem(.notFound) }
    return (attempt, item)
  }

  /// Takes the answer to an item, once. Given again, the same answer has the same result.
  ///
  /// Result, ability and learning record change in one transaction.
  /// - Throws: ``Refusal/answeredOtherwise``; ``Kit/Problem`` `not-found`; ``Database/DatabaseError``.
  func answer(
    _ id: UUID, of person: PersonID, item: ContentItem, with answer: GivenAnswer, name: LocalizedText
  ) async throws
    -> Attempt
  {
    let (store, services) = (store, services)
    return try await services.database.transaction { transaction in
      guard var attempt = try await store.findForUpdate(id, of: person, transaction) else { throw Problem(.notFound) }
      if let result = attempt.result {
        guard GivenAnswer(stored: result.given, for: item) == answer else { throw Refusal.answeredOtherwise }
        return attempt
      }
      let now = services.clock.now()
      let isCorrect = answer.isRight(for: item)
      // Nobody else moves her ability meanwhile: the row of her one open attempt is locked.
      let before = try await store.ability(of: person, topic: attempt.topic, transaction)
      let update = Elo.update(
        ability: before, difficulty: attempt.difficulty, guess: item.guess, correct: isCorrect)
      let result = Attempt.Result(
        answered: now, given: answer.stored, isCorrect: isCorrect, abilityBefore: before, abilityAfter: update.ability)
      try await store.save(result, of: attempt, transaction)
      try services.freshness.touch(["practice:\(person)"], in: transaction)
      try await store.move(
        person, topic: attempt.topic, to: update.ability, isCorrect: isCorrect, at: now, transaction)
      try services.outbox.record(
        Activity(
          id: attempt.id, person: person, verb: "http://adlnet.gov/expapi/verbs/answered",
          objectType: "http://adlnet.gov/expapi/activities/question", objectPath: "/practice/\(attempt.id.text)",
          objectName: name, success: isCorrect, score: isCorrect ? 1 : 0, occurred: now,
          extensions: [
            "item": .string(item.id), "topic": .string(item.topic), "subject": .string(item.subject),
            "difficulty": .number(attempt.difficulty),
          ]),
        in: transaction)
      attempt.result = result
      return attempt
    }
  }

  // MARK: Standing

  struct Standing: Sendable {
    let answeredToday: Int
    let streak: Int
    let skills: [String: Skill]
    let open: Attempt?
    let allowance: Allowance
  }

  /// Where a person stands today.
  func standing(_ person: PersonID) async throws -> Standing {
    let zone = tenant.site.timeZone
    let today = CivilDate(services.clock.now(), in: zone)
    return Standing(
      answeredToday: try await store.countAnswered(by: person, since: today.start(in: zone), services.database),
      streak: Streak.length(try await store.days(of: person, in: zone, limit: 400, services.database), today: today),
      skills: try await store.skills(of: person, services.database),
      open: try await store.open(of: person, services.database),
      allowance: try await services.entitlements.check(person, Practice.feature, at: tenant.id))
  }

  func answeredToday(_ person: PersonID) async throws -> Int {
    let zone = tenant.site.timeZone
    let today = CivilDate(services.clock.now(), in: zone).start(in: zone)
    return try await store.countAnswered(by: person, since: today, services.database)
  }
}
