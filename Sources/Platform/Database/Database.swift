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

  private let id: PoolID
  private let loop: DatabaseLoop
  private let statusBox = StatusBox()

  /// Makes the handle. The first connection is opened when one is needed.
  public init(
    _ settings: ConnectionSettings, pool: PoolSettings = PoolSettings(), name: String, logger: Logger, loop: DatabaseLoop
  ) {
    self.name = name
    self.settings = settings
    self.loop = loop
    id = loop.makeID()
    let configuration = PoolConfiguration(
      id: id, name: name, settings: settings, pool: pool, logger: logger, status: statusBox)
    loop.inbox.post(.open(id, configuration))
  }

  deinit { loop.inbox.post(.close(id, completion: {})) }

  /// Runs one statement in a transaction of its own.
  /// - Throws: ``DatabaseError``.
  public func query(_ sql: SQL) async throws -> Rows { try await perform(sql, as: .autocommit) }

  /// Runs `body` within a transaction: commits when it returns, rolls back when it throws.
  ///
  /// The whole of it is run again, from a new snapshot, when the server gave it up because of others beside it
  /// (SQLSTATE 40001, 40P01): `body` must have no effects but those in the transaction; put others in
  /// ``Transaction/afterCommit(_:)``.
  /// - Parameter attempts: runs at most.
  /// - Throws: what `body` throws, or ``DatabaseError``; of kind ``DatabaseError/Kind/outcomeUnknown`` when the
  ///   connection broke during COMMIT.
  public func transaction<R: Sendable>(
    _ isolation: Isolation = .readCommitted, attempts: Int = 3, _ body: @Sendable (Transaction) async throws -> R
  ) async throws -> R {
    var attempt = 1
    while true {
      do {
        return try await attemptTransaction(isolation, body)
      } catch let error as DatabaseError where error.isRetryable && attempt < attempts && !Task.isCancelled {
        // Scattered, so that those who met do not meet again.
        try? await Task.sleep(for: .milliseconds(Double.random(in: 1...10) * Double(1 << min(attempt, 8))))
        attempt += 1
      }
    }
  }

  /// Notifications on a channel, over a connection of their own.
  ///
  /// A notification says "look" and nothing more; several may come as one. There is one after each time the connection was
  /// made, too, for what was missed. The stream ends when the database is closed.
  public func listen(on channel: String) -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let subscription = Subscription(id: loop.makeID(), channel: channel, continuation: continuation)
    continuation.onTermination = { [inbox = loop.inbox, id] _ in
      inbox.post(.unsubscribe(id, id: subscription.id, channel: channel))
    }
    if !loop.inbox.post(.subscribe(id, subscription)) { continuation.finish() }
    return stream
  }

  /// What the pool holds and has done.
  public var status: PoolStatus { statusBox.value }

  /// Refuses new work, waits until what is under way has ended (ten seconds at most), and closes the connections.
  public func close() async {
    await withCheckedContinuation { continuation in
      if !loop.inbox.post(.close(id, completion: { continuation.resume() })) { continuation.resume() }
    }
  }

  private func attemptTransaction<R: Sendable>(
    _ isolation: Isolation, _ body: @Sendable (Transaction) async throws -> R
  ) async throws -> R {
    let lease = loop.makeID()
    _ = try await perform(isolation.begin, as: .begin(lease))
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
        _ = try? await perform("ROLLBACK", as: .end(lease, commits: false), isCancellable: false)
      }
      throw error
    }
  }

  private func commit(_ lease: LeaseID, _ scope: TransactionScope) async throws {
    let answer = try await perform("COMMIT", as: .end(lease, commits: true), isCancellable: false)
    // COMMIT of a transaction in which a statement has failed succeeds, and rolls back.
    guard answer.result.commandTag == "COMMIT" else {
      throw scope.failure
        ?? DatabaseError(
          .server(.inFailedTransaction), database: name,
          explanation: "a statement of the transaction had failed; COMMIT rolled it back")
    }
  }

  /// Sends a statement to the loop and waits for its answer.
  func perform(
    _ sql: SQL, as role: Request.Role, form: Request.Form = .prepared, isCancellable: Bool = true
  ) async throws -> Rows {
    guard isCancellable else { return try await send(sql, loop.makeID(), role, form) {}.get() }
    guard !Task.isCancelled else { throw DatabaseError(.cancelled, database: name) }
    let request = loop.makeID()
    let cancel: @Sendable () -> Void = { [inbox = loop.inbox, id] in inbox.post(.cancel(id, request)) }
    let outcome = await withTaskCancellationHandler {
      // A cancel that came before the request is not remembered, so it is looked for again behind it.
      await send(sql, request, role, form) { if Task.isCancelled { cancel() } }
    } onCancel: {
      cancel()
    }
    return try outcome.get()
  }

  private func send(
    _ sql: SQL, _ request: RequestID, _ role: Request.Role, _ form: Request.Form, didSend: () -> Void
  ) async -> Result<Rows, DatabaseError> {
    await withCheckedContinuation { continuation in
      let isAccepted = loop.inbox.post(
        .submit(
          id, Request(id: request, sql: sql, role: role, form: form, completion: { continuation.resume(returning: $0) })))
      guard isAccepted else { return continuation.resume(returning: .failure(DatabaseError(.closed, database: name))) }
      didSend()
    }
  }
}
