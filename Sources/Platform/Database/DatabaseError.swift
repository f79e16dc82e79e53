/// A five-character SQLSTATE code (PostgreSQL manual, appendix A).
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  public static let notNullViolation = SQLState(rawValue: "23502")
  public static let foreignKeyViolation = SQLState(rawValue: "23503")
  public static let uniqueViolation = SQLState(rawValue: "23505")
  public static let checkViolation = SQLState(rawValue: "23514")
  public static let exclusionViolation = SQLState(rawValue: "23P01")
  public static let inFailedTransaction = SQLState(rawValue: "25P02")
  public static let readOnlyTransaction = SQLState(rawValue: "25006")
  public static let serializationFailure = SQLState(rawValue: "40001")
  public static let deadlockDetected = SQLState(rawValue: "40P01")
  public static let insufficientPrivilege = SQLState(rawValue: "42501")
  public static let undefinedTable = SQLState(rawValue: "42P01")
  public static let raisedException = SQLState(rawValue: "P0001")
  public static let lockNotAvailable = SQLState(rawValue: "55P03")
  public static let queryCanceled = SQLState(rawValue: "57014")

  public var description: String { rawValue }
}

/// What went wrong between this process and a database.
///
/// ``description`` is safe to log: it names kinds, codes and constraints, and quotes no values. ``message`` may quote
/// them and stays out of logs and answers.
public struct DatabaseError: Error, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// The server refused the statement.
    case server(SQLState)
    /// No connection could be made; nothing was sent.
    case connectionFailed
    /// The connection broke while the statement was under way. Outside a transaction it may have taken effect.
    case connectionLost
    /// Every connection stayed busy for the wait timeout; nothing was sent.
    case poolExhausted
    /// The statement ran longer than the statement timeout.
    case timeout
    /// The task was cancelled, or the statement was on the server.
    case cancelled
    /// The connection broke during COMMIT: the transaction has taken effect, or it has not.
    case outcomeUnknown
    /// The database handle, or the transaction, has been closed.
    case closed
    /// A column is absent, or can't be read as the type asked for.
    case decoding(column: String)
    /// The statement is of a kind that this call does not take (COPY, or a BEGIN outside of `transaction`).
    case unsupported
  }

  public var kind: Kind
  /// The name of the ``Database``.
  public var database: String?
  public var constraint: String?
  public var table: String?
  public var column: String?
  /// The server's primary message, or libpq's. May quote values: never log it, never show it.
  public var message: String?
  /// Our own words on it, without values.
  public var explanation: String?
  /// The statement's text, which has no values in it.
  public var statement: String?
  /// The server has ended the connection with this error.
  var isFatal = false
  /// Where in the statement's text the server saw the fault: characters, from 1.
  var position: Int?
  /// A prepared plan that the tables have outgrown; prepared anew, the statement runs.
  var isStalePlan = false

  public init(_ kind: Kind, database: String? = nil, message: String? = nil, explanation: String? = nil) {
    self.kind = kind
    self.database = database
    self.message = message
    self.explanation = explanation
  }

  public var state: SQLState? {
    guard case .server(let state) = kind else { return nil }
    return state
  }

  public var isUniqueViolation: Bool { state == .uniqueViolation }

  /// The database can't be reached or is too busy: the same request may succeed later. Answer 503.
  public var isUnavailable: Bool {
    switch kind {
    case .connectionFailed, .connectionLost, .poolExhausted, .outcomeUnknown, .closed: true
    // Class 53: insufficient resources; 57P: the server goes down or comes up; 08: connection exceptions.
    case .server(let state): ["53", "08"].contains(state.rawValue.prefix(2)) || state.rawValue.hasPrefix("57P")
    default: false
    }
  }

  /// The transaction failed only because of others that ran beside it; from its beginning it may succeed.
  public var isRetryable: Bool { state == .serializationFailure || state == .deadlockDetected || isStalePlan }

  public var description: String {
    var parts: [String] = []
    switch kind {
    case .server(let state): parts.append("server error \(state)")
    case .decoding(let column): parts.append("can't read column \(column)")
    case .connectionFailed: parts.append("connection failed")
    case .connectionLost: parts.append("connection lost")
    case .poolExhausted: parts.append("no free connection within the wait timeout")
    case .timeout: parts.append("statement timeout")
    case .cancelled: parts.append("cancelled")
    case .outcomeUnknown: parts.append("connection lost during COMMIT, outcome unknown")
    case .closed: parts.append("closed")
    case .unsupported: parts.append("unsupported statement")
    }
    if let database { parts.append("database \(database)") }
    if let constraint { parts.append("constraint \(constraint)") }
    if let table { parts.append("table \(table)") }
    if let column { parts.append("column \(column)") }
    if let explanation { parts.append(explanation) }
    if let statement { parts.append("in: \(statement.prefix(160))") }
    return parts.joined(separator: "; ")
  }
}
