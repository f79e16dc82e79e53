import Foundation
public import Logging

/// A bounded pool of connections to one database under one role.
///
/// Any number of tasks may use it at once; what does not fit waits in line. Statements are prepared when they come again.
/// Cancelling the task cancels the statement on the server.
public final class Database: SQLExecutor, Sendable {
  /// As errors, logs and metrics name it.
  public let name: String
  /// Whom it connects as, and where.
  public let settings: ConnectionSettings

  let handle: PoolHandle
  let loop: DatabaseLoop
  private let statusBox = StatusBox()

  /// Makes the handle. The first connection is opened when one is needed.
  public init(
    _ settings: ConnectionSettings, pool: PoolSettings = PoolSettings(), name: String,
    logger: Logger, loop: DatabaseLoop
  ) {
    self.name = name
    self.settings = settings
    self.loop = loop
    handle = PoolHandle(id: loop.makeID())
    let configuration = PoolConfiguration(
      handle: handle, name: name, settings: settings, pool: pool, logger: logger, status: statusBox)
    loop.inbox.post(.open(configuration))
  }

  deinit { loop.inbox.post(.close(handle, completion: {})) }

  /// Runs one statement in a transaction of its own.
  /// - Throws: ``DatabaseError``.
  public func query(_ sql: SQL) async throws -> Rows {
    if let reason = sql.refusal(inTransaction: false) { throw refuse(sql, reason) }
    return try await perform(Request(sql, as: .autocommit))
  }

  /// Runs `body` within a transaction: commits when it returns, rolls back when it throws.
  ///
  /// The whole of it is run again, from a new snapshot, when the server gave it up because of others beside it
  /// (SQLSTATE 40001, 40P01): `body` must have no effects but those in the transaction; put others in
  /// ``Transaction/afterCommit(_:)``.
  /// - Parameter attempts: runs at most.
  /// - Throws: what `body` throws, or ``DatabaseError``; of kind ``DatabaseError/Kind/outcomeUnknown`` when the
  ///   connection broke during COMMIT.
  public func transaction<R: Sendable>(
    _ isolation: Isolation = .readCommitted, attempts: Int = 3,
    _ body: @Sendable (Transaction) async throws -> R
  ) async throws -> R {
    var attempt = 1
    while true {
      do {
        return try await attemptTransaction(isolation, body)
      } catch let error as DatabaseError
        where error.isRetryable && attempt < attempts && !Task.isCancelled
      {
        // Scattered, so that those who met do not meet again.
        try? await Task.sleep(
          for: .milliseconds(Double.random(in: 1...10) * Double(1 << min(attempt, 8))))
        attempt += 1
        loop.inbox.post(.didRetry(handle))
      }
    }
  }

  /// Notifications on a channel, over a connection of their own.
  ///
  /// A notification says "look" and nothing more; several may come as one. There is one after each time the connection was
  /// made, too, for what was missed. The stream ends when the database is closed.
  public func listen(on channel: String) -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let subscription = Subscription(id: loop.makeID(), channel: channel, continuation: continuation)
    continuation.onTermination = { [inbox = loop.inbox, handle] _ in
      inbox.post(.unsubscribe(handle, id: subscription.id, channel: channel))
    }
    if !loop.inbox.post(.subscribe(handle, subscription)) { continuation.finish() }
    return stream
  }

  /// What the pool holds and has done.
  public var status: PoolStatus { statusBox.value }

  /// Refuses new work, waits until what is under way has ended (ten seconds at most), and closes the connections.
  public func close() async {
    await withCheckedContinuation { continuation in
      if !loop.inbox.post(.close(handle, completion: { continuation.resume() })) {
        continuation.resume()
      }
    }
  }

  private func attemptTransaction<R: Sendable>(
    _ isolation: Isolation, _ body: @Sendable (Transaction) async throws -> R
  ) async throws -> R {
    let lease = Lease(isolation)
    let scope = TransactionScope(database: self, lease: lease)
    do {
      let result = try await body(Transaction(scope: scope))
      let actions = scope.end()
      try await commit(lease, scope)
      for action in actions { action() }
      return result
    } catch {
      if scope.isOpen {
        _ = scope.end()
        // When it fails the connection is closed, and the server rolls back.
        if scope.hasBegun {
          _ = try? await send(Request("ROLLBACK", as: .end(lease, commits: false)))
        }
      }
      throw error
    }
  }

  private func commit(_ lease: Lease, _ scope: TransactionScope) async throws {
    guard scope.hasBegun else { return }
    let answer: Rows
    do {
      answer = try await send(Request("COMMIT", as: .end(lease, commits: true)))
    } catch let error as DatabaseError where error.kind != .outcomeUnknown {
      throw scope.failure ?? error
    }
    // COMMIT of a transaction in which a statement has failed succeeds, and rolls back.
    guard answer.result.commandTag == "ROLLBACK" else { return }
    throw scope.failure
      ?? DatabaseError(
        .server(.inFailedTransaction), database: name,
        explanation: "a statement of the transaction had failed; COMMIT rolled it back")
  }

  /// Sends a request to the loop and waits for its answer. Cancelling the task cancels the request.
  func perform(_ request: Request) async throws -> Rows {
    guard !Task.isCancelled else { throw DatabaseError(.cancelled, database: name) }
    return try await withTaskCancellationHandler {
      try await send(request)
    } onCancel: {
      loop.inbox.post(.cancel(handle, request))
    }
  }

  private func send(_ request: Request) async throws -> Rows {
    try await withUnsafeThrowingContinuation { continuation in
      request.waits(with: continuation)
      guard !loop.inbox.post(.submit(handle, request)) else { return }
      request.finish(.failure(DatabaseError(.closed, database: name)))
    }
  }

  /// Sends a request that nobody waits for.
  /// - Throws: ``DatabaseError`` when the task is cancelled.
  func post(_ request: Request) throws {
    guard !Task.isCancelled else { throw DatabaseError(.cancelled, database: name) }
    guard !loop.inbox.post(.submit(handle, request)) else { return }
    request.finish(.failure(DatabaseError(.closed, database: name)))
  }

  func refuse(_ sql: SQL, _ reason: String) -> DatabaseError {
    var error = DatabaseError(.unsupported, database: name, explanation: reason)
    error.statement = sql.text
    return error
  }
}
