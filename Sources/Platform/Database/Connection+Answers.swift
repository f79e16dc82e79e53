import CPostgres

extension Connection {
  func readAnswers() {
    let since = headSince
    // While rows flow, or their end has not gone out, libpq would say again and again that it is ready for rows.
    while phase == .open, !segments.isEmpty, copy?.isFlowing != true, rowsEnd == nil, PQisBusy(handle) == 0 {
      if let next = PQgetResult(handle) { take(next) } else { didEndCommand() }
    }
    while phase == .open, let notification = PQnotifies(handle) {
      owner?.connection(self, wasNotifiedOn: String(cString: notification.pointee.relname))
      PQfreemem(notification)
    }
    if phase == .open, PQstatus(handle) != CONNECTION_OK { breakOff() }
    if !answered.isEmpty {
      owner?.connection(self, spent: (loop.now - since) / answered.count, onEachOf: answered)
      answered.removeAll(keepingCapacity: true)
    }
  }

  private func take(_ next: OpaquePointer) {
    let status = PQresultStatus(next)
    switch status {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: keep(next)
    case PGRES_PIPELINE_SYNC:
      PQclear(next)
      didEndSegment()
    case PGRES_PIPELINE_ABORTED: PQclear(next)
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
      PQclear(next)
      startCopy(status)
    default:
      let error = DatabaseError(result: next)
      PQclear(next)
      // The server has ended the connection with it, or libpq has lost it.
      if error.isFatal || PQstatus(handle) != CONNECTION_OK { return breakOff() }
      if failure == nil { failure = error }
    }
  }

  private func keep(_ next: OpaquePointer) {
    guard let head = segments.first else { return PQclear(next) }
    if head.isSimple || step == head.answerStep {
      PQclear(answer)
      answer = next
    } else {
      PQclear(next)
      if step == head.silent, let name = head.preparing, let request = head.request {
        statements.didPrepare(request.sql.text, name: name)
      }
    }
  }

  /// The results of a command have ended.
  private func didEndCommand() {
    guard let head = segments.first else { return }
    if head.isSimple { return didEndSegment() }
    step += 1
    // An error at the sync, of a constraint that is checked at the end, ends like a command. More ends than that are not the
    // answer to what was sent.
    if step > head.answerStep + 2 { breakOff() }
  }

  private func didEndSegment() {
    guard let segment = segments.popFirst() else { return }
    let (found, error) = (answer, failure)
    answer = nil
    failure = nil
    step = 0
    copy?.connection = nil
    copy = nil
    if let request = segment.request { answered.append(request.hash) }
    headSince = loop.now
    if segment.begins {
      isBeginning = false
      if error != nil, !isInTransaction { didFailToBegin(error) }
    }
    if let request = segment.request {
      finish(request, segment, found, error)
    } else {
      finishSilent(segment, found, error)
    }
    guard phase == .open else { return }
    didAnswerCancelled()
    updateDeadline()
    cancelHead()
    if !unsent.isEmpty { sendLater() }
    if isBlocked == false { watchForReading() }
  }

  private func finishSilent(_ segment: Segment, _ found: OpaquePointer?, _ error: DatabaseError?) {
    PQclear(found)
    // What the BEGIN was for fails with it.
    if var error, segment.begins, needsBegin, let request = unsent.popFirst() {
      error.database = configuration.name
      error.statement = request.sql.text
      complete(request, .failure(error))
    }
  }

  private func finish(
    _ request: Request, _ segment: Segment, _ found: OpaquePointer?, _ failure: DatabaseError?
  ) {
    meter.status.answered += 1
    meter.status.roundTripTime += loop.now - segment.sentAt
    guard var error = failure else {
      guard let found else {
        return complete(request, .failure(self.error(.connectionLost, for: request)))
      }
      return complete(request, .success(Rows(result: StatementResult(found))))
    }
    PQclear(found)
    if segment.preparing != nil { statements.didFailToPrepare(request.sql.text) }
    if error.isStalePlan, segment.isNamed {
      statements.forget(request.sql.text)
      if request.isAutocommit, !request.isSecondAttempt, !request.isAnswered {
        request.isSecondAttempt = true
        meter.status.retries += 1
        return unsent.prepend(request)
      }
    }
    if error.state == .queryCanceled {
      error.kind =
        isCancelled || request.isCancelled || !isOverdue(segment, error) ? .cancelled : .timeout
    }
    error.database = configuration.name
    error.statement = request.sql.text
    complete(request, .failure(error))
  }

  /// The server's code is the same for a statement timeout and for a cancel by hand; its words need not be English.
  private func isOverdue(_ segment: Segment, _ error: DatabaseError) -> Bool {
    if error.message?.contains("statement timeout") == true { return true }
    let limit = configuration.pool.statementTimeout
    return limit > .zero && loop.now - segment.sentAt + .milliseconds(5) >= limit
  }

  /// A statement whose caller has gone, and that has come to be the first, is cancelled if that hits nobody else.
  private func cancelHead() {
    guard let request = segments.first?.request, request.isCancelled else { return }
    if lease != nil || segments.count == 1 && unsent.isEmpty { sendCancel() }
  }
}
