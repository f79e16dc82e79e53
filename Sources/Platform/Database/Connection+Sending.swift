import CPostgres

extension Connection {
  /// Sends what may be sent now. Called at the end of a turn.
  func sendQueued() {
    isDirty = false
    guard phase == .open, !isBlocked else { return }
    var hasSent = tidy()
    // Bounded by the depth: each pass sends one, or ends.
    while phase == .open, let request = unsent.first, maySend(request) {
      if needsBegin, lease?.isVoid == true, request.isCommit || !request.isEnd {
        // What nobody waited for was not done: what came after it is not either.
        _ = unsent.popFirst()
        complete(request, .failure(error(.server(.inFailedTransaction), for: request)))
      } else if needsBegin, request.isEnd {
        // Nothing was sent in this transaction, so there is nothing to end.
        _ = unsent.popFirst()
        complete(request, .success(.empty))
      } else if needsBegin, !request.isPrepared {
        sendBeginAlone()
        hasSent = true
      } else {
        _ = unsent.popFirst()
        send(request)
        hasSent = true
      }
    }
    if hasSent { flush() }
  }

  private func maySend(_ request: Request) -> Bool {
    guard !isSendingCancel, !isBeginning, copy == nil else { return false }
    guard request.isPrepared else { return segments.isEmpty }
    return segments.count < depth && segments.first?.isSimple != true
  }

  private var depth: Int {
    configuration.pool.pooler == .none ? configuration.pool.pipelineDepth : 1
  }

  private func send(_ request: Request) {
    switch request.form {
    case .prepared: sendPrepared(request)
    case .script: sendSimple(request)
    case .copy(let session):
      copy = session
      sendSimple(request)
    }
  }

  private func sendPrepared(_ request: Request) {
    if let reason = request.sql.unsendable {
      var error = error(.unsupported, for: request)
      error.explanation = reason
      return complete(request, .failure(error))
    }
    guard startPipeline() else { return lose(request) }
    var segment = Segment(request: request, sentAt: loop.now)
    if needsBegin {
      guard let count = sendPrelude() else { return lose(request) }
      segment.silent = count
      segment.begins = count > 0
    }
    let text = request.sql.text
    let plan =
      configuration.pool.pooler == .none
      ? statements.plan(for: request.sql, hash: request.hash) : .unnamed
    let accepted = loop.scratch.withLayout(of: request.sql.parameters) { layout -> Int32 in
      switch plan {
      case .unnamed:
        return PQsendQueryParams(
          handle, text, layout.count, layout.types, layout.values, layout.lengths, layout.formats, 1
        )
      case .prepare(let name):
        segment.preparing = name
        segment.isNamed = true
        guard PQsendPrepare(handle, name, text, layout.count, layout.types) == 1 else { return 0 }
        return PQsendQueryPrepared(
          handle, name, layout.count, layout.values, layout.lengths, layout.formats, 1)
      case .execute(let name):
        segment.isNamed = true
        return PQsendQueryPrepared(
          handle, name, layout.count, layout.values, layout.lengths, layout.formats, 1)
      }
    }
    guard accepted == 1, PQpipelineSync(handle) == 1 else { return lose(request) }
    didSend(segment)
  }

  /// The connection broke while the request was handed over: part of it may have been sent.
  private func lose(_ request: Request) {
    segments.append(Segment(request: request, sentAt: loop.now))
    breakOff()
  }

  private func didSend(_ segment: Segment) {
    segments.append(segment)
    if segments.count == 1 {
      headSince = loop.now
      updateDeadline()
    } else {
      meter.status.pipelined += 1
    }
    if let request = segment.request, let submittedAt = request.submittedAt {
      meter.status.waitTime += loop.now - submittedAt
    }
  }

  // MARK: BEGIN

  /// - Returns: the number of commands; `nil` when the connection is gone.
  private func sendPrelude() -> Int? {
    guard let isolation = lease?.isolation else { return 0 }
    var count = 0
    for sql in configuration.prelude(isolation) {
      let plan = configuration.pool.pooler == .none ? statements.plan(for: sql) : .unnamed
      var accepted: Int32
      switch plan {
      case .unnamed: accepted = PQsendQueryParams(handle, sql.text, 0, nil, nil, nil, nil, 1)
      case .prepare(let name):
        // Taken for done: a BEGIN can always be prepared, and if not, is forgotten as an old plan is.
        statements.didPrepare(sql.text, name: name)
        accepted = PQsendPrepare(handle, name, sql.text, 0, nil)
        count += 1
        if accepted == 1 { accepted = PQsendQueryPrepared(handle, name, 0, nil, nil, nil, 1) }
      case .execute(let name): accepted = PQsendQueryPrepared(handle, name, 0, nil, nil, nil, 1)
      }
      guard accepted == 1 else { return nil }
      count += 1
    }
    needsBegin = false
    isBeginning = true
    return count
  }

  /// A script can't go in a segment with BEGIN.
  private func sendBeginAlone() {
    guard startPipeline(), let count = sendPrelude(), PQpipelineSync(handle) == 1 else {
      return breakOff()
    }
    didSend(Segment(request: nil, silent: count, begins: true, sentAt: loop.now))
  }

  /// BEGIN did not come about: the next statement brings it again.
  func didFailToBegin(_ error: DatabaseError?) {
    needsBegin = true
    if error?.isStalePlan == true, let isolation = lease?.isolation {
      for sql in configuration.prelude(isolation) { statements.forget(sql.text) }
    }
  }

  // MARK: Modes

  private func startPipeline() -> Bool {
    if isPipelining { return true }
    isPipelining = PQenterPipelineMode(handle) == 1
    return isPipelining
  }

  private func sendSimple(_ request: Request) {
    if isPipelining {
      guard PQexitPipelineMode(handle) == 1 else { return lose(request) }
      isPipelining = false
    }
    guard PQsendQuery(handle, request.sql.text) == 1 else { return lose(request) }
    var segment = Segment(request: request, sentAt: loop.now)
    segment.isSimple = true
    didSend(segment)
  }

  /// Lets the server forget evicted plans, many at once.
  /// - Returns: whether something was sent.
  private func tidy() -> Bool {
    guard statements.evicted.count >= 16, isPipelining, copy == nil, !isBeginning, !isSendingCancel,
      lease == nil || needsBegin, segments.first?.isSimple != true
    else {
      return false
    }
    let names = statements.takeEvicted()
    for name in names {
      guard PQsendQueryParams(handle, "DEALLOCATE \(name)", 0, nil, nil, nil, nil, 1) == 1 else {
        breakOff()
        return false
      }
    }
    guard PQpipelineSync(handle) == 1 else {
      breakOff()
      return false
    }
    didSend(Segment(request: nil, silent: names.count, sentAt: loop.now))
    return true
  }

  func flush() {
    guard flushRows() else {
      guard phase == .open else { return }
      isBlocked = true
      return watchForReading()
    }
    switch PQflush(handle) {
    case 0:
      isBlocked = false
      watchForReading()
    case 1:
      isBlocked = true
      watchForReading()
    default: breakOff()
    }
  }

  /// Reads unless a COPY's consumer is behind; writes when something is left to write.
  func watchForReading() {
    if copy != nil { copyMovedAt = loop.now }
    let reading = copy?.isPaused == true ? 0 : EPOLLIN.rawValue
    watch(reading | (isBlocked ? EPOLLOUT.rawValue : 0))
  }
}
