import CPostgres
import Synchronization

/// Rows on their way from the server. Unchecked as ``CopySession`` says.
final class CopyOutSession: CopySession, @unchecked Sendable {
  private struct State {
    var rows: [[UInt8]] = []
    var size = 0
    var outcome: Result<Rows, DatabaseError>?
    var hasLeft = false
    var isPaused = false
    var consumer: UnsafeContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  // MARK: On the caller's side

  /// Waits for rows.
  /// - Returns: those that are there; none at the end.
  /// - Throws: ``DatabaseError``.
  func next() async throws -> [[UInt8]] {
    while true {
      let (rows, outcome, mustPost) = state.withLock { state in
        defer {
          state.rows = []
          state.size = 0
          state.isPaused = false
        }
        return (state.rows, state.outcome, state.isPaused)
      }
      if mustPost { inbox.post(.copy(self)) }
      if !rows.isEmpty { return rows }
      if let outcome {
        _ = try outcome.get()
        return []
      }
      await withUnsafeContinuation { continuation in
        let isReady = state.withLock { state in
          if state.outcome != nil || !state.rows.isEmpty { return true }
          state.consumer = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    }
  }

  /// Nobody wants the rows any more.
  /// - Returns: whether there would be more.
  func leave() -> Bool {
    state.withLock { state in
      state.hasLeft = true
      state.isPaused = false
      state.rows = []
      state.size = 0
      return state.outcome == nil
    }
  }

  override func didEnd(_ outcome: Result<Rows, DatabaseError>) {
    let consumer = state.withLock { state -> UnsafeContinuation<Void, Never>? in
      state.outcome = outcome
      defer { state.consumer = nil }
      return state.consumer
    }
    consumer?.resume()
  }

  // MARK: On the loop's side

  override var isPaused: Bool { connection != nil && state.withLock { $0.isPaused } }

  override func start(on connection: Connection, incoming: Bool) -> Bool {
    guard incoming else { return false }
    self.connection = connection
    proceed()
    return true
  }

  /// Takes over what libpq has read, until the consumer is behind.
  override func proceed() {
    guard let connection else { return }
    while self.connection != nil {
      switch connection.takeCopyRow() {
      case .row(let row): if !keep(row) { return connection.watchForReading() }
      case .wait: return connection.watchForReading()
      case .end:
        self.connection = nil
        connection.watchForReading()
        return connection.continueReading()
      case .broken: return
      }
    }
  }

  /// - Returns: whether there is room for more.
  private func keep(_ row: [UInt8]) -> Bool {
    let (consumer, hasRoom) = state.withLock { state -> (UnsafeContinuation<Void, Never>?, Bool) in
      // What still comes after the consumer has left, until the server has heard of it.
      if state.hasLeft { return (nil, true) }
      state.rows.append(row)
      state.size += row.count
      state.isPaused = state.size >= CopySession.bufferSize
      defer { state.consumer = nil }
      return (state.consumer, !state.isPaused)
    }
    consumer?.resume()
    return hasRoom
  }
}

/// The rows of a COPY … TO STDOUT, one after the other as the server sends them: lines of text, or what its FORMAT says.
///
/// The COPY begins with the first iterator and holds a connection until its end. No more is read than the consumer takes.
/// Leaving early cancels it on the server.
public struct CopyOut: AsyncSequence, Sendable {
  public typealias Element = [UInt8]
  let begin: @Sendable () throws -> (Request, CopyOutSession)

  public func makeAsyncIterator() -> Iterator { Iterator(source: Source(begin)) }

  public struct Iterator: AsyncIteratorProtocol {
    let source: Source
    private var rows: [[UInt8]] = []
    private var position = 0

    init(source: Source) { self.source = source }

    /// - Throws: ``DatabaseError``.
    public mutating func next() async throws -> [UInt8]? {
      if position == rows.count {
        rows = try await source.next()
        position = 0
      }
      guard position < rows.count else { return nil }
      defer { position += 1 }
      return rows[position]
    }
  }

  /// What ends the COPY when the last copy of an iterator goes.
  final class Source: Sendable {
    private let started: Result<(Request, CopyOutSession), any Error>

    init(_ begin: () throws -> (Request, CopyOutSession)) { started = Result(catching: begin) }

    deinit {
      guard case .success((let request, let session)) = started, session.leave() else { return }
      session.inbox.post(.cancel(session.handle, request))
      // It may be waiting for room.
      session.inbox.post(.copy(session))
    }

    func next() async throws -> [[UInt8]] {
      let (request, session) = try started.get()
      return try await withTaskCancellationHandler {
        try await session.next()
      } onCancel: {
        session.inbox.post(.cancel(session.handle, request))
      }
    }
  }
}

extension Database {
  /// Reads rows in bulk, with a COPY … TO STDOUT, over a connection of its own.
  public func copy(from sql: SQL) -> CopyOut {
    CopyOut { [self] in try copyOut(sql, within: Lease(nil)) }
  }

  func copyOut(_ sql: SQL, within lease: Lease) throws -> (Request, CopyOutSession) {
    if let reason = sql.refusalOfCopy { throw refuse(sql, reason) }
    let session = CopyOutSession(handle: handle, inbox: loop.inbox)
    let request = Request(sql, as: .within(lease), form: .copy(session))
    if !loop.inbox.post(.submit(handle, request)) {
      request.finish(.failure(DatabaseError(.closed, database: name)))
    }
    return (request, session)
  }
}

extension Transaction {
  /// Reads rows in bulk, with a COPY … TO STDOUT, in this transaction. Other statements wait for its end; leaving early
  /// cancels it on the server, and with it the transaction fails.
  public func copy(from sql: SQL) -> CopyOut {
    CopyOut { [scope] in try scope.copyOut(sql) }
  }
}
