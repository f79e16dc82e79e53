/// Something statements can be sent to: a ``Database`` or a ``Transaction``.
public protocol SQLExecutor: Sendable {
  /// Runs one statement.
  /// - Throws: ``DatabaseError``.
  func query(_ sql: SQL) async throws -> Rows
}

extension SQLExecutor {
  /// Runs a statement and gives its first row.
  /// - Throws: ``DatabaseError``.
  public func one(_ sql: SQL) async throws -> Row? { try await query(sql).first }

  /// Runs a statement for its effect.
  /// - Returns: how many rows it inserted, updated, deleted or selected.
  /// - Throws: ``DatabaseError``.
  @discardableResult
  public func execute(_ sql: SQL) async throws -> Int { try await query(sql).affected }
}

/// How much a transaction sees of those beside it (PostgreSQL manual §13.2).
public enum Isolation: Sendable {
  case readCommitted
  case repeatableRead
  case serializable

  var begin: SQL {
    switch self {
    case .readCommitted: "BEGIN"
    case .repeatableRead: "BEGIN ISOLATION LEVEL REPEATABLE READ"
    case .serializable: "BEGIN ISOLATION LEVEL SERIALIZABLE"
    }
  }
}
