import Synchronization

/// A transaction under way, within the body of ``Database/transaction(_:attempts:_:)``.
public struct Transaction: SQLExecutor {
  let scope: TransactionScope

  /// Runs one statement in the transaction. Statements sent at once (`async let`) are pipelined: sent together, run one
  /// after the other.
  /// - Throws: ``DatabaseError``; of kind ``DatabaseError/Kind/closed`` when the body has ended.
  public func query(_ sql: SQL) async throws -> Rows {
    try await scope.perform(sql, form: .prepared)
  }

  /// Has a statement run whose rows nobody needs, and does not wait for it: the next one goes out behind it at once, and
  /// COMMIT behind the last. Its failure is the transaction's: whatever comes later throws it, ``Database/transaction(_:attempts:_:)``
  /// at the end, and nothing is committed.
  /// - Throws: ``DatabaseError`` for what can't be sent; of kind ``DatabaseError/Kind/closed`` when the body has ended.
  public func enqueue(_ sql: SQL) throws { try scope.enqueue(sql) }

  /// Calls `action` once the transaction is committed; never when it is rolled back.
  public func afterCommit(_ action: @escaping @Sendable () -> Void) { scope.afterCommit(action) }

  /// Runs a text of several statements.
  func run(script: String) async throws {
    _ = try await scope.perform(SQL(trusted: script), form: .script)
  }
}

/// What the copies of a ``Transaction`` share.
final class TransactionScope: Sendable {
  private struct State {
    var isOpen = true
    var hasBegun = false
    var actions: [@Sendable () -> Void] = []
    var failure: DatabaseError?
  }

  private let database: Database
  private let lease: Lease
  private let state = Mutex(State())

  init(database: Database, lease: Lease) {
    self.database = database
    self.lease = lease
  }

  var isOpen: Bool { state.withLock { $0.isOpen } }
  /// Whether anything was asked of the server.
  var hasBegun: Bool { state.withLock { $0.hasBegun } }
  /// The first error a statement met, which the body may have caught.
  var failure: DatabaseError? { state.withLock { $0.failure } }

  func perform(_ sql: SQL, form: Request.Form) async throws -> Rows {
    if case .prepared = form, let reason = sql.refusal(inTransaction: true) {
      throw database.refuse(sql, reason)
    }
    return try await run { try await $0.perform(Request(sql, as: .within($1), form: form)) }
  }

  func enqueue(_ sql: SQL) throws {
    if let reason = sql.refusal(inTransaction: true) ?? sql.unsendable { throw database.refuse(sql, reason) }
    try begin()
    let request = Request(sql, as: .within(lease))
    request.reports { [weak self] in self?.didFail($0) }
    try database.post(request)
  }

  /// Has something done on the transaction's connection, and remembers the first failure.
  func run<R>(_ body: (Database, Lease) async throws -> R) async throws -> R {
    try begin()
    do {
      return try await body(database, lease)
    } catch {
      throw didFail(error)
    }
  }

  func copyOut(_ sql: SQL) throws -> (Request, CopyOutSession) {
    try begin()
    return try database.copyOut(sql, within: lease)
  }

  /// - Returns: the error itself; for one that only says that the transaction had failed, the failure it speaks of.
  @discardableResult
  private func didFail(_ error: any Error) -> any Error {
    guard let error = error as? DatabaseError else { return error }
    return state.withLock { state in
      let first = state.failure ?? error
      state.failure = first
      return error.kind == .server(.inFailedTransaction) ? first : error
    }
  }

  private func begin() throws {
    let isOpen = state.withLock { state in
      state.hasBegun = state.hasBegun || state.isOpen
      return state.isOpen
    }
    guard isOpen else {
      throw DatabaseError(
        .closed, database: database.name, explanation: "the transaction has ended")
    }
  }

  func afterCommit(_ action: @escaping @Sendable () -> Void) {
    state.withLock { state in
      assert(state.isOpen, "afterCommit outside of the transaction")
      state.actions.append(action)
    }
  }

  /// - Returns: what is to be done after COMMIT.
  func end() -> [@Sendable () -> Void] {
    state.withLock { state in
      state.isOpen = false
      return state.actions
    }
  }
}
