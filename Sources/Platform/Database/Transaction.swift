import Synchronization

/// A transaction under way, within the body of ``Database/transaction(_:attempts:_:)``.
public struct Transaction: SQLExecutor {
  let scope: TransactionScope

  /// Runs one statement in the transaction. Statements sent at once are run one after the other.
  /// - Throws: ``DatabaseError``; of kind ``DatabaseError/Kind/closed`` when the body has ended.
  public func query(_ sql: SQL) async throws -> Rows { try await scope.perform(sql, form: .prepared) }

  /// Calls `action` once the transaction is committed; never when it is rolled back.
  public func afterCommit(_ action: @escaping @Sendable () -> Void) { scope.afterCommit(action) }

  /// Runs a text of several statements.
  func run(script: String) async throws { _ = try await scope.perform(SQL(trusted: script), form: .script) }
}

/// What the copies of a ``Transaction`` share.
final class TransactionScope: Sendable {
  private struct State {
    var isOpen = true
    var actions: [@Sendable () -> Void] = []
    var failure: DatabaseError?
  }

  private let database: Database
  private let lease: LeaseID
  private let state = Mutex(State())

  init(database: Database, lease: LeaseID) {
    self.database = database
    self.lease = lease
  }

  var isOpen: Bool { state.withLock { $0.isOpen } }
  /// The first error a statement met, which the body may have caught.
  var failure: DatabaseError? { state.withLock { $0.failure } }

  func perform(_ sql: SQL, form: Request.Form) async throws -> Rows {
    guard isOpen else {
      throw DatabaseError(.closed, database: database.name, explanation: "the transaction has ended")
    }
    do {
      return try await database.perform(sql, as: .within(lease), form: form)
    } catch let error as DatabaseError {
      state.withLock { $0.failure = $0.failure ?? error }
      throw error
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
