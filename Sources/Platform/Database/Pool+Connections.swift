import Logging

extension Pool: ConnectionOwner {
  func connectionDidOpen(_ connection: Connection) {
    meter.status.connectionsOpened += 1
    if failure != nil {
      configuration.logger.info(
        "database reached again", metadata: ["database": "\(configuration.name)"])
      configuration.pool.budget?.serverDidAnswer(self)
    }
    failure = nil
    configuration.pool.didConnect?(connection.backend)
    state.didOpen(connection.id, now: loop.now)
    didChange()
    scheduleTick()
  }

  func connection(_ connection: Connection, didFailToOpen error: DatabaseError) {
    meter.status.connectionsFailed += 1
    forget(connection)
    // Once per outage: the attempts that follow say nothing new.
    let reason = error.explanation ?? ""
    if failure == nil {
      configuration.logger.warning(
        "database can't be reached",
        metadata: ["database": "\(configuration.name)", "reason": "\(reason)"])
    }
    failure = reason
    state.didFailToOpen(connection.id, now: loop.now, scatter: .random(in: 0...1))
    didChange()
    scheduleTick()
  }

  func connection(_ connection: Connection, didFinish request: Request, succeeded: Bool) {
    switch request.role {
    case .within(let lease):
      // A COPY of its own is done with its one statement.
      guard lease.isolation == nil else { return }
      lease.phase = .lost
      connection.lease = nil
      if connection.isSendingCancel { state.hold(connection.id) }
      state.release(connection.id, now: loop.now)
    case .autocommit:
      // Before another is given to it: a transaction that was left open would swallow that.
      if connection.segments.isEmpty, connection.isInTransaction { return discard(connection) }
      state.finish(connection.id, now: loop.now)
    case .end(let lease, _):
      lease.phase = .lost
      connection.lease = nil
      connection.needsBegin = false
      if connection.isInTransaction { return discard(connection) }
      state.release(connection.id, now: loop.now)
    }
    didChange()
  }

  func connection(_ connection: Connection, spent time: Duration, onEachOf texts: ContiguousArray<Int>) {
    for text in texts { costs.note(time, of: text) }
  }

  private func discard(_ connection: Connection) {
    configuration.logger.error(
      "a statement left a transaction open; its connection is closed",
      metadata: ["database": "\(configuration.name)"])
    let unsent = connection.takeUnsent()
    state.discard(connection.id, now: loop.now)
    for request in unsent { state.resubmit(.statement(request), .shared, now: loop.now) }
    didChange()
  }

  func connectionWillCancel(_ connection: Connection) { state.hold(connection.id) }

  func connectionDidSettle(_ connection: Connection) {
    state.letGo(connection.id, now: loop.now)
    didChange()
  }

  func connectionDidClose(_ connection: Connection, unsent: [Request]) {
    meter.status.connectionsLost += 1
    forget(connection)
    configuration.logger.warning(
      "database connection lost", metadata: ["database": "\(configuration.name)"])
    state.didLose(connection.id, now: loop.now)
    if let lease = connection.lease {
      connection.lease = nil
      lose(lease, unsent, hasBegun: !connection.needsBegin)
    } else {
      for request in unsent {
        meter.status.retries += 1
        state.resubmit(.statement(request), .shared, now: loop.now)
      }
    }
    didChange()
    scheduleTick()
  }

  /// A transaction of which nothing was sent begins elsewhere.
  private func lose(_ lease: Lease, _ unsent: [Request], hasBegun: Bool) {
    guard !hasBegun, !unsent.isEmpty else {
      lease.phase = hasBegun ? .lost : .fresh
      for request in unsent {
        fail(request, .connectionLost, "the transaction's connection is gone")
      }
      return
    }
    meter.status.retries += 1
    lease.phase = .waiting
    for request in unsent { lease.pending.append(request) }
    state.resubmit(.lease(lease), .exclusive, now: loop.now)
  }

  func connection(_ connection: Connection, wasNotifiedOn channel: String) {}
}

// MARK: - For the budget

extension Pool {
  var isCore: Bool { configuration.pool.isCore }
  var size: Int { state.size }
  var retiringCount: Int { state.retiringCount }
  var restingSince: ContinuousClock.Instant? { state.census.restingSince }

  func closeResting() {
    state.closeResting()
    didChange()
  }

  func retire(openFor age: Duration) -> Bool { state.retire(openFor: age, now: loop.now) }

  func budgetDidFree() {
    state.budgetDidFree(now: loop.now)
    didChange()
  }

  func serverDidAnswer() {
    state.serverDidAnswer(now: loop.now)
    didChange()
  }
}
