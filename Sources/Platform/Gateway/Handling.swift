import Database
import HTTPTypes
import HummingbirdCore
import Kit
import Synchronization
import Web

/// One request on its way, and where to.
struct Work: Sendable {
  let arrival: Arrival
  let destination: Destination
  let directory: HostDirectory
  /// Instead of the route's.
  let deadline: Duration?
}

extension Gateway {
  /// A request that found its host: its route decides how much it matters, how long it may take and whether its answer is kept.
  func attend(_ work: Work, network: String) async -> Outcome {
    let (arrival, destination) = (work.arrival, work.destination)
    let router = destination.router
    if let asset = router.asset(arrival) { return asset }
    guard let match = router.match(arrival) else {
      return await shared.watch.run(for: settings.deadline) { await router.noRoute(arrival) }
    }
    let priority = priority(of: match, arrival)
    if case .shed(let seconds) = shared.shedding.withLock({ $0.begin(priority) }) {
      shared.counters.shed.withLock { $0["\(priority)", default: 0] += 1 }
      return router.refuse(Problem(.unavailable, retryAfter: seconds), arrival: arrival)
    }
    defer { shared.shedding.withLock { $0.end() } }
    let pass: CircuitBreaker.Pass
    switch shared.breaker.pass(database: destination.database, site: destination.site.id, now: arrival.now) {
    case .free(let free): pass = free
    case .refused(let seconds):
      shared.counters.refused.wrappingAdd(1, ordering: .relaxed)
      return router.refuse(Problem(.unavailable, retryAfter: seconds), arrival: arrival)
    }
    let deadline = work.deadline ?? match.rules.deadline ?? settings.deadline
    let outcome = await Network.$name.withValue(network) {
      await shared.watch.run(for: deadline) { await handle(match, work) }
    }
    if outcome.problem == .deadlineExceeded { shared.counters.deadlines.wrappingAdd(1, ordering: .relaxed) }
    let directory = work.directory
    shared.breaker.note(
      pass, verdict(outcome), sites: directory.sites[destination.database] ?? 1, databases: directory.sites.count,
      now: clock.now())
    return outcome
  }

  /// What an outcome says about the database.
  private func verdict(_ outcome: Outcome) -> CircuitBreaker.Verdict {
    if outcome.isKept { return .none }
    if let error = outcome.error as? DatabaseError {
      if error.isUnavailable || error.kind == .timeout || outcome.problem == .deadlineExceeded { return .failure }
      return .success
    }
    guard let problem = outcome.problem else { return .success }
    // Others are told before the database is asked, or say nothing about it.
    return [.notFound, .forbidden, .conflict, .invalidInput, .quotaExceeded].contains(problem) ? .success : .none
  }

  /// What people have begun goes first; who is not known and only looks goes last.
  private func priority(of match: RouteMatch, _ arrival: Arrival) -> Priority {
    let own = match.rules.priority
    guard own == .normal else { return own }
    if arrival.site.id == arrival.cities.issuer.id || !match.isSafe { return .high }
    let isUrgent = ["/signin", "/signout", "/payments", "/invoices", "/subscri"].contains { match.pattern.hasPrefix($0) }
    if isUrgent { return .high }
    let headers = arrival.request.headers
    let isKnown = headers[.authorization] != nil || headers[.cookie]?.utf8.holds("session=") ?? false
    return isKnown ? .normal : .low
  }

  /// Within the deadline: the route's checks, then the answer; a read again when its connection failed.
  private func handle(_ match: RouteMatch, _ work: Work) async -> Outcome {
    let router = work.destination.router
    var tries = 1
    while true {
      switch await router.enter(match, work.arrival) {
      case .refused(let outcome):
        guard await goesOn(after: outcome, match, &tries) else { return outcome }
      case .entered(let visit, let session):
        return await answer(match, visit, session, work, &tries)
      }
    }
  }

  private func make(_ match: RouteMatch, _ visit: Visit, _ work: Work, _ tries: inout Int) async -> Outcome {
    let router = work.destination.router
    var visit = visit
    while true {
      let outcome = await router.answer(match, visit, owner: work.destination.owner)
      guard await goesOn(after: outcome, match, &tries) else { return outcome }
      visit = visit.anew()
    }
  }

  private func goesOn(after outcome: Outcome, _ match: RouteMatch, _ tries: inout Int) async -> Bool {
    guard match.isSafe, tries < settings.readTries, Gateway.isWorthAnother(outcome.error, isSafe: true), !Task.isCancelled
    else { return false }
    shared.counters.retries.wrappingAdd(1, ordering: .relaxed)
    // Scattered, so that those who lost one connection don't come back at once.
    try? await Task.sleep(for: .milliseconds(Double(tries) * .random(in: 20...60)))
    tries += 1
    return !Task.isCancelled
  }

  // MARK: Kept answers

  private func answer(
    _ match: RouteMatch, _ visit: Visit, _ session: Session?, _ work: Work, _ tries: inout Int
  ) async -> Outcome {
    let (arrival, destination, cache) = (work.arrival, work.destination, shared.cache)
    guard let caching = match.rules.cache, match.isSafe, settings.keepsAnswers(arrival.site, session),
      let kept = destination.router.keptAs(arrival.request.head, session: session, on: arrival.site)
    else { return await make(match, visit, work, &tries) }
    let generation = work.directory.generation
    if let entry = cache.find(generation, arrival.site.id, kept, session: session) {
      return Outcome(kept: entry.answer, route: entry.route, requestID: arrival.requestID)
    }
    let isPersonal = caching.sharing == .person || cache.isPersonal("\(arrival.site.id) \(match.pattern)")
    let key = CacheKey(
      generation: generation, site: arrival.site.id, path: kept.path, language: kept.language,
      owner: isPersonal ? .init(session) : .everyone)
    let tags = match.tags(of: caching, person: session?.person)
    switch cache.begin(key, scope: destination.schema, tags: tags) {
    case .lead(let flight):
      return await lead(flight, caching, tags, match, visit, session, work, &tries)
    case .join(let flight):
      switch await cache.wait(for: flight) {
      case .entry(let entry) where entry.isFor(session):
        return Outcome(kept: entry.answer, route: entry.route, requestID: arrival.requestID)
      case .lead(let next):
        return await lead(next, caching, tags, match, visit, session, work, &tries)
      case .entry, .alone:
        return await make(match, visit, work, &tries)
      }
    }
  }

  private func lead(
    _ flight: ResponseCache.Flight, _ caching: Caching, _ tags: [String], _ match: RouteMatch, _ visit: Visit,
    _ session: Session?, _ work: Work, _ tries: inout Int
  ) async -> Outcome {
    let began = ContinuousClock.now
    let outcome = await make(match, visit, work, &tries)
    var entry: KeptEntry?
    // A flight that was handed over may have been begun for somebody with other tags.
    if let keepable = outcome.keepable, tags == flight.tags {
      let key = flight.key
      let owner = keepable.isPersonal ? CacheKey.Owner(session) : key.owner
      entry = KeptEntry(
        key: CacheKey(generation: key.generation, site: key.site, path: key.path, language: key.language, owner: owner),
        answer: keepable.answer, route: match.pattern, rules: match.rules, session: session, scope: flight.scope, tags: tags,
        made: began, lifetime: caching.lifetime)
      if keepable.isPersonal { shared.cache.notePersonal("\(key.site) \(match.pattern)") }
    }
    shared.cache.end(flight, entry, isGivenUp: Task.isCancelled && outcome.problem != nil)
    return outcome
  }
}
