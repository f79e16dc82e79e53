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

  /// Has something done on the transaction's connection, and remembers the first failure.
  func run<R>(_ body: (Database, Lease) async throws -> R) async throws -> R {
    try begin()
    do {
      return try await body(database, lease)
    } catch {
      didFail(error)
      throw error
    }
  }

  func copyOut(_ sql: SQL) throws -> (Request, CopyOutSession) {
    try begin()
    return try database.copyOut(sql, within: lease)
  }

  private func didFail(_ error: any Error) {
    guard let error = error as? DatabaseError else { return }
    state.withLock { $0.failure = $0.failure ?? error }
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
