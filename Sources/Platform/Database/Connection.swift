import CPostgres
import Foundation

/// What a ``Connection`` tells the pool or listener it belongs to.
protocol ConnectionOwner: AnyObject {
  func connectionDidOpen(_ connection: Connection)
  /// No connection came about. Nothing more is heard of it.
  func connection(_ connection: Connection, didFailToOpen error: DatabaseError)
  /// The statement has been answered; another may be sent.
  func connection(_ connection: Connection, didFinish request: Request, succeeded: Bool)
  /// It broke or was closed because of a fault; all its statements have been answered. Nothing more is heard of it.
  func connectionDidClose(_ connection: Connection)
  func connection(_ connection: Connection, wasNotifiedOn channel: String)
}

/// One libpq connection, never blocking: one statement under way, more in line behind it.
final class Connection {
  typealias Time = ContinuousClock.Instant

  private enum Phase {
    case opening
    case open
    case closed
  }

  /// What the server works on.
  private enum Step {
    case preparing(name: String)
    case executing(isNamed: Bool)
    /// Dropping plans that were evicted. Belongs to no request.
    case tidying
  }

  /// How long the server may take over its own deadlines, before the connection is taken for dead.
  private static let grace = Duration.seconds(5)

  let id: ConnectionID
  /// The transaction that holds this connection.
  var lease: LeaseID?
  /// When the owner is to call ``tick()``.
  private(set) var deadline: Time?
  private(set) var current: Request?

  private unowned let loop: EventLoop
  private weak var owner: (any ConnectionOwner)?
  private let handle: OpaquePointer
  private let configuration: PoolConfiguration
  private var token: UInt64 = 0
  private var watched: (socket: Int32, interest: UInt32) = (-1, 0)
  private var phase = Phase.opening
  private var step: Step?
  private var queue = FIFO<Request>()
  private var statements = StatementCache()
  private var result: OpaquePointer?
  private var isCancelled = false
  private var isSecondAttempt = false
  /// A cancel request is on its way. It names the connection, not the statement: until it has arrived no other statement
  /// may run here.
  private(set) var isSendingCancel = false

  /// Begins to connect. The owner hears of it later, never from within this call.
  init?(id: ConnectionID, configuration: PoolConfiguration, loop: EventLoop, owner: any ConnectionOwner) {
    guard let handle = configuration.startConnecting() else { return nil }
    self.id = id
    self.loop = loop
    self.owner = owner
    self.handle = handle
    self.configuration = configuration
    PQsetNoticeProcessor(handle, { _, _ in }, nil)
    token = loop.register(self)
    deadline = loop.now + configuration.pool.connectTimeout
    // The state libpq begins in wants to write; a start that failed has no socket, and the deadline brings it up.
    if PQstatus(handle) == CONNECTION_BAD || PQsocket(handle) < 0 { deadline = loop.now } else { watch(EPOLLOUT.rawValue) }
  }

  deinit {
    PQclear(result)
    PQfinish(handle)
  }

  var isInTransaction: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }
  var isFree: Bool { current == nil && step == nil && queue.isEmpty && !isSendingCancel }

  // MARK: Statements

  /// Sends a statement, or puts it in line.
  func enqueue(_ request: Request) {
    queue.append(request)
    sendNext()
  }

  /// - Returns: whether the statement is here.
  func cancel(_ id: RequestID) -> Bool {
    if let waiting = queue.remove(where: { $0.id == id }) {
      waiting.completion(.failure(error(.cancelled, for: waiting)))
      return true
    }
    guard let current, current.id == id else { return false }
    // A BEGIN is too short to be worth it, and its caller has to learn that she holds a connection.
    if case .begin = current.role { return true }
    guard !isCancelled, let cancellation = CancelRequest(handle) else { return true }
    isCancelled = true
    isSendingCancel = true
    setDeadline(loop.now + Connection.grace)
    cancellation.send { [pool = configuration.id, connection = self.id, post = loop.poster] in
      post(.didSendCancel(pool, connection))
    }
    return true
  }

  func didSendCancel() {
    isSendingCancel = false
    if current == nil { setDeadline(nil) }
    sendNext()
  }

  private func sendNext() {
    guard phase == .open, current == nil, step == nil, !isSendingCancel, let request = queue.popFirst() else { return }
    current = request
    isCancelled = false
    isSecondAttempt = false
    setDeadline(request.form == .prepared ? loop.now + configuration.pool.statementTimeout + Connection.grace : nil)
    execute(request)
  }

  private func execute(_ request: Request) {
    let text = request.sql.text
    guard request.form == .prepared else {
      step = .executing(isNamed: false)
      return didSend(PQsendQuery(handle, text))
    }
    switch statements.plan(for: request.sql) {
    case .unnamed:
      step = .executing(isNamed: false)
      didSend(
        loop.scratch.withLayout(of: request.sql.parameters) {
          PQsendQueryParams(handle, text, $0.count, $0.types, $0.values, $0.lengths, $0.formats, 1)
        })
    case .prepare(let name):
      step = .preparing(name: name)
      didSend(loop.scratch.withLayout(of: request.sql.parameters) { PQsendPrepare(handle, name, text, $0.count, $0.types) })
    case .execute(let name): execute(request, prepared: name)
    }
  }

  private func execute(_ request: Request, prepared name: String) {
    step = .executing(isNamed: true)
    didSend(
      loop.scratch.withLayout(of: request.sql.parameters) {
        PQsendQueryPrepared(handle, name, $0.count, $0.values, $0.lengths, $0.formats, 1)
      })
  }

  /// libpq refuses to send when the connection is gone, or when the statement can't be (too many parameters).
  private func didSend(_ accepted: Int32) {
    guard accepted == 0 else { return flush() }
    guard PQstatus(handle) == CONNECTION_OK, current != nil else { return breakOff() }
    var error = DatabaseError(.unsupported, message: lastMessage, explanation: "libpq refused to send the statement")
    error.statement = current?.sql.text
    finish(.failure(error))
  }

  private func flush() {
    switch PQflush(handle) {
    case 0: watch(EPOLLIN.rawValue)
    case 1: watch(EPOLLIN.rawValue | EPOLLOUT.rawValue)
    default: breakOff()
    }
  }

  // MARK: Answers

  func handle(events: UInt32) {
    switch phase {
    case .closed: return
    case .opening: return continueOpening()
    case .open: break
    }
    if events & ~EPOLLOUT.rawValue != 0, PQconsumeInput(handle) == 0 { return breakOff() }
    if events & EPOLLOUT.rawValue != 0 { flush() }
    readAnswers()
  }

  private func readAnswers() {
    while phase == .open, step != nil, PQisBusy(handle) == 0 {
      if let next = PQgetResult(handle) { take(next) } else { didFinishStep() }
    }
    while phase == .open, let notification = PQnotifies(handle) {
      owner?.connection(self, wasNotifiedOn: String(cString: notification.pointee.relname))
      PQfreemem(notification)
    }
    if phase == .open, PQstatus(handle) != CONNECTION_OK { breakOff() }
  }

  private func take(_ next: OpaquePointer) {
    switch PQresultStatus(next) {
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
      PQclear(next)
      // libpq would wait for the data for ever.
      breakOff(as: DatabaseError(.unsupported, explanation: "COPY is not for query()"))
    case _ where result.map(isError) ?? false:
      PQclear(next)
    default:
      PQclear(result)
      result = next
    }
  }

  private func isError(_ result: OpaquePointer) -> Bool {
    let status = PQresultStatus(result)
    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR
  }

  private func didFinishStep() {
    let (finished, answer) = (step, result)
    step = nil
    result = nil
    guard let request = current else {
      PQclear(answer)
      setDeadline(nil)
      return sendNext()
    }
    guard let answer, isError(answer) else {
      if case .preparing(let name)? = finished {
        PQclear(answer)
        statements.didPrepare(request.sql.text, name: name)
        return execute(request, prepared: name)
      }
      guard let answer else { return finish(.failure(error(.connectionLost, for: request))) }
      return finish(.success(Rows(result: StatementResult(answer))))
    }
    var error = DatabaseError(result: answer)
    PQclear(answer)
    if error.isStalePlan, case .executing(isNamed: true)? = finished {
      statements.forget(request.sql.text)
      if request.role == .autocommit, !isSecondAttempt {
        isSecondAttempt = true
        return execute(request)
      }
    }
    if error.isFatal { return breakOff() }
    if error.state == .queryCanceled { error.kind = !isCancelled && isOverdue ? .timeout : .cancelled }
    error.database = configuration.name
    error.statement = request.sql.text
    finish(.failure(error))
  }

  /// Whether the statement has been at it for the statement timeout; the server's code is the same for a cancel by hand.
  private var isOverdue: Bool {
    guard let deadline else { return false }
    return loop.now + Connection.grace + .milliseconds(50) >= deadline
  }

  private func finish(_ outcome: Result<Rows, DatabaseError>) {
    guard let request = current else { return }
    current = nil
    step = nil
    setDeadline(isSendingCancel ? loop.now + Connection.grace : nil)
    request.completion(outcome)
    owner?.connection(self, didFinish: request, succeeded: (try? outcome.get()) != nil)
    sendNext()
  }

  /// Lets the server forget evicted plans, many at once. To be called when nothing else is to be done.
  func tidy() {
    guard isFree, phase == .open, !isInTransaction, statements.evicted.count >= 16 else { return }
    step = .tidying
    setDeadline(loop.now + Connection.grace)
    didSend(PQsendQuery(handle, statements.takeEvicted().map { "DEALLOCATE \($0)" }.joined(separator: ";")))
  }

  // MARK: Opening and closing

  private func continueOpening() {
    switch PQconnectPoll(handle) {
    case PGRES_POLLING_READING: watch(EPOLLIN.rawValue)
    case PGRES_POLLING_WRITING: watch(EPOLLOUT.rawValue)
    case PGRES_POLLING_OK:
      phase = .open
      deadline = nil
      PQsetnonblocking(handle, 1)
      watch(EPOLLIN.rawValue)
      owner?.connectionDidOpen(self)
      sendNext()
    default: failToOpen(lastMessage)
    }
  }

  private func failToOpen(_ reason: String) {
    shut()
    var error = DatabaseError.connectionFailed(reason)
    error.database = configuration.name
    let owner = owner
    for request in queue.removeAll() { request.completion(.failure(error)) }
    owner?.connection(self, didFailToOpen: error)
  }

  /// Ends what has taken too long.
  func tick() {
    guard let due = deadline, due <= loop.now else { return }
    switch phase {
    case .closed: return
    case .opening:
      let hasFailed = PQstatus(handle) == CONNECTION_BAD
      failToOpen(hasFailed ? lastMessage : "no answer from \(configuration.settings.host) within the connect timeout")
    case .open: breakOff(as: isCancelled ? DatabaseError(.cancelled) : DatabaseError(.timeout))
    }
  }

  /// Closes without a word to the owner. Statements under way end with the error.
  func close(_ kind: DatabaseError.Kind = .closed) {
    guard phase != .closed else { return }
    shut()
    failAll(DatabaseError(kind))
  }

  private func breakOff(as error: DatabaseError? = nil) {
    guard phase == .open else { return }
    let owner = owner
    shut()
    failAll(error ?? DatabaseError(isCancelled ? .cancelled : .connectionLost))
    owner?.connectionDidClose(self)
  }

  private func failAll(_ failure: DatabaseError) {
    if let request = current {
      current = nil
      var error = failure
      // Whatever was the reason: of a COMMIT that was sent and not answered, only this is known.
      if request.lossKind == .outcomeUnknown { error.kind = .outcomeUnknown }
      error.database = configuration.name
      error.statement = request.sql.text
      request.completion(.failure(error))
    }
    for request in queue.removeAll() {
      let kind: DatabaseError.Kind = failure.kind == .closed ? .closed : .connectionLost
      request.completion(.failure(error(kind, for: request)))
    }
  }

  private func shut() {
    phase = .closed
    step = nil
    deadline = nil
    // The last strong reference but for the caller's: libpq closes the socket in deinit, and with that it leaves epoll.
    loop.unregister(token)
  }

  private func setDeadline(_ time: Time?) {
    deadline = time
    if let time { loop.wake(configuration.id, at: time) }
  }

  private func watch(_ interest: UInt32) {
    let socket = PQsocket(handle)
    guard socket >= 0, phase == .opening || watched != (socket, interest) else { return }
    watched = (socket, interest)
    loop.watch(socket, token: token, for: interest)
  }

  /// libpq's words, in one line.
  private var lastMessage: String {
    String(cString: PQerrorMessage(handle)).split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
  }

  private func error(_ kind: DatabaseError.Kind, for request: Request) -> DatabaseError {
    var error = DatabaseError(kind, database: configuration.name)
    error.statement = request.sql.text
    return error
  }
}
