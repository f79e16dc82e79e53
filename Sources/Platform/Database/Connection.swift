import CPostgres
import Foundation

/// What a ``Connection`` tells the pool or listener it belongs to.
protocol ConnectionOwner: AnyObject {
  func connectionDidOpen(_ connection: Connection)
  /// No connection came about. Nothing more is heard of it.
  func connection(_ connection: Connection, didFailToOpen error: DatabaseError)
  /// The request has been answered, or taken back before it was sent.
  func connection(_ connection: Connection, didFinish request: Request, succeeded: Bool)
  /// Answers that came together, by the hashes of their texts. What passed since the answer before is shared out among
  /// them: which of them took it can't be known, as the network, or this thread's turn, may have held all back.
  func connection(_ connection: Connection, spent time: Duration, onEachOf texts: ContiguousArray<Int>)
  /// Nothing else may run there until ``connectionDidSettle(_:)``.
  func connectionWillCancel(_ connection: Connection)
  /// A cancel has arrived, and what it was for has been answered.
  func connectionDidSettle(_ connection: Connection)
  /// It broke or was closed because of a fault. What was sent has been answered; `unsent` may go elsewhere.
  func connectionDidClose(_ connection: Connection, unsent: [Request])
  func connection(_ connection: Connection, wasNotifiedOn channel: String)
}

/// Totals that connections and their owner count together.
final class Meter {
  var status = PoolStatus()
  /// Has the status published, for what the owner does not see.
  var didChange: () -> Void = {}
}

/// One libpq connection, never blocking.
///
/// Requests given to it in one turn of the loop are sent at the turn's end, each with a sync of its own, so that none
/// touches another; up to ``PoolSettings/pipelineDepth`` are under way at once. Scripts and COPY need the simple protocol:
/// they wait until all before them is answered, and all behind them waits for them.
final class Connection {
  typealias Time = ContinuousClock.Instant

  enum Phase {
    case opening
    case open
    case closed
  }

  /// How long the server may take over its own deadlines, before the connection is taken for dead.
  static let grace = Duration.seconds(5)

  let id: ConnectionID
  let configuration: PoolConfiguration
  let handle: OpaquePointer
  let meter: Meter
  unowned let loop: EventLoop
  var owner: (any ConnectionOwner)?

  var phase = Phase.opening
  /// When the owner is to call ``tick()``.
  private(set) var deadline: Time?
  private var token: UInt64 = 0
  private var watched: (socket: Int32, interest: UInt32) = (-1, 0)

  /// The transaction or COPY that holds this connection.
  var lease: Lease?
  /// BEGIN waits for the first statement.
  var needsBegin = false
  /// BEGIN is on its way: until it is known to have been done, no other statement of the transaction is sent.
  var isBeginning = false

  var unsent = FIFO<Request>()
  var segments = FIFO<Segment>()
  /// Which command of the first segment is being answered, and what was heard of the segment.
  var step = 0
  var answer: OpaquePointer?
  var failure: DatabaseError?
  /// Since when the first segment is the first.
  var headSince: Time
  /// The texts, by their hashes, that were answered in this turn.
  var answered: ContiguousArray<Int> = []
  var statements = StatementCache()
  /// The rows of a COPY that is under way.
  var copy: CopySession?
  /// Rows on their way past libpq: the rest that the socket did not take, and behind it their end.
  var rowBytes: [UInt8] = []
  var rowsEnd: String??
  /// When a COPY last moved on: the socket had or took bytes, or its caller did.
  var copyMovedAt: Time
  /// Bytes of a server's message that are not read yet and nobody wants.
  var noticeRest = 0

  var isPipelining = false
  /// The socket takes no more now.
  var isBlocked = false
  /// To be sent at the end of this turn.
  var isDirty = false
  /// The first segment has been cancelled on the server.
  var isCancelled = false
  /// A cancel request is on its way. It names the connection, not the statement: until it has arrived no other statement
  /// may be sent here.
  var isSendingCancel = false
  private var cancelDeadline: Time?

  /// Begins to connect. The owner hears of it later, never from within this call.
  init?(
    id: ConnectionID, configuration: PoolConfiguration, loop: EventLoop, meter: Meter,
    owner: any ConnectionOwner
  ) {
    guard let handle = configuration.startConnecting() else { return nil }
    self.id = id
    self.loop = loop
    self.owner = owner
    self.handle = handle
    self.meter = meter
    self.configuration = configuration
    headSince = loop.now
    copyMovedAt = loop.now
    PQsetNoticeProcessor(handle, { _, _ in }, nil)
    token = loop.register(self)
    deadline = loop.now + configuration.pool.connectTimeout
    // The state libpq begins in wants to write; a start that failed has no socket, and the deadline brings it up.
    if PQstatus(handle) == CONNECTION_BAD || PQsocket(handle) < 0 {
      deadline = loop.now
    } else {
      watch(EPOLLOUT.rawValue)
    }
  }

  deinit {
    PQclear(answer)
    PQfinish(handle)
  }

  /// Whether a transaction is open. Known only while nothing is under way.
  var isInTransaction: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }
  /// The server's process.
  var backend: Int32 { PQbackendPID(handle) }
  /// Nothing is under way.
  var isQuiet: Bool { segments.isEmpty && unsent.isEmpty && !isSendingCancel }

  /// Has the request sent at the end of this turn, or when its turn comes.
  func enqueue(_ request: Request) {
    guard phase != .closed else {
      return request.finish(.failure(error(.connectionLost, for: request)))
    }
    request.connection = self
    unsent.append(request)
    sendLater()
  }

  /// What was not sent, for another connection.
  func takeUnsent() -> [Request] {
    let left = unsent.removeAll()
    for request in left { request.connection = nil }
    return left
  }

  func sendLater() {
    guard !isDirty else { return }
    isDirty = true
    loop.sendLater(self)
  }

  // MARK: Events

  func handle(events: UInt32) {
    switch phase {
    case .closed: return
    case .opening: return continueOpening()
    case .open: break
    }
    copyMovedAt = loop.now
    if events & ~EPOLLOUT.rawValue != 0 {
      listenWhileSending()
      guard phase == .open else { return }
      if copy?.isSending != true || PQsslInUse(handle) != 0, PQconsumeInput(handle) == 0 { return breakOff() }
    }
    if events & EPOLLOUT.rawValue != 0 {
      flush()
      if !isBlocked { sendLater() }
    }
    copy?.proceed()
    readAnswers()
  }

  /// Ends what has taken too long.
  func tick() {
    guard let due = deadline, due <= loop.now else { return }
    if copy != nil {
      // It may have moved on since.
      updateDeadline()
      guard let due = deadline, due <= loop.now else { return }
    }
    switch phase {
    case .closed: return
    case .opening:
      let hasFailed = PQstatus(handle) == CONNECTION_BAD
      failToOpen(
        hasFailed
          ? lastMessage : "no answer from \(configuration.settings.host) within the connect timeout"
      )
    case .open: breakOff(as: DatabaseError(isCancelled ? .cancelled : .timeout))
    }
  }

  // MARK: Cancelling

  /// Ends a request that is here, if that can be done without touching another's.
  func cancel(_ request: Request) {
    if unsent.remove(where: { $0 === request }) != nil {
      complete(request, .failure(error(.cancelled, for: request)))
      return sendLater()
    }
    // Its caller has to learn what became of it.
    if request.isEnd || request.isAnswered { return }
    request.isCancelled = true
    // The rows that flow are ended by a word of ours; to the server's cancel comes what is on its way.
    if case .copy(let session) = request.form, session.giveUp() { return }
    guard lease == nil else {
      // One further back is cancelled when the server is at it.
      if segments.first?.request === request { sendCancel() }
      return
    }
    if segments.count == 1, unsent.isEmpty { return sendCancel() }
    // The cancel could hit a stranger's statement.
    request.finish(.failure(error(.cancelled, for: request)))
  }

  func sendCancel() {
    guard !isCancelled, !isSendingCancel, let cancellation = CancelRequest(handle) else { return }
    isCancelled = true
    isSendingCancel = true
    cancelDeadline = loop.now + Connection.grace
    updateDeadline()
    if lease == nil { owner?.connectionWillCancel(self) }
    cancellation.send { [handle = configuration.handle, connection = self.id, post = loop.poster] in
      post(.didSendCancel(handle, connection))
    }
  }

  func didSendCancel() {
    isSendingCancel = false
    if !isCancelled { cancelDeadline = nil }
    updateDeadline()
    settleAfterCancel()
    sendLater()
  }

  /// What was cancelled has been answered.
  func didAnswerCancelled() {
    guard isCancelled else { return }
    isCancelled = false
    if !isSendingCancel { cancelDeadline = nil }
    settleAfterCancel()
  }

  private func settleAfterCancel() {
    if !isSendingCancel, !isCancelled, lease == nil { owner?.connectionDidSettle(self) }
  }

  // MARK: Deadlines

  /// The server ends a statement itself; a deadline passes when it does not. It is counted from when the server came to the
  /// statement.
  func updateDeadline() {
    var due = cancelDeadline
    let limit = configuration.pool.statementTimeout
    if let head = segments.first, !head.isSimple, limit > .zero {
      let end = headSince + limit + Connection.grace
      due = due.map { min($0, end) } ?? end
    } else if let end = copyDeadline {
      due = due.map { min($0, end) } ?? end
    }
    deadline = due
    if let due { loop.wake(configuration.id, at: due) }
  }

  /// When a COPY that doesn't move is given up: it takes as long as it takes, but the server, or the line, has done nothing for
  /// too long. While the caller is behind nobody is to blame, and the deadline is only when to look again.
  private var copyDeadline: Time? {
    let limit = configuration.pool.statementTimeout
    guard let copy, limit > .zero else { return nil }
    let waitsForCaller = copy.isFlowing && (copy.isSending ? !isBlocked : copy.isPaused)
    return (waitsForCaller ? loop.now : copyMovedAt) + limit + Connection.grace
  }

  func watch(_ interest: UInt32) {
    let socket = PQsocket(handle)
    guard socket >= 0, phase == .opening || watched != (socket, interest) else { return }
    watched = (socket, interest)
    loop.watch(socket, token: token, for: interest)
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
      sendLater()
    default: failToOpen(lastMessage)
    }
  }

  private func failToOpen(_ reason: String) {
    let owner = owner
    shut()
    var error = DatabaseError.connectionFailed(reason)
    error.database = configuration.name
    for request in unsent.removeAll() {
      request.connection = nil
      request.finish(.failure(error))
    }
    owner?.connection(self, didFailToOpen: error)
  }

  /// Closes without a word to the owner. Statements under way end with the error.
  func close(_ kind: DatabaseError.Kind = .closed) {
    guard phase != .closed else { return }
    shut()
    failSegments(DatabaseError(kind))
    for request in unsent.removeAll() {
      request.connection = nil
      request.finish(.failure(error(kind, for: request)))
    }
    lease = nil
  }

  func breakOff(as error: DatabaseError? = nil) {
    guard phase == .open else { return }
    let owner = owner
    shut()
    failSegments(error ?? DatabaseError(isCancelled ? .cancelled : .connectionLost))
    owner?.connectionDidClose(self, unsent: takeUnsent())
  }

  /// The reason is the first segment's; those behind it only know that the connection is gone.
  private func failSegments(_ reason: DatabaseError) {
    var kind = reason.kind
    copy?.connection = nil
    copy = nil
    while let segment = segments.popFirst() {
      defer { if kind != .closed { kind = .connectionLost } }
      guard let request = segment.request else { continue }
      request.connection = nil
      var error = reason
      // Whatever was the reason: of a COMMIT that was sent and not answered, only this is known.
      error.kind = request.lossKind == .outcomeUnknown ? .outcomeUnknown : kind
      error.database = configuration.name
      error.statement = request.sql.text
      request.finish(.failure(error))
    }
  }

  private func shut() {
    phase = .closed
    deadline = nil
    owner = nil
    if case .held? = lease?.phase { lease?.phase = .lost }
    // The last strong reference but for the caller's: libpq closes the socket in deinit, and with that it leaves epoll.
    loop.unregister(token)
  }

  // MARK: Words

  /// libpq's words, in one line.
  var lastMessage: String {
    String(cString: PQerrorMessage(handle)).split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
  }

  func error(_ kind: DatabaseError.Kind, for request: Request) -> DatabaseError {
    var error = DatabaseError(kind, database: configuration.name)
    error.statement = request.sql.text
    return error
  }

  /// Answers the caller and tells the owner.
  func complete(_ request: Request, _ outcome: Result<Rows, DatabaseError>) {
    request.connection = nil
    request.finish(outcome)
    let succeeded: Bool
    if case .success = outcome { succeeded = true } else { succeeded = false }
    owner?.connection(self, didFinish: request, succeeded: succeeded)
  }
}
